"""The parts of kedis-cli by themselves: the reply reader, syntax, secrets, questions, completion scripts."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedis.cli.client import arguments, confirm, scripts
from kedis.cli.client import link as link_module
from kedis.cli.client.catalogue import Entry, argument_syntax, builtin
from kedis.cli.client.completion import KeyNames, hint, typed_words
from kedis.cli.client.display import Display
from kedis.cli.client.link import ServerLink
from kedis.cli.client.listening import live_line
from kedis.cli.client.modes import biggest
from kedis.cli.client.modes.ping_latency import measure
from kedis.cli.client.modes.stat import figures, parse_info, readable_bytes
from kedis.cli.client.render import Form, quote, render
from kedis.cli.client.secrets import carries_secret
from kedis.cli.client.target import BadTarget, Target, parse_url
from kedis.cli.client.wire import Double, ErrorReply, Members, Pairs, ProtocolMismatch, ReplyReader, Status
from kedis.resp.requests import split_inline

_REPLY = (
    b"*9\r\n+OK\r\n-ERR bad\r\n:-5\r\n$5\r\na\r\nbc\r\n$-1\r\n%1\r\n+k\r\n~2\r\n,1.50\r\n#t\r\n"
    b"=7\r\ntxt:abc\r\n*0\r\n_\r\n"
)
_VALUE = [
    Status("OK"),
    ErrorReply("ERR bad"),
    -5,
    b"a\r\nbc",
    None,
    Pairs([(Status("k"), Members([Double("1.50"), True]))]),
    b"abc",
    [],
    None,
]


class TestReplyReader:
    @given(st.lists(st.integers(1, 30), max_size=60))
    def test_it_does_not_matter_how_the_bytes_arrive(self, sizes: list[int]) -> None:
        data, reader, replies = _REPLY * 3, ReplyReader(), []
        for size in [*sizes, len(data)]:
            piece, data = data[:size], data[size:]
            reader.feed(piece)
            while (step := reader.take())[0]:
                replies.append(step[1])
        assert replies == [_VALUE] * 3
        assert isinstance(replies[0][0], Status) and isinstance(replies[0][1], ErrorReply)

    def test_attributes_are_dropped(self) -> None:
        reader = ReplyReader()
        reader.feed(b"|1\r\n+a\r\n+b\r\n:7\r\n*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n:1\r\n:2\r\n")
        assert reader.take() == (True, 7)
        assert reader.take() == (True, [1, 2])
        assert reader.take() == (False, None)

    @pytest.mark.parametrize(
        "data", [b"HTTP/1.1\r\n", b":x\r\n", b"$z\r\n", b"+" + b"x" * 70_000, b",abc\r\n", b"?"]
    )
    def test_other_protocols_are_refused(self, data: bytes) -> None:
        reader = ReplyReader()
        reader.feed(data)
        with pytest.raises(ProtocolMismatch):
            reader.take()


@given(st.binary(max_size=50))
def test_quoted_text_can_be_typed_back(data: bytes) -> None:
    assert split_inline(quote(data)) == [data]


def test_values_of_an_engine_are_rendered_too() -> None:
    assert render({b"a": {1}}, Form.JSON) == b'{"a":[1]}'
    assert render({b"a": 1.5}, Form.HUMAN) == b'1# "a" => (double) 1.5'
    assert render([float("inf"), True], Form.JSON) == b'["inf",true]'
    assert render({1: b"x"}, Form.JSON) == b'{"1":"x"}'


class TestSyntax:
    @pytest.mark.parametrize(
        ("name", "keys"),
        [
            ("SET", [True, False, False]),
            ("DEL", [True, True, True]),
            ("MSET", [True, False, True, False]),
            ("RENAME", [True, True]),
            ("BITOP", [False, True, True, True]),
            ("ZUNIONSTORE", [True, False, True, True]),
            ("OBJECT ENCODING", [True]),
            ("PING", [False]),
        ],
    )
    def test_where_keys_stand(self, name: str, keys: list[bool]) -> None:
        entry = builtin().entries[name]
        assert [entry.is_key(position) for position in range(len(keys))] == keys

    def test_every_command_of_this_server_is_explained(self) -> None:
        entries = builtin().entries
        assert len(entries) > 200
        assert [entry.name for entry in entries.values() if not entry.summary] == []
        options = entries["SET"].options()
        assert {"EX", "NX", "KEEPTTL"} <= set(options)

    def test_arguments_of_command_docs(self) -> None:
        assert argument_syntax([b"name", b"key", b"type", b"key"]) == "key"
        choice = [
            [b"name", b"nx", b"type", b"pure-token", b"token", b"NX"],
            [b"name", b"seconds", b"type", b"integer", b"token", b"EX"],
        ]
        either = [b"name", b"c", b"type", b"oneof", b"flags", [b"optional"], b"arguments", choice]
        assert argument_syntax(either) == "[NX|EX seconds]"
        many = [b"name", b"key", b"type", b"key", b"flags", [b"multiple"]]
        assert argument_syntax(many) == "key [key ...]"

    def test_the_hint_marks_the_argument_that_is_typed(self) -> None:
        marked = [text for style, text, *_ in hint(builtin(), "SET a ") if "underline" in style]
        assert marked == ["value"]
        assert hint(builtin(), "NOSUCH a") == []
        assert any("GET" in text for _, text, *_ in hint(builtin(), "CONFIG "))

    @pytest.mark.parametrize(
        ("line", "shown", "marked"),
        [
            ("SET a b EX ", "EX seconds", "seconds"),
            ("set a b nx ex 1", "ex seconds", "seconds"),
            ("ZRANGE z 0 -1 LIMIT ", "LIMIT offset count", "offset"),
            ("ZRANGE z 0 -1 LIMIT 0 ", "LIMIT offset count", "count"),
            ("XADD s MAXLEN ", "MAXLEN [=|~] threshold [LIMIT count]", "[=|~]"),
        ],
    )
    def test_an_option_has_its_own_hint(self, line: str, shown: str, marked: str) -> None:
        parts = hint(builtin(), line)
        text = "".join(part[1] for part in parts)
        assert text.split(maxsplit=1)[1] == shown.replace("ex", "EX")
        assert [part[1] for part in parts if "underline" in part[0]] == [marked]

    @pytest.mark.parametrize(
        "line", ["SET EX ", "SET a b NX ", "SET a b EX 10 ", "SET a ", "ZRANGE z 0 -1 LIMIT 0 1 "]
    )
    def test_else_the_hint_is_that_of_the_command(self, line: str) -> None:
        text = "".join(part[1] for part in hint(builtin(), line))
        assert ("[" in text and "value" in text) or "start" in text

    def test_the_forms_of_options(self) -> None:
        entries = builtin().entries
        for name, option, form in (
            ("SET", "EX", "EX seconds"),
            ("SET", "KEEPTTL", "KEEPTTL"),
            ("SORT", "BY", "BY pattern"),
            ("GEOSEARCH", "FROMLONLAT", "FROMLONLAT longitude latitude"),
            ("XREAD", "STREAMS", "STREAMS key [key ...] id [id ...]"),
        ):
            assert entries[name].option_form(option) == form
        for entry in entries.values():
            for option in entry.options():
                assert entry.option_form(option).startswith(option), entry.name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ([], "")),
        ("ge", ([], "ge")),
        ("get ", (["get"], "")),
        ('get "a b', (["get"], '"a b')),
        ("5 incr a", (["incr"], "a")),
        ("set a \\\nb", (["set", "a"], "b")),
    ],
)
def test_the_word_under_the_cursor(text: str, words: tuple[list[str], str]) -> None:
    assert typed_words(text) == words


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("auth x", True),
        ("AUTH user x", True),
        ('"AU\\x54H" x', True),
        ('auth "unbalanced', True),
        ("2 AUTH x", True),
        ("AUTH \\\nx", True),
        ("hello 3 AUTH a b", True),
        ("hello AUTH a b", True),
        ("hello 3 SETNAME auth AUTH a b", True),
        ("config set tls-client-key-file-pass x", True),
        ("config sett masteruser x", True),
        ("migrate h 1 k 0 5 KEYS a AUTH b", True),
        ("HELLO 3", False),
        ("CONFIG SET maxmemory 1 requirepass x", True),
        ("config set maxmemory 1", False),
        ("ACL SETUSER bob on >x", True),
        ("ACL LIST", False),
        ("MIGRATE h 1 k 0 5 AUTH2 a b", True),
        (":connect redis://u:p@host", True),
        (":connect host", False),
        ("SET auth x", False),
    ],
)
def test_lines_that_carry_secrets(line: str, secret: bool) -> None:
    assert carries_secret(line) is secret


@pytest.mark.parametrize(
    ("line", "asks"),
    [
        ("FLUSHALL", True),
        ("flushdb async", True),
        ("SHUTDOWN", True),
        ("SHUTDOWN ABORT", False),
        ("KEYS *", True),
        ("DEBUG SLEEP 1", True),
        ("DEBUG OBJECT k", False),
        ("REPLICAOF NO ONE", False),
        ("SWAPDB 0 1", True),
        ("GET a", False),
    ],
)
def test_commands_that_ask_first(line: str, asks: bool) -> None:
    words = line.encode().split()
    assert (confirm.question(words, lambda: 10_001) is not None) is asks


def test_keys_on_a_small_database_does_not_ask() -> None:
    assert confirm.question([b"KEYS", b"*"], lambda: 10_000) is None


class TestTargets:
    def test_urls(self) -> None:
        assert parse_url("redis://h:1/2") == Target("h", 1, None, None, None, 2)
        assert parse_url("redis://:p%40@h") == Target("h", password="p@")
        assert parse_url("redis://p@h") == Target("h", password="p")
        assert parse_url("redis://u:p@[::1]:7").description == "[::1]:7"
        assert parse_url("rediss://h:1").tls is not None
        with pytest.raises(BadTarget):
            parse_url("http://h")

    def test_flags_win_over_the_url_and_the_url_over_the_environment(self) -> None:
        words = ["-u", "redis://:inner@h:1/2", "-p", "3", "GET", "-x"]
        options = arguments.parse(words)
        assert options.words == ["GET", "-x"]
        assert arguments.target_of(options, {"KEDISCLI_AUTH": "outer"}) == Target(
            "h", 3, None, None, "inner", 2
        )
        assert arguments.target_of(arguments.parse([]), {"REDISCLI_AUTH": "x"}).password == "x"

    def test_values_may_begin_with_a_dash(self) -> None:
        options = arguments.parse(["-a", "-secret", "-d", "--", "LRANGE", "l", "0", "-1"])
        assert (options.password, options.delimiter, options.words[-1]) == ("-secret", "--", "-1")


class _Scripted:
    """A link that answers from a list."""

    description = "scripted"
    database = 0

    def __init__(self, replies: list[object]) -> None:
        self.replies = replies
        self.heard: list[list[bytes]] = []

    def send(self, words: object) -> object:
        self.heard.append(list(words))  # type: ignore[call-overload]
        return self.replies.pop(0)

    def send_many(self, commands: object) -> list[object]:
        raise NotImplementedError

    def read_push(self, timeout: float | None) -> object:
        raise NotImplementedError

    def close(self) -> None:
        self.replies = []


def test_key_names_are_asked_for_within_a_budget() -> None:
    link = _Scripted([[b"5", [b"a*b"]], [b"7", [b"a*c"]], [b"9", [b"never"]]])
    times = iter([0.0, 0.01, 9.0])
    assert KeyNames(lambda: link, lambda: next(times)).beginning_with(b"a*") == [b"a*b", b"a*c"]
    assert link.heard[0][3] == b"a\\**"
    assert KeyNames(lambda: None).beginning_with(b"a") == []


def test_latency_with_a_clock() -> None:
    ticks = iter([0.0, 0.0, 0.002, 1.0, 1.004])
    sample = measure(_Scripted([b"PONG"] * 2), 1.0, clock=lambda: next(ticks), pause=lambda seconds: None)
    assert sample.text(Form.RAW) == "2.000 4.000 3.000 2"


def test_figures_of_info() -> None:
    info = parse_info(b"# Stats\r\nused_memory:1572864\r\ndb0:keys=3,expires=0\r\ndb11:keys=4,expires=1\r\n")
    assert (figures(info).keys, figures(info).memory, figures(info).clients) == (7, "1.50M", 0)
    assert readable_bytes(12) == "12B"


def test_what_is_heard_in_one_line() -> None:
    assert live_line([b"message", b"news", b'say "hi"']) == 'news: "say \\"hi\\""'
    assert live_line([b"pmessage", b"n*", b"news", b"x"]) == 'news (n*): "x"'
    assert live_line([b"subscribe", b"news", 1]) == "(subscribe news, 1 now)"
    assert live_line([b"invalidate", [b"a", b"b"]]) == '"invalidate" ["a" "b"]'


class TestCompletionScripts:
    @pytest.fixture
    def script(self, request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
        shell = str(request.param)
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed")
        path = tmp_path / f"completion.{shell}"
        path.write_text(scripts.script(shell, arguments.build_parser()))
        return shell, path

    @staticmethod
    def _output(*command: str) -> list[str]:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.split(
            "\n"
        )

    @pytest.mark.parametrize("script", ["bash"], indirect=True)
    def test_bash(self, script: tuple[str, Path]) -> None:
        def offers(*words: str) -> set[str]:
            line = " ".join(words)
            cursor = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}"
            code = f'source {script[1]}; {cursor}; _kedis_cli; echo "${{COMPREPLY[*]}}"'
            return set(self._output("bash", "-c", code)[0].split())

        assert offers("kedis-cli", "--laten") == {"--latency", "--latency-dist", "--latency-history"}
        assert offers("kedis-cli", "--type", "s") == {"string", "set", "stream"}
        assert offers("kedis-cli", "hgeta") == {"HGETALL"}

    @pytest.mark.parametrize("script", ["fish"], indirect=True)
    def test_fish(self, script: tuple[str, Path]) -> None:
        lines = self._output(
            "fish", "--no-config", "-c", f"source {script[1]}; complete -C 'kedis-cli --laten'"
        )
        assert [line.split("\t")[0] for line in lines if line] == [
            "--latency",
            "--latency-dist",
            "--latency-history",
        ]
        lines = self._output(
            "fish", "--no-config", "-c", f"source {script[1]}; complete -C 'kedis-server --appendf'"
        )
        assert any(line.startswith("--appendfsync\t") for line in lines)

    @pytest.mark.parametrize("script", ["zsh"], indirect=True)
    def test_zsh(self, script: tuple[str, Path]) -> None:
        code = f"autoload -U compinit; compinit -D -u; source {script[1]}"
        code += "; echo $_comps[kedis-cli] $_comps[kedis-server]"
        assert self._output("zsh", "-fc", code)[0] == "_kedis_cli _kedis_server"


def test_help_teaches() -> None:
    text = arguments.build_parser().format_help()
    assert "examples:" in text and "kedis-cli --pipe < commands.txt" in text
    assert max(map(len, text.splitlines())) <= 100


def test_an_entry_without_syntax() -> None:
    assert Entry("X").words == [] and Entry("X").options() == [] and not Entry("X").is_key(0)


def test_what_a_server_sends_does_not_drive_the_terminal() -> None:
    display = Display(color=False)
    assert display.text([b"FOO"], ErrorReply("ERR '\x1b[2J'")) == "(error) ERR '\\x1b[2J'"
    assert display.text([b"GET", b"a"], "\u202e\x9b".encode()) == '"\\xe2\\x80\\xae\\xc2\\x9b"'
    assert live_line([b"message", b"\x1b]0;x\x07", b"\x1b"]) == '\\x1b]0;x\\x07: "\\x1b"'


def test_an_interrupted_survey_keeps_its_sums() -> None:
    class Interrupted(_Scripted):
        def send_many(self, commands: object) -> list[object]:
            return self.replies.pop(0)  # type: ignore[return-value]

        def send(self, words: object) -> object:
            if not self.replies:
                raise KeyboardInterrupt
            return super().send(words)

    link = Interrupted([9, [b"5", [b"a", b"gone"]], [Status("string"), Status("none")], [3]])
    result = biggest.Survey()
    with pytest.raises(KeyboardInterrupt):
        biggest.survey(link, result, memory_samples=None)
    assert (result.keys, result.types["string"].largest_key, result.types["string"].size) == (1, b"a", 3)


def test_a_person_who_waits_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "SILENCE_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        link = ServerLink(Target(port=listener.getsockname()[1]))
        peer, _ = listener.accept()
        told: list[str] = []

        def answer() -> None:
            told.append("waiting")
            peer.sendall(b"+LATE\r\n")

        link.on_silence = answer
        assert link.send([b"PING"]) == "LATE"
        assert told == ["waiting"]
        link.close()
        peer.close()
