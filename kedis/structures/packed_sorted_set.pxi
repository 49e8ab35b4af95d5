# -- sorted sets --------------------------------------------------------------------------------------


@cython.no_gc
cdef class SortedSet(Packed):
    """Members with scores, in order of score and then of bytes: first all scores, as doubles, then the members' words."""

    @classmethod
    def from_scores(cls, scores):
        cdef SortedSet built = cls()
        if len(scores) <= FEW_PAIRS and max(map(len, scores), default=0) <= SHORT:
            for member, score in sorted(scores.items(), key=by_score_and_member):
                built.insert_at(built.count, score, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
        else:
            built.full = FullSortedSet.from_scores(scores)
        return built

    @classmethod
    def from_columns(cls, members, scores):
        cdef SortedSet built = cls()
        if len(members) <= FEW_PAIRS and max(map(len, members), default=0) <= SHORT:
            for member, score in zip(members, scores, strict=True):
                built.insert_at(built.count, score, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
        else:
            built.full = FullSortedSet.from_columns(members, scores)
        return built

    # -- representation --------------------------------------------------------------------------------

    cdef Py_ssize_t length(self) noexcept:
        return self.count if self.full is None else len(self.full.scores)

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
        """Set the thresholds of a set that fits them."""
        self.thresholds = thresholds
        if thresholds is None:
            self.expand()

    def choose(self, thresholds, by_entries_alone=False):
        if len(self) <= thresholds.entries and (by_entries_alone or thresholds.fit(self)):
            if self.full is not None:
                pairs = list(self.full.items())
                self.full = None
                for member, score in pairs:
                    self.insert_at(self.count, score, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
            self.thresholds = thresholds
        else:
            self.expand()

    def be_full(self):
        self.expand()

    cdef FullSortedSet expand(self):
        """Become full."""
        if self.full is None:
            members, scores = self.columns(0, self.count)
            self.full = FullSortedSet.from_columns(members, scores)
            self.drop()
        self.thresholds = None
        return self.full

    @property
    def index(self):
        return None if self.full is None else self.full.index

    # -- places ----------------------------------------------------------------------------------------

    cdef double score_at(self, Py_ssize_t rank) noexcept:
        return (<double*>self.data)[rank]

    cdef char* word_at(self, Py_ssize_t rank) noexcept:
        """The word of the member at ``rank``, or the end. O(N), half of it from the nearer end."""
        cdef char* at
        cdef Py_ssize_t step
        if 2 * rank <= self.count:
            at = self.data + 8 * <Py_ssize_t>self.count
            for step in range(rank):
                at += word_size(at)
        else:
            at = self.data + self.size
            for step in range(self.count - rank):
                at = <char*>word_before(at)
        return at

    cdef Py_ssize_t find(self, const char* text, Py_ssize_t size) noexcept:
        """The rank of a member, or -1. O(N)."""
        cdef Word word
        cdef const char* at = self.data + 8 * <Py_ssize_t>self.count
        cdef const char* end = self.data + self.size
        cdef Py_ssize_t rank = 0
        spell(&word, text, size)
        while end - at >= word.size:
            if word_is(at, &word):
                return rank
            at += word_size(at)
            rank += 1
        return -1

    cdef bint look(self, const char* text, Py_ssize_t size, double* score) except -1:
        """Whether a member is there, and its score."""
        cdef Py_ssize_t rank
        cdef PyObject* found
        if self.full is None:
            rank = self.find(text, size)
            if rank < 0:
                return False
            score[0] = self.score_at(rank)
            return True
        found = PyDict_GetItem(self.full.scores, PyBytes_FromStringAndSize(text, size))
        if found == NULL:
            return False
        score[0] = PyFloat_AS_DOUBLE(<object>found)
        return True

    cdef Py_ssize_t rank_of_score(self, double score, bint after) noexcept:
        """Number of scores below ``score``, or (``after``) up to it."""
        cdef Py_ssize_t low = 0, high = self.count, middle
        cdef double other
        while low < high:
            middle = (low + high) >> 1
            other = self.score_at(middle)
            if other < score or (after and other == score):
                low = middle + 1
            else:
                high = middle
        return low

    cdef Py_ssize_t place_for(self, double score, const char* text, Py_ssize_t size) noexcept:
        """The rank at which a member that is not there belongs."""
        cdef Py_ssize_t rank = self.rank_of_score(score, False)
        cdef const char* at
        if rank < self.count and self.score_at(rank) == score:
            at = self.word_at(rank)
            while rank < self.count and self.score_at(rank) == score and compare_word(at, text, size) < 0:
                at += word_size(at)
                rank += 1
        return rank

    cdef int insert_at(self, Py_ssize_t rank, double score, const char* text, Py_ssize_t size) except -1:
        """Put a member that is not there at its rank."""
        cdef Word word
        cdef Py_ssize_t words, at, before = self.size
        spell(&word, text, size)
        words = 8 * <Py_ssize_t>self.count
        at = self.word_at(rank) - self.data
        self.insert_bytes(before, 8 + word.size)
        memmove(self.data + at + 8 + word.size, self.data + at, before - at)
        memmove(self.data + words + 8, self.data + words, at - words)
        memmove(self.data + 8 * rank + 8, self.data + 8 * rank, words - 8 * rank)
        write_word(self.data + at + 8, &word)
        (<double*>self.data)[rank] = score
        self.count += 1
        return 0

    cdef int cut_ranks(self, Py_ssize_t start, Py_ssize_t stop) except -1:
        """Remove the members of ranks start..stop-1."""
        cdef Py_ssize_t words = 8 * <Py_ssize_t>self.count, gone = 8 * (stop - start)
        cdef Py_ssize_t first = self.word_at(start) - self.data
        cdef Py_ssize_t last = self.word_at(stop) - self.data
        memmove(self.data + 8 * start, self.data + 8 * stop, words - 8 * stop)
        memmove(self.data + words - gone, self.data + words, first - words)
        memmove(self.data + first - gone, self.data + last, self.size - last)
        self.count -= stop - start
        self.cut(self.size - gone - (last - first), gone + (last - first))
        return 0

    # -- reading ---------------------------------------------------------------------------------------

    @property
    def scores(self):
        """Score by member, to read only."""
        if self.full is not None:
            return self.full.scores
        members, scores = self.columns(0, self.count)
        return dict(zip(members, scores))

    def __len__(self):
        return self.length()

    def __contains__(self, member):
        cdef double score
        if not isinstance(member, bytes):
            return False
        return self.look(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member), &score)

    def __iter__(self):
        return iter(self.members(0, self.count)) if self.full is None else iter(self.full)

    def items(self):
        return iter(self.slice(0, self.count)) if self.full is None else self.full.items()

    def score(self, bytes member):
        cdef double score
        if self.look(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member), &score):
            return score
        return None

    cpdef rank(self, bytes member, bint reverse=False):
        cdef Py_ssize_t rank
        if self.full is not None:
            return self.full.rank(member, reverse)
        rank = self.find(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
        if rank < 0:
            return None
        return self.count - 1 - rank if reverse else rank

    def at(self, Py_ssize_t rank):
        if self.full is not None:
            return self.full.at(rank)
        if not 0 <= rank < self.count:
            raise IndexError("rank out of range")
        return bytes_of(self.word_at(rank)), self.score_at(rank)

    def slice(self, start, stop, reverse=False):
        if self.full is not None:
            return self.full.slice(start, stop, reverse)
        members, scores = self.columns(start, stop, reverse)
        return list(zip(members, scores))

    cpdef list members(self, start, stop, bint reverse=False):
        cdef Py_ssize_t first, last, step
        cdef list found = []
        cdef char* at
        if self.full is not None:
            return self.full.members(start, stop, reverse)
        first, last = max(start, 0), min(stop, self.count)
        if reverse:
            first, last = self.count - last, self.count - first
        if first < last:
            at = self.word_at(first)
            for step in range(last - first):
                found.append(bytes_of(at))
                at += word_size(at)
            if reverse:
                found.reverse()
        return found

    def columns(self, start, stop, reverse=False):
        if self.full is not None:
            return self.full.columns(start, stop, reverse)
        first, last = max(start, 0), min(stop, self.count)
        members = self.members(first, last, reverse)
        scores = array("d")
        if members:
            if reverse:
                first, last = self.count - last, self.count - first
            scores.frombytes(PyBytes_FromStringAndSize(self.data + 8 * <Py_ssize_t>first, 8 * <Py_ssize_t>(last - first)))
            if reverse:
                scores.reverse()
        return members, scores

    def rank_range_by_score(self, double low, low_exclusive, double high, high_exclusive):
        if self.full is not None:
            return self.full.rank_range_by_score(low, low_exclusive, high, high_exclusive)
        start = self.rank_of_score(low, low_exclusive)
        return start, max(start, self.rank_of_score(high, not high_exclusive))

    def rank_range_by_lex(self, low, low_exclusive, high, high_exclusive):
        if self.full is not None:
            return self.full.rank_range_by_lex(low, low_exclusive, high, high_exclusive)
        members = self.members(0, self.count)
        start = 0 if low is None else (bisect_right if low_exclusive else bisect_left)(members, low)
        stop = len(members) if high is None else (bisect_left if high_exclusive else bisect_right)(members, high)
        return start, max(start, stop)

    # -- changing --------------------------------------------------------------------------------------

    def add(self, bytes member, double score):
        return self.put(member, score) == ADDED

    cpdef int put(self, bytes member, double score) except -1:
        cdef const char* text = PyBytes_AS_STRING(member)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(member), rank
        if self.full is not None:
            return self.full.put(member, score)
        rank = self.find(text, size)
        if rank >= 0:
            if self.score_at(rank) == score:
                return UNCHANGED
            self.cut_ranks(rank, rank + 1)
            self.insert_at(self.place_for(score, text, size), score, text, size)
            return MOVED
        if self.thresholds is None:
            if self.count >= FEW_PAIRS or size > SHORT:
                return self.expand().put(member, score)
        elif self.count >= slot_int(self.thresholds, ENTRIES) or size > slot_int(self.thresholds, LONGEST):
            return self.expand().put(member, score)
        self.insert_at(self.place_for(score, text, size), score, text, size)
        return ADDED

    cpdef bint remove(self, bytes member) except -1:
        cdef Py_ssize_t rank
        if self.full is not None:
            return self.full.remove(member)
        rank = self.find(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
        if rank < 0:
            return False
        self.cut_ranks(rank, rank + 1)
        return True

    def remove_range(self, start, stop):
        if self.full is not None:
            return self.full.remove_range(start, stop)
        start, stop = max(start, 0), min(stop, self.count)
        if start >= stop:
            return []
        taken = self.slice(start, stop)
        self.cut_ranks(start, stop)
        return taken

    def pop_min(self, count=1):
        return self.remove_range(0, count)

    def pop_max(self, count=1):
        taken = self.remove_range(len(self) - count, len(self))
        taken.reverse()
        return taken

    def copy(self):
        cdef SortedSet twin = SortedSet()
        if self.full is not None:
            twin.full = self.full.copy()
        elif self.size:
            twin.insert_bytes(0, self.size)
            memcpy(twin.data, self.data, self.size)
            twin.count = self.count
        twin.thresholds = self.thresholds
        return twin

    # -- sampling and scanning -------------------------------------------------------------------------

    def random_member(self, rng):
        return self.at(int(rng.random() * len(self)))

    def sample(self, count, rng):
        return [self.at(rank) for rank in rng.sample(range(len(self)), min(count, len(self)))]

    def scan(self, cursor, count):
        return (0, self.slice(0, self.count)) if self.full is None else self.full.scan(cursor, count)

    def free_in_steps(self, Py_ssize_t piece):
        return self.expand().free_in_steps(piece)

    cdef Py_ssize_t find_again(self, Py_ssize_t rank):
        """The rank of the member at ``rank``, found by its text."""
        cdef bytes member = bytes_of(self.word_at(rank))
        return self.find(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))

    def _check(self):
        if self.full is not None:
            assert self.thresholds is None and self.size == self.count == 0 and self.data == NULL
            self.full._check()
            return
        pairs = self.slice(0, self.count)
        assert pairs == sorted(pairs, key=by_score_and_member)
        assert len(dict(pairs)) == len(pairs) == self.count
        cdef char* at = self.data + 8 * <Py_ssize_t>self.count
        cdef Py_ssize_t rank
        for rank in range(self.count):
            at += word_size(at)
            assert word_before(at) == self.word_at(rank)
            assert self.find_again(rank) == rank
        assert at == self.data + self.size and (self.data == NULL) == (self.size == 0)


def by_score_and_member(pair):
    return pair[1], pair[0]


cdef int compare_word(const char* at, const char* text, Py_ssize_t size) noexcept nogil:
    """Compare the text of a word with another, as bytes."""
    cdef char digits[24]
    cdef const char* own
    cdef Py_ssize_t length = text_of(at, &own, digits)
    cdef int order = memcmp(own, text, min(length, size))
    if order:
        return order
    return (length > size) - (length < size)
