"""Kedis on systems that lack what Linux has: simulated by taking it away before Kedis is imported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.embedded.programs import run_program

#: What macOS does not have.
MACOS = """
    import os, socket, sys, resource
    import gevent, redis, gevent.socket
    os.environ["KEDIS_PURE"] = "1"            # the native path knows at build time where it is
    del os.fdatasync, resource.RUSAGE_THREAD
    for name in ("TCP_KEEPIDLE", "SOCK_NONBLOCK", "SOCK_CLOEXEC", "EPOLLIN"):
        for module in (socket, gevent.socket):
            if hasattr(module, name):
                delattr(module, name)
"""

#: What Windows does not have. msvcrt, which it has instead, is made of what is taken away.
WINDOWS = """
    import fcntl, os, sys, time, types
    import asyncio, redis                      # which know Windows
    os.environ["KEDIS_PURE"] = "1"
    msvcrt = types.ModuleType("msvcrt")
    msvcrt.LK_NBLCK = 2
    msvcrt.locking = lambda fd, mode, size, lock=fcntl.flock, flags=fcntl.LOCK_EX | fcntl.LOCK_NB: lock(fd, flags)
    sys.modules["msvcrt"] = msvcrt
    for name in ("fcntl", "resource", "pwd", "grp", "termios"):
        sys.modules[name] = None
    for name in ("fdatasync", "fork", "register_at_fork", "writev", "O_CLOEXEC", "O_DIRECTORY", "sysconf",
                 "getuid", "getpgid", "uname", "nice", "wait", "sched_getaffinity"):
        delattr(os, name)
    del time.clock_gettime, time.clock_gettime_ns
    open_file = os.open
    def open_no_folder(path, flags, *more, **options):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", path)
        return open_file(path, flags, *more, **options)
    os.open = open_no_folder
"""

STORE = """
    import kedis
    for folder in (None, sys.argv[1]):
        with kedis.connect(folder, decode_responses=True) as store:
            store.set("a", 1, ex=1000)
            store.rpush("l", *["x" * 100_000] * 20)
            print(store.get("a"), store.ttl("a") > 900, store.llen("l"), store.blpop("none", timeout=0.01))
            print(len(store.info()) > 50)
            if folder:
                store.bgrewriteaof()
                store.save()
                store.incr("a")
                try:
                    kedis.connect(folder)
                except Exception as error:
                    print(type(error).__name__)
    with kedis.connect(sys.argv[1]) as store:
        print(store.get("a"), store.llen("l"))
"""

SERVER = """
    import kedis
    with kedis.Server(appendonly=True, appendfsync="always", dir=sys.argv[1]) as server:
        with server.client() as client:
            print(client.set("a", 1), len(client.info()) > 50, client.config_set("tcp-keepalive", 10))
    with server, server.client() as client:
        print(client.get("a"))
"""

EXPECTED = ["1 True 20 None", "True"] * 2 + ["AofError", "b'2' 20"]


@pytest.mark.parametrize("system", [MACOS, WINDOWS], ids=["macOS", "Windows"])
def test_a_store(tmp_path: Path, system: str) -> None:
    assert run_program(system + STORE, tmp_path / "data") == EXPECTED


def test_a_server_on_macos(tmp_path: Path) -> None:
    assert run_program(MACOS + SERVER, tmp_path) == ["True True True", "b'1'"]


def test_no_server_on_windows() -> None:
    program = """
        import sys, kedis
        sys.platform = "win32"
        try:
            kedis.Server
        except ImportError as error:
            print(error)
    """
    assert "kedis.connect() works on Windows" in run_program(program)[0]


def test_the_data_are_synced_through_the_cache_of_the_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """macOS's fsync does not do that, and network file systems there have nothing else."""
    from kedis.process import system

    calls: list[str] = []

    class Fcntl:
        supported = True

        def fcntl(self, _fd: int, command: int) -> None:
            assert command == 51
            if not self.supported:
                raise OSError(45, "Operation not supported")
            calls.append("full")

    fake = Fcntl()
    monkeypatch.setattr(system, "_fcntl", fake)
    monkeypatch.setattr(system, "_FULL_SYNC", 51)
    monkeypatch.delattr(os, "fdatasync")
    monkeypatch.setattr(os, "fsync", lambda _fd: calls.append("fsync"))
    system.sync_data(0)
    fake.supported = False
    system.sync_data(0)
    assert calls == ["full", "fsync"]
