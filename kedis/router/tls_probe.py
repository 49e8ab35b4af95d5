"""Whether a node speaks TLS, to say in one line why nothing was understood. No password is ever sent here."""

from __future__ import annotations

import contextlib
import ssl

from kedis.router.planning import encode
from kedis.router.upstream_url import Address
from kedis.server.outgoing import connect

#: The first bytes of a record of TLS: a handshake or an alert, of any version.
_RECORDS = (b"\x16\x03", b"\x15\x03")


def answers_plainly(address: Address, seconds: float) -> bool:
    """Whether it answers PING without TLS within ``seconds``."""
    return _first_bytes(address, encode([b"PING"]), seconds)[:1] in (b"+", b"-")


def answers_tls(address: Address, seconds: float) -> bool:
    """Whether it answers the greeting of a client of TLS within ``seconds``."""
    return _first_bytes(address, _client_hello(), seconds)[:2] in _RECORDS


def _first_bytes(address: Address, sent: bytes, seconds: float) -> bytes:
    with contextlib.suppress(OSError, ValueError), connect(*address, seconds) as sock:
        sock.sendall(sent)
        return bytes(sock.recv(16))
    return b""


def _client_hello() -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()
