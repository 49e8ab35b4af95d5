"""Stream and IdMap against naive models, with the self-check after every step."""

from __future__ import annotations

import sys
from random import Random

import pytest

from kedis.structures import stream as stream_module
from kedis.structures.consumer_groups import Account, Group
from kedis.structures.id_map import _RUN, IdMap
from kedis.structures.stream import EntryTooLarge, Stream
from kedis.structures.stream_block import NodeLimits, Segment, node_limits
from kedis.structures.stream_columns import interleaved
from kedis.structures.stream_id import ID_MAX, id_text
from tests.structures.both import each_form

form = each_form(__name__)

FIELDS = [(b"a",), (b"a", b"b"), (b"b", b"a"), (b"name", b"n" * 70)]
TEXTS = [b"", b"1", b"-4097", b"007", b"x" * 63, b"y" * 200, b"9223372036854775807", b"9223372036854775808"]
LIMITS = [(3, 0), (0, 120), (5, 300), (150, 4096)]


def entries(segments: list[Segment], reverse: bool = False) -> list[tuple[int, list[bytes]]]:
    """Ids with fields and values in turn, in the order of the request."""
    found = []
    for segment in segments:
        part = []
        texts = segment.id_texts(0, len(segment))
        assert texts == [id_text(stream_id) for stream_id in segment.ids()]
        for stream_id, row in zip(segment.ids(), segment.rows(), strict=True):
            part.append((stream_id, interleaved(segment.fields, row)))
        found += reversed(part) if reverse else part
    return found


class Model:
    """A stream as a dict, which lives only in terms of what clients see."""

    def __init__(self) -> None:
        self.log: dict[int, list[bytes]] = {}
        self.added = self.last = self.deleted = 0


def step(rng: Random, stream: Stream, model: Model, limits: NodeLimits) -> None:
    """One random change or look at both."""
    some = rng.choice([*model.log, rng.randrange(model.last + 2), 0, ID_MAX])
    match rng.randrange(9):
        case 0 | 1 | 2 | 3:
            fields = rng.choice(FIELDS)
            values = tuple(rng.choice(TEXTS) for _ in fields)
            gap = rng.choice([1, 1, 2, 255, 1 << 64, (1 << 64) * 300 - 5])
            model.last += gap
            model.log[model.last] = [text for pair in zip(fields, values, strict=True) for text in pair]
            model.added += 1
            stream.append(model.last, fields, values, limits)
        case 4 | 5:
            assert stream.delete(some) == (some in model.log)
            if model.log.pop(some, None) is not None:
                model.deleted = max(model.deleted, some)
        case 6:
            _trim(rng, stream, model)
        case _:
            _look(rng, stream, model, some)


def _trim(rng: Random, stream: Stream, model: Model) -> None:
    ids = sorted(model.log)
    approximately = rng.random() < 0.5
    limit = rng.choice([0, 0, 2, 10]) if approximately else 0
    if rng.random() < 0.5:
        length = max(0, len(ids) - rng.randrange(12))
        doomed = ids[: max(0, len(ids) - length)]
        removed = stream.trim(length, approximately, limit)
    else:
        least = rng.choice([*ids[:8], 0, model.last])
        doomed = [each for each in ids if each < least]
        removed = stream.trim_below(least, approximately, limit)
    assert removed == len(doomed) if not approximately else removed <= (limit or len(doomed))
    for each in doomed[:removed]:
        del model.log[each]


def _look(rng: Random, stream: Stream, model: Model, some: int) -> None:
    low, high = sorted((some, rng.choice([*model.log, 0, ID_MAX])))
    count, reverse = rng.choice([1, 2, 7, sys.maxsize]), rng.random() < 0.5
    inside = [each for each in sorted(model.log, reverse=reverse) if low <= each <= high][:count]
    found = entries(list(stream.read(low, high, count, reverse)), reverse)
    assert found == [(each, model.log[each]) for each in inside]
    assert (stream.find(some) is not None) == (some in stream) == (some in model.log)


