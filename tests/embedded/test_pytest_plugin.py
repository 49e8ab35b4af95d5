"""The fixtures of the pytest plugin, in projects of their own."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.embedded.programs import PATIENCE_SECONDS, run_program

RUN = """
    import sys, pytest
    sys.exit(pytest.main(sys.argv[1:]))
"""


def run_project(folder: Path, files: dict[str, str], *words: str, outcome: str) -> str:
    """Run pytest on a project in ``folder``, with the plugin; ``outcome`` has to be in its last line."""
    for name, text in files.items():
        (folder / name).write_text(textwrap.dedent(text))
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-W",
        "error::ResourceWarning",
        "-W",
        "error::pytest.PytestUnraisableExceptionWarning",
        "--rootdir",
        str(folder),
        f"--timeout={PATIENCE_SECONDS}",
    ]
    lines = run_program(RUN, *options, *words, str(folder))
    assert outcome in lines[-1], "\n".join(lines)
    return "\n".join(lines)


#: A test that dirties everything; run twice, it finds nothing of itself.
DIRTY = """
    import pytest

    def dirty(one, other):
        assert one.dbsize() == 0 and other.dbsize() == 0
        assert one.script_exists("e0e1f9fabfc9d4800c877a703b823ac0578ff8db") == [False]
        assert one.function_list() == []
        assert one.config_get("maxmemory")["maxmemory"] == "0"
        assert one.config_get("requirepass")["requirepass"] == ""
        assert one.config_get("slowlog-log-slower-than")["slowlog-log-slower-than"] == "10000"
        assert "cmdstat_set" not in one.info("commandstats")
        assert "errorstat_WRONGTYPE" not in one.info("errorstats")
        assert one.info("stats")["keyspace_hits"] == 0
        assert not [client for client in one.client_list() if client["name"] == "left-behind"]
        assert one.pubsub_channels() == []
        assert one.acl_list() == ["user default on nopass ~* &* +@all"]
        assert one.acl_log() == []
        one.acl_setuser("bob", enabled=True, nopass=True, commands=["+@all"])
        one.set("a", 1)
        one.get("a")
        one.script_load("return 1")
        one.function_load("#!lua name=f\\nredis.register_function('f', function() return 1 end)")
        one.config_set("slowlog-log-slower-than", 0)
        one.config_set("maxmemory", "100mb")
        one.client_setname("left-behind")
        pubsub = one.pubsub()
        pubsub.subscribe("news")
        with pytest.raises(Exception):
            one.lpush("a", 1)
        one.client_pause(1000000, all=False)
        one.config_set("requirepass", "secret")

    @pytest.mark.parametrize("turn", range(3))
    def test_store(kedis_{0}store, turn):
        import kedis
        dirty(kedis_{0}store, kedis.connect(store=kedis_{0}store, db=3))

    @pytest.mark.parametrize("turn", range(3))
    def test_server(kedis_{0}server, kedis_{0}client, turn):
        dirty(kedis_{0}client, kedis_{0}server.client(db=3))
