"""The questions of :reconnect: how the open differences are to be resolved."""

from __future__ import annotations

import time
from pathlib import Path

from kedis.cli.client.display import readable
from kedis.cli.client.expected import ServerSays
from kedis.cli.client.standalone import export
from kedis.cli.client.standalone.key_values import NEVER, Value, encode_score
from kedis.cli.client.standalone.reconcile import Difference, Pushed, Reconciliation, State
from kedis.cli.client.standalone.terminal import Terminal
from kedis.cli.client.standalone.timefmt import moment
from kedis.structures.stream import Stream
from kedis.structures.stream_id import ID_MAX

_SHOWN_BYTES = 60
_SHOWN_ELEMENTS = 5


def resolve(reconciliation: Reconciliation, terminal: Terminal) -> bool:
    """Compare, show, and resolve as the user chooses, until nothing is open or it is enough.

    Returns whether to go on with the server; False: stay as before. Raises LinkLost, ServerSays, OSError.
    """
    terminal.say("Comparing what was changed alone with the server ...")
    reconciliation.compare()
    if reconciliation.same:
        terminal.say(f"{_keys(reconciliation.same)}: {State.SAME.value}, nothing to do")
    while reconciliation.differences:
        terminal.say(summary(reconciliation))
        answer = terminal.ask("How shall they be resolved?", _choices(reconciliation))
        if answer in ("", "l"):
            return answer == "l"
        try:
            _ACTIONS[answer](reconciliation, terminal)
        except ServerSays as refusal:
            terminal.say(str(refusal))
            terminal.say("What was written until then is recorded; comparing again ...")
            reconciliation.compare()
    terminal.say("Everything that was changed alone is resolved.")
    return True


def summary(reconciliation: Reconciliation) -> str:
    """How many keys differ, and in which way."""
    counts = reconciliation.counts()
    lines = [f"{_keys(counts.total())} changed alone, and not resolved:"]
    lines += [f"  {counts[state]:>8}  {state.value}" for state in State if counts[state]]
    return "\n".join(lines)


def _choices(reconciliation: Reconciliation) -> dict[str, str]:
    every = len(reconciliation.differences)
    calm = sum(not difference.conflicts for difference in reconciliation.differences)
    return {
        "s": f"keep the server's: {_keys(every)} (mine stay in the journal until :discard)",
        "m": f"push mine: {_keys(every)}, {every - calm} of them over what others wrote",
        "n": f"push only what does not conflict: {_keys(calm)}",
        "o": "decide one by one",
        "f": "write both sides to files, and change nothing",
        "l": "connect now and resolve the rest later",
    }


def _keep_servers(reconciliation: Reconciliation, terminal: Terminal) -> None:
    kept = list(reconciliation.differences)
    reconciliation.keep_servers(kept)
    terminal.say(f"{_keys(len(kept))}: the server's values stay.")


def _push_mine(reconciliation: Reconciliation, terminal: Terminal) -> None:
    conflicts = sum(difference.conflicts for difference in reconciliation.differences)
    if conflicts:
        question = f"This overwrites what others wrote to {_keys(conflicts)}. Push?"
        if terminal.ask(question, {"y": "yes, push mine", "n": "no"}) != "y":
            return
    _say_pushed(terminal, reconciliation.push(list(reconciliation.differences)))


def _push_calm(reconciliation: Reconciliation, terminal: Terminal) -> None:
    calm = [difference for difference in reconciliation.differences if not difference.conflicts]
    _say_pushed(terminal, reconciliation.push(calm))


def _say_pushed(terminal: Terminal, pushed: Pushed) -> None:
    terminal.say(f"{_keys(pushed.written)} pushed.")
    if pushed.moved:
        terminal.say(
            f"{_keys(len(pushed.moved))} changed on the server after they had been compared: left alone."
        )


def _one_by_one(reconciliation: Reconciliation, terminal: Terminal) -> None:
    todo = list(reconciliation.differences)
    while todo:
        difference = todo.pop(0)
        terminal.say(describe(reconciliation, difference))
        answer = terminal.ask(
            f"{len(todo) + 1} to decide.",
            {"m": "push mine", "s": "keep the server's", "k": "skip it", "q": "no more questions"},
        )
        if answer in ("", "q"):
            return
        if answer == "s":
            reconciliation.keep_servers([difference])
        elif answer == "m" and (moved := reconciliation.push([difference]).moved):
            terminal.say("It was changed on the server in the meantime; now it is:")
            todo = moved + todo


def describe(reconciliation: Reconciliation, difference: Difference) -> str:
    """The three values of a difference, in short. Raises LinkLost, ServerSays."""
    change = difference.change
    theirs = reconciliation.read([change])[change.key]
    name = readable(change.key).decode()
    return "\n".join(
        [
            f"{name} in database {change.database}: {difference.state.value}",
            f"  mine    {shown(reconciliation.divergence.mine(change.place))}",
            f"  server  {shown(theirs)}",
            f"  before  {shown(reconciliation.divergence.base(change.place))}",
        ]
    )


def shown(value: Value | None) -> str:
    """A value in one line: its type, its size, its beginning, and when it expires."""
    if value is None:
        return "(no key)"
    if value.kind == "string":
        text = f"string {_short(value.content)}"
    elif value.kind in ("list", "set"):
        elements = list(value.content) if value.kind == "list" else sorted(value.content)
        text = f"{value.kind} of {value.count}: {_several([_short(element) for element in elements[:6]])}"
    elif value.kind in ("hash", "zset"):
        pairs = sorted(value.content.items())[:6]
        text = f"{value.kind} of {value.count}: " + _several(
            [
                f"{_short(name)} = {_short(held) if isinstance(held, bytes) else encode_score(held).decode()}"
                for name, held in pairs
            ]
        )
    elif isinstance(value.content, Stream):
        text = f"stream of {value.count}: " + _several(
            [
                f"{stream_id.decode()} {' '.join(map(_short, pairs))}"
                for segment in value.content.read(0, ID_MAX, 6)
                for stream_id, pairs in zip(
                    segment.id_texts(0, len(segment)), segment.pairs(0, len(segment)), strict=True
                )
            ]
        )
    else:
        text = f"{value.kind} ({value.count} bytes in DUMP's form)"
    return text if value.expire_at_ms == NEVER else f"{text}, expires {moment(value.expire_at_ms)}"


def _short(data: bytes) -> str:
    text = readable(data[:_SHOWN_BYTES]).decode()
    return text if len(data) <= _SHOWN_BYTES else f"{text}... ({len(data)} bytes)"


def _several(texts: list[str]) -> str:
    more = ", ..." if len(texts) > _SHOWN_ELEMENTS else ""
    return ", ".join(texts[:_SHOWN_ELEMENTS]) + more


def _write_files(reconciliation: Reconciliation, terminal: Terminal) -> None:
    folder = Path.cwd() / time.strftime("kedis-divergence-%Y%m%d-%H%M%S")
    try:
        export.write(reconciliation, folder)
    except OSError as error:
        terminal.say(f"cannot write to {folder}: {error.strerror}")
        return
    terminal.say(f"Nothing was changed; mine.jsonl, server.jsonl and base.jsonl are in\n{folder}")


def _keys(count: int) -> str:
    return f"{count} key{'' if count == 1 else 's'}"


_ACTIONS = {
    "s": _keep_servers,
    "m": _push_mine,
    "n": _push_calm,
    "o": _one_by_one,
    "f": _write_files,
}
