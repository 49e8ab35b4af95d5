"""CONFIG SET of every setting with good and bad words: the answer and the value printed must be Redis's."""

from __future__ import annotations

import pytest

from kedis.config import SETTINGS, SETTINGS_BY_NAME, Config
from kedis.config.settings import is_refused
from kedis.errors import CommandError
from tests.oracle import Oracle

WORDS = [
    "zzz",
    "-1",
    "0",
    "1",
    "50",
    "07",
    "+5",
    " 5",
    "1.5",
    "99999999999999999999",
    "2147483648",
    "4294967296",
    "-2",
]
WORDS += [
    "",
    " ",
    "yes",
    "NO",
    "1kb",
    "3Mb",
    "1g",
    "50%",
    "101%",
    "1 2",
    "1 2 3",
    "60 1",
    "60 1 30 2",
    "no one",
]
WORDS += [
    "AKE",
    "Kg$lshzxetdmn",
    "q",
    "default now",
    "Force nosave",
    "pubsub 1kb 2m 3",
    "slave 1 2",
    "normal 1 x 3",
    "pubsub 0 0 2147483647",
    "pubsub 0 0 2147483648",
    "normal 0 0 +5",
    "60 2147483647",
    "+60 +5",
]
WORDS += [
    "local",
    "relative",
    "allkeys-LFU",
    "debug",
    "always",
    "a/b",
    "é",
    "{title}",
    "{foo}",
    "9223372036854775808",
]

# Changing these on the oracle does more than set a value: it listens, reads certificates, asks the kernel,
# sets an alarm.
LIVELY = {
    "port",
    "bind",
    "maxclients",
    "appendonly",
    "activedefrag",
    "oom-score-adj",
    "oom-score-adj-values",
    "watchdog-period",
}
LIVELY |= {name for name in SETTINGS_BY_NAME if name.startswith("tls-")}
# What Kedis refuses until it has the effect.
REFUSED = {name for name, setting in SETTINGS_BY_NAME.items() if is_refused(setting) and not setting.fixed}
OWN = {
    "metrics-bind",
    "metrics-hosts",
    "metrics-port",
    "metrics-streams",
    "metrics-tls",
    "aof-checksum",
    "lua-maxmemory",
    "unsupported-data",
    "umask",
    *(setting.name for setting in SETTINGS if setting.group == "router"),
}
# Sizes that pass 63 bits: Redis takes such a number for a percentage.
DIFFERENT = {("maxmemory-clients", "99999999999999999999"), ("maxmemory-clients", "9223372036854775808")}


def on_redis(oracle: Oracle, name: str, word: str) -> tuple[str, str]:
    reply = oracle.call("CONFIG", "SET", name, word)
    answer = reply.decode() if isinstance(reply, bytes) else str(reply)
    value = oracle.call("CONFIG", "GET", name)[1].decode("utf-8", "surrogateescape")
    return answer, value


def on_kedis(config: Config, name: str, word: str) -> tuple[str, str]:
    try:
        config.set_many([(name, word)])
    except CommandError as error:
        return str(error), config.text(name)
    return "OK", config.text(name)


@pytest.mark.parametrize("name", sorted(SETTINGS_BY_NAME.keys() - LIVELY - OWN - REFUSED))
def test_every_setting_with_every_word(oracle: Oracle, name: str) -> None:
    original = oracle.call("CONFIG", "GET", name)[1].decode()
    config = Config({} if SETTINGS_BY_NAME[name].fixed or name == "dir" else {name: original})
    for word in WORDS:
        if (name, word) in DIFFERENT:
            continue
        answer, value = on_redis(oracle, name, word)
        if SETTINGS_BY_NAME[name].fixed or SETTINGS_BY_NAME[name].protected:
            assert on_kedis(config, name, word)[0] == answer
        else:
            assert on_kedis(config, name, word) == (answer, value), word
    oracle.call("CONFIG", "SET", name, original)


@pytest.mark.parametrize("word", ["99999999999999999999", "9223372036854775808"])
def test_a_size_of_clients_past_63_bits_is_refused(word: str) -> None:
    answer, value = on_kedis(Config(), "maxmemory-clients", word)
    assert answer.endswith("argument must be between 0 and 9223372036854775807 inclusive")
    assert value == "0"


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("save", "60 2147483648"),
        ("save", "60 4294967301"),
        ("client-output-buffer-limit", "normal 0 0 4294967301"),
    ],
)
def test_what_redis_would_keep_32_bits_of_is_refused(name: str, word: str) -> None:
    before = Config().text(name)
    answer, value = on_kedis(Config(), name, word)
    assert answer.startswith("ERR CONFIG SET failed")
    assert value == before
