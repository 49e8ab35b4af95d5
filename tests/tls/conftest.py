"""Certificates that all tests of TLS share, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kedis.server.made_certificates import Authority, NoOpenssl
from tests.tls.servers import Certificates, TlsKedis


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority and what it has issued; and certificates that are no good."""
    folder = tmp_path_factory.mktemp("certificates")
    try:
        authority = Authority(folder)
        strangers = Authority(folder, "strangers")
    except NoOpenssl as reason:
        pytest.skip(str(reason))
    return Certificates(
        folder=Path(folder),
        authority=authority.certificate,
        strangers=strangers.certificate,
        server=authority.issue("server"),
        renewed=authority.issue("renewed"),
        client=authority.issue("client", ["DNS:client"]),
        expired=authority.issue("expired", days=-1),
        foreign=strangers.issue("foreign"),
    )


@pytest.fixture(scope="module", params=["native", "python"])
def kedis(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[TlsKedis]:
    """A server on a plain and a TLS port that asks for no certificate, by either path."""
    with TlsKedis(certificates, path=request.param) as server:
        yield server
