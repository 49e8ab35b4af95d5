"""A server that is hostile or broken does not drive the terminal, and gets one clear line instead of a traceback."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedis.cli.client import main as client
from kedis.cli.client.catalogue import load
from kedis.cli.client.completion import KeyNames
from kedis.cli.client.display import Display
from kedis.cli.client.expected import ServerSays
from kedis.cli.client.link import NotRedis, ServerLink
from kedis.cli.client.listening import live_line
from kedis.cli.client.modes.stat import figures, parse_info
from kedis.cli.client.render import Form, render
from kedis.cli.client.standalone import key_values, server_snapshot
from kedis.cli.client.standalone.home import Home
from kedis.cli.client.standalone.terminal import Console
from kedis.cli.client.target import Target
from kedis.cli.client.wire import (
    DEEPEST,
    BigNumber,
    ErrorReply,
    Pairs,
    ProtocolMismatch,
    ReplyReader,
    Status,
    Verbatim,
)
from kedis.cli.terminal_text import one_line, visible, visible_json
from tests.benchmark.fake_server import FakeServer
from tests.cli.program import KEDIS_CLI, TIMEOUT_SECONDS, kedis_cli, redis_cli
from tests.cli.terminal import Terminal

#: Sets the title, clears the screen, in 8 bits, backwards: the parts that a terminal must never get.
EVIL = "\x1b]0;EVIL\x07\x1b[2JEVIL\x9b31mEVIL\u202eEVIL\u2066\x7f\x08"
BYTES = EVIL.encode() + b"\x9b2J"
UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]")

Serve = Callable[..., FakeServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that answer commands by their names, and all others alike."""
    started: list[FakeServer] = []

    def start(answers: Mapping[bytes, bytes], other: bytes = b"+OK\r\n") -> FakeServer:
        started.append(FakeServer(lambda words: answers.get(words[0].upper(), other)))
        return started[-1]

    yield start
    for server in started:
        server.close()


def bulk(data: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(data), data)


def verbatim(data: bytes) -> bytes:
    return b"=%d\r\ntxt:%b\r\n" % (len(data) + 4, data)


REPLIES = {
    "error": b"-ERR " + BYTES + b"\r\n",
    "simple": b"+" + BYTES + b"\r\n",
    "blob error": b"!%d\r\n%b\r\n" % (len(BYTES), BYTES),
    "bulk": bulk(BYTES),
    "verbatim": verbatim(BYTES),
    "array": b"*4\r\n+%b\r\n-%b\r\n%b%b" % (BYTES, BYTES, bulk(BYTES), verbatim(BYTES)),
    "map": b"%%2\r\n+%b\r\n-%b\r\n%b%b" % (BYTES, BYTES, verbatim(BYTES), bulk(BYTES)),
}


class TestText:
    @given(st.text())
    def test_nothing_unsafe_is_left_and_the_rest_stays(self, text: str) -> None:
        assert not UNSAFE.search(visible(text).replace("\ufffd", ""))
        assert visible("".join(char for char in text if char.isalnum())) == "".join(filter(str.isalnum, text))
        assert "\n" not in one_line(text)
        json_text = json.dumps(text, ensure_ascii=False)
        assert json.loads(visible_json(json_text)) == text

    def test_what_it_looks_like(self) -> None:
        assert visible("a\tb\nc\x1b\x9b\u202e\x7f\r") == "a\tb\nc\\x1b\\x9b\\u202e\\x7f\\x0d"
        assert visible(b"\xff".decode("utf-8", "surrogateescape")) == "\\xff"
        assert one_line("a\nb") == "a\\nb"


