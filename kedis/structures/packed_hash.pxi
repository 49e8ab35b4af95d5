# -- hashes -------------------------------------------------------------------------------------------


@cython.no_gc
cdef class Hash(Packed):
    """Field to value: words of a field and its value in turn, in the order in which the fields came."""

    def __init__(self, items=()):
        pairs = list(items.items()) if hasattr(items, "items") else list(items)
        if len(pairs) <= FEW_PAIRS and all([len(field) <= SHORT and len(value) <= SHORT for field, value in pairs]):
            for field, value in pairs:
                self.put(field, value)
        else:
            self.full = FullHash(pairs)

    # -- representation --------------------------------------------------------------------------------

    cdef Py_ssize_t length(self) noexcept:
        return self.count if self.full is None else len(self.full)

    cdef long long measure(self):
        return OBJECT + (room_of(self.size) if self.full is None else self.full.footprint)

    @property
    def footprint(self):
        return self.measure()

    @property
    def elements_bytes(self):
        return self.size if self.full is None else self.full.elements_bytes

    @property
    def packed(self):
        return self.thresholds

    @packed.setter
    def packed(self, thresholds):
        """Set the thresholds of a hash that fits them."""
        self.thresholds = thresholds
        if thresholds is None:
            self.expand()

    def choose(self, thresholds, by_entries_alone=False):
        if len(self) <= thresholds.entries and (by_entries_alone or thresholds.fit(self, self.values())):
            if self.full is not None:
                full, self.full = self.full, None
                self.thresholds = None
                for field, value in full.items():
                    self.append_pair(field, value)
            self.thresholds = thresholds
        else:
            self.thresholds = None
            self.expand()

    cdef FullHash expand(self):
        """Become full."""
        cdef FullHash full
        if self.full is None:
            full = FullHash(self.as_dict())
            self.full = full
            self.thresholds = None
            self.drop()
        return self.full

    @property
    def index(self):
        return None if self.full is None else self.full.index

    # -- reading ---------------------------------------------------------------------------------------

    cdef Py_ssize_t find(self, const char* text, Py_ssize_t size) noexcept:
        """Where the field stands in the buffer, or -1."""
        cdef Word word
        cdef const char* at = self.data
        cdef const char* end = self.data + self.size
        spell(&word, text, size)
        while at < end:
            if end - at >= word.size and word_is(at, &word):
                return at - self.data
            at += word_size(at)
            at += word_size(at)
        return -1

    cdef object look(self, const char* text, Py_ssize_t size):
        """The value of a field, or None."""
        cdef Py_ssize_t at
        cdef PyObject* value
        if self.full is None:
            at = self.find(text, size)
            return None if at < 0 else bytes_of(self.data + at + word_size(self.data + at))
        value = PyDict_GetItem(self.full, PyBytes_FromStringAndSize(text, size))
        return None if value == NULL else <object>value

    def __len__(self):
        return self.length()

    def __contains__(self, bytes field):
        if self.full is None:
            return self.find(PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field)) >= 0
        return field in self.full

    def __getitem__(self, bytes field):
        found = self.look(PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field))
        if found is None:
            raise KeyError(field)
        return found

    def get(self, bytes field, default=None):
        found = self.look(PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field))
        return default if found is None else found

    def __iter__(self):
        return iter(self.keys())

    def keys(self):
        return self.every(0, 2) if self.full is None else self.full.keys()

    def values(self):
        return self.every(1, 2) if self.full is None else self.full.values()

    def items(self):
        return list(zip(self.every(0, 2), self.every(1, 2))) if self.full is None else self.full.items()

    def every(self, Py_ssize_t first, Py_ssize_t step):
        """The words from the one numbered ``first`` on, each ``step`` words."""
        cdef list found = []
        cdef const char* at = self.data
        cdef const char* end = self.data + self.size
        cdef Py_ssize_t number = 0
        while at < end:
            if number % step == first:
                found.append(bytes_of(at))
            at += word_size(at)
            number += 1
        return found

    def as_dict(self):
        return dict(zip(self.every(0, 2), self.every(1, 2))) if self.full is None else self.full

    def words(self):
        """The words of a packed hash, as bytes, and their number; None for a full one."""
        if self.full is not None:
            return None
        return PyBytes_FromStringAndSize(self.data, self.size), 2 * self.count

    def __eq__(self, other):
        return self.as_dict() == (other.as_dict() if type(other) is Hash else other)

    # -- changing --------------------------------------------------------------------------------------

    cpdef bint put(self, bytes field, bytes value) except -1:
        cdef Py_ssize_t at, size = PyBytes_GET_SIZE(field), length = PyBytes_GET_SIZE(value)
        cdef long long longest = SHORT
        if self.full is not None:
            return self.full.put(field, value)
        if self.thresholds is not None:
            longest = slot_int(self.thresholds, LONGEST)
        if size > longest or length > longest:
            return self.expand().put(field, value)
        at = self.find(PyBytes_AS_STRING(field), size)
        if at >= 0:
            at += word_size(self.data + at)
            self.replace_word(at, PyBytes_AS_STRING(value), length)
            if self.thresholds is not None and self.count > slot_int(self.thresholds, ENTRIES):
                self.expand()  # they have been lowered
            return False
        if self.count >= (FEW_PAIRS if self.thresholds is None else slot_int(self.thresholds, ENTRIES)):
            return self.expand().put(field, value)
        self.append_pair(field, value)
        return True

    cdef int append_pair(self, bytes field, bytes value) except -1:
        """Add a field that is not there, whatever the thresholds."""
        cdef Word first, second
        cdef Py_ssize_t at = self.size
        spell(&first, PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field))
        spell(&second, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        self.insert_bytes(at, first.size + second.size)
        write_word(self.data + at, &first)
        write_word(self.data + at + first.size, &second)
        self.count += 1
        return 0

    def put_many(self, fields, values):
        cdef Py_ssize_t before = self.length()
        if self.full is not None:
            return self.full.put_many(fields, values)
        if self.thresholds is not None and len(fields) > 2 * slot_int(self.thresholds, ENTRIES):
            return self.expand().put_many(fields, values)
        for field, value in zip(fields, values, strict=True):
            self.put(field, value)
        return self.length() - before

    cdef Py_ssize_t remove_here(self, const char* text, Py_ssize_t size) except -1:
        cdef Py_ssize_t at = self.find(text, size), length
        if at < 0:
            return 0
        length = word_size(self.data + at)
        length += word_size(self.data + at + length)
        self.cut(at, length)
        self.count -= 1
        return 1

    def remove(self, bytes field, measure=True):
        if self.full is not None:
            return self.full.remove(field)
        return bool(self.remove_here(PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field)))

    cpdef Py_ssize_t remove_many(self, fields) except -1:
        cdef Py_ssize_t removed = 0
        if self.full is not None:
            return self.full.remove_many(fields)
        for field in fields:
            removed += self.remove_here(PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field))
        return removed

    def clear(self):
        if self.full is not None:
            self.full.clear()
        self.drop()

    def copy(self):
        cdef Hash twin = Hash()
        if self.full is not None:
            twin.full = self.full.copy()
        else:
            twin.insert_bytes(0, self.size)
            memcpy(twin.data, self.data, self.size)
            twin.count = self.count
            twin.thresholds = self.thresholds
        return twin

    # -- sampling and scanning -------------------------------------------------------------------------

    def random_one(self, rng):
        return containers._pick(self.keys(), self.index, rng)

    def sample_distinct(self, rng, Py_ssize_t count):
        return containers._sample_distinct(self.keys(), self.index, rng, count)

    def sample_with_repeats(self, rng, Py_ssize_t count):
        return containers._sample_with_repeats(self.keys(), self.index, rng, count)

    def scan(self, cursor, Py_ssize_t count):
        return (0, self.keys()) if self.full is None else self.full.scan(cursor, count)

    def free_in_steps(self, Py_ssize_t piece):
        return self.expand().free_in_steps(piece)

    def _check(self):
        if self.full is not None:
            assert self.thresholds is None and self.size == self.count == 0 and self.data == NULL
            self.full._check()
            return
        check_words(self, 2 * self.count)
        assert len(set(self.keys())) == self.count


cdef int check_words(Packed packed, Py_ssize_t count) except -1:
    """Assert that the buffer holds so many words, each spelled as it must be, and that they lead back, too."""
    cdef Py_ssize_t at = 0, seen = 0
    cdef Word word
    cdef bytes text
    cdef const char* back
    assert (packed.data == NULL) == (packed.size == 0)
    while at < packed.size:
        text = bytes_of(packed.data + at)
        spell(&word, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        assert word_is(packed.data + at, &word) and word_size(packed.data + at) == word.size
        back = word_before(packed.data + at + word.size)
        assert back == packed.data + at
        at += word.size
        seen += 1
    assert at == packed.size and seen == count
    return 0