"""


@pytest.mark.parametrize("scope", ["", "module_", "session_"])
def test_each_test_begins_with_nothing(tmp_path: Path, scope: str) -> None:
    run_project(tmp_path, {"test_it.py": DIRTY.replace("{0}", scope)}, outcome="6 passed")


def test_a_scope_has_one_address(tmp_path: Path) -> None:
    text = """
        import pytest
        seen = {}

        @pytest.mark.parametrize("turn", range(3))
        def test_addresses(kedis_server, kedis_module_server, kedis_session_server, kedis_session_store, turn):
            for name, each in (("module", kedis_module_server.port), ("session", kedis_session_server.port),
                               ("store", kedis_session_store)):
                assert seen.setdefault(name, each) == each
            assert kedis_server.port not in (kedis_module_server.port, kedis_session_server.port)
    """
    run_project(tmp_path, {"test_it.py": text}, outcome="3 passed")


SETTINGS = """
    import pytest
    pytestmark = pytest.mark.kedis(maxmemory_policy="allkeys-lru")

    @pytest.mark.kedis(maxmemory="2mb", decode_responses=True)
    def test_marker(kedis_store, kedis_client):
        for client in (kedis_store, kedis_client):
            assert client.config_get("maxmemory*", "databases") == {
                "maxmemory": "2097152", "maxmemory-policy": "allkeys-lru", "databases": "4",
                "maxmemory-clients": "0", "maxmemory-samples": "5", "maxmemory-eviction-tenacity": "10"
            } | {name: value for name, value in client.config_get("maxmemory-*").items() if name != "maxmemory-policy"}
            client.set("a", 1)
            assert client.get("a") == "1"

    @pytest.mark.kedis(requirepass="secret", databases=20, db=19)
    def test_password(kedis_store, kedis_client, kedis_async_store):
        assert kedis_store.set("a", 1) and kedis_client.set("a", 1)

    def test_ini(kedis_store, kedis_session_client, kedis_module_store):
        assert kedis_store.config_get("maxmemory") == {"maxmemory": "1048576"}
        assert kedis_session_client.config_get("maxmemory*")["maxmemory-policy"] == "noeviction"
        assert kedis_module_store.config_get("maxmemory*")["maxmemory-policy"] == "allkeys-lru"
        assert kedis_store.echo("a") == "a"
"""
INI = """
    [pytest]
    kedis =
        maxmemory = 1mb
        databases = 4
        decode_responses = true
"""


def test_settings_by_marker_and_by_the_configuration_file(tmp_path: Path) -> None:
    run_project(tmp_path, {"test_it.py": SETTINGS, "pytest.ini": INI}, "--strict-markers", outcome="3 passed")


def test_a_setting_that_does_not_exist(tmp_path: Path) -> None:
    text = """
        import pytest

        @pytest.mark.kedis(maxmemry="1mb")
        def test_it(kedis_store): ...
    """
    with pytest.raises(AssertionError, match="no option 'maxmemry'; did you mean maxmemory"):
        run_project(tmp_path, {"test_it.py": text}, outcome="1 error")


ASYNC = """
    import asyncio, pytest

    async def use(one, other):
        assert await one.dbsize() == 0
        await one.set("a", 1)
        assert await one.get("a") == b"1"
        waiting = asyncio.create_task(one.blpop("list", timeout=60))
        await asyncio.sleep(0)
        while not (await one.info("clients"))["blocked_clients"]:
            await asyncio.sleep(0.001)
        other.rpush("list", "x")
        assert await waiting == (b"list", b"x")
        asyncio.create_task(one.blpop("forgotten", timeout=0))
        await asyncio.sleep(0.01)

    @pytest.mark.MARK
    @pytest.mark.parametrize("turn", range(3))
    async def test_store(kedis_store, kedis_async_store, turn):
        await use(kedis_async_store, kedis_store)

    @pytest.mark.MARK
    @pytest.mark.parametrize("turn", range(3))
    async def test_server(kedis_client, kedis_async_client, turn):
        await use(kedis_async_client, kedis_client)

    def test_a_loop_of_its_own(kedis_client, kedis_async_client, kedis_store, kedis_async_store):
        async def main():
            await kedis_async_client.ping()
            await kedis_async_store.ping()
        asyncio.run(main())
"""


def test_pytest_asyncio(tmp_path: Path) -> None:
    ini = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
    files = {"test_it.py": ASYNC.replace("MARK", "asyncio"), "pytest.ini": ini}
    run_project(tmp_path, files, outcome="7 passed")


def test_anyio(tmp_path: Path) -> None:
    conftest = """
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"
    """
    files = {"test_it.py": ASYNC.replace("MARK", "anyio"), "conftest.py": conftest}
    run_project(tmp_path, files, "-p", "no:asyncio", outcome="7 passed")


def test_xdist(tmp_path: Path) -> None:
    """Each worker has its own."""
    files = {f"test_{number}.py": DIRTY.replace("{0}", "session_") for number in range(2)}
    run_project(tmp_path, files, "-n", "2", outcome="12 passed")