class TestOnATerminal:
    """What the bytes are that the terminal gets."""

    def shown(self, port: int, *words: str) -> str:
        process = pexpect.spawn(
            KEDIS_CLI[0], [*KEDIS_CLI[1:], "-p", str(port), *words], timeout=TIMEOUT_SECONDS
        )
        data: bytes = process.read()
        process.close()
        assert b"Traceback" not in data
        return data.decode("utf-8", "replace")

    @pytest.mark.parametrize("kind", REPLIES)
    def test_one_command(self, serve: Serve, kind: str) -> None:
        server = serve({b"GET": REPLIES[kind]})
        text = self.shown(server.port, "GET", "x")
        assert "EVIL" in text and not UNSAFE.search(text), text

    @pytest.mark.parametrize("words", [("INFO",), ("CLIENT", "LIST"), ("MEMORY", "DOCTOR")])
    def test_pages_of_text(self, serve: Serve, words: tuple[str, ...]) -> None:
        server = serve({words[0].encode(): bulk(b"# Server\r\nname:" + BYTES + b"\r\n")})
        text = self.shown(server.port, *words)
        assert "# Server\r\nname:" in text and "EVIL" in text and not UNSAFE.search(text), text

    def test_errors_of_the_handshake(self, serve: Serve) -> None:
        for kind in (b"-WRONGPASS ", b"-ERR "):
            server = serve({b"AUTH": kind + BYTES + b"\r\n"}, b"+x\r\n")
            text = self.shown(server.port, "--no-auth-warning", "-a", "x", "GET", "x")
            assert "EVIL" in text and not UNSAFE.search(text), text

    @pytest.mark.parametrize(
        "flags",
        [("--json",), ("--quoted-json",), ("--csv",), ("-e",), ("--scan",), ("--bigkeys",), ("--memkeys",)],
    )
    def test_flags_and_modes(self, serve: Serve, flags: tuple[str, ...]) -> None:
        answers = {
            b"GET": REPLIES["error"],
            b"SCAN": b"*2\r\n$1\r\n0\r\n*1\r\n" + bulk(BYTES),
            b"TYPE": b"+" + BYTES + b"\r\n",
            b"MEMORY": b":7\r\n",
            b"DBSIZE": b":1\r\n",
        }
        words = ("GET", "x") if flags[0] in ("--json", "--quoted-json", "--csv", "-e") else ()
        text = self.shown(serve(answers).port, *flags, *words)
        assert not UNSAFE.search(text.replace("\r\x1b[K", "")), text  # where progress is drawn

    def test_monitor(self, serve: Serve) -> None:
        server = serve({b"MONITOR": b"+OK\r\n+1.0 [0 x] " + BYTES + b"\r\n"})
        process = pexpect.spawn(KEDIS_CLI[0], [*KEDIS_CLI[1:], "-p", str(server.port), "MONITOR"])
        process.expect("\\[0 x\\].*\r\n", timeout=TIMEOUT_SECONDS)
        text = process.after.decode("utf-8", "replace")
        process.close(force=True)
        assert "EVIL" in text and not UNSAFE.search(text), text

    def test_json_stays_json(self, serve: Serve) -> None:
        text = self.shown(serve({b"GET": bulk(EVIL.encode())}).port, "--json", "GET", "x")
        assert json.loads(text) == EVIL


@pytest.mark.parametrize("flags", [(), ("--no-raw",), ("--csv",)])
@pytest.mark.parametrize("kind", [kind for kind in REPLIES if kind != "blob error"])  # redis-cli reads none
def test_what_is_redirected_is_exact(serve: Serve, kind: str, flags: tuple[str, ...]) -> None:
    server = serve({b"GET": REPLIES[kind], b"INFO": REPLIES[kind]})
    for words in (("GET", "x"), ("INFO",)):
        ours, theirs = (
            kedis_cli("-p", str(server.port), *flags, *words),
            redis_cli("-p", str(server.port), *flags, *words),
        )
        assert ours.out == theirs.out


