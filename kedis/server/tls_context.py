"""What OpenSSL is told of the settings ``tls-*``: certificates, whom to trust, protocols, ciphers.

One context serves all connections of a kind. It is never changed: other settings make another one, and connections keep
the one by which they began.
"""

from __future__ import annotations

import ssl
import warnings

from gevent.ssl import SSLContext

from kedis.config import Config

_VERSIONS = {
    "tlsv1": ssl.TLSVersion.TLSv1,
    "tlsv1.1": ssl.TLSVersion.TLSv1_1,
    "tlsv1.2": ssl.TLSVersion.TLSv1_2,
    "tlsv1.3": ssl.TLSVersion.TLSv1_3,
}
_CHECKS = {"no": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "yes": ssl.CERT_REQUIRED}


class TlsError(Exception):
    """The settings cannot be used; the message says why, in Redis's words where it has some."""


def context_of_server(config: Config) -> SSLContext:
    """What clients are served by. Raises TlsError."""
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load_certificate(context, config.tls_cert_file, config.tls_key_file, config.tls_key_file_pass)
    _trust(context, config, required=config.tls_auth_clients == "yes" or config.tls_replication)
    context.verify_mode = _CHECKS[config.tls_auth_clients]
    _choose_protocols(context, config)
    if config.tls_dh_params_file:
        _load(context.load_dh_params, config.tls_dh_params_file, "Failed to load")
    _set(context, ssl.OP_CIPHER_SERVER_PREFERENCE, config.tls_prefer_server_ciphers)
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not config.tls_session_caching:
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context


def context_of_replica(config: Config) -> SSLContext:
    """What this server is a client of its master by. Raises TlsError.

    The master's certificate must be one of a trusted authority. Its name is not compared with that of replicaof, as in
    Redis: masters are named by addresses.
    """
    context = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if config.tls_client_cert_file:
        _load_certificate(
            context, config.tls_client_cert_file, config.tls_client_key_file, config.tls_client_key_file_pass
        )
    else:
        _load_certificate(context, config.tls_cert_file, config.tls_key_file, config.tls_key_file_pass)
    _trust(context, config, required=True)
    context.check_hostname = False
    _choose_protocols(context, config)
    return context


def _load_certificate(context: SSLContext, certificate: str, key: str, password: str) -> None:
    if not certificate:
        raise TlsError("No tls-cert-file configured!")
    if not key:
        raise TlsError("No tls-key-file configured!")
    _check_readable(certificate, "Failed to load certificate")
    _check_readable(key, "Failed to load private key")
    try:
        # Without a function OpenSSL asks the terminal for the password.
        context.load_cert_chain(certificate, key, lambda: password)
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(f"Failed to load certificate {certificate} with key {key}: {reason(error)}") from None


def _trust(context: SSLContext, config: Config, *, required: bool) -> None:
    file, folder = config.tls_ca_cert_file, config.tls_ca_cert_dir
    if not file and not folder:
        if required:
            raise TlsError(
                "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or "
                "tls-auth-clients are enabled!"
            )
        return
    if file:
        _check_readable(file, "Failed to configure CA certificate(s)")
    try:
        context.load_verify_locations(file or None, folder or None)
    except (OSError, ValueError) as error:
        raise TlsError(f"Failed to configure CA certificate(s) {file or folder}: {reason(error)}") from None


def _choose_protocols(context: SSLContext, config: Config) -> None:
    """Versions and ciphers."""
    if config.tls_protocols:
        _choose_versions(context, config.tls_protocols)
    if config.tls_ciphers:
        try:
            context.set_ciphers(config.tls_ciphers)
        except ssl.SSLError:
            raise TlsError(f"Failed to configure ciphers: {config.tls_ciphers}") from None
    if config.tls_ciphersuites:
        choose = getattr(context, "set_ciphersuites", None)
        if choose is None:
            raise TlsError("tls-ciphersuites cannot be chosen by this Python, but by 3.15 and later ones")
        try:
            choose(config.tls_ciphersuites)
        except ssl.SSLError:
            raise TlsError(f"Failed to configure ciphersuites: {config.tls_ciphersuites}") from None


def _choose_versions(context: SSLContext, names: str) -> None:
    words = names.lower().split()
    if not words or not all(word in _VERSIONS for word in words):
        raise TlsError(
            "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'."
        )
    chosen = {_VERSIONS[word] for word in words}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the old versions, which were asked for
        context.minimum_version, context.maximum_version = min(chosen), max(chosen)
        for version in set(_VERSIONS.values()) - chosen:
            if min(chosen) < version < max(chosen):
                context.options |= getattr(ssl, f"OP_NO_{version.name}")


def _set(context: SSLContext, option: ssl.Options, on: bool) -> None:
    context.options = context.options | option if on else context.options & ~option


def _check_readable(path: str, what: str) -> None:
    """OpenSSL's errors name neither the file nor what is wrong with it. Raises TlsError."""
    try:
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as error:
        raise TlsError(f"{what}: {path}: {reason(error)}") from None


def _load(load: object, path: str, what: str) -> None:
    assert callable(load)
    try:
        load(path)
    except (OSError, ValueError) as error:
        raise TlsError(f"{what} {path}: {reason(error)}") from None


def reason(error: Exception) -> str:
    """What is wrong, in OpenSSL's words or the system's, without the place in their code."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)
