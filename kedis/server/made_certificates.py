"""Certificates for tests and trials, made by the command ``openssl``: an authority, and what it issues.

They are good for a month, and the keys lie beside them without a password. Nothing of a real server is to trust them.
"""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from kedis.server.start_error import StartError

_DAYS = 30
_SECONDS = 60
HERE = ("DNS:localhost", "IP:127.0.0.1", "IP:::1")


class NoOpenssl(Exception):
    """The command is missing, or has failed."""


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as paths of files in PEM."""

    certificate: str
    key: str


class Authority:
    """An authority whose files are in ``folder``, which exists. Raises NoOpenssl.

    Attributes:
        certificate: the path of its own certificate, for those who are to trust it.
    """

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = name
        self.certificate = str(folder / f"{name}.crt")
        self._key = str(folder / f"{name}.key")
        _make_key(self._key)
        subject = ["-subj", f"/CN=Kedis's {name} for tests", "-days", str(_DAYS)]
        extensions = [
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,keyCertSign",
        ]
        _openssl("req", "-x509", "-new", "-key", self._key, *subject, *extensions, "-out", self.certificate)

    def issue(self, name: str, hosts: Sequence[str] = HERE, days: int = _DAYS) -> Issued:
        """A certificate for ``hosts`` (``DNS:...`` or ``IP:...``), for both ends of a connection.

        Args:
            days: how long it is good for; -1: it was, until yesterday.

        Raises NoOpenssl.
        """
        path = self._folder / name
        key, request, certificate = f"{path}.key", f"{path}.csr", f"{path}.crt"
        extensions = self._folder / f"{name}.extensions"
        extensions.write_text(
            f"subjectAltName={','.join(hosts)}\nextendedKeyUsage=serverAuth,clientAuth\n"
            "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"  # which strict clients ask for
        )
        _make_key(key)
        _openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
        by = ["-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-extfile", str(extensions)]
        _openssl("x509", "-req", "-in", request, *by, "-days", str(days), "-out", certificate)
        return Issued(certificate, key)


class MadeForServer:
    """The certificates of one server in this process, and of its clients, as long as it is there.

    Args:
        addresses: those by which clients find it, as the setting bind has them, beside the machine's own.

    Attributes:
        settings: those of the server.
        for_clients: the certificate that clients may show, as redis-py's options.

    Raises StartError where none can be made.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        folder = Path(tempfile.mkdtemp(prefix="kedis-tls-"))
        self._removal = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        try:
            authority = Authority(folder)
            server = authority.issue("server", (*HERE, *chain.from_iterable(map(_names, addresses))))
            client = authority.issue("client")
        except NoOpenssl as error:
            self._removal()
            raise StartError(str(error)) from None
        self.settings = {
            "tls-cert-file": server.certificate,
            "tls-key-file": server.key,
            "tls-ca-cert-file": authority.certificate,
            "tls-auth-clients": "no",
        }
        self.for_clients = {"ssl_certfile": client.certificate, "ssl_keyfile": client.key}

    def abandon(self) -> None:
        """In a forked child: the files are the parent's."""
        self._removal.detach()


def _names(address: str) -> list[str]:
    """``address`` as certificates name it; nothing for what stands for all addresses."""
    host = address.removeprefix("-")
    if not host or host in ("*", "0.0.0.0", "::", "::*", "localhost", "127.0.0.1", "::1"):
        return []
    try:
        return [f"IP:{ipaddress.ip_address(host)}"]
    except ValueError:
        return [f"DNS:{host}"]


def _make_key(path: str) -> None:
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    Path(path).chmod(0o600)


def _openssl(*words: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise NoOpenssl("certificates for tests are made by the command openssl, which is not installed here")
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise NoOpenssl(f"openssl {words[0]} has failed: {done.stderr.strip()}")
