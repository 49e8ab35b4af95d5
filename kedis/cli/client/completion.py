"""The prompt's completions, syntax hints and highlighting.

The line is split into words even while a quote is open. Completions come from the catalogue; key names from the server
by SCAN, within a budget of pages and time, over a separate connection: a slow reply must not delay typing, nor be mixed
up with MULTI.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.lexers import Lexer

from kedis.cli.client.catalogue import Catalogue, Entry, split_syntax
from kedis.cli.client.expected import ServerSays, page
from kedis.cli.client.link import Link, LinkLost
from kedis.cli.client.render import encode, quote

_WORD = re.compile(r'"(?:\\.|[^"\\])*"?|\'(?:\\.|[^\'\\])*\'?|[^\s"\']+')
_KEY_PAGES = 4
_KEY_SECONDS = 0.15
_KEYS_OFFERED = 50
_SAFE = re.compile(rb"[!#-&(-\[\]-~]+\Z")


def typed_words(text: str) -> tuple[list[str], str]:
    """The complete words before the cursor, and the incomplete one ("" after a blank)."""
    text = text.replace("\\\n", " ")
    words = _WORD.findall(text)
    if words and words[0].isdigit() and len(words) > 1:
        words = words[1:]
    if text and not text[-1].isspace() and words:
        return words[:-1], words[-1]
    return words, ""


class KeyNames:
    """Completes key names by SCAN over a link that may be missing or slow."""

    def __init__(self, link: Callable[[], Link | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._link = link
        self._clock = clock

    def beginning_with(self, prefix: bytes) -> list[bytes]:
        """Some of the keys, sorted; [] when the server does not answer in time. Never raises."""
        link = self._link()
        if link is None:
            return []
        pattern = re.sub(rb"([*?\[\]\\])", rb"\\\1", prefix) + b"*"
        found: set[bytes] = set()
        cursor, deadline = b"0", self._clock() + _KEY_SECONDS
        try:
            for _ in range(_KEY_PAGES):
                reply = link.send([b"SCAN", cursor, b"MATCH", pattern, b"COUNT", b"500"])
                cursor, keys = page(reply, "SCAN")
                found.update(keys)
                if cursor == b"0" or len(found) >= _KEYS_OFFERED or self._clock() > deadline:
                    break
        except LinkLost:
            link.close()
        except ServerSays:
            pass  # no permission, or no SCAN
        return sorted(found)[:_KEYS_OFFERED]


class CommandCompleter(Completer):
    """Commands, subcommands, options, key names, and the client's own `:` commands."""

    def __init__(
        self, catalogue: Callable[[], Catalogue], own: Callable[[], Iterable[str]], keys: KeyNames
    ) -> None:
        self._catalogue = catalogue
        self._own = own
        self._keys = keys

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """See prompt_toolkit."""
        done, typed = typed_words(document.text_before_cursor)
        seen: set[str] = set()
        for text, meta in self._offers(done, typed):
            if text not in seen:
                seen.add(text)
                yield Completion(text, -len(typed), display_meta=meta)

    def _offers(self, done: list[str], typed: str) -> Iterator[tuple[str, str]]:
        catalogue = self._catalogue()
        if not done:
            yield from self._first(catalogue, typed)
            return
        name = done[0].lower()
        if name == "help":
            yield from self._help_topics(catalogue, done[1:], typed)
            return
        if name == "peek":
            yield from self._key_offers(typed)
            return
        if len(done) == 1:
            for entry in catalogue.subcommands(done[0]):
                child = entry.name.split(" ", 1)[1]
                if child.startswith(typed.upper()):
                    yield like(child, typed), entry.summary
        entry_or_none = catalogue.find(done)
        if entry_or_none is not None:
            yield from self._arguments(entry_or_none, done, typed)

    def _first(self, catalogue: Catalogue, typed: str) -> Iterator[tuple[str, str]]:
        if typed.startswith(":"):
            for name in sorted(self._own()):
                if name.startswith(typed[1:]):
                    yield f":{name}", "kedis-cli"
            return
        for entry in catalogue.commands():
            if entry.name.startswith(typed.upper()):
                yield like(entry.name, typed), entry.summary
        for name, meta in (("help", "explain a command"), ("peek", "type, TTL, size and a look at a key")):
            if name.startswith(typed.lower()):
                yield like(name.upper(), typed), meta

    def _help_topics(self, catalogue: Catalogue, done: list[str], typed: str) -> Iterator[tuple[str, str]]:
        if typed.startswith("@"):
            yield from ((f"@{group}", "") for group in catalogue.groups() if group.startswith(typed[1:]))
            return
        entries = catalogue.subcommands(done[0]) if done else catalogue.commands()
        for entry in entries:
            last = entry.name.split(" ")[-1]
            if last.startswith(typed.upper()):
                yield like(last, typed), entry.summary

    def _arguments(self, entry: Entry, done: list[str], typed: str) -> Iterator[tuple[str, str]]:
        position = len(done) - len(entry.name.split(" "))
        if entry.is_key(position):
            yield from self._key_offers(typed)
        if typed or position >= sum(not word.startswith("[") for word in entry.words):
            used = {word.upper() for word in done}
            for option in entry.options():
                if option.startswith(typed.upper()) and option not in used:
                    form = entry.option_form(option)
                    yield like(option, typed), form if form != option else ""

    def _key_offers(self, typed: str) -> Iterator[tuple[str, str]]:
        for key in self._keys.beginning_with(encode(typed.lstrip("\"'"))):
            yield (key.decode("ascii") if _SAFE.match(key) else quote(key).decode("ascii")), "key"


