"""Meta-commands: lines that begin with ':' and are for the client."""

from __future__ import annotations

import sys
from dataclasses import replace

from kedis.cli.client import manual
from kedis.cli.client.link import LinkLost, ServerLink
from kedis.cli.client.render import Form
from kedis.cli.client.session import MetaCommand, Session
from kedis.cli.client.target import BadTarget, Target, parse_url
from kedis.cli.terminal_text import visible


def commands() -> dict[str, MetaCommand]:
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


def help_(session: Session, _words: list[str]) -> None:
    """:help"""
    session.say(manual.meta_help(session.help_lines))


def timing(session: Session, words: list[str]) -> None:
    """:timing on|off"""
    session.timing = _switched(session, "timing", session.timing, words)


def pager(session: Session, words: list[str]) -> None:
    """:pager on|off"""
    session.display.pager = _switched(session, "pager", session.display.pager, words)


def color(session: Session, words: list[str]) -> None:
    """:color on|off"""
    session.display.color = _switched(session, "color", session.display.color, words)


def _switched(session: Session, name: str, now: bool, words: list[str]) -> bool:
    """The new state of a switch: on or off as given, or toggled."""
    if words and words[0].lower() not in ("on", "off"):
        session.say(f":{name} on or :{name} off")
        return now
    new = words[0].lower() == "on" if words else not now
    session.say(f"{name} is {'on' if new else 'off'}")
    return new


def format_(session: Session, words: list[str]) -> None:
    """:format human|raw|csv|json"""
    forms = [form.value for form in Form]
    if len(words) == 1 and words[0] in forms:
        session.display.form = Form(words[0])
    elif words:
        session.say(f"the formats are {', '.join(forms)}")
        return
    session.say(f"format is {session.display.form.value}")


def connect(session: Session, words: list[str]) -> None:
    """:connect HOST [PORT] | URL; on failure the connection is kept."""
    if session.link is not None and not isinstance(session.link, ServerLink):
        session.say("You are alone: :reconnect first, so that what was changed here is settled.")
        return
    try:
        session.connect(_target(session.target, words))
    except (BadTarget, LinkLost) as error:
        session.say(str(error))


def _target(now: Target, words: list[str]) -> Target:
    if len(words) == 1 and "://" in words[0]:
        return parse_url(words[0])
    if not 1 <= len(words) <= 2:
        raise BadTarget(":connect HOST [PORT], or :connect redis://user:password@host:port/database")
    port = words[1] if len(words) == 2 else str(now.port)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise BadTarget(f"{port} is not a port (1 to 65535)")
    return replace(now, host=words[0], port=int(port), socket_path=None, database=0)


def history(session: Session, words: list[str]) -> None:
    """:history [N]"""
    count = int(words[0]) if words and words[0].isdigit() else 20
    lines = list(session.history.get_strings())
    session.display.print(visible("\n".join(lines[-count:])) if count else "")


def clear(_session: Session, _words: list[str]) -> None:
    """:clear"""
    sys.stdout.write("\x1b[H\x1b[2J\x1b[3J\n")
    sys.stdout.flush()


def quit_(_session: Session, _words: list[str]) -> None:
    """:quit"""
    raise EOFError
