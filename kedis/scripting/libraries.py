"""Libraries of functions: what FUNCTION LOAD keeps, and where FCALL finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kedis.errors import CommandError, storage_errors
from kedis.errors import script_texts as texts
from kedis.rdb.crc64 import crc64
from kedis.rdb.payload import VERSION, WrongFooter, contents
from kedis.rdb.snapshot import FUNCTIONS
from kedis.rdb.source import RdbError, encode_text
from kedis.resp.requests import split_inline
from kedis.scripting.headers import FLAG_NAMES

if TYPE_CHECKING:  # the interpreter is loaded when it is needed
    from kedis.scripting.runtime import Caller, Runtime

_NAME_CHARACTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
#: Bytes that a library and a function take beside their texts, about.
_OVERHEAD = 120


@dataclass(frozen=True)
class Function:
    """A function of a library; its name is found in any case."""

    name: bytes
    description: bytes | None
    flags: int


@dataclass
class Library:
    """A library: its name, its whole code, header included, and its functions by name."""

    name: bytes
    code: bytes
    functions: dict[bytes, Function] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes that it takes here, about."""
        return len(self.code) + _OVERHEAD * (1 + len(self.functions))


def _is_name(name: bytes) -> bool:
    return bool(name) and _NAME_CHARACTERS.issuperset(name)


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def library_name(code: bytes) -> tuple[bytes, bytes]:
    """The name that the header of ``code`` gives the library, and the code behind the header.

    Raises CommandError for a header that is wrong.
    """
    if not code.startswith(b"#!"):
        raise CommandError(texts.NO_LIBRARY_METADATA)
    line, end, _ = code.partition(b"\n")
    if not end:
        raise CommandError(texts.BAD_LIBRARY_METADATA)
    try:
        words = split_inline(line)
    except CommandError:
        raise CommandError(texts.BAD_LIBRARY_METADATA) from None
    engine, name = words[0][2:], None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            raise CommandError(texts.bad_metadata_value(_shown(word)))
        if name is not None:
            raise CommandError(texts.LIBRARY_NAME_TWICE)
        name = word[5:]
    if name is None:
        raise CommandError(texts.NO_LIBRARY_NAME)
    if not _is_name(name):
        raise CommandError(texts.BAD_LIBRARY_NAME)
    if engine.lower() != b"lua":
        raise CommandError(texts.engine_not_found(_shown(engine)))
    return name, code[len(line) :]


class Libraries:
    """All libraries of an engine.

    Args:
        runtime: gives the interpreter, which is made when it is first asked for.
        caller: makes whom a library's code logs through while it is loaded, and who limits its time.

    Attributes:
        by_name: the libraries, by names that are told apart by case.
    """

    def __init__(self, runtime: Callable[[], Runtime], caller: Callable[[], Caller]) -> None:
        self._runtime = runtime
        self._caller = caller
        self.by_name: dict[bytes, Library] = {}
        self._functions: dict[bytes, Function] = {}

    def find(self, name: bytes) -> Function | None:
        """The function of that name, in any case.  O(1)."""
        return self._functions.get(name.lower())

    @property
    def function_count(self) -> int:
        return len(self._functions)

    def load(self, code: bytes, *, replace: bool = False) -> bytes:
        """Run a library's code and keep its functions; returns its name.  On an error all is as before.

        Raises CommandError.
        """
        name, body = library_name(code)
        if name in self.by_name and not replace:
            raise CommandError(texts.library_exists(_shown(name)))
        library = Library(name, code)
        runtime = self._runtime()
        try:
            runtime.load_library(body, _registrar(library), self._caller())
            self._check_functions(library)
        except CommandError:
            runtime.abandon_library()
            raise
        self._forget(name)
        runtime.keep_library(name)
        self.by_name[name] = library
        for function in library.functions.values():
            self._functions[function.name.lower()] = function
        return name

    def _check_functions(self, library: Library) -> None:
        if not library.functions:
            raise CommandError(texts.NO_FUNCTIONS)
        replaced = self.by_name.get(library.name)
        for function in library.functions.values():
            present = self._functions.get(function.name.lower())
            if present is not None and (replaced is None or present.name not in replaced.functions):
                raise CommandError(texts.function_exists(_shown(function.name)))

    def delete(self, name: bytes) -> None:
        """Forget a library.  Raises CommandError if there is none of that name."""
        if name not in self.by_name:
            raise CommandError(texts.NO_LIBRARY)
        self._forget(name)
        self._runtime().drop_library(name)

    def _forget(self, name: bytes) -> None:
        library = self.by_name.pop(name, None)
        for function in library.functions.values() if library is not None else ():
            self._functions.pop(function.name.lower(), None)

    def flush(self) -> None:
        """Forget every library."""
        for name in list(self.by_name):
            self.delete(name)

    def codes(self) -> list[bytes]:
        """The code of each library."""
        return [library.code for library in self.by_name.values()]

    # -- FUNCTION DUMP and RESTORE ----------------------------------------------------------------------------

    def dump(self, *, compressed: bool) -> bytes:
        """All libraries as FUNCTION RESTORE takes them."""
        parts = [bytes([FUNCTIONS]) + encode_text(code, compressed) for code in self.codes()]
        body = b"".join(parts) + VERSION.to_bytes(2, "little")
        return body + crc64(body).to_bytes(8, "little")

    def restore(self, payload: bytes, policy: bytes) -> None:
        """Load the libraries of a payload: beside those that are there (``append``, ``replace``), or instead of them.

        Raises CommandError; all is as before then.
        """
        codes = _codes_of(payload)
        before = self.codes()
        try:
            if policy == b"flush":
                self.flush()
            for code in codes:
                name, _ = library_name(code)
                if name in self.by_name and policy != b"replace":
                    raise CommandError(texts.restored_library_exists(_shown(name)))
                self.load(code, replace=True)
        except CommandError:
            self.flush()
            for code in before:
                self.load(code)
            raise


def _codes_of(payload: bytes) -> list[bytes]:
    try:
        source = contents(payload)
    except WrongFooter:
        raise CommandError(storage_errors.DUMP_FOOTER) from None
    codes: list[bytes] = []
    try:
        while source.position < source.end:
            if source.byte() != FUNCTIONS:
                raise CommandError(texts.NOT_A_FUNCTION)
            codes.append(source.string())
    except RdbError:
        raise CommandError(texts.BAD_FUNCTION_PAYLOAD) from None
    return codes


def _registrar(library: Library) -> Callable[[bytes, bytes | None, list[bytes]], CommandError | None]:
    """What takes the functions of ``library`` while its code runs."""

    def register(name: bytes, description: bytes | None, flags: list[bytes]) -> CommandError | None:
        if not _is_name(name):
            return CommandError(texts.BAD_LIBRARY_NAME)
        if name in library.functions:
            return CommandError(texts.FUNCTION_TWICE)
        combined = 0
        for word in flags:
            flag = FLAG_NAMES.get(_shown(word))
            if flag is None:
                return CommandError(texts.UNKNOWN_FUNCTION_FLAG)
            combined |= flag
        library.functions[name] = Function(name, description, combined)
        return None

    return register