def like(word: str, typed: str) -> str:
    """The word in the case of the typed one."""
    return word.lower() if typed and typed == typed.lower() else word


def hint(catalogue: Catalogue, text: str) -> StyleAndTextTuples:
    """The toolbar's line for the text before the cursor: syntax, with the present argument marked; summary.

    While the arguments of an option are typed it is the option's own syntax.
    """
    done, typed = typed_words(text)
    entry = catalogue.find([*done, typed] if typed else done)
    if entry is None:
        return []
    children = [child.name.split(" ", 1)[1] for child in catalogue.subcommands(entry.name)]
    if children:
        entry = replace(entry, syntax="|".join(children))
    behind = len(done) - len(entry.name.split(" "))
    parts: StyleAndTextTuples = [("bold", f" {entry.name}")]
    if (option := entry.option_in_progress(done[len(done) - behind :])) is not None:
        form, given = option
        for position, word in enumerate(split_syntax(form)):
            parts += [("", " "), ("bold underline" if position == given + 1 else "", word)]
        return parts
    for position, word in enumerate(entry.words):
        here = position == behind or (position < behind and position == len(entry.words) - 1)
        parts.append(("", " "))
        parts.append(("bold underline" if here else "", word))
    parts.append(
        ("", f"  {entry.summary.rstrip('.')}" + (f"  {entry.complexity}" if entry.complexity else ""))
    )
    return parts


class CommandLexer(Lexer):
    """Highlights the line: known commands, options, strings, numbers."""

    def __init__(self, catalogue: Callable[[], Catalogue]) -> None:
        self._catalogue = catalogue

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """See prompt_toolkit."""
        catalogue = self._catalogue()

        def line_tokens(number: int) -> StyleAndTextTuples:
            return _highlight(catalogue, document.lines[number], number == 0)

        return line_tokens


def _highlight(catalogue: Catalogue, line: str, begins: bool) -> StyleAndTextTuples:
    tokens: StyleAndTextTuples = []
    words: list[str] = []
    end = 0
    for match in _WORD.finditer(line):
        tokens.append(("", line[end : match.start()]))
        word, end = match.group(), match.end()
        words.append(word)
        tokens.append((_style(catalogue, words, begins), word))
    tokens.append(("", line[end:]))
    return tokens


def _style(catalogue: Catalogue, words: list[str], begins: bool) -> str:
    word = words[-1]
    if begins and len(words) == 1:
        if word.startswith(":") or word.lower() in ("help", "peek", "quit", "exit", "clear", "connect"):
            return "ansicyan bold"
        return "ansigreen bold" if word.upper() in catalogue.entries else ""
    if word[0] in "\"'":
        return "ansiyellow"
    entry = catalogue.find(words) if begins else None
    if entry is not None:
        if len(words) == 2 and " " in entry.name:
            return "ansigreen bold"
        if word.upper() in entry.options():
            return "ansimagenta"
    return "ansiblue" if re.fullmatch(r"-?\d+(\.\d+)?", word) else ""