class TestInTheSession:
    """The interactive session, by the bytes that reach its terminal."""

    def harmless(self, terminal: Terminal) -> bool:
        """Whether no part of EVIL went through; what draws the prompt is made of escape sequences, too."""
        raw = bytes(terminal.raw)
        parts = (
            b"\x1b]0;EVIL",
            b"\x1b[2JEVIL",
            "\x9b31m".encode(),
            b"\x9b2J",
            "\u202e".encode(),
            "\u2066".encode(),
        )
        return not any(part in raw for part in parts)

    @pytest.fixture
    def open_terminal(self, tmp_path: Path) -> Iterator[Callable[[int], Terminal]]:
        opened: list[Terminal] = []

        def open_(port: int) -> Terminal:
            opened.append(Terminal("-p", str(port), home=str(tmp_path)))
            return opened[-1]

        yield open_
        for terminal in opened:
            terminal.close()

    def test_replies_of_all_kinds(self, serve: Serve, open_terminal: Callable[[int], Terminal]) -> None:
        answers = {
            b"COMMAND": b"*2\r\n%b*4\r\n$7\r\nsummary\r\n%b$5\r\ngroup\r\n%b"
            % (bulk(b"get"), bulk(BYTES), bulk(BYTES)),
            b"SCAN": b"*2\r\n$1\r\n0\r\n*2\r\n" + bulk(b"k" + BYTES) + bulk(b"k2"),
            b"INFO": bulk(b"name:" + BYTES + b"\r\n"),
            b"SUBSCRIBE": b">3\r\n%b%b%b" % (bulk(b"message"), bulk(BYTES), bulk(BYTES)),
            b"TYPE": b"+" + BYTES + b"\r\n",
            **{b"GET%d" % number: reply for number, reply in enumerate(REPLIES.values())},
        }
        server = serve(answers)
        terminal = open_terminal(server.port)
        prompt = f"127.0.0.1:{server.port}>"
        terminal.at_prompt(prompt)
        commands = [f"get{number}" for number in range(len(REPLIES))]
        for line in (
            *commands,
            "info",
            "peek x",
            "help get",
            ":format raw",
            *commands,
            ":format json",
            *commands,
        ):
            assert "Traceback" not in terminal.run(line, prompt)
        terminal.run(":format human", prompt)
        terminal.type("get k\t")
        terminal.see("k2")
        terminal.process.send("\x03")
        terminal.at_prompt(prompt)
        terminal.enter("subscribe x")
        terminal.see("Reading messages")
        terminal.until(lambda text: text.count("EVIL") > 3)
        assert self.harmless(terminal)

    def test_deep_nesting_leaves_the_session_alive(
        self, serve: Serve, open_terminal: Callable[[int], Terminal]
    ) -> None:
        server = serve(
            {
                b"DEEP": b"*1\r\n" * 900 + b":1\r\n",
                b"DEEPER": b"*1\r\n" * 100_000 + b":1\r\n",
                b"ECHO": b"+alive\r\n",
            }
        )
        prompt = f"127.0.0.1:{server.port}>"
        terminal = open_terminal(server.port)
        terminal.at_prompt(prompt)
        assert "(integer) 1" in terminal.run("deep", prompt)
        assert f"nested more than {DEEPEST} levels" in terminal.run("deeper", "not connected>")
        terminal.enter("echo x")
        terminal.see("alive")


class TestTheReader:
    @pytest.mark.parametrize(
        "data",
        [
            b"$1073741825\r\n",
            b"$99999999999999999999\r\n",
            b"=9223372036854775807\r\n",
            b"*268435457\r\n",
            b"%9223372036854775807\r\n",
            b"*1\r\n" * (DEEPEST + 1),
            b"|1\r\n" * (DEEPEST + 1),
            b"-" + b"x" * 70_000,
            b":9223372036854775808\r\n",
            b":1_0\r\n",
            b": 1\r\n",
            b":" + b"9" * 5000 + b"\r\n",
            b"$+\r\n",
            b"$1_0\r\n",
            b",1_0.5\r\n",
            b", 1\r\n",
            b",\x1b[2J\r\n",
            b"(12\x1b\r\n",
        ],
        ids=lambda data: repr(data[:24]),
    )
    def test_out_of_bounds(self, data: bytes) -> None:
        reader = ReplyReader()
        reader.feed(data)
        with pytest.raises(ProtocolMismatch) as refused:
            for _ in range(DEEPEST + 2):
                reader.take()
        assert not UNSAFE.search(str(refused.value))

    def test_numbers_that_are_some(self) -> None:
        reader = ReplyReader()
        reader.feed(b":-9223372036854775808\r\n,-inf\r\n,nan\r\n,1e-5\r\n,.5\r\n(" + b"9" * 5000 + b"\r\n")
        replies = [reader.take()[1] for _ in range(6)]
        assert replies[0] == -(2**63) and replies[-1] == "9" * 5000 and isinstance(replies[-1], BigNumber)
        for form in Form:
            assert render(replies, form)

    @pytest.mark.parametrize("kind", [b"*1\r\n", b"~1\r\n", b"%1\r\n+k\r\n"])
    def test_deep_replies_are_rendered_in_every_form(self, kind: bytes) -> None:
        reader = ReplyReader()
        reader.feed(kind * DEEPEST + b":7\r\n")
        complete, reply = reader.take()
        assert complete
        for form in Form:
            assert b"7" in render(reply, form)
        assert "7" in Display(color=True).text([b"X"], reply)
        assert "7" in live_line(reply)

    def test_maps_as_keys_of_maps_do_not_explode(self) -> None:
        reader = ReplyReader()
        reader.feed(b"%1\r\n" * DEEPEST + b"+k\r\n" + b":1\r\n" * DEEPEST)
        reply = reader.take()[1]
        for form in Form:
            assert len(render(reply, form)) < 100_000

    def test_the_depth_is_that_of_redis_cli_and_more(self, serve: Serve) -> None:
        port = str(serve({b"GET": b"*1\r\n" * 900 + b":1\r\n"}).port)
        for flags in ((), ("--no-raw",), ("--csv",), ("--json",)):
            ours, theirs = (
                kedis_cli("-p", port, *flags, "GET", "x"),
                redis_cli("-p", port, *flags, "GET", "x"),
            )
            assert (ours.out, ours.err, ours.code) == (theirs.out, "", 0)

    def test_one_clear_line(self, serve: Serve) -> None:
        for reply in (b"*1\r\n" * 5000, b"$99999999999\r\n", b"+" + b"x" * 100_000):
            ended = kedis_cli("-p", str(serve({b"GET": reply}).port), "GET", "x")
            assert ended.code == 1 and ended.err.count("\n") == 1 and ended.err.startswith("127.0.0.1:")

    def test_pushes_without_end_take_bounded_memory(self, serve: Serve) -> None:
        server = serve({b"GET": b">1\r\n+x\r\n" * 30_000 + b"+OK\r\n"})
        with contextlib.closing(ServerLink(Target(port=server.port))) as link:
            assert link.send([b"GET", b"x"]) == "OK"
            assert len(link.pushes) == 10_000


