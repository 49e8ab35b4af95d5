"""Replies of an expected type; any other type raises ServerSays with one clear line."""

from __future__ import annotations

from collections.abc import Sequence

from kedis.cli.client.wire import ErrorReply, Pairs


class ServerSays(Exception):
    """The server replied with an error, or with another type than the command has; str() is one clear line."""


def integer(reply: object, command: str) -> int:
    """An integer. Raises ServerSays."""
    if isinstance(reply, int) and not isinstance(reply, bool):
        return reply
    raise _unexpected(reply, command, "an integer")


def bulk(reply: object, command: str) -> bytes:
    """A string. Raises ServerSays."""
    if isinstance(reply, bytes):
        return reply
    raise _unexpected(reply, command, "a string")


def array(reply: object, command: str, length: int | None = None) -> list[object]:
    """An array, of `length` elements if that is given. Raises ServerSays."""
    if isinstance(reply, list) and not isinstance(reply, Pairs) and length in (None, len(reply)):
        return reply
    raise _unexpected(reply, command, "an array" if length is None else f"an array of {length}")


def bulks(reply: object, command: str) -> list[bytes]:
    """An array of strings. Raises ServerSays. O(elements)."""
    return [bulk(element, command) for element in array(reply, command)]


def page(reply: object, command: str) -> tuple[bytes, list[bytes]]:
    """Cursor and elements of SCAN and its like. Raises ServerSays. O(elements)."""
    cursor, elements = array(reply, command, 2)
    return bulk(cursor, command), bulks(elements, command)


def pairs(flat: Sequence[bytes], command: str) -> list[tuple[bytes, bytes]]:
    """Names and values from the flat array that RESP2 makes of a map. Raises ServerSays. O(elements)."""
    if len(flat) % 2:
        raise ServerSays(f"the answer to {command} is not made of pairs")
    return list(zip(flat[::2], flat[1::2], strict=True))


def _unexpected(reply: object, command: str, wanted: str) -> ServerSays:
    if isinstance(reply, ErrorReply):
        return ServerSays(f"{command}: {reply}")
    return ServerSays(f"the answer to {command} is not {wanted}")
