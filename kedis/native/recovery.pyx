# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
# cython: binding=True
"""Recovery in C: runs recorded commands by the forms of the native path, from the bytes of the append-only file.

Nothing is recorded or answered, nothing expires, and calls are counted for a replica's stream alone. A command without a form, and one whose form declines,
runs in its handler, as in :func:`kedis.engine.call.replay`. Commands that are none of data (SELECT, and a transaction
whose EXEC is further on) are left to the caller.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from libc.limits cimport LLONG_MAX
from libc.string cimport memcmp

from kedis.native.path cimport FINISHED, Path, Row

from kedis.native.path import rows_with_forms


cdef class Recorded:
    """A command that may be recorded: its handler, its form, and how many words it has."""

    cdef object handler
    cdef Row row
    cdef Py_ssize_t least, most
    #: The row of the engine's table, where calls are counted.
    cdef object command

    def __init__(self, handler, least, most, row, command):
        self.handler, self.least, self.most, self.row = handler, least, most, row
        self.command = command


cdef bint is_name(const char* text, Py_ssize_t size, const char* name) noexcept nogil:
    """Whether ``text`` is ``name``, four or five upper-case letters, in any case."""
    cdef Py_ssize_t at
    for at in range(size):
        if (text[at] & 0xDF) != name[at]:
            return False
    return name[size] == 0


cdef class Recovery:
    """Runs the commands of one load.

    Args:
        path: a path of its own.
        client: whose database the commands run in.
        handlers: name -> (handler, fewest words, most words) of the commands that may run.
        counted: name -> row of the engine's table; their calls count, and may be slow. None: nothing counts.
    """

    cdef Path path
    cdef object client, engine, keyspace, propagation
    cdef object multi, exec_
    cdef bint counts
    cdef dict commands
    #: The command before, whose name the next one often bears.
    cdef Recorded last
    cdef bytes last_name
    #: A transaction is under way whose EXEC has been seen.
    cdef bint in_transaction

    def __init__(self, path, client, handlers, counted=None):
        self.path, self.client, self.engine = path, client, client.engine
        self.counts = counted is not None
        counted = counted or {}
        self.multi, self.exec_ = counted.get(b"multi"), counted.get(b"exec")
        self.keyspace, self.propagation = client.engine.keyspace, client.engine.propagation
        self.last_name = b""
        self.commands = {}
        rows = rows_with_forms(path)
        for name, (handler, least, most) in handlers.items():
            self.commands[name] = Recorded(
                handler, least, most, rows.get(handler), counted.get(name.lower())
            )

    def whole_bytes(self, bytes data):
        """The size of the whole canonical commands at the start of ``data``. O(their words)."""
        cdef char* start = PyBytes_AS_STRING(data)
        cdef char* position = start
        cdef char* end = start + len(data)
        while position < end and self.path.parse(position, end) == FINISHED:
            position = self.path.next
        return position - start

    def run(self, bytes data, Py_ssize_t offset):
        """Run the commands of ``data``, which are whole and canonical, from ``offset`` on.

        Returns how many have run, the offset of the first that has not, and its exception: None for a command that is
        left to the caller, and at the end.
        """
        cdef char* start = PyBytes_AS_STRING(data)
        cdef char* position = start + offset
        cdef char* end = start + len(data)
        cdef Py_ssize_t ran = 0
        cdef Path path = self.path
        cdef Recorded found
        cdef long long began = 0, now
        path.begin_replay(self.client)
        if self.counts:
            began = path.read_clock()
        try:
            while position < end and path.parse(position, end) == FINISHED:
                found = self.find(path.words[0], path.sizes[0])
                if found is not None and found.least <= path.count <= found.most:
                    if not self.run_form(found):
                        found.handler(self.client, path.argv())
                    if self.counts:
                        now = path.read_clock()
                        self.count(found, now - began)
                        began = now
                elif not self.is_bracket(path.words[0], path.sizes[0], end):
                    break
                position = path.next
                ran += 1
        except Exception as error:
            return ran, position - start, error
        finally:
            path.end_replay()
            self.propagation.batch.clear()
            self.propagation.overridden = False
        return ran, position - start, None

    cdef int count(self, Recorded found, long long elapsed) except -1:
        """Count a call; it is of the client whose commands run, to the slow log as well."""
        if found.row is not None:
            return self.path.measure(found.row, elapsed)
        if not 0 <= elapsed < self.path.slow_ns:
            elapsed = max(elapsed - <long long>self.engine.check_clock(), 0)
            if elapsed >= self.path.slow_ns:
                self.engine.observer.take_slow_call(self.client, found.command, self.path.argv(), elapsed)
        counters = found.command.counters
        counters.nanoseconds += elapsed
        counters.count(elapsed)
        return 0

    cdef Recorded find(self, const char* name, Py_ssize_t size):
        cdef PyObject* found
        if size == PyBytes_GET_SIZE(self.last_name) and memcmp(name, PyBytes_AS_STRING(self.last_name), size) == 0:
            return self.last
        cdef bytes wanted = PyBytes_FromStringAndSize(name, size)
        found = PyDict_GetItem(self.commands, wanted)
        if found == NULL:
            return None
        self.last, self.last_name = <Recorded>found, wanted
        return self.last

    cdef bint run_form(self, Recorded found) except -1:
        return found.row is not None and self.path.replay(found.row)

    cdef bint is_bracket(self, const char* name, Py_ssize_t size, char* end):
        """Whether this is the MULTI of a transaction that ends before ``end``, or its EXEC."""
        if self.path.count != 1:
            return False
        if size == 4 and is_name(name, size, b"EXEC") and self.in_transaction:
            self.in_transaction = False
            if self.counts:
                self.exec_.counters.count(0)
            return True
        if size == 5 and is_name(name, size, b"MULTI") and not self.in_transaction:
            self.in_transaction = self.ends_before(end)
            if self.counts and self.in_transaction:
                self.multi.counters.count(0)
            return self.in_transaction
        return False

    cdef bint ends_before(self, char* end):
        """Whether an EXEC comes before ``end``; the request at hand stays the MULTI before."""
        cdef Path path = self.path
        cdef char* behind = path.next
        cdef char* position = behind
        cdef bint found = False
        while position < end and path.parse(position, end) == FINISHED:
            position = path.next
            if path.count == 1:
                if path.sizes[0] == 4 and is_name(path.words[0], 4, b"EXEC"):
                    found = True
                    break
                if path.sizes[0] == 5 and is_name(path.words[0], 5, b"MULTI"):
                    break
        path.next = behind
        return found
