"""Configuration files and command lines: what they give, and what is said of a wrong one."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from kedis.config import SETTINGS_BY_NAME, Config, ConfigError
from kedis.config.ignored import OBEYED_DIRECTIVES, REFUSED
from kedis.errors import CommandError


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def from_file(text: str, *flags: str) -> Config:
    Path("kedis.conf").write_text(text)
    return Config.from_command_line(["kedis.conf", *flags])


def from_flags(*words: str) -> Config:
    return Config.from_command_line(words)


def refusal(*words: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        from_flags(*words)
    return caught.value


def refusal_of_file(text: str) -> ConfigError:
    Path("kedis.conf").write_text(text)
    return refusal("kedis.conf")


# -- files ---------------------------------------------------------------------------------------------------


def test_a_file() -> None:
    config = from_file(
        "# comment\n\n  MaxMemory 100mb\t\r\nrequirepass 'a b'\nbind 127.0.0.1 -::1\ntimeout 1\ntimeout 2\n"
    )
    assert config.maxmemory == 100 << 20
    assert config.requirepass == "a b"
    assert config.bind_addresses == ["127.0.0.1", "-::1"]
    assert from_flags("--bind", "127.0.0.1  ::1").bind_addresses == ["127.0.0.1", "::1"]
    assert config.timeout == 2
    assert config.file == os.path.abspath("kedis.conf")


def test_no_file() -> None:
    config = from_flags()
    assert config.file is None
    assert config.dir == os.path.abspath("kedis-data")
    assert config.appendonly


def test_snapshot_points_add_up() -> None:
    assert from_file("save 900 1\nsave 300 10 60 5\n").save == ((900, 1), (300, 10), (60, 5))
    assert from_file('save 900 1\nsave ""\nsave 60 1\n').save == ((60, 1),)
    assert from_file("save 900 1\n", "--save", "60", "1", "--save", "30", "2").save == (
        (900, 1),
        (60, 1),
        (30, 2),
    )
    assert from_file("save 900 1\n", "--save", "").save == ()
    assert from_flags("--save", "60", "1").save == ((60, 1),)


def test_buffer_limits_add_up() -> None:
    config = from_file(
        "client-output-buffer-limit normal 1mb 2kb 3\nclient-output-buffer-limit pubsub 4 5 6\n"
    )
    assert config.output_limit("normal") == (1 << 20, 2048, 3)
    assert config.output_limit("pubsub") == (4, 5, 6)


def test_several_words_in_one_pair_of_quotes() -> None:
    config = from_file('save "900 1 300 10"\nclient-output-buffer-limit "normal 1 2 3"\n')
    assert config.save == ((900, 1), (300, 10))
    assert config.output_limit("normal") == (1, 2, 3)


def test_include() -> None:
    Path("conf.d").mkdir()
    Path("conf.d/b.conf").write_text("hz 30\n")
    Path("conf.d/a.conf").write_text("hz 20\ntimeout 5\ninclude nested.conf\n")
    Path("nested.conf").write_text("maxclients 7\n")
    config = from_file('hz 11\ninclude "conf.d/*.conf"\ninclude nothing*.conf\ntcp-keepalive 9\n')
    assert (config.hz, config.timeout, config.maxclients, config.tcp_keepalive) == (30, 5, 7, 9)


def test_include_in_a_circle() -> None:
    Path("other.conf").write_text("include kedis.conf\n")
    error = refusal_of_file("include other.conf\n")
    assert (error.source, error.line_number) == ("other.conf", 1)
    assert error.problem == "kedis.conf includes itself"


def test_a_fault_in_an_included_file() -> None:
    Path("other.conf").write_text("\nhz zz\n")
    error = refusal_of_file("include other.conf\n")
    assert (error.source, error.line_number, error.line) == ("other.conf", 2, "hz zz")


def test_an_included_file_that_is_missing() -> None:
    error = refusal_of_file("\ninclude gone.conf\n")
    assert (error.source, error.line_number) == ("kedis.conf", 2)
    assert error.problem == "cannot read the file gone.conf: No such file or directory"


def test_standard_input() -> None:
    config = Config.from_command_line(["-", "--timeout", "3"], io.StringIO("hz 20\ntimeout 2\n"))
    assert (config.hz, config.timeout, config.file) == (20, 3, None)


def test_what_means_nothing_to_kedis_is_told_once_with_the_reason_unless_it_is_the_default() -> None:
    config = from_file(
        "cluster-enabled no\nio-threads 2\nrename-command GET xget\nhz 10\nactiverehashing no\n"
        "activerehashing yes\nlist-max-ziplist-value 4\ntls-key-file-pass secret\n"
        'rename-command SET ""\n',
        "--io-threads",
        "4",
    )
    tls = SETTINGS_BY_NAME["tls-key-file-pass"]
    expected = [
        ("list-max-ziplist-value 4", "gone since Redis 3.2"),
        ("tls-key-file-pass", tls.otherwise),
        ("io-threads 4", "one thread serves all clients"),
    ]
    assert [row for row in config.ignored() if tls.otherwise or row[0] != tls.name] == [
        row for row in expected if not tls.effective or row[0] != tls.name
    ]
    assert config.renamed_commands == [("GET", "xget"), ("SET", "")]


#: A value of each that is not Redis's default.
REFUSED_VALUES = {
    "cluster-enabled": "yes",
    "socket-mark-id": "1",
    "tls-cluster": "yes",
}


def refused_now() -> list[str]:
    """Those of REFUSED that have no effect as yet."""
    return [name for name in REFUSED if not SETTINGS_BY_NAME[name].effective]


def test_what_would_be_missed_is_refused() -> None:
    assert set(REFUSED_VALUES) == REFUSED
    for name in refused_now():
        setting, value = SETTINGS_BY_NAME[name], REFUSED_VALUES[name]
        for spelling in setting.names:
            error = refusal_of_file(f"hz 10\n{spelling} {value}\n")
            assert (error.line_number, error.line) == (2, f"{spelling} {value}")
            assert error.problem == f"it would have no effect: {setting.otherwise}"
            assert "remove it, or give Redis's default" in error.suggestion
        assert f"'{name} \"" in str(refusal(f"--{name}", *value.split()))
        with pytest.raises(ConfigError, match="no effect"):
            Config({name: value})


def test_what_is_refused_may_have_the_default_and_the_last_word_counts() -> None:
    for name in refused_now():
        default = Config().text(name).split() or (["no", "one"] if name == "replicaof" else [""])
        assert from_file(f"{name} {REFUSED_VALUES[name]}\n", f"--{name}", *default).ignored() == []


@pytest.mark.parametrize("line", ["loadmodule /x.so", "user alice on"])
def test_directives_that_would_be_missed_are_refused(line: str) -> None:
    if line.split()[0] in OBEYED_DIRECTIVES:
        return
    assert "it would have no effect" in refusal_of_file(line).problem


def test_config_set_refuses_them_too() -> None:
    config = Config()
    for name in refused_now():
        if SETTINGS_BY_NAME[name].fixed:
            continue
        config.set_many([(name, config.text(name))])
        with pytest.raises(CommandError, match=f"argument '{name}'\\) - it would have no effect"):
            config.set_many([(name, REFUSED_VALUES[name])])


@pytest.mark.parametrize(
    "line", ["requirepass hunter2 x", 'requirepass "hunter2', "masterauth a hunter2", 'user bob ">hunter2']
)
def test_a_password_is_not_shown(line: str) -> None:
    error = refusal_of_file(line + "\n")
    assert error.line == line.split()[0] + " (redacted)"
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("line", "problem", "suggestion"),
    [
        (
            "hz zz",
            "hz: argument couldn't be parsed into an integer",
            "hz takes an integer from 1 to 500; the default is 10",
        ),
        (
            "port 70000",
            "port: argument must be between 0 and 65535 inclusive",
            "port takes an integer from 0 to 65535",
        ),
        (
            "loglevel loud",
            "loglevel: argument(s) must be one of",
            "loglevel takes one of debug, verbose, notice, warning",
        ),
        (
            "maxmemory 1xb",
            "maxmemory: argument must be a memory value",
            "such as 1048576, 100mb or 1gb; the default is 0",
        ),
        ("maxmemmory 1mb", "there is no setting named maxmemmory", "did you mean maxmemory?"),
        ("appendonly maybe", "appendonly: argument must be 'yes' or 'no'", "appendonly takes yes or no"),
        ("xyzzy 1", "there is no setting named xyzzy", "kedis-server --help-settings lists all settings"),
        ("hz=10", "there is no setting named hz=10", "write a space instead of '=': hz 10"),
        ("hz 10 # often", "hz: wrong number of arguments", "A comment needs a line of its own"),
        ('logfile "a', "unbalanced quotes", "close every quote"),
        (
            "rename-command get",
            "wrong number of arguments",
            "rename-command takes a command and its new name",
        ),
        ("include", "wrong number of arguments", "include takes one path"),
        ("save 900", "save: Invalid save parameters", 'such as: 3600 1 300 100; "" is none'),
        ("appendfilename a/b", "appendfilename can't be a path, just a filename", "a name without a path"),
        ("unixsocketperm 1000", "argument must be between 0 and 777 inclusive", "an octal number"),
        ("slaveof a b", "slaveof: Invalid master port", "a host and a port"),
    ],
)
def test_a_wrong_line(line: str, problem: str, suggestion: str) -> None:
    error = refusal_of_file(f"\n# fine\n  {line}\n")
    assert (error.source, error.line_number, error.line) == ("kedis.conf", 3, line)
    assert problem in error.problem
    assert suggestion in error.suggestion
    assert str(error) == f"kedis.conf, line 3: {line}\n  {error.problem}\n  {error.suggestion}"


def test_a_fault_is_shown_on_one_line() -> None:
    error = refusal("--hz", "a\x1b[2J\nb")
    assert str(error).splitlines()[0].isprintable()


# -- flags ---------------------------------------------------------------------------------------------------


def test_flags() -> None:
    config = from_flags("--port", "7000", "--appendonly", "no", "--bind", "127.0.0.1", "-::1", "--hz=20")
    assert (config.port, config.appendonly, config.hz) == (7000, False, 20)
    assert config.bind_addresses == ["127.0.0.1", "-::1"]


@pytest.mark.parametrize(
    ("words", "points"),
    [
        (["--save", "900", "1"], ((900, 1),)),
        (["--save", "900 1 60 2"], ((900, 1), (60, 2))),
        (["--save", ""], ()),
        (["--save"], ()),
        (["--save", "--hz", "20"], ()),
        (["--save=900 1"], ((900, 1),)),
        (["--save 900 1"], ((900, 1),)),
        (["--SAVE", "900", "1"], ((900, 1),)),
    ],
)
def test_flags_of_several_words(words: list[str], points: tuple[tuple[int, int], ...]) -> None:
    config = from_file("save 1 1\n", *words)
    assert config.save == (((1, 1), *points) if points else ())


def test_flags_win_over_the_file() -> None:
    assert from_file("hz 20\n", "--hz", "30").hz == 30


def test_a_line_before_the_flags() -> None:
    config = from_file("hz 20\n", "loglevel", "verbose", "--hz", "30")
    assert (config.loglevel, config.hz) == ("verbose", 30)
    with pytest.raises(ConfigError, match="a flag was expected here"):
        from_file("hz 20\n", "logleve", "verbose")


def test_values_that_look_like_flags() -> None:
    assert from_flags("--requirepass=--hz").requirepass == "--hz"
    assert from_flags("--requirepass", "--a b").requirepass == "--a b"
    config = from_flags("--requirepass", "--hz", "--hz", "20", "--logfile=--a", "--port", "0")
    assert (config.requirepass, config.hz, config.logfile, config.port) == ("--hz", 20, "--a", 0)
    assert from_flags("--requirepass=a=b").requirepass == "a=b"
    assert from_flags("--slowlog-log-slower-than", "-1").slowlog_log_slower_than == -1


@pytest.mark.parametrize(
    ("words", "line", "problem"),
    [
        (["--hz", "zz"], "'hz \"zz\"'", "hz: argument couldn't be parsed into an integer"),
        (["--port"], "'port'", "port: wrong number of arguments"),
        (["--port", "--hz", "20"], '\'port "--hz" "20"\'', "port: wrong number of arguments"),
        (
            ["--port", "--hz", "--hz", "2"],
            "'port \"--hz\"'",
            "port: argument couldn't be parsed into an integer",
        ),
        (["--port", "1", "2"], '\'port "1" "2"\'', "port: wrong number of arguments"),
        (["--replicaof", "--a", "b"], '\'replicaof "--a" "b"\'', "replicaof: Invalid master port"),
        (["--replicaof", "--a", "--b"], "'replicaof \"--a\"'", "replicaof: wrong number of arguments"),
        (["--prot", "1"], "'prot \"1\"'", "there is no setting named prot"),
        (["-port", "1"], "-port", "a flag was expected here"),
        (["--include", "x"], "'include \"x\"'", "include is allowed in files only"),
    ],
)
def test_a_wrong_flag(words: list[str], line: str, problem: str) -> None:
    error = refusal(*words)
    assert (error.source, error.line_number, error.line) == ("command line", None, line)
    assert error.problem == problem
    assert error.suggestion


def test_suggestions_for_flags() -> None:
    assert refusal("--prot", "1").suggestion == "did you mean port?"
    assert refusal("-port", "1").suggestion == "flags begin with two dashes: --port"


def test_a_file_that_is_missing() -> None:
    error = refusal("gone.conf")
    assert str(error).startswith("command line: gone.conf\n  cannot read the file gone.conf: No such file")


# -- against Redis -------------------------------------------------------------------------------------------

LINES = r"""
hz 10
HZ 10
hz zz
hz 10 # c
hz
"hz" 10
hz "10"
hz=10
nosuch 1
x
maxmemory 1 2
maxmemory "1mb"
maxmemory "1mb
requirepass "a"b
requirepass 'a b'
requirepass a\ b
port 70000
include gone.conf
include gone*.conf
include
include a b
appendfilename a/b
appendfilename ""
appenddirname ""
appenddirname a/b
dbfilename a/b
dbfilename ""
rename-command get
rename-command get ""
user x on
save
save 900
save 900 1 300
save "900 1 300 10"
bind
bind ""
client-output-buffer-limit normal 0 0
client-output-buffer-limit normal 1 2 3 pubsub 1 2 3
client-output-buffer-limit "normal 1 2 3"
client-output-buffer-limit
oom-score-adj-values 1 2
notify-keyspace-events q
notify-keyspace-events ""
shutdown-on-sigterm now force
shutdown-on-sigterm now bad
unixsocketperm 888
unixsocketperm 1000
unixsocketperm 700
databases 0
slaveof no one
slaveof a b
slaveof a 1
slaveof a 1 2
list-max-ziplist-entries 4
list-max-ziplist-value 4
key-load-delay 0
proc-title-template "{foo}"
maxclients 0
latency-tracking-info-percentiles 50 99
latency-tracking-info-percentiles ""
loglevel bad
timeout ""
replica-announce-ip a b
daemonize maybe
vm-enabled no
enable-debug-command Local
io-threads 4
maxmemory-clients 5%
maxmemory-clients 101%
tls-protocols a b
supervised no
syslog-facility LOCAL1
  timeout   5
aclfile x
oom-score-adj relative
save 0 1
save 10 0
loglevel
masteruser ''
""".strip("\n").split("\n")


@pytest.mark.parametrize("line", LINES)
def test_redis_takes_the_same_lines(line: str) -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: nothing to compare with")
    # Told to listen nowhere, Redis ends by itself once it has read everything.
    Path("redis.conf").write_text(f"{line}\nport 0\n")
    command = ["timeout", "10", "redis-server", "redis.conf", "--port", "0", "--unixsocket", ""]
    output = subprocess.run(command, stdout=PIPE, stderr=STDOUT, text=True, check=False).stdout
    redis_takes_it = "Configured to not listen anywhere" in output
    assert redis_takes_it or "FATAL CONFIG FILE ERROR" in output or "can't open config file" in output
    try:
        from_file(line)
    except ConfigError as error:
        assert not redis_takes_it or "it would have no effect" in error.problem
    else:
        assert redis_takes_it
