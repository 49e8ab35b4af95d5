"""Non-interactive commands: one from the command line, or one per line of standard input."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence

from kedis.cli.client.link import Link, LinkLost, ServerLink, outcome
from kedis.cli.client.output import Output, complain
from kedis.cli.client.render import Form
from kedis.cli.client.wire import ErrorReply, Push
from kedis.errors import ProtocolError
from kedis.resp.requests import split_inline

_LISTENING = (b"subscribe", b"psubscribe", b"ssubscribe", b"monitor")


def repeat(
    link: Link,
    words: Sequence[bytes],
    output: Output,
    times: int = 1,
    interval: float = 0.0,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Run a command `times` times (for ever if negative), `interval` seconds apart.

    Returns whether no reply was an error; with `output.errors_apart` stops at the first one. Raises LinkLost.
    """
    well = True
    for turn in itertools.count() if times < 0 else range(times):
        if turn and interval:
            pause(interval)
        well = run(link, words, output) and well
        if not well and output.errors_apart:
            break
    return well


def run(link: Link, words: Sequence[bytes], output: Output) -> bool:
    """Run one command and print its reply; True unless that is an error. Raises LinkLost."""
    if words[0].lower() in _LISTENING:
        return listen(link, words, output)
    try:
        reply = link.send(words)
    except LinkLost as error:
        if words[0].lower() == b"shutdown" and error.is_closed:
            return True  # which is its answer
        raise
    while isinstance(link, ServerLink) and link.pushes:
        push = link.pushes.popleft()
        if output.shows_pushes:
            output.show_push(push)
    output.show(words, reply)
    return not isinstance(reply, ErrorReply)


def listen(link: Link, words: Sequence[bytes], output: Output) -> bool:
    """SUBSCRIBE and MONITOR: print what comes until the connection or the user ends it."""
    reply = link.send(words)
    if isinstance(reply, ErrorReply):
        output.show(words, reply)
        return False
    monitoring = words[0].lower() == b"monitor"
    if output.form is not Form.RAW and not monitoring:
        output.write(b"Reading messages... (press Ctrl-C to quit)\n")
    while True:
        if reply is not None:
            output.show(words, list(reply) if isinstance(reply, Push) else reply)
        reply = link.read_push(None)


def run_lines(link: Link, lines: Iterable[bytes], output: Output) -> bool:
    """Run a command a line, with redis-cli's quoting, until the end or `quit`.

    A number in front repeats the command. Returns whether all went well; a line whose quotes do not match
    is reported and skipped. Raises LinkLost.
    """
    well = True
    for number, line in enumerate(lines, 1):
        try:
            words = split_inline(line.strip())
        except ProtocolError:
            output.write(b"Invalid argument(s)\n")
            well = False
            continue
        if not words:
            continue
        if words[0].lower() in (b"quit", b"exit"):
            break
        times = 1
        if len(words) > 1 and words[0].isdigit():
            times, words = int(words[0]), words[1:]
        try:
            well = repeat(link, words, output, times) and well
        except LinkLost as error:
            complain(f"line {number}: {outcome(error)}; those after it were not run")
            raise
        if not well and output.errors_apart:
            break
    return well
