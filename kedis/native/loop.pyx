# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Receiving and sending in C: one epoll set for all clients, which gevent watches as a single descriptor.

A turn costs one callback of gevent, however many clients are ready; each is read, run (:mod:`kedis.native.path`) and,
at the end of the turn, sent its replies. A client's greenlet sleeps meanwhile: it is switched to with what the path does
not serve, and then runs in Python until it waits for input again.

Linux only. Elsewhere gevent's watchers and the Python path serve.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from cpython.buffer cimport PyBUF_READ, PyBUF_WRITE
from cpython.memoryview cimport PyMemoryView_FromMemory, PyMemoryView_GET_BUFFER
from posix.unistd cimport close, write

from kedis.native.path cimport ASIDE, FINISHED, FOREIGN, LATER, MORE, Path, Peer, observe

from kedis.engine.client import Client
from kedis.engine.propagation import Propagation
from kedis.replication.backlog import Backlog, Block, Cursor
from kedis.replication.replicas import Replica
from kedis.native.path import Path as _Path
from kedis.persistence.append_file import AppendFile
from kedis.persistence.append_file import CHECKSUM_BYTES
from zlib import crc32

cdef extern from "slots.h" nogil:
    Py_ssize_t slot_offset(object descriptor) except -1
    PyObject* slot_get(object owner, Py_ssize_t offset)
    void slot_set(object owner, Py_ssize_t offset, object value)
    long long slot_int(object owner, Py_ssize_t offset)
    int slot_add(object owner, Py_ssize_t offset, long long amount) except -1
    int slot_set_int(object owner, Py_ssize_t offset, long long number) except -1

cdef extern from "Python.h":
    PyObject* Py_True
    PyObject* Py_None

cdef extern from "sys/socket.h" nogil:
    ssize_t recv(int, void*, size_t, int)
    ssize_t send(int, const void*, size_t, int)
    int MSG_DONTWAIT, MSG_NOSIGNAL

cdef extern from "sys/epoll.h" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int)
    int epoll_ctl(int, int, int, epoll_event*)
    int epoll_wait(int, epoll_event*, int, int)
    int EPOLLIN, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CLOEXEC

cdef extern from "time.h" nogil:
    ctypedef long time_t
    struct timespec:
        time_t tv_sec
        long tv_nsec
    int clock_gettime(int, timespec*)
    int CLOCK_MONOTONIC


cdef inline long long monotonic_ns() noexcept nogil:
    cdef timespec moment
    clock_gettime(CLOCK_MONOTONIC, &moment)
    return <long long>moment.tv_sec * 1000000000 + moment.tv_nsec


cdef enum:
    EVENTS = 256
    #: After so long gevent's loop goes on.
    LONGEST_NS = 1000000
    #: So many turns within LONGEST_NS are busy.
    BUSY = 4
    READ_SIZE = 65536
    #: Input that makes no whole command is kept here up to this size; the parser in Python takes more.
    KEPT_INPUT = 65536
    #: A longer command that comes in smaller pieces is for that parser as well, which looks at nothing twice.
    SLOW_INPUT = 4096
    SLOW_PIECE = 1024
    #: Of Loop.receive: nothing whole has come.
    NOTHING = -1

