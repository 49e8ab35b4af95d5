"""The same commands through redis-cli and kedis-cli, on the same server: byte for byte the same output."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.program import KEDIS_CLI, call, kedis_cli, redis_cli

_FORMS = [
    ["--raw"],
    ["--no-raw"],
    ["--csv"],
    ["-3", "--raw"],
    ["-3", "--no-raw"],
    ["-3", "--csv"],
    ["--json"],
    ["-2", "--json"],
    ["--quoted-json"],
    ["--raw", "-d", ";;", "-D", "|"],
    ["--csv", "-D", "|"],
    ["--no-raw", "-d", "x"],
]
_LINES = rb"""
set text "plain"
set bin "a\x01\n\"q\xff\xc3\xa9\t\x7f"
get bin
get missing
rpush l a b c d e f g h i j k
lrange l 0 -1
lrange none 0 -1
hset h f1 v1 f2 ''
hgetall h
hgetall none
hset big 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9 10 10
hgetall big
zadd z 1.5 m 2 n
zrange z 0 -1 withscores
sadd s x
smembers s
smembers none
exists bin text
hmget h missing f1
lpop none 3
'set' "single quoted" 'it''s' 
set single 'it\'s "quoted"'
get single
2 incr n
multi
get text
hgetall h
incr text
lrange none 0 -1
exec
config get maxmemory-s*
object encoding n
command info get
command count extra
foo
set a
client info extra
info replication
memory doctor
select 3
dbsize
select 0
get "unbalanced
quit
get text
"""


@pytest.mark.parametrize("flags", _FORMS, ids=" ".join)
def test_lines_from_standard_input(port: int, flags: list[str]) -> None:
    lines = _without_errors(_LINES) if any("json" in flag for flag in flags) else _LINES
    if "--quoted-json" in flags:
        # redis-cli leaves quotes inside strings unescaped, which makes it no JSON.
        lines = lines.replace(rb"\"q", b"q").replace(b'"quoted"', b"quoted")
    ended = [
        program("-p", str(port), *flags, stdin=b"flushall\n" + lines) for program in (redis_cli, kedis_cli)
    ]
    assert ended[1].out == ended[0].out


def _without_errors(lines: bytes) -> bytes:
    """JSON shows errors in another way than redis-cli, which prints what is no JSON."""
    wrong = (
        b"foo",
        b"set a",
        b"incr text",
        b"client info extra",
        b"command count extra",
        b'get "un',
        b"'set'",
    )
    return b"\n".join([line for line in lines.split(b"\n") if not line.startswith(wrong)])


@pytest.mark.parametrize(
    "flags", [["--raw"], ["--no-raw"], ["--csv"], ["-3", "--no-raw"], ["-3", "--raw"]], ids=" ".join
)
def test_every_type_of_reply(redis_port: int, flags: list[str]) -> None:
    kinds = (b"double", b"null", b"set", b"map", b"true", b"false", b"verbatim", b"array")
    lines = b"".join(b"debug protocol %b\n" % kind for kind in kinds)
    words = ["-p", str(redis_port), *flags]
    assert kedis_cli(*words, stdin=lines).out == redis_cli(*words, stdin=lines).out


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["-r", "3", "incr", "n"], b""),
        (["-r", "2", "-i", "0.01", "ping"], b""),
        (["-d", ",", "lrange", "l", "0", "-1"], b""),
        (["-x", "set", "k"], b"from\x00stdin\n"),
        (["-X", "TAG", "set", "TAG", "value", "get"], b"name"),
        (["--quoted-input", "set", '"a\\x00b"', "value"], b""),
        (["-n", "4", "dbsize"], b""),
        (["-e", "foo"], b""),
        (["--scan", "--pattern", "l*"], b""),
        (["--scan", "--quoted-pattern", '"\\x6c"'], b""),
        (["--scan", "--no-raw"], b""),
        (["--pipe"], b"*1\r\n$4\r\nPING\r\nSET a 1\r\nfoo\r\n"),
        (["--csv", "info", "cluster"], b""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_from_the_command_line(port: int, words: list[str], stdin: bytes) -> None:
    seen = []
    for program in (redis_cli, kedis_cli):
        call(port, "FLUSHALL")
        call(port, "RPUSH", "l", "a", "b")
        call(port, "SET", "other", "1")
        ended = program("-p", str(port), *words, stdin=stdin)
        seen.append((sorted(ended.out.split(b"\n")), sorted(ended.err.split("\n"))))
    assert seen[1] == seen[0]


@pytest.mark.parametrize(
    ("flags", "greeting", "lines"), [([], 3, 3), (["--no-raw"], 4, 3), (["--csv"], 2, 1)]
)
def test_subscribers_see_the_same(port: int, flags: list[str], greeting: int, lines: int) -> None:
    redis_cli("--version")
    seen = []
    for program in (("redis-cli",), KEDIS_CLI):
        command = [*program, "-p", str(port), *flags, "subscribe", "news"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            heard = [process.stdout.readline() for _ in range(greeting)]
            call(port, "PUBLISH", "news", "hello")
            heard += [process.stdout.readline() for _ in range(lines)]
            process.kill()
        seen.append(b"".join(heard))
    assert seen[1] == seen[0]
    assert b"hello" in seen[0]
