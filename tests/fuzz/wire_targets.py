"""The parser of requests and the commands, beside a real Redis."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from random import Random

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.errors import ProtocolError
from kedis.resp.replies import encode2, encode_command
from kedis.resp.requests import RequestParser
from tests.commands.driver import Client
from tests.differential import grammar
from tests.differential.scripts import Comparison, Divergence, draw_script
from tests.differential.servers import RedisServer
from tests.fuzz.target import BytesAsDice, Find, Target, pieces, swollen
from tests.oracle import Oracle

#: PING and ECHO alone may run, on both servers: the rest is refused, and tells its arguments where it is unknown.
_MAY = ("-@all", "+ping", "+echo")


class Parser(Target):
    """Bytes of a connection: the same replies as Redis's, however the bytes are cut."""

    name = "parser"
    modules = ("kedis.resp.requests", "kedis.resp.canonical")
    compares = True
    words = (
        b"*1\r\n",
        b"$4\r\n",
        b"PING",
        b"ECHO",
        b"\r\n",
        b"*-1\r\n",
        b'"',
        b"'",
        b"\\x41",
        b"*2\r\n$4\r\nECHO\r\n",
    )

    def __init__(self, redis: Callable[..., Oracle]) -> None:
        super().__init__(redis)
        self._redis = redis()
        self._redis.call("ACL", "SETUSER", "default", *_MAY)
        self._engine = Engine(Config())
        self._browsers = 0
        Client(self._engine).call("ACL", "SETUSER", "default", *_MAY)

    def run(self, data: bytes) -> None:
        data = swollen(data)
        if b"hello" in data.lower():  # whose reply tells of the server
            return
        self._browsers = 0
        whole = self._answer([data])
        for size in (1, 7) if len(data) < 300 else (4093,):
            cut = self._answer(pieces(data, size))
            if cut != whole:
                raise Find("cut", f"into pieces of {size}: {cut[-300:]!r} instead of {whole[-300:]!r}")
        theirs = self._theirs(data)
        if whole.startswith(theirs) and self._browsers:
            return  # a browser: Redis closes at once, without all replies to what came before
        if b"too big" in whole:
            return  # which Redis finds by the pieces in which it reads
        if theirs != whole and not (b"-NOPERM" in whole and b"unknown" in theirs):
            raise Find("reply", f"Redis answers {theirs[-300:]!r}, Kedis {whole[-300:]!r}")

    def _run(self, client: Client, commands: list[list[bytes]]) -> None:
        self._browsers += sum(argv[0].lower() in (b"post", b"host:") for argv in commands)
        if commands:
            self._engine.run(client.state, commands)

    def _answer(self, received: Iterator[bytes] | list[bytes]) -> bytes:
        """What a new client is answered."""
        client, parser = Client(self._engine), RequestParser()
        try:
            for piece in received:
                waits = True
                while waits and not client.state.close_after_reply:
                    self._run(client, parser.feed(piece))
                    piece, waits = b"", parser.held
                if client.state.close_after_reply:
                    break
        except ProtocolError as error:
            self._run(client, error.commands)
            if not client.state.close_after_reply:
                encode2(error, client.state.out.append)
        finally:
            self._engine.disconnect(client.state)
        return b"".join(client.state.out)

    def _theirs(self, data: bytes) -> bytes:
        reply = b""
        with socket.create_connection(("127.0.0.1", self._redis.port), timeout=20) as sock:
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
            except OSError:  # it has closed already
                pass
            try:
                while piece := sock.recv(1 << 16):
                    reply += piece
            except ConnectionResetError:
                pass
        return reply

    def seeds(self) -> Iterator[bytes]:
        ping = encode_command([b"PING"])
        yield ping + encode_command([b"ECHO", b"x" * 40]) + ping
        yield b'PING\r\nECHO "a\\x41\\n" \r\n*0\r\n\r\n' + ping
        yield b"*2\r\n$4\r\nECHO\r\n$1000\r\n" + b"x" * 1000 + b"\r\n"
        yield encode_command([b"nosuch", *(b"%d" % number for number in range(90))])
        yield b"*3\r\n$3\r\nfoo\r\n$\xfe1\x10\r\n"
        yield b"x\xfex\xff\xfex\xff\xfex\xff\xfex\xff\xfex\xff\r\n"
        yield b"*2\r\n$4\r\nECHO\r\n$16320\r\n\xfey\xff\r\n" + ping * 3
        yield b"POST / HTTP/1.1\r\nHost: x\r\n"


class Commands(Target):
    """Sequences of commands from the grammar of the differential tests, their choices made by the bytes."""

    name = "engine"
    modules = ("kedis.commands", "kedis.engine", "kedis.store", "kedis.structures")
    compares = True

    def __init__(self, redis: Callable[..., Oracle]) -> None:
        super().__init__(redis)
        self._redis = RedisServer(redis().port)
        self._names = grammar.known_names()

    def run(self, data: bytes) -> None:
        if len(data) < 8:
            return
        script = draw_script(BytesAsDice(data), self._names, least=1, most=min(len(data) // 8, 40))
        try:
            Comparison(self._redis).run(script)
        except Divergence as found:
            last = found.args[0].rpartition("\n   kedis:")[0].rpartition("\n")[2]
            raise Find(" ".join(last.split()[1:2]) or "data", str(found)) from None

    def seeds(self) -> Iterator[bytes]:
        for seed in range(40):
            yield Random(seed).randbytes(300)
