# -- lists --------------------------------------------------------------------------------------------


@cython.no_gc
cdef class List(Packed):
    """Elements as words, from the head. Beyond `LIST_BYTES` or `LIST_ELEMENTS` it is a deque, for good.

    To clients every list is a quicklist; a node of Redis's holds 8 KB by default. A push at the head moves the rest:
    0.1 us for 4 KB.
    """

    def __init__(self, elements=()):
        cdef Py_ssize_t size = 0
        cdef bytes element
        elements = list(elements)
        if len(elements) <= LIST_ELEMENTS:
            for element in elements:
                size += PyBytes_GET_SIZE(element) + MOST_AROUND
        if len(elements) > LIST_ELEMENTS or size > LIST_BYTES:
            self.full = FullList(elements)
        else:
            self.push_right_many(elements)

    # -- representation --------------------------------------------------------------------------------

    cdef Py_ssize_t length(self) noexcept:
        return self.count if self.full is None else len(self.full)

    cdef long long measure(self):
        return OBJECT + (room_of(self.size) if self.full is None else slot_int(self.full, LIST_FOOTPRINT))

    @property
    def footprint(self):
        return self.measure()

    cdef object expand(self):
        """Become full."""
        if self.full is None:
            self.full = FullList(self.slice(0, self.count))
            self.drop()
        return self.full

    cdef bint has_room(self, Py_ssize_t size) noexcept:
        """Whether one more element of ``size`` bytes may be packed."""
        return self.count < LIST_ELEMENTS and self.size + size + MOST_AROUND <= LIST_BYTES

    cdef char* word_at(self, Py_ssize_t position) noexcept:
        """The word at ``position``, or the end. O(distance to the nearer end)."""
        cdef char* at
        cdef Py_ssize_t step
        if 2 * position <= self.count:
            at = self.data
            for step in range(position):
                at += word_size(at)
        else:
            at = self.data + self.size
            for step in range(self.count - position):
                at = <char*>word_before(at)
        return at

    cdef int take_out(self, Py_ssize_t start, Py_ssize_t stop) except -1:
        """Remove the elements of positions start..stop-1."""
        cdef Py_ssize_t first, last
        if start < stop:
            first = self.word_at(start) - self.data
            last = self.word_at(stop) - self.data
            self.count -= stop - start
            self.cut(first, last - first)
        return 0

    # -- the ends --------------------------------------------------------------------------------------

    cpdef push_left(self, bytes value):
        cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
        if self.full is None and self.has_room(size):
            self.insert_word(0, PyBytes_AS_STRING(value), size)
            self.count += 1
            return
        self.expand()
        append_left(self.full, value)
        slot_add(self.full, LIST_FOOTPRINT, (size + 48 & -16) + PLACE)

    cpdef push_right(self, bytes value):
        cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
        if self.full is None and self.has_room(size):
            self.insert_word(self.size, PyBytes_AS_STRING(value), size)
            self.count += 1
            return
        self.expand()
        append_right(self.full, value)
        slot_add(self.full, LIST_FOOTPRINT, (size + 48 & -16) + PLACE)

    def push_left_many(self, values):
        if len(values) > LIST_ELEMENTS:
            self.expand().push_left_many(values)
            return
        for value in values:
            self.push_left(value)

    def push_right_many(self, values):
        if len(values) > LIST_ELEMENTS:
            self.expand().push_right_many(values)
            return
        for value in values:
            self.push_right(value)

    cpdef bytes pop_left(self):
        cdef bytes value
        if self.full is not None:
            value = take_left(self.full)
            slot_add(self.full, LIST_FOOTPRINT, -((PyBytes_GET_SIZE(value) + 48 & -16) + PLACE))
            return value
        if not self.count:
            raise IndexError("pop from an empty list")
        value = bytes_of(self.data)
        self.take_out(0, 1)
        return value

    cpdef bytes pop_right(self):
        cdef bytes value
        if self.full is not None:
            value = take_right(self.full)
            slot_add(self.full, LIST_FOOTPRINT, -((PyBytes_GET_SIZE(value) + 48 & -16) + PLACE))
            return value
        if not self.count:
            raise IndexError("pop from an empty list")
        value = bytes_of(word_before(self.data + self.size))
        self.take_out(self.count - 1, self.count)
        return value

    def pop_left_many(self, count):
        cdef Py_ssize_t taken
        if self.full is not None:
            return self.full.pop_left_many(count)
        taken = min(count, self.count)
        popped = self.slice(0, taken)
        self.take_out(0, taken)
        return popped

    def pop_right_many(self, count):
        cdef Py_ssize_t kept
        if self.full is not None:
            return self.full.pop_right_many(count)
        kept = self.count - min(count, self.count)
        popped = self.slice(kept, self.count)
        popped.reverse()
        self.take_out(kept, self.count)
        return popped

    def clear(self):
        if self.full is not None:
            self.full.clear()
        self.drop()

    # -- inside ----------------------------------------------------------------------------------------

    def replace(self, Py_ssize_t position, bytes value):
        cdef char* at
        if self.full is None:
            at = self.word_at(self.found(position))
            if self.size - word_size(at) + PyBytes_GET_SIZE(value) + MOST_AROUND <= LIST_BYTES:
                self.replace_word(at - self.data, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
                return
        self.expand().replace(position, value)

    cdef Py_ssize_t found(self, Py_ssize_t position) except -1:
        """A position that exists, from the head; negative ones count from the tail. Raises IndexError."""
        if position < 0:
            position += self.count
        if not 0 <= position < self.count:
            raise IndexError("list index out of range")
        return position

    def insert(self, Py_ssize_t position, bytes value):
        if self.full is None and self.has_room(PyBytes_GET_SIZE(value)):
            if position < 0:
                position = max(position + self.count, 0)
            position = min(position, <Py_ssize_t>self.count)
            self.insert_word(self.word_at(position) - self.data, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
            self.count += 1
            return
        self.expand().insert(position, value)

    def rotate(self, steps):
        """Move as many elements from the tail to the head, or (below 0) from the head to the tail."""
        if self.full is not None:
            self.full.rotate(steps)
            return
        for _ in range(steps):
            self.push_left(self.pop_right())
        for _ in range(-steps):
            self.push_right(self.pop_left())

    def discard(self, bytes value, count):
        if self.full is not None:
            return self.full.discard(value, count)
        places = list(self.positions(value, self.count))
        if count:
            places = places[:count] if count > 0 else places[max(len(places) + count, 0) :]
        for position in reversed(places):
            self.take_out(position, position + 1)
        return len(places)

    def trim(self, Py_ssize_t start, Py_ssize_t stop):
        if self.full is not None:
            self.full.trim(start, stop)
            return
        self.take_out(stop, self.count)
        self.take_out(0, start)

    def copy(self):
        cdef List twin = List()
        if self.full is not None:
            twin.full = self.full.copy()
        elif self.size:
            twin.insert_bytes(0, self.size)
            memcpy(twin.data, self.data, self.size)
            twin.count = self.count
        return twin

    # -- reading ---------------------------------------------------------------------------------------

    def __len__(self):
        return self.length()

    def __getitem__(self, position):
        if self.full is not None:
            return self.full[position]
        return bytes_of(self.word_at(self.found(position)))

    def __iter__(self):
        return iter(self.slice(0, self.count) if self.full is None else self.full)

    def __reversed__(self):
        return reversed(self.slice(0, self.count) if self.full is None else self.full)

    def __contains__(self, value):
        return value in (self.slice(0, self.count) if self.full is None else self.full)

    def __eq__(self, other):
        return list(self) == list(other)

    def index(self, value, *bounds):
        return (self.slice(0, self.count) if self.full is None else self.full).index(value, *bounds)

    cpdef list slice(self, Py_ssize_t start, Py_ssize_t stop):
        cdef list found = []
        cdef char* at
        cdef Py_ssize_t step
        if self.full is not None:
            return self.full.slice(start, stop)
        stop = min(stop, <Py_ssize_t>self.count)
        if start < stop:
            at = self.word_at(start)
            for step in range(stop - start):
                found.append(bytes_of(at))
                at += word_size(at)
        return found

    def positions(self, bytes value, Py_ssize_t reach):
        if self.full is not None:
            return self.full.positions(value, reach)
        return iter(self.places(value, 0, min(reach, <Py_ssize_t>self.count)))

    def positions_from_tail(self, bytes value, Py_ssize_t reach):
        if self.full is not None:
            return self.full.positions_from_tail(value, reach)
        return reversed(self.places(value, max(self.count - reach, 0), self.count))

    cdef list places(self, bytes value, Py_ssize_t start, Py_ssize_t stop):
        """The positions of ``value`` among start..stop-1."""
        cdef Word word
        cdef list found = []
        cdef char* at = self.word_at(start)
        cdef char* end = self.data + self.size
        cdef Py_ssize_t position
        spell(&word, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        for position in range(start, stop):
            if end - at >= word.size and word_is(at, &word):
                found.append(position)
            at += word_size(at)
        return found

    def words(self):
        """The words of a packed list, as bytes, and their number; None for a full one."""
        if self.full is not None:
            return None
        return PyBytes_FromStringAndSize(self.data, self.size), self.count

    def free_in_steps(self, Py_ssize_t piece):
        return self.expand().free_in_steps(piece)

    def _check(self):
        if self.full is not None:
            assert self.size == self.count == 0 and self.data == NULL
            self.full._check()
        else:
            check_words(self, self.count)
            assert self.count <= LIST_ELEMENTS and self.size <= LIST_BYTES