@pytest.mark.parametrize("seed", range(8))
def test_stream_against_a_dict(seed: int) -> None:
    rng = Random(seed)
    stream, model = Stream(), Model()
    for number in range(2500):
        step(rng, stream, model, node_limits(*LIMITS[seed % 4]))
        stream._check()
        assert len(stream) == len(model.log)
        assert (stream.last_id, stream.max_deleted_id) == (model.last, model.deleted)
        assert stream.entries_added == model.added
        assert (stream.first_id, stream.top_id) == (min(model.log, default=0), max(model.log, default=0))
        if number % 100 == 99:
            twin = stream.copy()
            twin._check()
            assert twin.footprint == stream.footprint
            assert entries(list(twin.read(0, ID_MAX))) == sorted(model.log.items())
            stream = twin
    assert stream


def test_a_copy_is_independent() -> None:
    stream = Stream()
    for number in range(1, 8):
        stream.append(number, (b"a",), (b"1",), node_limits(3, 0))
    group = stream.add_group(b"g", 0, 0)
    group.deliver(3, group.add_consumer(b"c", 5), 7)
    twin = stream.copy()
    for number in (1, 2, 3, 7):
        assert stream.delete(number)
    assert group.acknowledge(3)
    assert len(twin) == 7
    assert twin.groups[b"g"].pending[3].delivered_ms == 7
    stream._check()
    twin._check()


@pytest.mark.parametrize("seed", range(4))
def test_id_map_against_a_dict(seed: int) -> None:
    rng = Random(seed)
    found, model = IdMap(), dict[int, int]()
    highest = 0
    for number in range(6 * _RUN):
        if rng.random() < 0.8:
            key = rng.randrange(highest + 2) if seed % 2 else highest + rng.randrange(3)
            found[key] = model[key] = number
            highest = max(highest, key) if seed % 2 else key + 1
            if seed % 2:
                highest += 3
        elif model:
            key = rng.choice([rng.choice(list(model)), rng.randrange(highest + 2)])
            assert found.pop(key) == model.pop(key, None)
        if number % 16 == 0:
            found._check()
            start = rng.randrange(highest + 2)
            assert list(found.keys(start)) == sorted(each for each in model if each >= start)
            assert list(found.keys_down(start)) == sorted(
                (each for each in model if each <= start), reverse=True
            )
            assert found.floor(start) == max((each for each in model if each <= start), default=None)
            assert (found.first(), found.last()) == (min(model, default=None), max(model, default=None))
            assert list(found.items()) == sorted(model.items())
    while found:
        key = max(model)
        assert found.pop_last() == model.pop(key)
        found._check()
    assert found.first() is found.last() is None


@pytest.mark.parametrize("seed", range(4))
def test_a_map_is_extended_at_its_end(seed: int) -> None:
    rng = Random(seed)
    found, model = IdMap(), dict[int, int]()
    for number in range(60):
        keys = [max(model, default=0) + 1 + at for at in range(rng.choice([1, 10, _RUN - 1, _RUN, 3 * _RUN]))]
        found.extend(keys, [number] * len(keys))
        model.update(dict.fromkeys(keys, number))
        for key in rng.sample(list(model), rng.randrange(len(model))):
            assert found.pop(key) == model.pop(key)
        found._check()
        assert list(found.items()) == list(model.items())


def test_a_map_that_grows_in_the_middle_splits_its_runs() -> None:
    found = IdMap()
    for number in [0, 10**6, *range(10**6 - 1, 10**6 - 5000, -1)]:
        found[number] = None
    found._check()
    assert len(list(found.keys())) == 5001


