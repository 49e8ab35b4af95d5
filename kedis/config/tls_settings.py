"""The settings of TLS that have an effect.

Several name files. They are read again whenever one of these settings is set, be it to the value that it has:
``CONFIG SET tls-cert-file`` with the same path takes over a renewed certificate.
"""

from __future__ import annotations

from kedis.config.declare import Group, choice, flag, integer, text


class TlsSettings(Group, title="TLS", effective=True):
    tls_port = integer(0, 0, 65535, "TLS port, beside the plain one; with port 0 instead of it; 0 is none")
    tls_cert_file = text("", "certificate, and those between it and a trusted one", names_a_file=True)
    tls_key_file = text("", "its key", names_a_file=True)
    tls_key_file_pass = text("", "the key's password", secret=True)
    tls_client_cert_file = text(
        "", "certificate as a client, towards a master; the server's where none is given", names_a_file=True
    )
    tls_client_key_file = text("", "its key", names_a_file=True)
    tls_client_key_file_pass = text("", "the key's password", secret=True)
    tls_dh_params_file = text(
        "", "Diffie-Hellman parameters, for ciphers up to TLS 1.2 that need them", names_a_file=True
    )
    tls_ca_cert_file = text("", "certificates of the authorities that are trusted", names_a_file=True)
    tls_ca_cert_dir = text("", "folder of such certificates, named by their hash", names_a_file=True)
    tls_auth_clients = choice(
        "yes",
        ("no", "yes", "optional"),
        "ask clients for certificates; optional: whoever shows one must show a good one",
    )
    tls_replication = flag(False, "TLS towards the master")
    tls_protocols = text("", "versions of the protocol, such as TLSv1.2 TLSv1.3; empty: those of OpenSSL")
    tls_ciphers = text("", "ciphers up to TLS 1.2, as OpenSSL writes them; empty: those of Python")
    tls_ciphersuites = text(
        "",
        "ciphers of TLS 1.3",
        otherwise="refused where Python cannot choose them, which it can from 3.15 on",
    )
    tls_prefer_server_ciphers = flag(False, "the server's order of ciphers wins")
    tls_session_caching = flag(
        True,
        "let clients resume sessions",
        otherwise="no: by TLS 1.2 OpenSSL resumes them all the same, which Python cannot tell it not to",
    )
    metrics_tls = flag(
        False,
        "serve the live page and the metrics by TLS alone (Kedis's own)",
        fixed=True,
        own=True,
        otherwise="clients are asked for certificates there as on the TLS port",
    )
