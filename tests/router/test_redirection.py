"""Errors by which nodes send requests elsewhere, or away for a while."""

from __future__ import annotations

import pytest

from kedis.router.redirection import ASK, MOVED, Redirect, parse_redirect

ASKED = ("node", 7000)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"-MOVED 3999 127.0.0.1:6381\r\n", Redirect(MOVED, 3999, ("127.0.0.1", 6381))),
        (b"-ASK 3999 host.example:6381\r\n", Redirect(ASK, 3999, ("host.example", 6381))),
        (b"-MOVED 1 :6381\r\n", Redirect(MOVED, 1, ("node", 6381))),
        (b"-MOVED 1 ?:6381\r\n", Redirect(MOVED, 1, ("node", 6381))),
        (b"-MOVED 1 ::1:6381\r\n", Redirect(MOVED, 1, ("::1", 6381))),
        (b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n", Redirect("tryagain")),
        (b"-CLUSTERDOWN The cluster is down\r\n", Redirect("clusterdown")),
        (b"-LOADING Redis is loading the dataset in memory\r\n", Redirect("loading")),
        (b"-READONLY You can't write against a read only replica.\r\n", Redirect("readonly")),
        (b"-ERR MOVED 1 a:1\r\n", None),
        (b"-MOVED\r\n", None),
        (b"-MOVED x a:1\r\n", None),
        (b"-MOVED 1 a:x\r\n", None),
        (b"-MOVED 16384 a:1\r\n", None),
        (b"-ASK 99999999999999999999 a:1\r\n", None),
        (b"-MOVED 1 a:65536\r\n", None),
        (b"-WRONGTYPE Operation\r\n", None),
    ],
)
def test_what_an_error_asks_for(reply: bytes, expected: Redirect | None) -> None:
    assert parse_redirect(reply, ASKED) == expected
