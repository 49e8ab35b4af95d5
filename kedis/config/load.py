"""From files and command lines to lines of words.

Files: one setting a line, see syntax.py; ``include`` reads another file at its place, relative to the folder
in which the server was started, and takes patterns, which may match nothing.

Flags, as redis-server takes them: ``--name value ...``, with ``--name=value`` and ``"--name value"`` as other
spellings.  The word after a name alone is its value, whatever it begins with; behind that, ``--`` begins the next flag.
``--save`` alone, or before a flag, is ``--save ""``.  Words before the first flag are a line of their own.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TextIO

from kedis.config.config_errors import ConfigError
from kedis.config.declare import declared
from kedis.config.ignored import AcceptedSettings
from kedis.config.settings_table import EffectiveSettings
from kedis.config.syntax import quote_word, split_words

COMMAND_LINE = "command line"
#: Options of redis-cli and others, and the server's flags that are meant by them.
_OPTIONS_OF_CLIENTS = {
    "-a": "--requirepass PASSWORD",
    "-c": "the file as its first word: kedis-server FILE",
    "-d": "--daemonize yes",
    "-p": "--port PORT",
    "-s": "--unixsocket PATH",
}
STANDARD_INPUT = "standard input"
#: What may stand before a name.
_BEFORE_NAME = re.compile(r"""[\s"']*""")
#: Names of lines that hold passwords.
_SECRET_LINES = {
    "user",
    *(
        name
        for settings in (EffectiveSettings, AcceptedSettings)
        for setting in declared(settings)
        if setting.secret
        for name in setting.names
    ),
}


@dataclass(frozen=True)
class Line:
    """A setting as it was given: where, the text, and its words without the name."""

    source: str
    number: int | None
    text: str
    name: str
    words: list[str]
    included: bool = False

    def without_words(self) -> Line:
        """The line as errors may show it where its words are a secret."""
        return replace(self, text=f"{self.name} (redacted)")

    def fault(self, problem: str, suggestion: str = "") -> ConfigError:
        """The error that points at this line."""
        return ConfigError(self.source, self.number, self.text, problem, suggestion)


def file_lines(path: str) -> Iterator[Line]:
    """The lines of a file and of those that it includes.  Raises ConfigError."""
    return _read_file(path, COMMAND_LINE, ())


def stream_lines(stream: TextIO) -> Iterator[Line]:
    """The lines of an open stream, such as standard input.  Raises ConfigError."""
    return _lines(stream.read(), STANDARD_INPUT, ())


def flag_lines(words: Sequence[str], known: Collection[str]) -> Iterator[Line]:
    """The settings among the command line's words.

    Args:
        known: all names of settings; only these end the value of the flag before.

    Raises ConfigError for a word that belongs to no flag.
    """
    at = 0
    if words and words[0].lower() in known:
        at = _end_of_values(words, 0, known)
        yield _flag_line(words[0].lower(), list(words[1:at]))
    while at < len(words):
        first = words[at]
        if not first.startswith("--") or first == "--":
            raise _not_a_flag(first, known)
        name, values = _split_flag(first, known)
        at += 1
        if not values and at < len(words) and not (name == "save" and words[at].startswith("--")):
            values = [words[at]]
            at += 1
        end = _end_of_values(words, at, known)
        values += words[at:end]
        yield _flag_line(name, values or [""] if name == "save" else values)
        at = end


def _end_of_values(words: Sequence[str], at: int, known: Collection[str]) -> int:
    """Where the next flag begins, from ``at`` on."""
    while at < len(words) and not _begins_flag(words[at], known):
        at += 1
    return at


def _flag_line(name: str, values: list[str]) -> Line:
    """A line of the command line, which errors show as Redis does, every value in quotes."""
    text = " ".join([name, *(quote_word(value, always=True) for value in values)])
    return Line(COMMAND_LINE, None, f"'{text}'", name, values)


def _split_flag(word: str, known: Collection[str]) -> tuple[str, list[str]]:
    """The name of a flag, and the value that is glued to it."""
    name, separator, value = word[2:].partition("=")
    if separator and " " not in name:
        return name.lower(), [value]
    name, separator, _ = word[2:].partition(" ")
    if separator and name.lower() in known:
        return name.lower(), split_words(word[2:])[1:]
    return word[2:].lower(), []


def _begins_flag(word: str, known: Collection[str]) -> bool:
    if not word.startswith("--") or word == "--":
        return False
    name = word[2:].partition("=")[0].partition(" ")[0].lower()
    return name in known or not any(char.isspace() for char in word)


def _not_a_flag(word: str, known: Collection[str]) -> ConfigError:
    name = word.lstrip("-").lower()
    suggestion = "flags are written --name value"
    if name in known:
        suggestion = f"flags begin with two dashes: --{name}"
    elif word[:2] in _OPTIONS_OF_CLIENTS:
        suggestion = f"kedis-server takes {_OPTIONS_OF_CLIENTS[word[:2]]}"
    return ConfigError(COMMAND_LINE, None, word, "a flag was expected here", suggestion)


def _read_file(path: str, named_by: str, trail: tuple[str, ...]) -> Iterator[Line]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            text = file.read()
    except OSError as error:
        problem = f"cannot read the file {path}: {error.strerror}"
        raise ConfigError(named_by, None, path, problem, "give the path of a readable file") from None
    return _lines(text, path, trail)


def _lines(text: str, source: str, trail: tuple[str, ...]) -> Iterator[Line]:
    for number, raw in enumerate(text.split("\n"), 1):
        stripped = raw.strip(" \t\r")
        if not stripped or stripped.startswith("#"):
            continue
        try:
            given = split_words(stripped)
        except ValueError as error:
            remedy = "close every quote, and leave a space after it"
            raise ConfigError(source, number, _without_secret(stripped), str(error), remedy) from None
        if not given:  # white space that is no blank
            continue
        name, *words = given
        line = Line(source, number, stripped, name.lower(), words, bool(trail))
        if line.name == "include":
            yield from _include(line, trail)
        else:
            yield line


def _without_secret(text: str) -> str:
    """A line that cannot be split into words, as an error may show it."""
    name = _BEFORE_NAME.sub("", text, count=1)
    name = next((secret for secret in sorted(_SECRET_LINES) if name.lower().startswith(secret)), "")
    return f"{name} (redacted)" if name else text


def _include(line: Line, trail: tuple[str, ...]) -> Iterator[Line]:
    if len(line.words) != 1:
        raise line.fault("wrong number of arguments", "include takes one path, in quotes if it holds spaces")
    (pattern,) = line.words
    for path in sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]:
        if path in (*trail, line.source):
            raise line.fault(f"{path} includes itself", "remove one of the include lines")
        try:
            yield from _read_file(path, line.source, (*trail, line.source))
        except ConfigError as error:
            if error.line_number is not None:
                raise
            raise line.fault(error.problem, error.suggestion) from None
