"""The manifest: the files that make up the append-only file, and the order in which they are read.

It has one line a file, in the order of loading, as Redis 7 writes it::

    file appendonly.aof.2.base.aof seq 2 type b
    file appendonly.aof.5.incr.aof seq 5 type i

``b`` is the base (all data at one moment), ``i`` the changes since, ``h`` (history) a file that is no longer needed
and waits to be deleted. Lines that begin with ``#`` are comments, further pairs of words are ignored, and
a name with unusual characters is in double quotes. Everything else is refused: a manifest that is not understood
must never be overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from kedis.errors import ProtocolError
from kedis.resp.requests import split_inline

#: The longest line that Redis reads, in bytes, its line end not counted.
LINE_LIMIT = 1024
_PLAIN = frozenset(range(0x21, 0x7F)) - frozenset(b"\"'\\")

_ESCAPED = {byte: f"\\{letter}" for byte, letter in zip(b"\n\r\t\a\b", "nrtab", strict=True)}

#: The same in the words that whoever operates a Redis knows, and looks for in logs.
_EMPTY = " (Found an empty AOF manifest)"
_TOO_LONG = " (The AOF manifest file contains too long line)"
_INVALID = " (Invalid AOF manifest file format)"


class ManifestError(Exception):
    """The manifest is invalid; the message names the line."""


@dataclass(frozen=True)
class Entry:
    """One listed file: its name (no path), sequence number, and kind ``b``, ``i`` or ``h``."""

    name: str
    seq: int
    kind: str

    def line(self) -> str:
        """The line of the entry in the file, line end included."""
        return f"file {_quote(self.name)} seq {self.seq} type {self.kind}\n"


@dataclass
class Manifest:
    """The listed files. ``base_seq`` and ``incr_seq`` are the highest numbers in use; the latest history is first."""

    base: Entry | None = None
    incrs: list[Entry] = field(default_factory=list)
    history: list[Entry] = field(default_factory=list)
    base_seq: int = 0
    incr_seq: int = 0

    def copy(self) -> Manifest:
        """An independent copy."""
        return replace(self, incrs=list(self.incrs), history=list(self.history))

    def files(self) -> list[Entry]:
        """The files to load, in order."""
        return [*([self.base] if self.base else []), *self.incrs]

    def add_base(self, prefix: str, *, as_rdb: bool = False) -> Entry:
        """List a new base called ``PREFIX.SEQ.base.aof`` (or ``.rdb``); the previous base becomes history."""
        if self.base is not None:
            self.history.insert(0, replace(self.base, kind="h"))
        self.base_seq += 1
        self.base = Entry(f"{prefix}.{self.base_seq}.base.{'rdb' if as_rdb else 'aof'}", self.base_seq, "b")
        return self.base

    def add_incr(self, prefix: str) -> Entry:
        """List a new file of changes called ``PREFIX.SEQ.incr.aof``."""
        self.incr_seq += 1
        entry = Entry(f"{prefix}.{self.incr_seq}.incr.aof", self.incr_seq, "i")
        self.incrs.append(entry)
        return entry

    def retire_incrs(self, keep: int) -> None:
        """Turn all files of changes but the last ``keep`` into history."""
        count = len(self.incrs) - keep
        for entry in self.incrs[:count]:
            self.history.insert(0, replace(entry, kind="h"))
        del self.incrs[:count]

    def format(self) -> bytes:
        """The bytes of the file: base, history, changes, which is Redis's order."""
        entries = [*([self.base] if self.base else []), *self.history, *self.incrs]
        return "".join(entry.line() for entry in entries).encode("utf-8", "surrogateescape")


def parse_manifest(content: bytes) -> Manifest:
    """Read a manifest.

    Args:
        content: the whole file.

    Raises:
        ManifestError: any content that Redis refuses, with the number of the line.

    O(len(content)).
    """
    if not content:
        raise ManifestError(f"it is empty{_EMPTY}")
    manifest = Manifest()
    lines = content.split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        if len(line) > LINE_LIMIT:
            raise ManifestError(f"line {number} is longer than {LINE_LIMIT} characters{_TOO_LONG}")
        if line.startswith(b"#"):
            continue
        try:
            _list(manifest, _parse_line(line))
        except ManifestError as error:
            raise ManifestError(f"line {number} {error}") from None
    if lines[-1]:
        raise ManifestError(f"line {len(lines)} has no end{_INVALID}")
    if not manifest.files() and not manifest.history:
        raise ManifestError(f"it lists no file{_EMPTY}")
    return manifest


def _parse_line(line: bytes) -> Entry:
    try:
        words = [word.decode("utf-8", "surrogateescape") for word in split_inline(line)]
    except ProtocolError:
        raise ManifestError(f"has unbalanced quotes{_INVALID}") from None
    if len(words) < 6 or len(words) % 2:
        raise ManifestError(f"is not made of pairs that give file, seq and type{_INVALID}")
    pairs = {words[at].lower(): words[at + 1] for at in range(0, len(words), 2)}
    name, seq, kind = pairs.get("file", ""), pairs.get("seq", ""), pairs.get("type", "")
    if not name or "/" in name or name in (".", ".."):
        raise ManifestError(f"gives a path or nothing where the name of a file must be{_INVALID}")
    if not (seq.isascii() and seq.isdigit() and len(seq) < 19) or int(seq) == 0:
        raise ManifestError(f"has no sequence number above zero{_INVALID}")
    if kind not in ("b", "i", "h"):
        raise ManifestError("has an unknown type (Unknown AOF file type)")
    entry = Entry(name, int(seq), kind)
    if len(entry.line()) - 1 > LINE_LIMIT:
        raise ManifestError("gives a name that is too long to be written again")
    return entry


def _list(manifest: Manifest, entry: Entry) -> None:
    if entry.kind == "h":
        manifest.history.append(entry)
    elif entry.kind == "b":
        if manifest.base is not None:
            raise ManifestError("gives a second base (Found duplicate base file information)")
        manifest.base = entry
        manifest.base_seq = entry.seq
    else:
        if entry.seq <= manifest.incr_seq:
            raise ManifestError(
                "has a sequence number that does not rise (Found a non-monotonic sequence number)"
            )
        manifest.incrs.append(entry)
        manifest.incr_seq = entry.seq


def _quote(name: str) -> str:
    raw = name.encode("utf-8", "surrogateescape")
    if all(byte in _PLAIN for byte in raw):
        return name
    shown = (
        chr(byte)
        if byte == 0x20 or byte in _PLAIN
        else f"\\{chr(byte)}"
        if byte in b'"\\'
        else _ESCAPED.get(byte) or f"\\x{byte:02x}"
        for byte in raw
    )
    return '"' + "".join(shown) + '"'
