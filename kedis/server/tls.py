"""TLS as the settings want it: the contexts by which clients are served, and a master is followed.

``CONFIG SET`` of any setting ``tls-*`` reads the files again. Connections that are there keep what they began with, so
nobody is cut off; where a file or a word is no good, the setting is refused and nothing changes.
"""

from __future__ import annotations

import logging

from gevent.ssl import SSLContext

from kedis.config import SETTINGS, Config, SettingRefused
from kedis.server.certificate_dates import earliest_end
from kedis.server.start_error import StartError
from kedis.server.tls_context import TlsError, context_of_replica, context_of_server
from kedis.server.tls_socket import RAW_BYTES

log = logging.getLogger("kedis.server")

_UNUSABLE = "Unable to update TLS configuration. Check server logs."
_SETTINGS = [setting for setting in SETTINGS if setting.group == "TLS"]


#: Both contexts, and the end of the certificates.
_State = tuple[SSLContext | None, SSLContext | None, int]


class Tls:
    """The contexts of one server.

    Attributes:
        server, replica: for clients of this server, and for itself as a client of its master; None while not needed.
        certificate_ends: the second, since 1970, at which the first of the certificates in use ends; 0: none is.
        raw: the buffer that all TLS sockets of this server receive into.
        handshakes, failed_handshakes: how many have ended well, and not.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self.server: SSLContext | None = None
        self.replica: SSLContext | None = None
        self.certificate_ends = 0
        self.raw = memoryview(bytearray(RAW_BYTES)) if self._is_wanted() else memoryview(b"")
        self.handshakes = self.failed_handshakes = 0
        self._before: _State = (None, None, 0)

    def start(self) -> None:
        """Read the files where TLS is asked for, and follow CONFIG SET from now on. Raises StartError."""
        try:
            self._read()
        except TlsError as error:
            raise StartError(f"Failed to configure TLS: {error}") from None
        for setting in _SETTINGS:
            if not setting.fixed:
                self._config.subscribe(setting.name, self._follow)

    def _is_wanted(self) -> bool:
        config = self._config
        return bool(config.tls_port or config.tls_replication or config.metrics_tls)

    def _follow(self, config: Config) -> None:
        """Take over changed settings, or files."""
        if config.goes_back:  # to what was read before: the files may be others by now, or gone
            self.server, self.replica, self.certificate_ends = self._before
            return
        try:
            self._read()
        except TlsError as error:
            log.warning("%s", error)
            raise SettingRefused(_UNUSABLE) from None

    def _read(self) -> None:
        """Make the contexts. Raises TlsError; nothing has changed then."""
        config = self._config
        server = replica = None
        ends: list[int] = []
        if self._is_wanted():
            server = context_of_server(config)
            ends.append(_end(config.tls_cert_file))
        if config.tls_replication:
            replica = context_of_replica(config)
            if config.tls_client_cert_file:
                ends.append(_end(config.tls_client_cert_file))
        self._before = self.server, self.replica, self.certificate_ends
        self.server, self.replica = server, replica
        self.certificate_ends = min(filter(None, ends), default=0)
        if server is not None and not self.raw:
            self.raw = memoryview(bytearray(RAW_BYTES))


def _end(path: str) -> int:
    try:
        return earliest_end(path)
    except (OSError, ValueError) as error:
        log.warning("cannot tell when the certificate %s ends: %s", path, error)
        return 0
