"""One network client: a greenlet that reads, hands over to the engine, and waits.

Speed.  gevent's own socket methods start and stop a watcher and allocate a waiter for every read (18-20 us a
request).  Here one read watcher stays started for the life of the connection and switches straight into the
greenlet; reading and sending use the raw non-blocking socket (10-12 us; see ``make bench``).

Fairness.  A turn of the loop reads at most ``READ_SIZE`` from a client, and parses and runs for at most ``BUDGET_NS``
and one portion (:data:`kedis.resp.requests.STEPS`); what is left waits for the next turn, after everybody else has been
served.  Those who wait like that share a time of their own in each turn, first come, first served
(:meth:`kedis.server.network.Network.next_turn`).  Once a turn has lasted ``CROWDED_NS`` it is crowded:
``SMALL_READ`` is read and ``SMALL_BUDGET_NS`` spent for each client, and who sends more waits with the others.
From clients that have not authenticated no more is ever read at once.

Sending is the other half (:mod:`kedis.server.sender`).
"""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Any

from gevent import getcurrent

from kedis.engine.admission import ARGUMENT_OVERHEAD, Stop
from kedis.engine.client import Client
from kedis.engine.transport import Buffers, NullTransport
from kedis.errors import ProtocolError
from kedis.resp.requests import RequestParser
from kedis.server.network import CROWDED_NS, READ_SIZE, SMALL_BUDGET_NS, SMALL_READ
from kedis.server.sender import Sender
from kedis.server.tls_socket import TlsSocket

if TYPE_CHECKING:
    from kedis.server.network import Network

log = logging.getLogger("kedis.server")

BUDGET_NS = 2_000_000  # of which Network.slice_ns may be less


_GONE = NullTransport()


