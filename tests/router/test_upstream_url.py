"""The URL of an upstream."""

from __future__ import annotations

import pytest

from kedis.router.upstream_url import Upstream, parse_upstream


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://a", Upstream("redis", (("a", 6379),))),
        ("redis://a:1,b:2", Upstream("redis", (("a", 1), ("b", 2)))),
        ("rediss://[::1]:7,[fe80::2]", Upstream("rediss", (("::1", 7), ("fe80::2", 6379)), tls=True)),
        ("redis://u:p%40@a:1", Upstream("redis", (("a", 1),), "u", "p@")),
        ("redis://:p@a:1", Upstream("redis", (("a", 1),), "", "p")),
        ("redis://p@a:1", Upstream("redis", (("a", 1),), "", "p")),
        ("REDIS+SENTINEL://a,b:3/main", Upstream("redis+sentinel", (("a", 26379), ("b", 3)), master="main")),
        (
            "rediss+sentinel://u:p@a/m",
            Upstream("rediss+sentinel", (("a", 26379),), "u", "p", tls=True, master="m"),
        ),
    ],
)
def test_what_it_says(text: str, expected: Upstream) -> None:
    assert parse_upstream(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a:1",
        "http://a",
        "redis://",
        "redis://a,",
        "redis://a:0",
        "redis://a:65536",
        "redis://a:x",
        "redis://a:1 b:1",
        "redis://a:1, b:1",
        "redis://a:1/0",
        "redis://[::1",
        "redis://[::1]7",
        "redis+sentinel://a:1",
        "redis+sentinel://a:1/",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"upstream|address"):
        parse_upstream(text)


def test_the_password_is_not_shown() -> None:
    upstream = parse_upstream("redis+sentinel://user:secret@a:1,[::1]:2/main")
    assert upstream.shown == "redis+sentinel://a:1,[::1]:2/main"
    with pytest.raises(ValueError) as error:
        parse_upstream("redis://user:secret@a:x")
    assert "secret" not in str(error.value)