#: Well-formed replies of every kind, none of which is what was asked for.
WRONG = [
    b"+" + BYTES + b"\r\n",
    b"-ERR " + BYTES + b"\r\n",
    b":-7\r\n",
    bulk(BYTES),
    b"$-1\r\n",
    b"*0\r\n",
    b"*2\r\n:1\r\n:2\r\n",
    b"*2\r\n$1\r\n0\r\n:2\r\n",
    b"*2\r\n$1\r\n0\r\n*2\r\n*0\r\n$-1\r\n",
    b"*3\r\n$-1\r\n*0\r\n*0\r\n",
    b"%1\r\n*0\r\n*0\r\n",
    b"~1\r\n*0\r\n",
    b",nan\r\n",
    b"#t\r\n",
    b"_\r\n",
    b"(9" + b"9" * 400 + b"\r\n",
    b"*1\r\n" * 900 + b"*0\r\n",
    b"%1\r\n" * 500 + b"+k\r\n" * 501,
    verbatim(
        b"db0:keys=\xb2,\r\nused_memory:\xc2\xb2\r\ndb1:keys=1_0\r\nused_memory:" + b"9" * 5000 + b"\r\n"
    ),
    bulk(b"db0:keys=\xc2\xb2,\r\nused_memory:\xc2\xb2\r\ndb1:keys=1_0\r\ndb99999999999:keys=5\r\n"),
]


