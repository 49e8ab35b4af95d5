"""TLS as a client speaks it: the flags, what OpenSSL is told of them, and a socket that behaves as a plain one does."""

from __future__ import annotations

import argparse
import socket
import ssl
from dataclasses import dataclass
from typing import Any


class BadTls(ValueError):
    """A certificate, a key or a list of ciphers cannot be used; str() is the line to print."""


@dataclass(frozen=True)
class Tls:
    """What a client shows, and whom it trusts.

    Attributes:
        certificate, key: files of its own certificate, for servers that ask for one.
        authority, authorities: a file and a folder of trusted certificates; none given: those of the system.
        name: the server's, where it is not the host (SNI).
        insecure: whether any certificate will do.
        ciphers, ciphersuites: those up to TLS 1.2, and those of 1.3.
    """

    certificate: str = ""
    key: str = ""
    authority: str = ""
    authorities: str = ""
    name: str = ""
    insecure: bool = False
    ciphers: str = ""
    ciphersuites: str = ""

    def context(self) -> ssl.SSLContext:
        """Raises BadTls."""
        try:
            return self._context()
        except ssl.SSLError as error:
            raise BadTls(f"--cert, --key, --cacert or --tls-ciphers: {_words(error)}") from None
        except OSError as error:
            files = ", ".join(filter(None, (self.certificate, self.key, self.authority)))
            raise BadTls(f"cannot read one of {files}: {error.strerror or error}") from None

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.authority or None, capath=self.authorities or None)
        context.sslsocket_class = ClientSocket
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate or self.key:
            if not (self.certificate and self.key):
                raise BadTls("--cert and --key go together")
            context.load_cert_chain(self.certificate, self.key)
        if self.ciphers:
            context.set_ciphers(self.ciphers)
        if self.ciphersuites:
            choose = getattr(context, "set_ciphersuites", None)
            if choose is None:
                raise BadTls("--tls-ciphersuites needs Python 3.15 or later")
            choose(self.ciphersuites)
        return context

    def wrap(self, plain: socket.socket, host: str) -> ClientSocket:
        """A TLS connection on ``plain``, which is its own from now on, after the handshake.

        Raises BadTls, or OSError: the message says what is wrong with the server's certificate.
        """
        try:
            made = self.context().wrap_socket(plain, server_hostname=self.name or host)
        except ssl.SSLError as error:
            plain.close()
            raise ConnectionError(_words(error)) from None
        except BaseException:
            plain.close()
            raise
        assert isinstance(made, ClientSocket)
        return made


class ClientSocket(ssl.SSLSocket):
    """A TLS connection with the manners of a plain socket.

    A ``recv`` returns all that was decrypted, be it more than was asked for: what OpenSSL held back, ``select`` would
    not see. Where a plain socket raises BlockingIOError this one does, too, and it knows MSG_PEEK.
    """

    _ahead = b""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        if flags & socket.MSG_PEEK:
            self._ahead = self._ahead or self._receive(buflen)
            return self._ahead[:buflen]
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            return ahead
        return self._receive(buflen)

    def _receive(self, size: int) -> bytes:
        try:
            data = super().recv(size)
            while data and self.pending():
                data += super().recv(self.pending())
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None
        return data

    def send(self, data: Any, flags: int = 0) -> int:
        try:
            return super().send(data, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None


def add_flags(group: argparse._ArgumentGroup) -> None:
    """The flags of TLS, named as redis-cli's."""
    group.add_argument("--tls", action="store_true", help="speak TLS")
    group.add_argument(
        "--sni", metavar="NAME", default="", help="the server's name, where it is not the host"
    )
    group.add_argument(
        "--cacert", metavar="FILE", default="", help="certificates to trust (default: the system's)"
    )
    group.add_argument("--cacertdir", metavar="FOLDER", default="", help="a folder of certificates to trust")
    group.add_argument("--insecure", action="store_true", help="trust any server: for trials")
    group.add_argument("--cert", metavar="FILE", default="", help="the client's certificate")
    group.add_argument("--key", metavar="FILE", default="", help="its key")
    group.add_argument("--tls-ciphers", metavar="LIST", default="", help="ciphers up to TLS 1.2")
    group.add_argument("--tls-ciphersuites", metavar="LIST", default="", help="ciphers of TLS 1.3")


def tls_of(flags: argparse.Namespace) -> Tls | None:
    """What the flags ask for; None without ``--tls``."""
    if not flags.tls:
        return None
    return Tls(
        flags.cert,
        flags.key,
        flags.cacert,
        flags.cacertdir,
        flags.sni,
        flags.insecure,
        flags.tls_ciphers,
        flags.tls_ciphersuites,
    )


def _words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    return (error.reason or str(error)).replace("_", " ").lower()