cdef Py_ssize_t CLIENT_CLOSE_AFTER_REPLY = slot_offset(Client.close_after_reply)
cdef Py_ssize_t CLIENT_BLOCKED = slot_offset(Client.blocked)
cdef Py_ssize_t CLIENT_RESP = slot_offset(Client.resp)
cdef Py_ssize_t CLIENT_TRANSPORT = slot_offset(Client.transport)
cdef Py_ssize_t CLIENT_DIRTY_EPOCH = slot_offset(Client.dirty_epoch)
cdef Py_ssize_t CLIENT_LAST_INTERACTION = slot_offset(Client.last_interaction_ns)
cdef Py_ssize_t CLIENT_OUT = slot_offset(Client.out)
cdef Py_ssize_t FILE_CHECKSUMS = slot_offset(AppendFile.checksums)
cdef Py_ssize_t FILE_CRC = slot_offset(AppendFile._crc)
cdef Py_ssize_t FILE_DESCRIPTOR = slot_offset(AppendFile.fd)
cdef Py_ssize_t FILE_DIRTY_END = slot_offset(AppendFile._dirty_end)
cdef Py_ssize_t FILE_SIZE = slot_offset(AppendFile.size)
cdef Py_ssize_t FILE_UNCOVERED = slot_offset(AppendFile._uncovered)
cdef object SEALED = CHECKSUM_BYTES
cdef Py_ssize_t PROPAGATION_SINKS = slot_offset(Propagation._sinks)
cdef Py_ssize_t BACKLOG_OFFSET = slot_offset(Backlog.offset)
cdef Py_ssize_t BACKLOG_TAIL = slot_offset(Backlog._tail)
cdef Py_ssize_t BLOCK_ROOM = slot_offset(Block.room)
cdef Py_ssize_t BLOCK_USED = slot_offset(Block.filled)
cdef Py_ssize_t BLOCK_VIEW = slot_offset(Block.view)
cdef Py_ssize_t CURSOR_BLOCK = slot_offset(Cursor._block)
cdef Py_ssize_t CURSOR_OFFSET = slot_offset(Cursor.offset)
cdef Py_ssize_t REPLICA_CLIENT = slot_offset(Replica.client)
cdef Py_ssize_t REPLICA_CURSOR = slot_offset(Replica.cursor)
cdef Py_ssize_t REPLICA_SENT_BYTES = slot_offset(Replica.sent_bytes)
cdef Py_ssize_t REPLICA_WAITS = slot_offset(Replica.waits)
cdef Py_ssize_t PROPAGATION_OFFSET = slot_offset(Propagation.offset)
cdef Py_ssize_t PROPAGATION_EPOCH = slot_offset(Propagation.epoch)


include "alarm.pxi"


cdef class Watch:
    """Watches the socket of one client for input, with the interface of gevent's watcher.

    Where the client's requests can be served here they are, and the callback, which switches to the client's greenlet,
    is not called. It is called with the bytes that the Python path is to serve, or without any when that is to receive.
    """

    cdef Loop loop
    cdef Peer peer
    cdef object callback
    cdef uint64_t number
    cdef bint active
    #: The parser of the Python path holds the beginning of a command.
    cdef bint python_reads

    def __init__(self, Loop loop, Peer peer):
        self.loop = loop
        self.peer = peer

    def start(self, callback):
        """Begin to watch. Idempotent; nothing after it was closed."""
        if self.peer is None:
            return
        self.callback = callback
        if not self.active:
            self.loop.add(self)

    def stop(self):
        """Watch no more, until the next start. Idempotent."""
        if self.active:
            self.loop.remove(self)

    def close(self):
        """Stop for good, and let the client go, which refers to this watch."""
        self.stop()
        self.callback = None
        self.peer = None

    def go_on(self):
        """In a later turn: run what was received, and watch again."""
        if self.callback is not None and not self.peer.closed:
            self.loop.serve_kept(self)


