"""TLS towards the nodes of the upstream."""

from __future__ import annotations

import ssl

from gevent.ssl import SSLContext

from kedis.config import Config
from kedis.server.start_error import StartError
from kedis.server.tls_context import reason


def upstream_context(config: Config) -> SSLContext:
    """What nodes are spoken to by, of the settings ``upstream-tls-*``. Raises StartError.

    A node's certificate must be one of a trusted authority: those of ``upstream-tls-ca-cert-file``, or the system's.
    Its name is not compared, as towards a master: nodes of a cluster are named by addresses.
    """
    context = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    file = config.upstream_tls_ca_cert_file
    certificate, key = config.upstream_tls_cert_file, config.upstream_tls_key_file
    setting = "upstream-tls-ca-cert-file"
    try:
        if file:
            context.load_verify_locations(file)
        else:
            context.load_default_certs()
        if certificate:
            setting = "upstream-tls-cert-file or upstream-tls-key-file"
            # Without a function OpenSSL asks the terminal for the password.
            context.load_cert_chain(certificate, key or None, lambda: "")
    except (OSError, ValueError) as error:
        raise StartError(
            f"Failed to configure TLS towards the upstream: {setting}: {reason(error)}"
        ) from None
    return context