class Connection(Sender):
    """A client's socket, parser and client.  It is the client's transport."""

    __slots__ = (
        "_greenlet",
        "_held",
        "_read_watcher",
        "ahead",
        "kind",
    )

    def __init__(
        self, server: Network, sock: socket.SocketType | TlsSocket, address: str, local_address: str
    ) -> None:
        self.kind = "unix" if sock.family == socket.AF_UNIX else "tcp"
        client = Client(server.engine, self, address=address, local_address=local_address, in_parts=True)
        super().__init__(server, sock, client)
        config = server.engine.config
        self.parser = RequestParser(max_bulk_length=config.proto_max_bulk_len)
        self.queued = False
        self.ahead = 0  # bytes received while the client was blocked, which run afterwards
        self._held = False  # whether there are such, so that somebody has to wake the greenlet
        self._greenlet: Any = getcurrent()  # None once it serves others
        self._read_watcher = server.reader(self)

    # -- reading ------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Read and run until the client leaves or is closed.  Runs in the client's own greenlet."""
        wait = self._hub.switch
        sock = self.sock
        receive = self.server.receive_buffer.receive
        parser = self.parser
        feed = parser.feed
        server = self.server
        engine = server.engine
        client = self.client
        cycle = server.cycle
        clock = engine.clock
        monotonic = engine.monotonic
        keyspace = engine.keyspace
        propagation = engine.propagation
        figures = cycle.figures
        eviction = server.client_eviction
        waits, depths = figures.waits, figures.depths
        path = server.path
        engine.connect(client)
        self._read_watcher.start(self._greenlet.switch)
        if self.tls is not None and self.tls.has_ahead:
            server.next_turn(self._read_ahead)
        try:
            while not self.closed:
                given = wait()
                if self.closed:
                    break
                began = figures.began_ns
                if not began:
                    began = figures.began_ns = clock()
                    cycle.moment_ns = monotonic()
                crowded = keyspace.now_ns - began > CROWDED_NS
                if given:  # by the native path
                    data = given
                else:
                    try:
                        data = receive(sock, SMALL_READ if crowded or client.user is None else READ_SIZE)
                    except (BlockingIOError, InterruptedError):
                        continue
                    except OSError:
                        break
                    if not data:
                        if self.sealed or client.out:
                            self._wait_for_last_replies()
                        break
                    server.bytes_received += len(data)
                    client.last_interaction_ns = cycle.moment_ns
                if crowded and len(data) >= SMALL_READ:
                    data = self._give_way_and_receive(data)
                    crowded = False
                    if self.closed:
                        break
                if client.user is None:
                    self._take_in_portions(data)
                    continue
                if path is not None and not given and parser.is_empty and path.serves(client):
                    data = self._run_natively(data, SMALL_BUDGET_NS if crowded else server.slice_ns)
                    if not data:
                        continue
                try:
                    commands = feed(data)
                except ProtocolError as problem:
                    self._run(problem.commands)
                    self._fail(problem)
                    continue
                except MemoryError:
                    self._fail(parser.give_up())
                    continue
                if not commands:
                    if self.commands_before:
                        self._count_read(keyspace.now_ns - began)
                    self._check_query_buffer()
                    if parser.held:
                        self._take_in_portions(b"")
                    keyspace.now_ns = clock()
                    continue
                count = len(commands)
                done = engine.run(client, commands, 0, SMALL_BUDGET_NS if crowded else server.slice_ns)
                if done < count:
                    if eviction.limit:
                        self.note_memory()  # replies may be large, and others run before the next time
                    self._run_rest(commands, done)
                elif client.dirty_epoch == propagation.epoch and propagation.active:
                    propagation.reuse_request_bytes(commands, data, parser.form)
                if client.queue is not None or eviction.limit:
                    self._check_query_buffer()
                waited = keyspace.now_ns - began
                waits.counts[waited.bit_length()] += 1
                waits.total += waited
                depth = count + self.commands_before
                self.commands_before = 0
                if depth > 1:
                    depths.counts[depth.bit_length()] += 1
                    depths.total += depth
                if not self.queued and (client.out or client.close_after_reply):
                    self.queued = True
                    journal = cycle.journal
                    if (
                        journal is not None
                        and journal.selective
                        and client.dirty_epoch != propagation.epoch
                        and done == count
                        and not self.sealed
                        and journal.shows_only_durable(commands)
                    ):
                        cycle.durable.append(self)
                    else:
                        cycle.waiting.append(self)
                if parser.held:
                    self._take_in_portions(b"")
        finally:
            self._release()

    def _run_natively(self, data: bytes, budget_ns: int) -> bytes:
        """Run what the native path takes of ``data``; returns the rest. For where it does not receive itself."""
        server = self.server
        rest: bytes = server.path.feed(self, data, budget_ns, server.cycle.figures.began_ns)[0]
        if server.client_eviction.limit:
            self.note_memory()
        if rest:
            self.surface()
        if not self.queued and (self.output_bytes_here or self.client.out):
            self.queued = True
            server.cycle.waiting.append(self)
        return rest

    def answer_script(self, value: Any) -> None:
        """A script of the native path has ended that had let others in: answer, and go on with what was received."""
        if self.closed:
            return
        self.client.encode(value)
        self.wants_send()
        if self.input_bytes_here:
            self._read_watcher.stop()
            self.server.next_turn(self._read_watcher.go_on)

    def _count_read(self, waited_ns: int) -> None:
        """Count a read of whose commands the native path has run all that were whole."""
        figures = self.server.cycle.figures
        figures.waits.add(waited_ns)
        if self.commands_before > 1:
            figures.depths.add(self.commands_before)
        self.commands_before = 0

    def _read_ahead(self) -> None:
        """Serve what came with the end of the handshake, unless more has come, and all was served."""
        if self.tls is not None and self.tls.has_ahead:
            self._wake()

    def _wake(self) -> None:
        """Go on in the client's greenlet, if it is still that."""
        if self._greenlet is not None:
            self._greenlet.switch()

    def _wait_for_last_replies(self) -> None:
        """The client has ended its side; what it asked before is being made durable, then answered."""
        self._read_watcher.stop()
        self.server.engine.blocking.forget(self.client)
        self.client.close_after_reply = True
        while not self.closed:
            self._hub.switch()

    def _take_in_portions(self, data: bytes) -> None:
        """Parse and run in turns, giving way when the time is up, as long as the parser holds something.

        It stops behind each AUTH, since its limits depend on the outcome, and after so many steps.
        """
        parser, client, clock = self.parser, self.client, self.server.engine.clock
        figures, keyspace = self.server.cycle.figures, self.server.engine.keyspace
        began = clock()
        budget_ns = BUDGET_NS if began - figures.began_ns < CROWDED_NS else SMALL_BUDGET_NS
        while not self.closed and not client.close_after_reply:
            parser.authenticated = client.user is not None
            try:
                commands = parser.feed(data)
            except ProtocolError as problem:
                self._run(problem.commands)
                self._fail(problem)
                break
            data = b""
            self._run(commands)
            self._check_query_buffer()
            if not parser.held or self.closed:
                break
            keyspace.now_ns = now = clock()
            if not 0 <= now - began < budget_ns:
                self.give_way()
                began, budget_ns = clock(), BUDGET_NS
        parser.authenticated = client.user is not None

    def _fail(self, problem: ProtocolError) -> None:
        """The bytes were no RESP, or cannot be held: tell the client, then close."""
        if not self.closed and not self.client.close_after_reply:
            self.client.encode(problem)
            self.client.close_after_reply = True
            self.wants_send()

    def _check_query_buffer(self) -> None:
        """What is not a whole command yet, or waits for EXEC, has a limit (client-query-buffer-limit)."""
        waiting = self.parser.pending_bytes + self.client.queued_bytes + self.ahead
        if waiting > self.server.engine.config.client_query_buffer_limit:
            self.server.query_buffer_disconnections += 1
            log.warning("closing client %s: query buffer limit reached", self.client.address)
            self.close()
        elif self.server.client_eviction.limit:
            self.note_memory()

    def _run(self, commands: list[list[bytes]]) -> None:
        """Run ``commands``, all of them in the end."""
        if commands and not self.closed and not self.client.close_after_reply:
            done = self._run_slice(commands, 0)
            if done < len(commands):
                self._run_rest(commands, done)
            self.wants_send()

    def _run_slice(self, commands: list[list[bytes]], position: int) -> int:
        """Run ``commands`` from ``position`` on, as far as the time of a slice goes; returns how far."""
        done = self.server.engine.run(self.client, commands, position, self.server.slice_ns)
        if self.server.client_eviction.limit:
            self.note_memory()
        return done

    def _run_rest(self, commands: list[list[bytes]], position: int) -> None:
        """Run ``commands`` from ``position`` on, where the engine has just stopped."""
        engine = self.server.engine
        problem: ProtocolError | None = None
        while position < len(commands) and not self.closed and not self.client.close_after_reply:
            stopped = engine.stopped
            self.wants_send()
            if stopped is Stop.BLOCKED:
                problem = self._wait_while_blocked(commands)
            elif stopped is Stop.PAUSED or stopped is Stop.ENDED:
                self._wait_for_unpause()
            else:
                self.give_way()
            if self.closed:
                break
            position = self._run_slice(commands, position)
        if problem is not None:
            self._fail(problem)

    def give_way(self) -> None:
        """Let a whole turn of the loop pass, or several where many wait like this."""
        self._read_watcher.stop()
        self.server.next_turn(self._wake)
        self._hub.switch()
        self.go_on_reading()

    def _give_way_and_receive(self, data: bytes) -> bytes:
        """Let others go first; returns ``data`` and, when the turn has come, as much as a usual read brings."""
        self.give_way()
        if self.closed or self.client.user is None:
            return data
        try:
            return data + self.server.receive_buffer.receive(self.sock, READ_SIZE - SMALL_READ)
        except OSError:  # nothing more is there, or the next read will find the same
            return data

    def go_on_reading(self) -> None:
        """Go on in a turn that may serve this client first; read again, too."""
        cycle, engine = self.server.cycle, self.server.engine
        if not cycle.figures.began_ns:
            cycle.figures.began_ns = engine.clock()
            cycle.moment_ns = engine.monotonic()
        if not self.closed:
            self._read_watcher.start(self._greenlet.switch)

    def _wait_for_unpause(self) -> None:
        self._read_watcher.stop()
        self.server.paused[self] = self._wake
        self._hub.switch()
        self.server.paused.pop(self, None)
        self.go_on_reading()

    def _wait_while_blocked(self, commands: list[list[bytes]]) -> ProtocolError | None:
        """Wait until the client is blocked no longer; what the client sends meanwhile is put behind ``commands``.

        The socket is read all the time, because that is how a client that leaves is noticed.  Returns what was
        wrong with what came, if anything; whatever came after that is ignored.
        """
        problem = None
        self._held = True
        while self.client.blocked is not None and not self.closed:
            self._hub.switch()
            if self.client.blocked is not None and not self.closed:
                data = self._receive_ahead()
                before = self.parser.pending_bytes
                try:
                    if data and problem is None:
                        commands += self.parser.feed(data)
                except ProtocolError as error:
                    commands += error.commands
                    problem = error
                self.ahead += len(data) + before - self.parser.pending_bytes
                self._check_query_buffer()
        self._held = False
        self.ahead = 0
        self.go_on_reading()
        return problem

    def _receive_ahead(self) -> bytes:
        """What the client sends while it is blocked; it is closed when it leaves, or sends too much."""
        try:
            data = self.server.receive_buffer.receive(self.sock, READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError:
            data = b""
        if not data:
            self.close()
        self.server.bytes_received += len(data)
        return data

    def _go_on(self) -> None:
        """The client is not blocked any more: run what has come meanwhile, in the next turn."""
        self._held = False
        self._read_watcher.stop()
        self.server.next_turn(self._wake)

    # -- sending ------------------------------------------------------------------------------------------

    def wants_send(self) -> None:
        """Have the replies sent at the end of this turn."""
        if self._held and self.client.blocked is None and not self.closed:
            self._go_on()
        if not self.queued and (self.client.out or self.client.close_after_reply):
            self.queued = True
            self.server.cycle.waiting.append(self)
        elif self.server.cycle.durable:
            self.server.cycle.hold_back(self)

    def stop_reading(self) -> None:
        """Take no further requests."""
        self._read_watcher.stop()

    # -- transport ----------------------------------------------------------------------------------------

    def memory(self) -> int:
        """Bytes of the client's buffers and state, and of a large argument that is announced."""
        parser = self.parser
        received = self.input_bytes() + parser.announced_bytes + ARGUMENT_OVERHEAD * parser.pending_arguments
        return self.output_bytes() + received + self.client.state_bytes

    def note_memory(self) -> None:
        """Tell the server what the client occupies, where that is limited.  O(replies of this turn)."""
        if self.server.client_eviction.limit:
            self.server.client_eviction.note(self, self.memory())

    def input_bytes(self) -> int:
        """Bytes received that do not make a whole command yet."""
        return self.parser.pending_bytes + self.ahead + self.input_bytes_here

    def buffers(self) -> Buffers:
        """The state of the buffers, for CLIENT LIST."""
        chunks = len(self.unsent) + len(self.sealed) + len(self.client.out) + (self.output_bytes_here > 0)
        room = self.parser.free_bytes + self.parser.announced_bytes
        return Buffers(room, chunks, "r" if self._write_watcher is None else "rw")

    def close(self) -> None:
        """End the connection at once; safe to call from anywhere, more than once."""
        if self.closed:
            return
        self.closed = True
        self.server.engine.blocking.forget(self.client)
        self._read_watcher.stop()
        self._stop_writing()
        self._drop_buffers()
        if getcurrent() is not self._greenlet:
            with contextlib.suppress(
                OSError
            ):  # the client learns of it before whoever has asked for it is answered
                self.sock.shutdown(socket.SHUT_RDWR)
            self.server.next_turn(self._wake)

    def _drop_buffers(self) -> None:
        """Nothing is read, run or sent any more."""
        self.parser.discard()
        self.drop_buffers_here()
        self.ahead = 0
        self.unsent.clear()
        self.unsent_bytes = 0
        self._long.clear()
        self.sealed.clear()
        self.client.out.clear()
        self.server.client_eviction.note(self, 0)

    def _release(self) -> None:
        """Give back everything the connection held.  Runs last in the client's greenlet."""
        self.closed = True
        self._read_watcher.stop()
        self._read_watcher.close()
        self._stop_writing()
        self._drop_buffers()
        self.server.engine.disconnect(self.client)
        # Without the circle all memory is free at once; the collector would come hours later.
        self.client.transport = _GONE
        self.server.connections.discard(self)
        self._greenlet = None
