"""The client's own commands: lines that begin with ':'."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from kedis.cli.client import manual
from kedis.cli.client.link import LinkLost, ServerLink
from kedis.cli.client.render import Form
from kedis.cli.client.target import BadTarget, Target, parse_url
from kedis.cli.terminal_text import visible

if TYPE_CHECKING:
    from kedis.cli.client.shell import Shell

Handler = Callable[["Shell", list[str]], None]


def commands() -> dict[str, Handler]:
    """The handlers by name, without the colon."""
    return {
        "help": help_,
        "timing": timing,
        "pager": pager,
        "format": format_,
        "color": color,
        "connect": connect,
        "history": history,
        "clear": clear,
        "quit": quit_,
    }


def help_(shell: Shell, _words: list[str]) -> None:
    """:help"""
    others = {name: handler for name, handler in shell.colon.items() if name not in manual.COLON}
    shell.say(manual.colon_help({name: _first_line(handler) for name, handler in others.items()}))


def _first_line(handler: Handler) -> str:
    """What a handler says of itself, without its own name in front."""
    text = (handler.__doc__ or "").split("\n")[0].rstrip(".")
    return text.partition(": ")[2] or text if text.startswith(":") else text


def timing(shell: Shell, words: list[str]) -> None:
    """:timing on|off"""
    shell.timing = _switched(shell, "timing", shell.timing, words)


def pager(shell: Shell, words: list[str]) -> None:
    """:pager on|off"""
    shell.display.pager = _switched(shell, "pager", shell.display.pager, words)


def color(shell: Shell, words: list[str]) -> None:
    """:color on|off"""
    shell.display.colour = _switched(shell, "color", shell.display.colour, words)


def _switched(shell: Shell, name: str, now: bool, words: list[str]) -> bool:
    """The new state of a switch: as said, or the other one when nothing is said."""
    if words and words[0].lower() not in ("on", "off"):
        shell.say(f":{name} on or :{name} off")
        return now
    new = words[0].lower() == "on" if words else not now
    shell.say(f"{name} is {'on' if new else 'off'}")
    return new


def format_(shell: Shell, words: list[str]) -> None:
    """:format human|raw|csv|json"""
    forms = [form.value for form in Form]
    if len(words) == 1 and words[0] in forms:
        shell.display.form = Form(words[0])
    elif words:
        shell.say(f"the formats are {', '.join(forms)}")
        return
    shell.say(f"format is {shell.display.form.value}")


def connect(shell: Shell, words: list[str]) -> None:
    """:connect HOST [PORT] | URL; when that fails, all stays as it was."""
    if shell.link is not None and not isinstance(shell.link, ServerLink):
        shell.say("You are alone: :reconnect first, so that what was changed here is settled.")
        return
    try:
        shell.connect(_target(shell.target, words))
    except (BadTarget, LinkLost) as error:
        shell.say(str(error))


def _target(now: Target, words: list[str]) -> Target:
    if len(words) == 1 and "://" in words[0]:
        return parse_url(words[0])
    if not 1 <= len(words) <= 2:
        raise BadTarget(":connect HOST [PORT], or :connect redis://user:password@host:port/database")
    port = words[1] if len(words) == 2 else str(now.port)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise BadTarget(f"{port} is not a port (1 to 65535)")
    return replace(now, host=words[0], port=int(port), socket_path=None, database=0)


def history(shell: Shell, words: list[str]) -> None:
    """:history [N]"""
    count = int(words[0]) if words and words[0].isdigit() else 20
    lines = list(shell.history.get_strings())
    shell.display.print(visible("\n".join(lines[-count:])) if count else "")


def clear(_shell: Shell, _words: list[str]) -> None:
    """:clear"""
    sys.stdout.write("\x1b[H\x1b[2J\x1b[3J\n")
    sys.stdout.flush()


def quit_(_shell: Shell, _words: list[str]) -> None:
    """:quit"""
    raise EOFError