@pytest.mark.parametrize("seed", range(4))
def test_group_against_a_dict(seed: int) -> None:
    rng = Random(seed)
    account = Account()
    group = Group(account, 0, None)
    account.held = group.footprint()
    model: dict[int, tuple[bytes, int, int]] = {}
    for now in range(2000):
        name, stream_id = rng.choice([b"a", b"b", b"c"]), rng.randrange(40 if seed % 2 else 40 + now)
        consumer = group.consumer(name) or group.add_consumer(name, now)
        match rng.randrange(7):
            case 0 | 1 | 2:
                group.deliver(stream_id, consumer, now)
                model[stream_id] = (name, now, 1)
            case 6:
                several = list(range(stream_id, stream_id + rng.randint(1, 6)))
                group.deliver_all(several, consumer, now)
                model.update(dict.fromkeys(several, (name, now, 1)))
            case 3:
                assert group.acknowledge(stream_id) == (model.pop(stream_id, None) is not None)
            case 4:
                pending = group.pending.get(stream_id)
                if pending is not None:
                    group.assign(stream_id, pending, consumer)
                    pending.count += 1
                    _, at, count = model[stream_id]
                    model[stream_id] = (name, at, count + 1)
            case 5 if rng.random() < 0.1:
                lost = [each for each, (owner, _, _) in model.items() if owner == name]
                assert group.remove_consumer(name) == len(lost)
                for each in lost:
                    del model[each]
        group._check()
        assert account.held == group.footprint()
        shown = {
            key: (each.consumer.name, each.delivered_ms, each.count) for key, each in group.pending.items()
        }
        assert shown == model
        assert list(shown) == sorted(model)


@pytest.mark.parametrize("step_ms", [0, 1, 7, 400, 1000, 12_345])
@pytest.mark.parametrize("begin_ms", [0, 990, 1_699_999_999_990, (1 << 64) - 3_000_000])
def test_ids_are_told_alike_however_near(begin_ms: int, step_ms: int) -> None:
    """Entries within a second, over the borders of seconds, and far from each other; numbers of 0 and others."""
    for number in (0, 1, 5000, 1 << 63):
        stream = Stream()
        ids = [(begin_ms + at * step_ms) << 64 | (number if step_ms else number + at) for at in range(200)]
        for stream_id in ids:
            stream.append(stream_id + (not stream_id), (b"f",), (b"v",), node_limits(60))
        for start in (0, 3, 59, 70):
            low = ids[start] + (not ids[start])
            assert [each for each, _ in entries(list(stream.read(low, ID_MAX)))][1:] == ids[start + 1 :]


def test_what_no_node_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is a gigabyte: a lower one tells the same."""
    monkeypatch.setattr(stream_module, "LISTPACK_MAX", 100)
    stream = Stream()
    for stream_id in (1, 2):
        with pytest.raises(EntryTooLarge):
            stream.append(stream_id, (b"f",), (b"v" * 100,), node_limits(3, 60))
        stream._check()
        assert (len(stream), stream.last_id, stream.entries_added) == (stream_id - 1,) * 3
        stream.append(stream_id, (b"f",), (b"v" * 99,), node_limits(3, 60))
    stream._check()


@pytest.mark.parametrize("fields", [(b"f",), (b"g", b"f")])
@pytest.mark.parametrize("most", [2, 100])
def test_an_entry_that_memory_has_no_room_for_leaves_nothing(
    form: str, most: int, fields: tuple[bytes, ...]
) -> None:
    """Whatever allocation fails. (In Python a sum may fail between two others; nothing is relied on then.)"""
    testcapi = pytest.importorskip("_testcapi")
    if form == "python":
        pytest.skip("the interpreter allocates between any two steps")
    values, limits, failed = tuple(b"a value" for _ in fields), node_limits(most), 0
    for moment in range(500):
        stream = Stream()
        for stream_id in (1, 2):
            stream.append(stream_id, (b"f",), (b"1",), limits)
        before = stream.contents()
        testcapi.set_nomemory(moment, moment + 1)
        try:
            stream.append(10, fields, values, limits)
        except MemoryError:
            testcapi.remove_mem_hooks()
            failed += 1
            stream._check()
            assert stream.contents() == before, moment
            continue
        finally:
            testcapi.remove_mem_hooks()
        stream._check()
        break
    assert failed and len(stream) == 3


def test_id_text() -> None:
    assert id_text(0) == b"0-0"
    assert id_text(ID_MAX) == b"18446744073709551615-18446744073709551615"