class TestWrongTypes:
    @pytest.mark.parametrize(
        "words",
        [
            ["--scan"],
            ["--bigkeys"],
            ["--memkeys"],
            ["--stat", "-r", "2", "-i", "0.001"],
            ["--latency", "-i", "0.001"],
            ["-3", "HGETALL", "x"],
            ["--json", "HGETALL", "x"],
            ["-n", "3", "-a", "x", "--no-auth-warning", "GET", "x"],
        ],
        ids=lambda words: words[0] + words[-1],
    )
    def test_modes_and_commands_end_with_a_line_and_no_traceback(
        self, serve: Serve, words: list[str]
    ) -> None:
        for reply in WRONG:
            port = str(serve({}, reply).port)
            assert client.main(["-p", port, *words]) in (0, 1), reply

    @pytest.mark.parametrize("right", range(4))
    def test_modes_whose_first_answers_are_right(self, serve: Serve, right: int) -> None:
        good = {
            b"DBSIZE": b":1\r\n",
            b"SCAN": b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n",
            b"TYPE": b"+string\r\n",
            b"STRLEN": b":5\r\n",
        }
        answers = dict(list(good.items())[:right])
        for reply in WRONG:
            port = str(serve(answers, reply).port)
            for mode in ("--bigkeys", "--memkeys"):
                assert client.main(["-p", port, mode]) in (0, 1), reply

    def test_pipe(self, serve: Serve) -> None:
        for reply in [*WRONG, b"*1\r\n" * 100_000, b"$99999999999999999999\r\n"]:
            port = str(serve({}, reply).port)
            ended = kedis_cli("-p", port, "--pipe", "--pipe-timeout", "1", stdin=b"*1\r\n$4\r\nPING\r\n")
            assert ended.code == 1 and "Traceback" not in ended.err, reply

    def test_pipe_and_a_map_whose_key_is_a_list(self, serve: Serve) -> None:
        port = str(serve({}, b"%1\r\n*0\r\n*0\r\n").port)
        ended = kedis_cli("-p", port, "--pipe", stdin=b"*1\r\n$4\r\nPING\r\n")
        assert ended.code == 1 and ended.err.count("\n") == 1 and "does not speak" in ended.err

    def test_the_catalogue_and_the_names_of_keys(self, serve: Serve) -> None:
        for reply in [*WRONG, b"*2\r\n%b%b" % (bulk(b"a\x1b b"), b"*0\r\n")]:
            with contextlib.closing(ServerLink(Target(port=serve({}, reply).port), 3)) as link:
                catalogue = load(link)
                assert not UNSAFE.search("".join(catalogue.entries))
                assert KeyNames(lambda link=link: link).beginning_with(b"a") in ([],)  # type: ignore[misc]

    def test_arguments_nested_without_end(self, serve: Serve) -> None:
        argument = b"*4\r\n$4\r\nname\r\n$1\r\na\r\n$9\r\narguments\r\n*1\r\n" * 500 + b"*0\r\n"
        reply = b"*2\r\n$3\r\nfoo\r\n*2\r\n$9\r\narguments\r\n*1\r\n" + argument
        with contextlib.closing(ServerLink(Target(port=serve({}, reply).port))) as link:
            assert "FOO" in load(link).entries

    @pytest.mark.parametrize("kind", ["string", "list", "set", "hash", "zset", "stream", "none"])
    def test_values_that_are_copied(self, serve: Serve, kind: str) -> None:
        """Every command in turn is the one that is answered wrongly."""
        good = {
            b"WATCH": b"+OK\r\n",
            b"TYPE": f"+{kind}\r\n".encode(),
            b"PEXPIRETIME": b":-1\r\n",
            **dict.fromkeys((b"STRLEN", b"LLEN", b"SCARD", b"HLEN", b"ZCARD"), b":2\r\n"),
        }
        for right in range(len(good) + 1):
            for count in (b":2\r\n", b":5000000\r\n"):
                for reply in WRONG:
                    answers = {
                        name: count if b":2" in told else told for name, told in list(good.items())[:right]
                    }
                    link = ServerLink(Target(port=serve(answers, reply).port))
                    with contextlib.closing(link), contextlib.suppress(ServerSays, key_values.Changed):
                        key_values.read_watched(link, [b"key"])

    def test_a_snapshot(self, serve: Serve, tmp_path: Path) -> None:
        good = {
            b"INFO": bulk(b"db0:keys=1\r\n"),
            b"SCAN": b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n",
            b"WATCH": b"+OK\r\n",
            b"TYPE": b"+string\r\n",
        }
        for right in range(len(good) + 1):
            for reply in WRONG:
                answers = dict(list(good.items())[:right])
                link = ServerLink(Target(port=serve(answers, reply).port))
                with contextlib.closing(link), contextlib.suppress(ServerSays):
                    server_snapshot.take(link, Home(tmp_path / "home"), "x", Console())


def test_tables_and_lines_stay_one_line() -> None:
    display = Display(color=False)
    fake = "a\n127.0.0.1:6379> FLUSHALL"
    table = display.text([b"HGETALL", b"x"], Pairs([(Status(fake), Verbatim(fake.encode()))]))
    assert table.count("\n") == 1  # one for the row, one line for the count
    assert "\n" not in display.text([b"GET"], ErrorReply(fake))
    assert "\n" not in live_line([b"message", fake.encode(), Verbatim(fake.encode())])
    assert display.text([b"X"], Verbatim(b"two\nlines\ttab")) == "two\nlines\ttab"


def test_figures_that_are_no_numbers() -> None:
    shown = figures(
        parse_info(b"db0:keys=\xc2\xb2\r\ndb1:nonsense\r\nused_memory:\xc2\xb2\r\ndb2:keys=7,x=1\r\n")
    )
    assert (shown.keys, shown.memory) == (7, "0B")


def test_a_stranger_is_no_reason_to_stand_alone(serve: Serve) -> None:
    link = ServerLink(Target(port=serve({}, b"*1\r\n" * 2000).port))
    with pytest.raises(NotRedis, match="levels deep"):
        link.send([b"GET", b"x"])