cdef class Loop:
    """Serves the clients of ``network`` on its hub.

    Args:
        network: see :class:`kedis.server.network.Network`.
        small_read, crowded_ns, small_budget_ns: what a crowded turn is, and what it reads and spends for each client
            (:mod:`kedis.server.connection`).
    """

    cdef readonly Path path
    cdef object network, cycle, figures, eviction, engine, watcher
    cdef int descriptor
    cdef Alarm alarm
    #: Requests come one soon after the other.
    cdef bint busy
    cdef Py_ssize_t small_read
    cdef long long crowded_ns, small_budget_ns
    cdef dict watches
    cdef list queued
    cdef uint64_t last_number
    cdef char* buffer
    #: Not on the stack: a switch to a greenlet copies what is there.
    cdef epoll_event* events
    cdef long long received, sent
    cdef long long began_ns, slice_ns
    cdef object moment
    cdef bint limits_clients, handed_over
    #: From this size on, if it is not 0, replies are compared with client-output-buffer-limit before they are sent.
    cdef Py_ssize_t output_limit
    #: The changes of this turn were put into the replication stream, and sent.
    cdef bint streamed

    def __cinit__(self):
        self.descriptor = -1
        self.buffer = <char*>malloc(READ_SIZE + READ_SIZE + KEPT_INPUT)
        self.events = <epoll_event*>malloc(EVENTS * sizeof(epoll_event))
        if self.buffer == NULL or self.events == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.buffer)
        free(self.events)
        if self.descriptor >= 0:
            close(self.descriptor)

    def __init__(self, network, small_read, crowded_ns, small_budget_ns):
        self.network = network
        self.engine = network.engine
        self.cycle = network.cycle
        self.figures = network.cycle.figures
        self.eviction = network.client_eviction
        self.small_read, self.crowded_ns, self.small_budget_ns = small_read, crowded_ns, small_budget_ns
        self.path = _Path(network.engine)
        self.path.waits, self.path.depths = self.figures.waits, self.figures.depths
        self.path.enter = self.enter_script
        self.watches = {}
        self.queued = []
        self.descriptor = epoll_create1(EPOLL_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(errno, "epoll_create1")
        self.alarm = Alarm(self.descriptor)
        self.watcher = network.hub.loop.io(self.descriptor, 1, ref=False)
        self.watcher.start(self.serve_ready)

    def close(self):
        """End; no client is watched any more."""
        self.watcher.stop()
        self.watcher.close()
        self.watches.clear()
        self.alarm.end()
        if self.descriptor >= 0:
            close(self.descriptor)
            self.descriptor = -1

    def watch(self, Peer peer):
        """A watch of the client's socket, not started."""
        return Watch(self, peer)

    cdef int add(self, Watch watch) except -1:
        cdef epoll_event event
        self.last_number += 1
        watch.number = self.last_number
        event.events = EPOLLIN
        event.data.u64 = watch.number
        if epoll_ctl(self.descriptor, EPOLL_CTL_ADD, watch.peer.fd, &event) < 0:
            raise OSError(errno, "epoll_ctl")
        watch.active = True
        self.watches[watch.number] = watch
        return 0

    cdef int remove(self, Watch watch) except -1:
        cdef epoll_event event
        watch.active = False
        self.watches.pop(watch.number, None)
        if self.descriptor >= 0:
            epoll_ctl(self.descriptor, EPOLL_CTL_DEL, watch.peer.fd, &event)
        return 0

    # -- receiving ----------------------------------------------------------------------------------------

    def serve_ready(self):
        """Serve the clients that are ready; the callback of gevent. Raises nothing.

        A turn of gevent's loop takes more time than a short request. So the turn is ended here and the next awaited here, up
        to a millisecond after the first has begun: so long the loop's timers and other descriptors may have to wait. The
        alarm ends the wait where there are many in that time.
        """
        cdef long long began = monotonic_ns()
        cdef int wait_ms = 0, turns = 0
        try:
            while self.serve_round(wait_ms):
                if not self.end_turn() or self.handed_over or self.network.defers or monotonic_ns() - began > LONGEST_NS:
                    break
                turns += 1
                wait_ms = 1
                if self.busy:
                    wait_ms = self.alarm.ring_in(LONGEST_NS)
        except Exception as error:
            self.network.report("a turn of the native path", error)
        self.alarm.stop()
        self.busy = turns > BUSY
        self.settle()

    cdef int settle(self) except -1:
        """Put what was journalled here into the propagation stream; whoever waits is not answered where that fails."""
        try:
            self.path.settle()
        except Exception as error:
            self.path.forget_journal()
            self.engine.durability.unrecorded(error)
            self.network.report("recording a turn of the native path", error)
            self.end()
            waiting, self.cycle.waiting = self.cycle.waiting, []
            for peer in waiting:
                peer.give_up()
        return 0

    cdef int serve_round(self, int wait_ms) except -1:
        """Serve the clients that are ready within ``wait_ms``, up to ``EVENTS`` of them; 0 where there is nothing more."""
        cdef epoll_event* events = self.events
        cdef int at, count
        cdef object found
        with nogil:
            count = epoll_wait(self.descriptor, events, EVENTS, wait_ms)
        if count <= 0 or (count == 1 and events[0].data.u64 == ALARM):
            return 0
        self.handed_over = False
        self.begin()
        for at in range(count):
            # Whoever was closed or stopped meanwhile is no longer there, even if the descriptor is in use again.
            found = self.watches.get(events[at].data.u64)
            if found is not None:
                self.serve_safely(<Watch>found, False)
        self.end()
        return count

    cdef bint end_turn(self) except -1:
        """End the turn as kedis.server.before_sleep does; False where the loop of gevent must go on."""
        cdef object cycle = self.cycle
        cdef object journal = cycle.journal
        cdef object figures = self.figures
        cdef list waiting
        cdef long long elapsed
        if cycle.durable or cycle.at_end or cycle.halted:
            return False
        if journal is not None:
            if self.path.journal_size or journal.has_entries:
                if not self.write_journal(journal):
                    return False
            elif journal.holds_replies and not journal.flush():
                return False
        if cycle.replication is not None:
            if self.streamed and not self.handed_over:
                self.streamed = False
            else:
                self.path.settle()
                cycle.replication.end_turn()
        waiting = cycle.waiting
        if waiting:
            cycle.waiting = []
            self.send_all(waiting)
        elapsed = max(self.path.read_clock() - self.began_ns, 0)
        if figures._held:
            figures.end_turn(self.began_ns + elapsed, len(waiting))
        else:
            figures.began_ns = 0
            observe(figures.turns, elapsed, 1)
            observe(figures.responses, elapsed, PyList_GET_SIZE(waiting))
        cycle.turns += 1
        return True

    cdef bint write_journal(self, journal) except -1:
        """Write what was journalled; False where it has gone into the propagation stream instead."""
        cdef object file = journal.direct_file()
        cdef object aof
        cdef Py_ssize_t length = self.path.journal_size
        cdef ssize_t written
        cdef int descriptor
        cdef bint direct
        cdef char* data = self.path.journal
        cdef bytes copy = None
        cdef long long began
        if file is None or slot_get(file, FILE_DIRTY_END) == Py_True:
            self.path.settle()
            return journal.flush()
        aof = journal.aof
        began = monotonic_ns()
        descriptor = slot_int(file, FILE_DESCRIPTOR)
        try:
            uncovered = <object>slot_get(file, FILE_UNCOVERED) + length
            size = <object>slot_get(file, FILE_SIZE) + length
            crc = crc32(PyMemoryView_FromMemory(data, length, PyBUF_READ), <object>slot_get(file, FILE_CRC))
            direct = uncovered < SEALED or slot_get(file, FILE_CHECKSUMS) != Py_True
            if PyList_GET_SIZE(<object>slot_get(self.path.propagation, PROPAGATION_SINKS)) > 1 and not self.stream_has_room(length):
                copy = PyBytes_FromStringAndSize(data, length)
        except MemoryError:
            direct = False
        if not direct:  # the Python path writes the checksum
            self.path.settle()
            return journal.flush()
        with nogil:
            written = write(descriptor, data, length)
        if written != length:  # the next attempt gives the reason
            file.cut_off()
            self.path.settle()
            return journal.flush()
        # The file has them: whatever fails from here on, they are not to be written again.
        self.path.forget_journal()
        slot_set(file, FILE_SIZE, size)
        slot_set(file, FILE_CRC, crc)
        slot_set(file, FILE_UNCOVERED, uncovered)
        journal.commits.unsynced = True
        slot_add(self.path.propagation, PROPAGATION_OFFSET, length)
        slot_add(self.path.propagation, PROPAGATION_EPOCH, 1)
        if copy is not None:
            self.path.propagation.feed_others(copy, aof)
        elif PyList_GET_SIZE(<object>slot_get(self.path.propagation, PROPAGATION_SINKS)) > 1:
            try:
                self.send_stream(data, length)
            except Exception:  # some replicas may have it, or a part
                self.cycle.replication.master.lost()
                raise
        aof.written_bytes += length
        observe(aof.writes, monotonic_ns() - began, 1)
        return True

    # -- the replication stream ---------------------------------------------------------------------------

    cdef bint stream_has_room(self, Py_ssize_t length) except -1:
        """Whether the last block of the replication stream takes so many bytes, and nobody else is fed."""
        cdef object replication = self.cycle.replication
        cdef object tail
        if replication is None or PyList_GET_SIZE(<object>slot_get(self.path.propagation, PROPAGATION_SINKS)) != 2:
            return False
        tail = <object>slot_get(replication.master.backlog, BACKLOG_TAIL)
        return slot_int(tail, BLOCK_USED) + length <= slot_int(tail, BLOCK_ROOM)

    cdef int send_stream(self, const char* data, Py_ssize_t length) except -1:
        """Append to the replication stream, which has room, and send to those that have all that came before.

        As kedis.replication.backlog.Backlog.append and kedis.server.replica_link.ReplicaLink.pump.
        """
        cdef object replication = self.cycle.replication
        cdef object master = replication.master
        cdef object backlog = master.backlog
        cdef object tail = <object>slot_get(backlog, BACKLOG_TAIL)
        cdef object cursor
        cdef long long used = slot_int(tail, BLOCK_USED)
        cdef long long before = slot_int(backlog, BACKLOG_OFFSET)
        cdef ssize_t done
        cdef Peer peer
        memcpy(<char*>PyMemoryView_GET_BUFFER(<object>slot_get(tail, BLOCK_VIEW)).buf + used, data, length)
        slot_set_int(tail, BLOCK_USED, used + length)
        slot_set_int(backlog, BACKLOG_OFFSET, before + length)
        for replica in list(master.following):
            cursor = <object>slot_get(replica, REPLICA_CURSOR)
            peer = <Peer?>slot_get(<object>slot_get(replica, REPLICA_CLIENT), CLIENT_TRANSPORT)
            if peer.closed:
                continue
            if (
                slot_get(replica, REPLICA_WAITS) != Py_True
                and slot_int(cursor, CURSOR_OFFSET) == before
                and slot_get(cursor, CURSOR_BLOCK) == <PyObject*>tail
            ):
                done = self.put_on_wire(peer, data, length)
                if done > 0:
                    self.sent += done
                    slot_add(cursor, CURSOR_OFFSET, done)
                    slot_add(replica, REPLICA_SENT_BYTES, done)
                if done == length:
                    continue
            replica.link.pump()
        master.sent_natively()
        self.streamed = True
        return 0

    def serve_kept(self, Watch watch):
        """Serve what was received of one client in an earlier turn, and watch it again."""
        self.begin()
        if not watch.active:
            self.add(watch)
        self.serve_safely(watch, True)
        self.settle()
        self.end()

    cdef int begin(self) except -1:
        if not self.figures.began_ns:
            self.figures.began_ns = self.path.read_clock()
            self.cycle.moment_ns = self.engine.monotonic()
        self.refresh()
        return 0

    cdef int refresh(self) except -1:
        """Read what may change while the Python path runs."""
        journal = self.cycle.journal
        self.began_ns = self.figures.began_ns
        self.moment = self.cycle.moment_ns
        self.slice_ns = self.network.slice_ns
        self.limits_clients = self.eviction.limit != 0
        self.output_limit = self.network.output_limit
        self.path.selective = journal is not None and journal.selective
        self.path.touches = journal.touches_unsynced if self.path.selective else None
        self.path.begin_turn()
        return 0

    cdef int end(self) except -1:
        if self.received:
            self.network.bytes_received += self.received
            self.received = 0
        if self.queued:
            self.cycle.waiting.extend(self.queued)
            self.queued.clear()
        return 0

    cdef int serve_safely(self, Watch watch, bint kept) except -1:
        cdef Peer peer = watch.peer
        try:
            self.serve(watch, kept)
        except Exception as error:
            self.path.forget_request()
            self.settle()
            self.network.report("serving a client", error)
            peer.give_up()
        return 0

    cdef int serve(self, Watch watch, bint kept) except -1:
        cdef Peer peer = watch.peer
        cdef object client = peer.client
        cdef Py_ssize_t size, rest
        cdef ssize_t got = 0
        cdef Py_ssize_t limit
        cdef int outcome
        cdef bint crowded
        if not kept:
            peer.began_ns = self.began_ns
        if watch.python_reads or self.limits_clients or not self.path.serves(client):
            return self.hand_over(watch, None)
        crowded = self.path.last_ns - self.began_ns > self.crowded_ns
        size = peer.input_size
        if size:
            memcpy(self.buffer, peer.input, size)
        if not kept:
            limit = self.small_read if crowded else READ_SIZE
            got = self.receive(peer, self.buffer + size, limit)
            if got == NOTHING:
                return 0
            if got == 0:
                return self.hand_over(watch, None)  # which will find the end, too
            self.received += got
            slot_set(client, CLIENT_LAST_INTERACTION, self.moment)
            size += got
            if crowded and got >= limit:
                peer.keep_input(NULL, 0)
                return self.hand_over(watch, PyBytes_FromStringAndSize(self.buffer, size))
        outcome = self.path.run(
            peer, self.buffer, size, self.small_budget_ns if crowded else self.slice_ns, peer.began_ns
        )
        rest = size - self.path.taken
        if outcome == FOREIGN or (
            outcome == MORE and (rest > KEPT_INPUT or (got < SLOW_PIECE and rest > SLOW_INPUT and not kept))
        ):
            peer.keep_input(NULL, 0)
            return self.hand_over(watch, PyBytes_FromStringAndSize(self.buffer + self.path.taken, rest))
        if rest or peer.input_size:
            peer.keep_input(self.buffer + self.path.taken, rest)
        if outcome == ASIDE:
            self.handed_over = True
            self.path.enter = self.enter_script
            self.refresh()
        elif outcome == LATER:
            watch.stop()
            self.network.next_turn(watch.go_on)
        if not peer.queued and (peer.output_size or PyList_GET_SIZE(<object>slot_get(client, CLIENT_OUT))):
            peer.queued = True
            if (
                self.path.selective
                and self.path.shows_only_durable
                and outcome != LATER
                and not peer.sealed
                and <object>slot_get(client, CLIENT_DIRTY_EPOCH)
                != <object>slot_get(self.path.propagation, PROPAGATION_EPOCH)
            ):
                self.cycle.durable.append(peer)
            else:
                self.queued.append(peer)
        elif peer.queued and self.path.selective:  # what was read before may be all that is durable
            self.cycle.hold_back(peer)
        return 0

    cdef ssize_t receive(self, Peer peer, char* target, Py_ssize_t limit) except? -2:
        """Receive up to ``limit`` bytes, by TLS up to READ_SIZE; 0 at the end, or where it has failed."""
        cdef ssize_t got
        if peer.tls is None:
            got = recv(peer.fd, target, limit, MSG_DONTWAIT)
            if got < 0:
                return NOTHING if errno == EAGAIN or errno == EINTR else 0
            return got
        try:
            return peer.tls.recv_into(PyMemoryView_FromMemory(target, READ_SIZE, PyBUF_WRITE), limit)
        except (BlockingIOError, InterruptedError):
            return NOTHING
        except OSError:
            return 0

    cdef int hand_over(self, Watch watch, bytes data) except -1:
        """Have the Python path serve ``data``, or receive."""
        cdef Peer peer = watch.peer
        self.handed_over = True
        self.path.settle()
        peer.surface()
        if peer.queued and self.path.selective:
            self.cycle.hold_back(peer)
        if PyList_GET_SIZE(<object>slot_get(peer.client, CLIENT_OUT)) and not peer.queued:
            peer.queued = True
            self.queued.append(peer)
        if data is None and peer.input_size:
            data = PyBytes_FromStringAndSize(peer.input, peer.input_size)
            peer.keep_input(NULL, 0)
        if data is None:
            watch.callback()
        else:
            watch.callback(data)
        watch.python_reads = not peer.parser.is_empty
        self.refresh()
        return 0

    def enter_script(self, call):
        """Switch to a new greenlet for scripts, which has this one and those that follow.

        It is made here because its stack then lies below all that the hub's needs for a switch to it, so that nothing
        of the hub's is copied.
        """
        self.path.enter = self.network.script_greenlet().switch
        return self.path.enter(call)

    # -- sending ------------------------------------------------------------------------------------------

    def send(self, list peers):
        """Send the replies of every one of ``peers``, as far as the kernel takes them."""
        self.send_all(peers)

    cdef int send_all(self, list peers) except -1:
        cdef Peer peer
        for peer in peers:
            peer.queued = False
            try:
                self.send_replies(peer)
            except Exception as error:
                peer.give_up(error)
        return self.count_sent()

    def send_sealed(self, list peers):
        """Send the sealed replies of every one of ``peers``."""
        cdef Peer peer
        for peer in peers:
            try:
                if PyList_GET_SIZE(peer.sealed) == 1 and type(peer.sealed[0]) is bytes and not peer.unsent:
                    self.send_bytes(peer, peer.sealed)
                else:
                    peer.send(peer.sealed)
            except Exception as error:
                peer.give_up(error)
        self.count_sent()

    def deliver(self, message, clients):
        """kedis.engine.pubsub.deliver: a message to every one of ``clients``."""
        cdef bytes wire = None
        cdef bytes wire2 = None
        cdef bytes wire3 = None
        cdef Peer peer
        cdef list waiting = self.cycle.waiting
        cdef bint holds_durable = bool(self.cycle.durable)
        for client in clients:
            if slot_int(client, CLIENT_RESP) == 3:
                wire = wire3 = wire3 or message.wire(3)
            else:
                wire = wire2 = wire2 or message.wire(2)
            transport = <object>slot_get(client, CLIENT_TRANSPORT)
            if (
                not isinstance(transport, Peer)
                or slot_get(client, CLIENT_BLOCKED) != Py_None
                or PyList_GET_SIZE(<object>slot_get(client, CLIENT_OUT))
                or holds_durable
            ):
                client.push(wire)
                continue
            peer = <Peer>transport
            if peer is self.path.peer:
                client.push(wire)
                continue
            if peer.closed:
                continue
            peer.put(PyBytes_AS_STRING(wire), PyBytes_GET_SIZE(wire))
            if not peer.queued:
                peer.queued = True
                waiting.append(peer)

    cdef int count_sent(self) except -1:
        if self.sent:
            self.network.bytes_sent += self.sent
            self.sent = 0
        return 0

    cdef int send_replies(self, Peer peer) except -1:
        cdef object client = peer.client
        cdef ssize_t done
        if peer.closed:
            return 0
        if peer.output_size and not peer.unsent and not (self.output_limit and peer.output_size > self.output_limit):
            done = self.put_on_wire(peer, peer.output, peer.output_size)
            if done < 0:
                peer.close()
                return 0
            self.sent += done
            if done == peer.output_size:
                peer.empty_output()
                if (
                    PyList_GET_SIZE(<object>slot_get(client, CLIENT_OUT)) == 0
                    and slot_get(client, CLIENT_CLOSE_AFTER_REPLY) != Py_True
                ):
                    if peer.noted_bytes:
                        peer.note_memory()
                    return 0
            else:
                (<list>slot_get(client, CLIENT_OUT)).insert(
                    0, PyBytes_FromStringAndSize(peer.output + done, peer.output_size - done)
                )
                peer.empty_output()
        else:
            peer.surface()
        peer.send()
        return 0

    cdef ssize_t put_on_wire(self, Peer peer, const char* data, Py_ssize_t size) except? -2:
        """Send as far as the kernel takes it; returns how far, -1 where the connection has failed."""
        cdef ssize_t done
        if peer.tls is None:
            done = send(peer.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL)
            return 0 if done < 0 and (errno == EAGAIN or errno == EINTR) else done
        try:
            return peer.tls.send(PyMemoryView_FromMemory(<char*>data, size, PyBUF_READ))
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return -1

    cdef int send_bytes(self, Peer peer, list chunks) except -1:
        """Send the only one of ``chunks``, and empty the list."""
        cdef bytes data = chunks[0]
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef ssize_t done
        if peer.closed:
            return 0
        if self.output_limit and size > self.output_limit:
            peer.send(chunks)
            return 0
        done = self.put_on_wire(peer, PyBytes_AS_STRING(data), size)
        if done == size and not peer.noted_bytes and not peer.client.close_after_reply:
            self.sent += done
            chunks.clear()
            return 0
        if done < 0:
            peer.close()
            return 0
        if done > 0:
            self.sent += done
            chunks[0] = data[done:]
            if done == size:
                chunks.clear()
        peer.send(chunks)
        return 0
