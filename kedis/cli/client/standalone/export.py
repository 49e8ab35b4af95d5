"""Open differences as files: mine.jsonl, server.jsonl and base.jsonl, a JSON object a line, the same keys in each.

    {"db": 0, "key": "user:1", "state": "changed on both sides", "type": "hash", "expire_at_ms": -1,
     "value": [["name", "Ann"], ["photo", {"base64": "/9j/4AAQ"}]]}

Text is a JSON string, and bytes that are no UTF-8 are {"base64": …}. A string is one of these, a list or a set a list
of them, a hash a list of pairs, a sorted set a list of pairs of member and score (digits in a string). Where
there is no key, type and value are null. A stream is an object: entries, last id, highest deleted id, number of entries
added, groups. Values of other types are their DUMP.
"""

from __future__ import annotations

import base64
import json
import os
from itertools import groupby
from pathlib import Path
from typing import Any

from kedis.cli.client.standalone.home import filled
from kedis.cli.client.standalone.key_values import BATCH_KEYS, NEVER, Value, encode_score
from kedis.cli.client.standalone.reconcile import Difference, Reconciliation
from kedis.structures.consumer_groups import Group
from kedis.structures.stream import Stream
from kedis.structures.stream_id import ID_MAX, id_text


def write(reconciliation: Reconciliation, folder: Path) -> None:
    """Write all open differences into a new folder; nothing else is changed.

    Raises LinkLost, ServerSays, OSError (the folder exists, or cannot be written).
    """
    if folder.exists():
        raise FileExistsError(17, os.strerror(17), str(folder))
    with filled(folder) as temporary:
        names = ("mine", "server", "base")
        files = [open(temporary / f"{name}.jsonl", "w", encoding="utf-8") for name in names]  # noqa: SIM115
        try:
            _write_all(reconciliation, files)
            for file in files:
                file.flush()
                os.fsync(file.fileno())
        finally:
            for file in files:
                file.close()


def _write_all(reconciliation: Reconciliation, files: list[Any]) -> None:
    divergence = reconciliation.divergence
    ordered = sorted(reconciliation.differences, key=lambda difference: difference.change.place)
    done = 0
    for _, group in groupby(ordered, key=lambda difference: difference.change.database):
        of_database = list(group)
        for at in range(0, len(of_database), BATCH_KEYS):
            batch = of_database[at : at + BATCH_KEYS]
            theirs = reconciliation.read([difference.change for difference in batch])
            for difference in batch:
                place = difference.change.place
                sides = (divergence.mine(place), theirs[difference.change.key], divergence.base(place))
                for file, value in zip(files, sides, strict=True):
                    file.write(line(difference, value) + "\n")
            done += len(batch)
            reconciliation.terminal.progress(done, len(ordered))


def line(difference: Difference, value: Value | None) -> str:
    """One side of a difference as a line."""
    told = {
        "db": difference.change.database,
        "key": _text(difference.change.key),
        "state": difference.state.value,
        "type": None if value is None else value.kind,
        "expire_at_ms": NEVER if value is None else value.expire_at_ms,
        "value": None if value is None else _content(value),
    }
    return json.dumps(told, ensure_ascii=False)


def _content(value: Value) -> object:
    if value.kind == "list":
        return [_text(element) for element in value.content]
    if value.kind == "set":
        return [_text(member) for member in sorted(value.content)]
    if value.kind == "hash":
        return [[_text(name), _text(held)] for name, held in value.content.items()]
    if value.kind == "zset":
        pairs = sorted(value.content.items(), key=lambda pair: (pair[1], pair[0]))
        return [[_text(member), encode_score(score).decode()] for member, score in pairs]
    if isinstance(value.content, Stream):
        return _stream(value.content)
    return _text(value.content)


def _stream(stream: Stream) -> dict[str, object]:
    entries = [
        [text.decode(), [_text(part) for part in pairs]]
        for segment in stream.read(0, ID_MAX)
        for text, pairs in zip(segment.id_texts(0, len(segment)), segment.pairs(0, len(segment)), strict=True)
    ]
    return {
        "entries": entries,
        "last-generated-id": id_text(stream.last_id).decode(),
        "max-deleted-entry-id": id_text(stream.max_deleted_id).decode(),
        "entries-added": stream.entries_added,
        "groups": [_group(name, group) for name, group in sorted(stream.groups.items())],
    }


def _group(name: bytes, group: Group) -> dict[str, object]:
    return {
        "name": _text(name),
        "last-delivered-id": id_text(group.last_id).decode(),
        "entries-read": group.entries_read,
        "pending": [
            [id_text(stream_id).decode(), _text(pending.consumer.name), pending.count]
            for stream_id, pending in group.pending.items()
        ],
    }


def _text(data: bytes) -> object:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
