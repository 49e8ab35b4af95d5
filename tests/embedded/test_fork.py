"""A forked child cannot use what belongs to its parent, and does it no harm."""

from __future__ import annotations

from pathlib import Path

import pytest

import kedis
from tests.embedded.programs import run_program

#: Both processes go through all entries of a store; what the child's say is printed by the parent.
ENTRIES = """
    import os, sys, kedis, redis
    folder, how = sys.argv[1] or None, sys.argv[2]
    store = kedis.connect(folder)
    store.set("n", 0)
    subscription = store.pubsub()
    subscription.subscribe("news")
    begun = store.pipeline()
    begun.watch("n")
    monitor = store.monitor()
    monitor.__enter__()
    connected = store.connection_pool.get_connection()
    def listen():
        return next(subscription.listen())
    def go_on():
        begun.multi()
        return begun.set("n", "child").execute()
    entries = [
        lambda: store.set("n", "child"), lambda: store.get("n"), lambda: store.blpop("l", 1),
        lambda: store.pipeline().set("n", "child").execute(), go_on,
        lambda: store.pubsub().subscribe("news"), lambda: subscription.subscribe("more"),
        lambda: subscription.get_message(timeout=1), listen, monitor.next_command,
        lambda: connected.send_command("SET", "n", "child"), store.bgrewriteaof, store.flushall, store.close,
    ]
    pid = os.fork()
    if not pid:
        failures = 0
        for entry in entries:
            try:
                print("no error:", entry(), flush=True)
            except kedis.ForkedError as error:
                assert f"belongs to process {os.getppid()}" in str(error), error
            else:
                failures = 1
        with kedis.connect() as own:
            own.set("n", 1)
        with store:
            pass
        if how == "sys.exit":
            sys.exit(failures)
        os._exit(failures)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    for _ in range(300):
        store.incr("n")
    print(store.get("n").decode())
    store.close()
"""


@pytest.mark.parametrize("how", ["sys.exit", "os._exit"])
@pytest.mark.parametrize("kept", [True, False], ids=["folder", "memory"])
def test_every_use_in_a_child_is_an_error(tmp_path: Path, kept: bool, how: str) -> None:
    folder = tmp_path / "data" if kept else ""
    assert run_program(ENTRIES, folder, how) == ["0", "300"]
    if kept:
        with kedis.connect(folder) as store:
            assert store.get("n") == b"300"


PRELOADED = """
    import os, sys, kedis
    store = kedis.connect(sys.argv[1])       # by the application, before the workers are forked
    workers = []
    for number in range(3):
        pid = os.fork()
        if not pid:
            try:
                for _ in range(100):
                    store.incr("n")
            except kedis.ForkedError:
                sys.exit(3)
            sys.exit(0)
        workers.append(pid)
        for _ in range(100):
            store.incr("n")
    print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in workers], store.get("n").decode())
"""


def test_workers_forked_after_the_application_was_loaded(tmp_path: Path) -> None:
    """As ``gunicorn --preload`` does it; the parent goes on writing meanwhile."""
    assert run_program(PRELOADED, tmp_path / "data") == ["[3, 3, 3] 300"]
    with kedis.connect(tmp_path / "data") as store:
        assert store.get("n") == b"300"


POOL = """
    import multiprocessing, sys, kedis
    store = None
    def work(path):
        try:
            if store is None:                                # not inherited: spawn and forkserver
                return kedis.connect(path).incr("n")
            return store.incr("n")
        except Exception as error:
            return type(error).__name__
    if __name__ == "__main__":
        store = kedis.connect(sys.argv[1])
        store.set("n", 1)
        with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:
            print(set(pool.map(work, [sys.argv[1]] * 4)))
        print(store.incr("n"))
        try:
            multiprocessing.get_context("spawn").Process(target=print, args=(store,)).start()
        except TypeError as error:
            print("cannot be sent:", "pickle" in str(error))
"""


@pytest.mark.parametrize(
    ("method", "error"), [("fork", "ForkedError"), ("forkserver", "AofError"), ("spawn", "AofError")]
)
def test_multiprocessing(tmp_path: Path, method: str, error: str) -> None:
    """A child that inherits the store is refused; one that opens the folder finds it in use."""
    lines = run_program(POOL, tmp_path / "data", method, file=tmp_path / "program.py")
    assert lines == [repr({error}), "2", "cannot be sent: True"]


ORPHAN = """
    import os, sys, kedis
    store = kedis.connect(sys.argv[1])
    store.set("n", 1)
    ready, go = os.pipe()
    alive, lives = os.pipe()
    if not os.fork():
        os.close(go)
        os.closerange(1, 3)
        os.write(lives, b"x")                # a child that has not run yet holds what its parent held
        os.read(ready, 1)                    # until the reader has ended, that is, after the parent
        os._exit(0)
    os.read(alive, 1)
    store.close()
    with kedis.connect(sys.argv[1]) as again:        # the child holds no lock of it
        print(again.incr("n"))
"""


def test_a_child_does_not_keep_the_folder_locked(tmp_path: Path) -> None:
    assert run_program(ORPHAN, tmp_path / "data") == ["2"]


LOCKED = """
    import os, threading, kedis
    store = kedis.connect()
    held = threading.Event()
    def hold():                              # a thread that is in the middle of a command at the fork
        with store._embedded.lock, store.connection_pool._lock:
            held.set()
            threading.Event().wait()
    threading.Thread(target=hold, daemon=True).start()
    held.wait()
    if not os.fork():
        try:
            store.get("n")
        except kedis.ForkedError:
            print("refused", flush=True)
        os._exit(0)
    os.wait()
    os._exit(0)
"""


