"""DEBUG PROTOCOL and DEBUG ERROR: replies of every type, for the tests of client libraries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kedis.errors import CommandError, debug_errors
from kedis.resp.values import Attribute, BigNumber, OrderedMap, OrderedSet, Raw, Verbatim

if TYPE_CHECKING:
    from kedis.engine.client import Client


#: A push message, and the reply behind it.
_PUSH = Raw(b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n$40\r\nSome real reply following the push reply\r\n")


def _push(client: Client) -> Any:
    if client.resp == 2 or client.engine.execution is not None:
        raise CommandError(debug_errors.NOT_IN_RESP2)
    return _PUSH


_REPLIES: dict[bytes, Callable[[Client], Any]] = {
    b"string": lambda client: b"Hello World",
    b"integer": lambda client: 12345,
    b"double": lambda client: 3.141,
    b"null": lambda client: None,
    b"array": lambda client: [0, 1, 2],
    b"set": lambda client: OrderedSet([0, 1, 2]),
    b"map": lambda client: OrderedMap([0, False, 1, True, 2, False]),
    b"attrib": lambda client: Attribute(
        {b"key-popularity": [b"key:123", 90]}, b"Some real reply following the attribute"
    ),
    b"push": _push,
    b"verbatim": lambda client: Verbatim(b"This is a verbatim\nstring"),
    b"true": lambda client: True,
    b"false": lambda client: False,
    b"bignum": lambda client: BigNumber(1234567999999999999999999999999999999),
}


def protocol(client: Client, argv: Sequence[bytes]) -> Any:
    """DEBUG PROTOCOL: a fixed reply of the wanted type."""
    reply = _REPLIES.get(argv[2].lower())
    if reply is None:
        raise CommandError(debug_errors.PROTOCOL_TYPE)
    return reply(client)


def error(_client: Client, argv: Sequence[bytes]) -> Any:
    """DEBUG ERROR: the given text as an error."""
    raise CommandError(argv[2].decode("utf-8", "surrogateescape").replace("\r", " ").replace("\n", " "))
