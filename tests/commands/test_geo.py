"""Geo commands, as scripts of commands and answers; test_geo_oracle.py compares them with Redis."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands.driver import Client, ErrorReply

WRONG_TYPE = ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value")
SYNTAX = ErrorReply("ERR syntax error")
NOT_A_FLOAT = ErrorReply("ERR value is not a valid float")
BAD_UNIT = ErrorReply("ERR unsupported unit provided. please use M, KM, FT, MI")
NO_MEMBER = ErrorReply("ERR could not decode requested zset member")

PALERMO = ["13.361389", "38.115556", "Palermo"]
CATANIA = ["15.087269", "37.502669", "Catania"]


@pytest.fixture
def client() -> Client:
    client = Client()
    client.call("SET", "s", "x")
    client.call("GEOADD", "Sicily", *PALERMO, *CATANIA)
    client.journal()
    return client


def wire(client: Client, *words: str) -> bytes:
    """The reply as bytes."""
    client.engine.run(client.state, [[word.encode() for word in words]])
    reply = b"".join(client.state.out)
    client.state.out.clear()
    return reply


def test_adding_is_journalled_as_the_zadd_that_it_is(client: Client) -> None:
    assert client.call("GEOADD", "g", *PALERMO, *CATANIA) == 2
    assert client.call("GEOADD", "g", *PALERMO) == 0
    assert client.call("GEOADD", "g", "NX", "CH", "0", "0", "Palermo", "1", "1", "new") == 1
    assert client.call("GEOADD", "g", "XX", "1", "2", "Palermo", "1", "1", "other") == 0
    assert client.call("GEOADD", "g", "ch", "1", "3", "Palermo", "1", "1", "new") == 1
    assert client.call("GEOADD", "missing", "XX", "1", "2", "Palermo") == 0
    assert client.journal() == [
        "0 zadd g 3479099956230698 Palermo 3479447370796909 Catania",
        "0 zadd g NX CH 3377699720527872 Palermo 3377822707026402 new",
        "0 zadd g XX 3378080408407459 Palermo 3377822707026402 other",
        "0 zadd g ch 3378853503637734 Palermo 3377822707026402 new",
    ]
    assert client.call("EXISTS", "missing") == 0


def test_reading_positions(client: Client) -> None:
    assert client.call("GEOPOS", "Sicily", "Palermo", "nowhere") == [
        [b"13.36138933897018433", b"38.11555639549629859"],
        None,
    ]
    assert client.call("GEOHASH", "Sicily", "Palermo", "Catania", "nowhere") == [
        b"sqc8b49rny0",
        b"sqdtr74hyu0",
        None,
    ]
    assert client.call("GEODIST", "Sicily", "Palermo", "Catania") == b"166274.1516"
    assert client.call("GEODIST", "Sicily", "Palermo", "Catania", "mi") == b"103.3182"
    assert client.call("GEODIST", "Sicily", "Palermo", "nowhere") is None
    assert client.call("GEOPOS", "missing", "a") == [None]
    assert client.call("GEOPOS", "Sicily") == []


def test_replies_on_the_wire(client: Client) -> None:
    assert wire(client, "GEOPOS", "Sicily", "nowhere") == b"*1\r\n*-1\r\n"
    assert wire(client, "GEOHASH", "Sicily", "nowhere") == b"*1\r\n$-1\r\n"
    assert wire(client, "GEODIST", "Sicily", "nowhere", "Palermo") == b"$-1\r\n"
    client.state.speak(3)
    assert (
        wire(client, "GEOPOS", "Sicily", "Palermo")
        == b"*1\r\n*2\r\n,13.36138933897018433\r\n,38.11555639549629859\r\n"
    )
    assert wire(client, "GEODIST", "Sicily", "Palermo", "Catania") == b"$11\r\n166274.1516\r\n"


def test_searching(client: Client) -> None:
    call = client.call
    around = ["FROMLONLAT", 15, 37]
    assert call("GEOSEARCH", "Sicily", *around, "BYRADIUS", 200, "km", "ASC") == [b"Catania", b"Palermo"]
    assert call("GEOSEARCH", "Sicily", *around, "BYRADIUS", 200, "km", "DESC", "COUNT", 1) == [b"Palermo"]
    assert call("GEOSEARCH", "Sicily", *around, "BYRADIUS", 200, "km", "COUNT", 1) == [b"Catania"]
    assert len(call("GEOSEARCH", "Sicily", *around, "BYRADIUS", 200, "km", "COUNT", 1, "ANY")) == 1
    assert call("GEOSEARCH", "Sicily", *around, "BYRADIUS", 100, "km", "WITHDIST") == [
        [b"Catania", b"56.4413"]
    ]
    assert call(
        "GEOSEARCH", "Sicily", *around, "BYBOX", 400, 400, "km", "ASC", "WITHCOORD", "WITHHASH", "COUNT", 1
    ) == [[b"Catania", 3479447370796909, [b"15.08726745843887329", b"37.50266842333162032"]]]
    assert call("GEOSEARCH", "Sicily", "FROMMEMBER", "Palermo", "BYRADIUS", 1, "m") == [b"Palermo"]
    assert call("GEOSEARCH", "missing", "FROMMEMBER", "x", "BYRADIUS", 1, "m") == []
    assert call("GEORADIUS", "Sicily", 15, 37, 200, "km", "ASC") == [b"Catania", b"Palermo"]
    assert call("GEORADIUS_RO", "Sicily", 15, 37, 100, "km") == [b"Catania"]
    assert call("GEORADIUSBYMEMBER", "Sicily", "Catania", 100, "km") == [b"Catania"]
    assert call("GEORADIUSBYMEMBER_RO", "Sicily", "Catania", 200, "km", "DESC") == [b"Palermo", b"Catania"]
    assert client.journal() == []


def test_storing(client: Client) -> None:
    call = client.call
    call("SET", "out", "x", "PXAT", 4_000_000_000_000)
    assert call("GEOSEARCHSTORE", "out", "Sicily", "FROMLONLAT", 15, 37, "BYRADIUS", 200, "km") == 2
    assert call("PEXPIRETIME", "out") == -1
    assert call("GEOHASH", "out", "Palermo") == [b"sqc8b49rny0"]
    assert call("GEORADIUS", "Sicily", 15, 37, 200, "km", "STOREDIST", "out") == 2
    stored = client.state.db.data[b"out"]
    assert list(stored.items()) == [(b"Catania", 56.441257870158204), (b"Palermo", 190.44242984775784)]
    assert call("GEORADIUSBYMEMBER", "Sicily", "Palermo", 1, "m", "STORE", "Sicily") == 1
    assert call("GEOSEARCHSTORE", "out", "Sicily", "FROMLONLAT", 0, 0, "BYRADIUS", 1, "m") == 0
    assert call("EXISTS", "out") == 0
    client.journal()
    assert call("GEOSEARCHSTORE", "out", "missing", "FROMLONLAT", 0, 0, "BYRADIUS", 1, "m") == 0
    assert client.journal() == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["GEOADD", "g", "NX", "XX", 1, 1, "a"], SYNTAX),
        (["GEOADD", "g", 1, 1, "a", 1], SYNTAX),
        (["GEOADD", "g", "x", 1, "a"], NOT_A_FLOAT),
        (
            ["GEOADD", "g", 1, 1, "a", 181, 1, "b"],
            ErrorReply("ERR invalid longitude,latitude pair 181.000000,1.000000"),
        ),
        (["GEOADD", "s", 1, 1, "a"], WRONG_TYPE),
        (["GEODIST", "Sicily", "Palermo", "Catania", "foo"], BAD_UNIT),
        (["GEODIST", "Sicily", "Palermo", "Catania", "m", "m"], SYNTAX),
        (["GEODIST", "s", "Palermo", "Catania"], WRONG_TYPE),
        (["GEOPOS", "s", "Palermo"], WRONG_TYPE),
        (["GEORADIUS", "s", "x", 1, 1, "m"], WRONG_TYPE),
        (["GEORADIUS", "Sicily", "x", 1, 1, "m"], NOT_A_FLOAT),
        (["GEORADIUS", "Sicily", 1, 1, "x", "m"], ErrorReply("ERR need numeric radius")),
        (["GEORADIUS", "Sicily", 1, 1, -1, "m"], ErrorReply("ERR radius cannot be negative")),
        (["GEORADIUS", "Sicily", 1, 1, 1, "foo"], BAD_UNIT),
        (["GEORADIUS", "Sicily", 1, 1, 1, "m", "COUNT", 0], ErrorReply("ERR COUNT must be > 0")),
        (
            ["GEORADIUS", "Sicily", 1, 1, 1, "m", "ANY"],
            ErrorReply("ERR the ANY argument requires COUNT argument"),
        ),
        (
            ["GEORADIUS", "Sicily", 1, 1, 1, "m", "STORE", "d", "WITHDIST"],
            ErrorReply(
                "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            ),
        ),
        (["GEORADIUS_RO", "Sicily", 1, 1, 1, "m", "STORE", "d"], SYNTAX),
        (["GEORADIUSBYMEMBER", "Sicily", "nowhere", 1, "m"], NO_MEMBER),
        (["GEOSEARCH", "Sicily", "FROMMEMBER", "nowhere", "BYRADIUS", 1, "m"], NO_MEMBER),
        (["GEOSEARCH", "Sicily", "FROMLONLAT", 1, 1, "FROMMEMBER", "Palermo", "BYRADIUS", 1, "m"], SYNTAX),
        (
            ["GEOSEARCH", "Sicily", "FROMLONLAT", 1, 1, "BYBOX", "x", 1, "m"],
            ErrorReply("ERR need numeric width"),
        ),
        (
            ["GEOSEARCH", "Sicily", "FROMLONLAT", 1, 1, "BYBOX", 1, "x", "m"],
            ErrorReply("ERR need numeric height"),
        ),
        (
            ["GEOSEARCH", "Sicily", "FROMLONLAT", 1, 1, "BYBOX", 1, -1, "m"],
            ErrorReply("ERR height or width cannot be negative"),
        ),
        (
            ["geosearch", "Sicily", "BYRADIUS", 1, "m", "ASC", "WITHDIST"],
            ErrorReply("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch"),
        ),
        (
            ["GEOSEARCH", "Sicily", "FROMLONLAT", 1, 1, "ASC", "WITHDIST"],
            ErrorReply("ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH"),
        ),
        (
            ["GEOSEARCHSTORE", "d", "Sicily", "FROMLONLAT", 1, 1, "BYRADIUS", 1, "m", "WITHHASH"],
            ErrorReply("ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"),
        ),
    ],
)
def test_errors_change_nothing(client: Client, words: list[Any], error: ErrorReply) -> None:
    assert client.call(*words) == error
    assert client.call("DBSIZE") == 2
    assert client.journal() == []
