"""Transactions whose commands write to the connection themselves, or end it: the same bytes as from Redis.

The whole story is sent at once, then the sending side is closed; all that comes until the connection ends is compared.
"""

from __future__ import annotations

import re
import socket

import pytest

STORIES = {
    "hello 3": "HSET h f v|MULTI|HGETALL h|HELLO 3|HGETALL h|EXEC|HGETALL h",
    "hello 2": "HELLO 3|HSET h f v|MULTI|HGETALL h|HELLO 2|HGETALL h|EXEC|HGETALL h",
    "reply off": "MULTI|SET a 1|CLIENT REPLY OFF|GET a|EXEC|GET a|CLIENT REPLY ON",
    "reply skip": "MULTI|SET a 1|CLIENT REPLY SKIP|GET a|GET a|EXEC|GET a|GET a",
    "subscribe": "MULTI|SET a 1|SUBSCRIBE x y|GET a|EXEC|PING",
    "ping behind subscribe": "MULTI|PING|SUBSCRIBE x|PING|PING a|UNSUBSCRIBE|PING|EXEC|PING",
    "ping behind subscribe in RESP3": "HELLO 3|MULTI|SUBSCRIBE x|PING|PING a|EXEC",
    "subscribe in RESP3": "HELLO 3|MULTI|SET a 1|SUBSCRIBE x y|GET a|EXEC|PUBLISH x m",
    "publish to oneself": "HELLO 3|SUBSCRIBE x|MULTI|SET a 1|PUBLISH x m|GET a|EXEC",
    "unsubscribe": "MULTI|UNSUBSCRIBE|EXEC",
    "tracking": "HELLO 3|CLIENT TRACKING ON|GET a|MULTI|SET a 2|GET a|SET a 3|EXEC|GET a|SET a 4",
    "tracking begun inside": "HELLO 3|MULTI|CLIENT TRACKING ON|GET a|SET a 5|EXEC|GET a",
    "monitor": "MULTI|MONITOR|GET a|EXEC",
    "quit": "MULTI|SET a 1|QUIT",
    "reset": "MULTI|SET a 1|RESET|EXEC",
    "blocking": "DEL l|MULTI|BLPOP l 0|BLMOVE l m LEFT LEFT 0|BZPOPMIN z 0|EXEC",
    "kill oneself": "MULTI|CLIENT KILL SKIPME no ADDR ME|SET a 9|EXEC|GET a",
    "select": "MULTI|SELECT 1|SET a x|EXEC|GET a|SELECT 0|GET a",
    "watch": "MULTI|WATCH a|EXEC",
    "nested": "MULTI|MULTI|EXEC",
    "wrong arguments": "MULTI|GET|SET a 1|EXEC|EXEC",
    "shutdown": "MULTI|SHUTDOWN|EXEC",
    "errors inside": "SET str x|MULTI|LPUSH str a|INCR str|GET str|EXEC",
    "flushall": "MULTI|SET a 1|FLUSHALL|DBSIZE|EXEC",
    "discard": "WATCH a|MULTI|DISCARD|EXEC",
}


def told(port: int, story: str) -> bytes:
    """All that a client gets that sends ``story``; the numbers of HELLO's client are left out."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        host, number = client.getsockname()
        lines = f"FLUSHALL|{story}|".replace(" ME|", f" {host}:{number}|").replace("|", "\r\n")
        client.sendall(lines.encode())
        client.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while data := client.recv(65536):
                received += data
        except ConnectionResetError:  # of a client that had more to say when it was closed
            pass
    return re.sub(rb"(\$2\r\nid\r\n):\d+", rb"\1", received)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_the_bytes_are_those_of_redis(redis_port: int, kedis_port: int, story: str) -> None:
    expected = told(redis_port, story)
    assert expected.startswith(b"+OK\r\n") and told(kedis_port, story) == expected
