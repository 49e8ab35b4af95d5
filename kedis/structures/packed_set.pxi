# -- sets ---------------------------------------------------------------------------------------------


@cython.no_gc
cdef class Set(Packed):
    """Distinct members: rising integers of 2, 4 or 8 bytes while there is nothing else, like Redis's intset, or words.

    A small set of texts is packed, too, although Redis has a table for it, and says so (``packed`` is None). One that
    has held a text holds words from then on, or is full.
    """

    def __init__(self, members=()):
        self.width = 2
        unique = members if isinstance(members, (set, frozenset)) else dict.fromkeys(members)
        if len(unique) <= FEW_INTEGERS and are_integers(unique):
            self.hold_numbers(unique)
        elif len(unique) <= FEW_TEXTS and max(map(len, unique)) <= SHORT:
            self.hold_words(unique)
        else:
            self.full = FullSet(unique)

    # -- representation --------------------------------------------------------------------------------

    def hold_numbers(self, members):
        """Hold these integers, packed; the set is empty."""
        cdef long long number
        numbers = sorted(map(int, members))
        self.width = 2
        if numbers:
            self.width = max(width_of(numbers[0]), width_of(numbers[len(numbers) - 1]))
        self.insert_bytes(0, self.width * len(numbers))
        for number in numbers:
            set_number(self, self.count, number)
            self.count += 1

    def hold_words(self, members):
        """Hold these members as words; the set is empty."""
        self.width = 0
        for member in members:
            self.insert_word(self.size, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
            self.count += 1

    cdef Py_ssize_t length(self) noexcept:
        return self.count if self.full is None else len(self.full)

    cdef long long measure(self):
        return OBJECT + 16 + (room_of(self.size) if self.full is None else self.full.footprint)

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
        """Set the thresholds of a set that fits them."""
        self.thresholds = thresholds
        if thresholds is None:
            self.be_full()

    def choose(self, thresholds, by_entries_alone=False):
        if len(self) <= thresholds.entries and (
            by_entries_alone or (self.full is None and self.width) or are_integers(self)
        ):
            if self.full is not None or not self.width:
                members = list(self)
                self.full = None
                self.drop()
                self.hold_numbers(members)
            self.thresholds = thresholds
        else:
            self.be_full()

    def be_full(self):
        """Be a table to clients; texts stay packed while they are few."""
        self.thresholds = None
        if self.full is None and self.width:
            self.spell_out()

    cdef int spell_out(self) except -1:
        """Hold integers as words, or in the full structure."""
        if self.count > FEW_TEXTS:
            self.expand()
            return 0
        members = list(self)
        self.drop()
        self.thresholds = None
        self.hold_words(members)
        return 0

    cdef FullSet expand(self):
        """Become full."""
        if self.full is None:
            self.full = FullSet(list(self))
            self.thresholds = None
            self.drop()
        return self.full

    @property
    def index(self):
        return None if self.full is None else self.full.index

    # -- reading ---------------------------------------------------------------------------------------

    cdef Py_ssize_t find(self, const char* text, Py_ssize_t size) noexcept:
        """Where the word stands in the buffer, or -1."""
        cdef Word word
        cdef const char* at = self.data
        cdef const char* end = self.data + self.size
        spell(&word, text, size)
        while end - at >= word.size:
            if word_is(at, &word):
                return at - self.data
            at += word_size(at)
        return -1

    cdef Py_ssize_t place_of(self, long long number, bint* found) noexcept:
        """The place of an integer among the others. O(log N)."""
        cdef Py_ssize_t low = 0, high = self.count, middle
        cdef long long other
        found[0] = False
        while low < high:
            middle = (low + high) >> 1
            other = number_at(self, middle)
            if other == number:
                found[0] = True
                return middle
            if other < number:
                low = middle + 1
            else:
                high = middle
        return low

    cdef bint has(self, const char* text, Py_ssize_t size) except -1:
        cdef long long number
        cdef bint found = False
        if self.full is not None:
            return PySet_Contains(self.full, PyBytes_FromStringAndSize(text, size))
        if not self.width:
            return self.find(text, size) >= 0
        if parse_canonical(text, size, &number):
            self.place_of(number, &found)
        return found

    def __len__(self):
        return self.length()

    def __contains__(self, bytes member):
        return self.has(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))

    def __iter__(self):
        return iter(self.members() if self.full is None else self.full)

    def members(self):
        """The members of a packed set."""
        cdef list found = []
        cdef const char* at = self.data
        cdef const char* end = self.data + self.size
        cdef Py_ssize_t place
        cdef char digits[24]
        if self.width:
            for place in range(self.count):
                found.append(PyBytes_FromStringAndSize(digits, write_decimal(digits, number_at(self, place))))
            return found
        while at < end:
            found.append(bytes_of(at))
            at += word_size(at)
        return found

    def as_set(self):
        return set(self.members()) if self.full is None else self.full

    def integers(self):
        """Width and bytes of the integers of a packed set, lowest byte first; None for any other."""
        if self.full is not None or not self.width:
            return None
        return self.width, PyBytes_FromStringAndSize(self.data, self.size)

    def __eq__(self, other):
        return self.as_set() == (other.as_set() if type(other) is Set else other)

    # -- changing --------------------------------------------------------------------------------------

    cdef int widen(self, int width) except -1:
        """Give every integer ``width`` bytes, which is more than they have."""
        cdef Py_ssize_t place
        cdef int old = self.width
        cdef long long number
        self.insert_bytes(self.size, (width - old) * <Py_ssize_t>self.count)
        for place in range(<Py_ssize_t>self.count - 1, -1, -1):
            self.width = old
            number = number_at(self, place)
            self.width = width
            set_number(self, place, number)
        self.width = width
        return 0

    cdef bint insert_number(self, long long number) except -1:
        cdef bint found = False
        cdef Py_ssize_t place = self.place_of(number, &found)
        if found:
            return False
        if width_of(number) > self.width:
            self.widen(width_of(number))
        self.insert_bytes(place * self.width, self.width)
        set_number(self, place, number)
        self.count += 1
        return True

    cpdef bint insert(self, bytes member, bint measure=True) except -1:
        cdef long long number
        cdef bint found = False
        cdef const char* text = PyBytes_AS_STRING(member)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(member)
        if self.full is not None:
            return self.full.insert(member, measure)
        if self.width:
            if parse_canonical(text, size, &number):
                if self.count < (FEW_INTEGERS if self.thresholds is None else slot_int(self.thresholds, ENTRIES)):
                    return self.insert_number(number)
                self.place_of(number, &found)
                if found:
                    return False
                return self.expand().insert(member)
            if self.count >= FEW_TEXTS or size > SHORT:
                return self.expand().insert(member)
            self.spell_out()
        elif self.find(text, size) >= 0:
            return False
        elif self.count >= FEW_TEXTS or size > SHORT:
            return self.expand().insert(member)
        self.insert_word(self.size, text, size)
        self.count += 1
        return True

    def insert_many(self, members):
        cdef Py_ssize_t before = self.length()
        if self.full is not None:
            return self.full.insert_many(members)
        if len(members) > FEW_INTEGERS:
            return self.expand().insert_many(members)
        for member in members:
            self.insert(member)
        return self.length() - before

    cdef bint remove_here(self, bytes member) except -1:
        cdef const char* text = PyBytes_AS_STRING(member)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(member), at
        cdef long long number
        cdef bint found = False
        if self.width:
            if not parse_canonical(text, size, &number):
                return False
            at = self.place_of(number, &found)
            if not found:
                return False
            self.cut(at * self.width, self.width)
        else:
            at = self.find(text, size)
            if at < 0:
                return False
            self.cut(at, word_size(self.data + at))
        self.count -= 1
        return True

    cpdef bint remove_member(self, bytes member, bint measure=True) except -1:
        return self.remove_here(member) if self.full is None else self.full.remove_member(member, measure)

    cpdef Py_ssize_t remove_many(self, members) except -1:
        cdef Py_ssize_t removed = 0
        if self.full is not None:
            return self.full.remove_many(members)
        for member in members:
            removed += self.remove_here(member)
        return removed

    def clear(self):
        if self.full is not None:
            self.full.clear()
        self.drop()

    def copy(self):
        cdef Set twin = Set()
        if self.full is not None:
            twin.full = self.full.copy()
        else:
            twin.insert_bytes(0, self.size)
            if self.size:
                memcpy(twin.data, self.data, self.size)
            twin.count = self.count
            twin.width = self.width
            twin.thresholds = self.thresholds
        return twin

    # -- sampling and scanning -------------------------------------------------------------------------

    cpdef bytes pop_random(self, rng):
        cdef bytes member
        if self.full is not None:
            return self.full.pop_random(rng)
        member = containers._pick(self.members(), None, rng)
        self.remove_here(member)
        return member

    def random_one(self, rng):
        return containers._pick(self.members() if self.full is None else self.full, self.index, rng)

    def sample_distinct(self, rng, Py_ssize_t count):
        members = self.members() if self.full is None else self.full
        return containers._sample_distinct(members, self.index, rng, count)

    def sample_with_repeats(self, rng, Py_ssize_t count):
        members = self.members() if self.full is None else self.full
        return containers._sample_with_repeats(members, self.index, rng, count)

    def scan(self, cursor, Py_ssize_t count):
        return (0, self.members()) if self.full is None else self.full.scan(cursor, count)

    def free_in_steps(self, Py_ssize_t piece):
        return self.expand().free_in_steps(piece)

    def _check(self):
        if self.full is not None:
            assert self.thresholds is None and self.size == self.count == 0 and self.data == NULL
            self.full._check()
            return
        members = self.members()
        assert len(members) == len(set(members)) == self.count
        if self.width:
            numbers = list(map(int, members))
            assert numbers == sorted(numbers) and self.size == self.width * self.count
            assert (self.data == NULL) == (self.size == 0)
        else:
            check_words(self, self.count)
            assert self.thresholds is None and self.count <= FEW_TEXTS


cdef inline int width_of(long long number) noexcept nogil:
    if -32768 <= number < 32768:
        return 2
    return 4 if -(<long long>1 << 31) <= number < <long long>1 << 31 else 8


cdef inline long long number_at(Set packed, Py_ssize_t place) noexcept:
    cdef char* at = packed.data + place * packed.width
    if packed.width == 2:
        return (<short*>at)[0]
    if packed.width == 4:
        return (<int*>at)[0]
    return (<long long*>at)[0]


cdef inline void set_number(Set packed, Py_ssize_t place, long long number) noexcept:
    cdef char* at = packed.data + place * packed.width
    if packed.width == 2:
        (<short*>at)[0] = <short>number
    elif packed.width == 4:
        (<int*>at)[0] = <int>number
    else:
        (<long long*>at)[0] = number
