# -- the buffers of a client ------------------------------------------------------------------------------


cdef class Peer:
    """The C part of a connection: the replies of this turn, and input that makes no whole command yet.

    Replies that Python encodes are in ``client.out`` and come after those here; :meth:`surface` moves these there.

    Attributes:
        queued: its replies are sent at the end of this turn.
        sealed: replies that wait for the sync under way; later ones are in ``client.out`` and here.
        closed: nothing is read, run or sent any more.
        noted_bytes: the size of its buffers that client eviction knows of.
        commands_before: commands of the read at hand that have run here before the rest went to the Python path.
    """

    def __cinit__(self):
        self.output = NULL
        self.input = NULL
        self.output_size = self.output_room = self.input_size = 0

    def __dealloc__(self):
        free(self.output)
        free(self.input)

    cdef char* room(self, Py_ssize_t size) except NULL:
        """The place behind the replies, with room for ``size`` bytes."""
        cdef Py_ssize_t wanted
        cdef char* grown
        if self.output_size + size > self.output_room:
            wanted = max(2 * self.output_room, SHORT_OUTPUT)
            while wanted < self.output_size + size:
                wanted *= 2
            grown = <char*>realloc(self.output, wanted)
            if grown == NULL:
                raise MemoryError
            self.output = grown
            self.output_room = wanted
        return self.output + self.output_size

    cdef int put(self, const char* text, Py_ssize_t size) except -1:
        memcpy(self.room(size), text, size)
        self.output_size += size
        return 0

    cdef int keep_input(self, const char* data, Py_ssize_t size) except -1:
        """Keep input for the next read; ``data`` may be the input that is kept."""
        cdef char* kept = NULL
        if size:
            kept = <char*>malloc(size)
            if kept == NULL:
                raise MemoryError
            memcpy(kept, data, size)
        free(self.input)
        self.input = kept
        self.input_size = size
        return 0

    @property
    def output_bytes_here(self):
        """Bytes of replies that are not in ``client.out``."""
        return self.output_size

    @property
    def input_bytes_here(self):
        """Bytes received that make no whole command yet, and that the parser does not hold."""
        return self.input_size

    cpdef surface(self):
        """Move the replies in front of those in ``client.out``, where the Python path finds all of them."""
        if self.output_size:
            self.client.out.insert(0, PyBytes_FromStringAndSize(self.output, self.output_size))
            self.empty_output()

    cpdef drop_buffers_here(self):
        """Forget replies and input."""
        free(self.output)
        free(self.input)
        self.output = self.input = NULL
        self.output_size = self.output_room = self.input_size = 0

    cdef void empty_output(self) noexcept:
        self.output_size = 0
        if self.output_room > KEPT_OUTPUT:
            free(self.output)
            self.output = NULL
            self.output_room = 0