def test_a_fork_while_another_thread_holds_the_locks() -> None:
    assert run_program(LOCKED) == ["refused"]


FORKED = """
    import os, sys, threading, kedis
    folder, torn = sys.argv[1:]
    store = kedis.connect(folder or None, decode_responses=True)
    store.set("n", 1)
    if torn:
        held = threading.Event()
        def hold():
            with store.embedded.lock:
                held.set()
                threading.Event().wait()
        threading.Thread(target=hold, daemon=True).start()
        held.wait()
    if not os.fork():
        try:
            with store.fork() as own:
                print(own.get("n"), own.incr("n"), flush=True)
        except kedis.ForkedError as error:
            print(error, flush=True)
        os._exit(0)
    os.wait()
    if not torn:
        print(store.get("n"), flush=True)
    os._exit(0)
"""


@pytest.mark.parametrize("kept", [True, False], ids=["folder", "memory"])
def test_a_store_for_a_child(tmp_path: Path, kept: bool) -> None:
    """It begins with its parent's data, and neither sees the other's changes."""
    assert run_program(FORKED, tmp_path / "data" if kept else "", "") == ["1 2", "1"]


def test_no_store_for_a_child_forked_in_the_middle_of_a_command() -> None:
    [line] = run_program(FORKED, "", "torn")
    assert "another thread" in line


SERVER = """
    import os, socket, sys, kedis
    server = kedis.Server(appendonly=True, dir=sys.argv[1]).start()
    here = server.client()
    here.incr("n")
    listening = socket.create_connection((server.host, server.port))
    listening.settimeout(60)
    ready, done = os.pipe()
    go, begin = os.pipe()
    pid = os.fork()
    if not pid:
        listening.close()
        outcome = [str(server.client().incr("n"))]
        for use in (server.start, server.stop):
            try:
                use()
                outcome.append("no error")
            except kedis.ForkedError as error:
                outcome.append(str(f"belongs to process {os.getppid()}" in str(error)))
        with kedis.Server() as own:
            outcome.append(str(own.client().ping()))
        os.write(done, " ".join(outcome).encode())
        os.read(go, 1)                       # the parent's server has been stopped and started meanwhile
        sys.exit(0)
    print(os.read(ready, 100).decode())
    print(here.incr("n"))
    here.close()
    server.stop()
    print(listening.recv(1))                 # the child's copy of the connection does not keep it open
    with server:                             # nor that of the listening socket the port, nor the folder's lock
        print(server.client().get("n"))
    os.write(begin, b"x")
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_server_in_a_thread(tmp_path: Path) -> None:
    """A child may be its client, and no more."""
    lines = run_program(SERVER, tmp_path)
    assert lines == ["2 True True True", "3", "b''", "b'3'", "0"]


ENDS = """
    import os, socket, time, kedis
    with kedis.Server(repl_diskless_sync_delay=0) as master, kedis.Server(metrics_port=0) as server:
        def replicas():
            return master.client().info("replication")["connected_slaves"]
        here = server.client()
        here.execute_command("REPLICAOF", master.host, master.port)
        while here.info("replication")["master_link_status"] != "up":
            time.sleep(0.02)
        page = socket.create_connection((server.host, server._life._app.metrics.port), 60)
        page.sendall(b"GET /healthz HTTP/1.1\\r\\n\\r\\n")
        assert page.recv(1)
        go, begin = os.pipe()
        pid = os.fork()
        if not pid:
            page.close()
            os.read(go, 1)
            os._exit(0)
        here.execute_command("REPLICAOF", "NO", "ONE")
        deadline = time.monotonic() + 20
        while replicas() and time.monotonic() < deadline:
            time.sleep(0.02)
        print(replicas())
        page.sendall(b"rubbish\\r\\n\\r\\n")
        while page.recv(4096):
            pass
        server.stop()
        os.write(begin, b"x")
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_child_keeps_no_other_connection_of_a_server_open() -> None:
    """That to a master, which would count a replica that has gone; and those to the metrics."""
    assert run_program(ENDS) == ["0", "0"]


MADE_BEFORE = """
    import os, sys, kedis
    never, once = kedis.Server(), kedis.Server().start()
    once.stop()
    if not os.fork():
        for server in (never, once):         # neither runs: there is nothing of the parent's to harm
            with server, server.client() as client:
                assert client.ping()
        print("started", flush=True)
        sys.exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_server_that_does_not_run_may_be_started_in_a_child() -> None:
    assert run_program(MADE_BEFORE) == ["started", "0"]


PATCHED = """
    from gevent import monkey
    monkey.patch_all()
    import os, sys, kedis
    store = kedis.connect(sys.argv[1])
    server = kedis.Server().start()
    store.set("n", 1)
    pid = os.fork()
    if not pid:
        for use in (lambda: store.get("n"), store.close, server.stop):
            try:
                use()
                os._exit(1)
            except kedis.ForkedError:
                pass
        sys.exit(0 if server.client().ping() else 2)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), store.incr("n"))
"""


def test_under_the_monkey_patch(tmp_path: Path) -> None:
    assert run_program(PATCHED, tmp_path / "data") == ["0 2"]
