# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, binding=True
"""The scan index of scan_index.py in C: the same buckets, in the same order, as arrays of pointers.

scan_index.py explains the structure and is the reference; the same tests run on both. What differs:

- Buckets are allocated by ``malloc``. Lists would stand in the arenas of Python's allocator, between keys and values
  of their time, and keep all of those arenas when the keys are deleted.
- No garbage collector looks at them: keys are bytes, which refer to nothing.
- A search compares addresses and bytes: 0.05 us in a bucket that is in the cache.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject, PyObject_Hash
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memmove

from itertools import chain

LOAD = 20
MERGE_LOAD = 8
REJECTIONS_PER_BUCKET = 4

cdef enum:
    #: The constants above, and by how many slots a bucket grows.
    load = 20
    merge_load = 8
    rejections_per_bucket = 4
    slots = 8


cdef bint set_room(Bucket* bucket, Py_ssize_t room) noexcept:
    """Give ``bucket`` room for so many keys, not fewer than it has; False, and nothing done, without memory."""
    cdef PyObject** keys
    if room == 0:
        free(bucket.keys)
        bucket.keys = NULL
    else:
        keys = <PyObject**>realloc(bucket.keys, room * sizeof(PyObject*))
        if keys == NULL:
            return False
        bucket.keys = keys
    bucket.room = <unsigned int>room
    return True


cdef inline Py_ssize_t rounded(Py_ssize_t size) noexcept:
    """The room of a bucket of ``size`` keys."""
    return (size + slots - 1) // slots * slots


cdef inline Py_ssize_t place_of(Bucket* bucket, bytes key) noexcept:
    """Where an equal key stands in ``bucket``; -1 for nowhere."""
    cdef Py_ssize_t at, size = PyBytes_GET_SIZE(key)
    cdef PyObject* held
    for at in range(bucket.size):
        if bucket.keys[at] == <PyObject*>key:
            return at
    for at in range(bucket.size):
        held = bucket.keys[at]
        if PyBytes_GET_SIZE(<object>held) == size and (
            memcmp(PyBytes_AS_STRING(<object>held), PyBytes_AS_STRING(key), size) == 0
        ):
            return at
    return -1


cdef class ScanIndex:
    """Distinct bytes keys with resumable iteration and fair random choice. See scan_index.py."""

    def __init__(self, keys=()):
        self._fill(list(keys))

    def __dealloc__(self):
        self.drop()

    cdef void drop(self) noexcept:
        """Free all buckets, also the last."""
        while self.count:
            self.pop_bucket()
        free(self.buckets)
        self.buckets = NULL
        self.places = 0

    cdef void pop_bucket(self) noexcept:
        """Free the last bucket and let go of its keys."""
        cdef Py_ssize_t at
        cdef Bucket bucket
        self.count -= 1
        bucket = self.buckets[self.count]
        for at in range(bucket.size):
            Py_DECREF(<object>bucket.keys[at])
        free(bucket.keys)

    cdef bint have_places(self, Py_ssize_t count) noexcept:
        """Make room in the directory for so many buckets; False, and nothing done, without memory."""
        cdef Bucket* buckets
        cdef Py_ssize_t places
        if count > self.places:
            places = max(count, self.places + self.places // 2)
            buckets = <Bucket*>realloc(self.buckets, places * sizeof(Bucket))
            if buckets == NULL:
                return False
            self.buckets = buckets
            self.places = places
        return True

    cdef void give_back_places(self, Py_ssize_t places) noexcept:
        """Keep room in the directory for so many buckets, all there are or more."""
        cdef Bucket* buckets = <Bucket*>realloc(self.buckets, places * sizeof(Bucket))
        if buckets != NULL:
            self.buckets = buckets
            self.places = places

    cdef inline Bucket* bucket_of(self, bytes key) noexcept:
        """The bucket for ``key``, whose hash is known to the object from now on."""
        cdef Py_ssize_t number = PyObject_Hash(key) & self.high
        if number >= self.count:
            number &= self.low
        return &self.buckets[number]

    cdef int append(self, Bucket* bucket, bytes key) except -1:
        if bucket.size == bucket.room and not set_room(bucket, bucket.room + slots):
            raise MemoryError
        Py_INCREF(key)
        bucket.keys[bucket.size] = <PyObject*>key
        bucket.size += 1
        return 0

    cdef int _fill(self, list keys) except -1:
        cdef Py_ssize_t length = PyList_GET_SIZE(keys), count = max(1, (length + load - 1) // load), at, low = 1
        cdef Bucket* bucket
        cdef Bucket* buckets = <Bucket*>malloc(count * sizeof(Bucket))
        if buckets == NULL:
            raise MemoryError
        self.drop()
        self.buckets = buckets
        self.places = count
        while low * 2 <= count:
            low *= 2
        self.low = low - 1
        self.high = low * 2 - 1
        for at in range(count):
            bucket = &self.buckets[at]
            bucket.keys = NULL
            bucket.size = bucket.room = 0
        self.count = count
        self.room = load * count
        self.slack = (load - merge_load) * count
        self.rejected = self.bound = 0
        for at in range(length):
            key = <bytes?>(<object>PyList_GET_ITEM(keys, at))
            bucket = self.bucket_of(key)
            self.append(bucket, key)
            self.room -= 1
            self.bound = max(self.bound, bucket.size)
        return 0

    def __len__(self):
        return load * self.count - self.room

    def __sizeof__(self):
        """Bytes of the directory and the buckets, with what ``malloc`` adds to each."""
        cdef Py_ssize_t number, total = self.places * sizeof(Bucket)
        for number in range(self.count):
            total += self.buckets[number].room * sizeof(PyObject*) + sizeof(PyObject*)
        return total

    cdef list keys_of(self, Py_ssize_t number):
        """The keys of a bucket as a list; none beyond the last."""
        cdef list keys = []
        cdef Py_ssize_t at
        if number < self.count:
            for at in range(self.buckets[number].size):
                keys.append(<object>self.buckets[number].keys[at])
        return keys

    def _keys_of(self, Py_ssize_t number):
        return self.keys_of(number)

    @property
    def _buckets(self):
        """The keys of each bucket, as a copy."""
        return list(map(self._keys_of, range(self.count)))

    def __iter__(self):
        return chain.from_iterable(map(self._keys_of, range(self.count)))

    cpdef add(self, bytes key):
        """Add `key`, which must not be present. Amortised O(1)."""
        cdef Bucket* bucket = self.bucket_of(key)
        self.append(bucket, key)
        if bucket.size > self.bound:
            self.bound = bucket.size
        self.room -= 1
        if self.room < 0:
            self.split()

    cpdef discard(self, bytes key):
        """Remove `key`, which must be present (ValueError otherwise). Amortised O(1)."""
        cdef Bucket* bucket = self.bucket_of(key)
        cdef Py_ssize_t at = place_of(bucket, key)
        cdef PyObject* held
        if at < 0:
            raise ValueError("the key is not in the index")
        held = bucket.keys[at]
        bucket.size -= 1
        memmove(&bucket.keys[at], &bucket.keys[at + 1], (bucket.size - at) * sizeof(PyObject*))
        if bucket.room - bucket.size >= 2 * slots:
            set_room(bucket, rounded(bucket.size))
        self.room += 1
        if self.room > self.slack:
            self.merge()
        Py_DECREF(<object>held)

    cpdef bytes held(self, bytes key):
        """The object of the index that equals `key`; `key` where there is none. O(1) expected."""
        cdef Bucket* bucket = self.bucket_of(key)
        cdef Py_ssize_t at = place_of(bucket, key)
        return key if at < 0 else <bytes>bucket.keys[at]

    def clear(self):
        """Remove every key."""
        self._fill([])

    def free_in_steps(self, Py_ssize_t piece):
        """Empty the index; yields after every `piece` buckets. O(N)."""
        cdef ScanIndex old = ScanIndex()
        old.buckets, self.buckets = self.buckets, old.buckets
        old.count, self.count = self.count, old.count
        old.places, self.places = self.places, old.places
        self.low, self.high, self.room, self.slack = old.low, old.high, old.room, old.slack
        self.bound = self.rejected = 0
        return _free(old, piece)

    cpdef ScanIndex copy(self):
        """An independent copy. O(N), a third of what building takes: no key is hashed."""
        cdef ScanIndex twin = ScanIndex.__new__(ScanIndex)
        cdef Bucket* bucket
        cdef Py_ssize_t at
        if not twin.have_places(self.count):
            raise MemoryError
        for number in range(self.count):
            bucket = &twin.buckets[number]
            bucket.keys = NULL
            bucket.size = bucket.room = 0
            twin.count = number + 1
            if not set_room(bucket, rounded(self.buckets[number].size)):
                raise MemoryError
            bucket.size = self.buckets[number].size
            for at in range(bucket.size):
                bucket.keys[at] = self.buckets[number].keys[at]
                Py_INCREF(<object>bucket.keys[at])
        twin.low, twin.high, twin.room, twin.slack = self.low, self.high, self.room, self.slack
        twin.bound, twin.rejected = self.bound, self.rejected
        return twin

    def repack(self):
        """Give back the slots and places that are free. O(N)."""
        cdef Py_ssize_t number
        self.give_back_places(self.count)
        for number in range(self.count):
            set_room(&self.buckets[number], rounded(self.buckets[number].size))

    cdef void split(self) noexcept:
        """Divide the bucket at the split pointer by one more bit of the hash; later, where memory has run out."""
        cdef Py_ssize_t bit = self.low + 1, at, stays = 0, size
        cdef Bucket* source
        cdef Bucket* moved
        cdef PyObject* key
        if not self.have_places(self.count + 1):
            return
        source = &self.buckets[self.count - bit]
        moved = &self.buckets[self.count]
        moved.keys = NULL
        moved.size = moved.room = 0
        size = 0
        for at in range(source.size):
            if PyObject_Hash(<object>source.keys[at]) & bit:
                size += 1
        if not set_room(moved, rounded(size)):
            return
        for at in range(source.size):
            key = source.keys[at]
            if PyObject_Hash(<object>key) & bit:
                moved.keys[moved.size] = key
                moved.size += 1
            else:
                source.keys[stays] = key
                stays += 1
        source.size = <unsigned int>stays
        set_room(source, rounded(stays))
        self.count += 1
        if self.count == bit * 2:
            self.low = self.high
            self.high = self.high * 2 + 1
        self.room += load
        self.slack += load - merge_load

    cdef void merge(self) noexcept:
        """Undo the latest split; a single bucket stays as it is, and all do where memory has run out."""
        cdef Bucket* last
        cdef Bucket* bucket
        cdef Py_ssize_t low = self.low
        if self.count == 1:
            return
        if self.count == low + 1:
            low >>= 1
        last = &self.buckets[self.count - 1]
        bucket = &self.buckets[(self.count - 1) & low]
        if bucket.size + last.size > bucket.room and not set_room(bucket, rounded(bucket.size + last.size)):
            return
        if last.size:
            memcpy(&bucket.keys[bucket.size], last.keys, last.size * sizeof(PyObject*))
            bucket.size += last.size
        free(last.keys)
        self.count -= 1
        if low != self.low:
            self.high = self.low
            self.low = low
        self.bound = max(self.bound, bucket.size)
        self.room -= load
        self.slack -= load - merge_load
        if self.places > 4 * self.count:
            self.give_back_places(2 * self.count)

    cpdef tuple scan(self, unsigned long long cursor, Py_ssize_t count):
        """Return the next cursor and the keys of the buckets from `cursor` on, until at least `count` keys.

        See scan_index.py. O(count) expected.
        """
        cdef unsigned long long low = self.low, high = self.high, number, bit
        cdef list found = []
        while True:
            number = cursor & low
            bit = low + 1
            if number + bit < <unsigned long long>self.count:  # split in this round: one more bit
                number = cursor & high
            else:
                bit >>= 1
            found += self.keys_of(number)
            while number & bit:
                number ^= bit
                bit >>= 1
            if not bit:
                return 0, found
            cursor = number | bit
            if PyList_GET_SIZE(found) >= count:
                return cursor, found

    cpdef bytes random(self, rng):
        """Return one key, each with the same probability. O(1) expected; IndexError when empty."""
        cdef Py_ssize_t width = self.count, number, places, slot, drawn
        cdef double draw
        if self.room == load * width:
            raise IndexError("random choice from an empty index")
        if self.rejected > rejections_per_bucket * width:
            self.rejected = self.bound = 0
            for number in range(width):
                self.bound = max(self.bound, self.buckets[number].size)
        places = width * self.bound
        while True:
            draw = rng.random()
            drawn = <Py_ssize_t>(draw * places)
            slot, number = drawn // width, drawn % width
            if number < self.count and slot < self.buckets[number].size:
                return <bytes>self.buckets[number].keys[slot]
            self.rejected += 1

    def sample(self, rng, Py_ssize_t count):
        """Up to ``count`` distinct random keys, at least one unless empty. See scan_index.py."""
        cdef list found = [], keys
        cdef Py_ssize_t at = int(rng.random() * self.count), number, first
        for number in range(at - self.count, at):
            keys = self.keys_of(number if number >= 0 else number + self.count)
            if len(found) + len(keys) > count:
                first = int(rng.random() * len(keys))
                keys = (keys[first:] + keys[:first])[: count - len(found)]
            found += keys
            if len(found) >= count:
                break
        return found

    def _check(self):
        """Assert every invariant: O(N)."""
        buckets = self._buckets
        size = sum(map(len, buckets))
        assert self.low + 1 <= self.count <= self.high and self.count <= self.places
        assert self.low & (self.low + 1) == 0 and self.high == self.low * 2 + 1
        assert size == len(self) and len(set(self)) == size
        assert self.slack == (load - merge_load) * self.count
        assert self.room >= 0 and (self.count == 1 or self.room <= self.slack)
        assert max(map(len, buckets)) <= self.bound
        for number, bucket in enumerate(buckets):
            assert self.buckets[number].size <= self.buckets[number].room < self.buckets[number].size + 2 * slots
            split = (number & self.low) + self.low + 1 < self.count
            mask = self.high if split else self.low
            assert all(hash(key) & mask == number for key in bucket)


def _free(ScanIndex old, Py_ssize_t piece):
    cdef Py_ssize_t _
    while old.count:
        for _ in range(min(piece, old.count)):
            old.pop_bucket()
        yield


cdef class DeferredIndex(ScanIndex):
    """Stand-in for an index that will be built from all keys at once: it stores and returns nothing."""

    cpdef add(self, bytes key):
        """Do nothing."""

    cpdef discard(self, bytes key):
        """Do nothing."""

    cpdef bytes held(self, bytes key):
        """`key` itself."""
        return key
