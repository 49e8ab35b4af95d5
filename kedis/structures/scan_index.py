"""A collection of distinct keys with stateless scan cursors and fair random sampling.

A dict answers "is this key here?" but offers neither the n-th element (for a fair random choice) nor a position
for resuming an iteration after it has grown, shrunk or been rehashed. This index accompanies the dict or set
that owns the keys and provides both.

The idea is linear hashing (Litwin 1980). Keys lie in buckets, plain lists of a few dozen. With `2**level <=
len(buckets) < 2**(level + 1)` the buckets below `len(buckets) - 2**level` have already been split in this
round and, like their new halves at the end of the list, are addressed by `level + 1` low bits of the hash;
the others by `level` bits. The table grows by splitting one bucket whenever the mean load passes `LOAD`,
and shrinks by merging the last bucket into the one it came from, so no operation ever rehashes more than
one bucket.

Cursors. Read the bits of a hash backwards, lowest first: a bucket addressed by k bits is then one interval
of width 2**-k, and splitting or merging only cuts or joins neighbouring intervals. An iteration walks the
intervals from left to right and its cursor is the left end of the next one, with the bits put back in hash
order, which makes it the address of a bucket in a small table. Every key left of the cursor has been
returned, whatever splits and merges happen between the calls; a merge can only make the next call start
earlier and repeat some keys. That is Redis's guarantee: present from start to end means returned at least
once. Any 64-bit number is a valid position, so a foreign cursor does no harm. 0 begins; 0 returned means
the end.

Random. A bucket is drawn uniformly and a slot uniformly below the length of the fullest bucket; a slot
beyond the bucket's end is drawn again. All keys are then equally likely. The bound rises with every append
and is measured anew when rejections have become frequent enough to pay for it.

Python salts the hash of bytes per process (unless PYTHONHASHSEED fixes it), so an attacker cannot choose
keys that collide, and cursors mean nothing to another process.

scan_index.pyx is this structure in C.

Simplified: a SCAN call returns whole buckets, so it may exceed COUNT by up to a bucket; removal searches its
bucket from the front.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from random import Random
from sys import getsizeof

from kedis.structures.stepwise import pop_in_steps

# Mean keys per bucket while growing. A bucket costs some 80 bytes beside its slots, and removal compares
# with half a bucket on average.
LOAD = 20
# Buckets are merged when the mean falls below this; far enough from LOAD that no sequence of single adds
# and discards splits and merges in turn.
MERGE_LOAD = 8
# Rejected draws per bucket before the bound is measured again, which costs less than a rejection per bucket.
REJECTIONS_PER_BUCKET = 4


class ScanIndex:
    """Distinct bytes keys with resumable iteration and fair random choice.

    Not aware of membership: the owner's dict or set knows which keys are new or present.
    """

    __slots__ = ("_bound", "_buckets", "_high", "_low", "_rejected", "_room", "_slack")

    _buckets: list[list[bytes]]
    _low: int  # mask of `level` bits
    _high: int  # mask of `level + 1` bits
    _room: int  # keys that still fit before the next split; gives the length as well
    _slack: int  # the room above which the last bucket is merged
    _bound: int  # length of the longest bucket at most
    _rejected: int  # rejected random draws since the bound was last measured

    def __init__(self, keys: Iterable[bytes] = ()) -> None:
        """Build from distinct `keys`: O(N), about 0.2 s for a million."""
        self._fill(list(keys))

    def _fill(self, keys: list[bytes]) -> None:
        count = max(1, -(-len(keys) // LOAD))
        buckets: list[list[bytes]] = [[] for _ in range(count)]
        self._buckets = buckets
        self._low = (1 << (count.bit_length() - 1)) - 1
        self._high = high = self._low * 2 + 1
        self._room = LOAD * count - len(keys)
        self._slack = (LOAD - MERGE_LOAD) * count
        self._rejected = 0
        # Every address of level + 1 bits, those not split yet listed twice: no comparison in the loop.
        by_address = buckets + buckets[count - self._low - 1 : self._low + 1]
        for key in keys:
            by_address[hash(key) & high].append(key)
        self._bound = max(map(len, buckets))

    def __len__(self) -> int:
        """Number of keys: O(1)."""
        return LOAD * len(self._buckets) - self._room

    def __sizeof__(self) -> int:
        """Bytes of the buckets and their list; the keys belong to the owner. O(N)."""
        return getsizeof(self._buckets) + sum(map(getsizeof, self._buckets))

    def __iter__(self) -> Iterator[bytes]:
        """All keys in no particular order; the index must not change meanwhile."""
        return chain.from_iterable(self._buckets)

    def add(self, key: bytes) -> None:
        """Add `key`, which must not be present. Amortised O(1)."""
        index = hash(key) & self._high
        buckets = self._buckets
        if index >= len(buckets):
            index &= self._low
        bucket = buckets[index]
        bucket.append(key)
        if len(bucket) > self._bound:
            self._bound = len(bucket)
        self._room = room = self._room - 1
        if room < 0:
            self._split()

    def discard(self, key: bytes) -> None:
        """Remove `key`, which must be present (ValueError otherwise). Amortised O(1)."""
        index = hash(key) & self._high
        buckets = self._buckets
        if index >= len(buckets):
            index &= self._low
        buckets[index].remove(key)
        self._room += 1
        if self._room > self._slack:
            self._merge()

    def held(self, key: bytes) -> bytes:
        """The object of the index that equals `key`; `key` where there is none. O(1) expected.

        Whoever keeps that one keeps no second copy of the key.
        """
        index = hash(key) & self._high
        buckets = self._buckets
        if index >= len(buckets):
            index &= self._low
        for other in buckets[index]:
            if other == key:
                return other
        return key

    def exchange(self, key: bytes) -> None:
        """Hold `key` in place of the equal object that is there; nothing where there is none. O(1) expected."""
        index = hash(key) & self._high
        buckets = self._buckets
        if index >= len(buckets):
            index &= self._low
        bucket = buckets[index]
        if key in bucket:
            bucket[bucket.index(key)] = key

    def clear(self) -> None:
        """Remove every key."""
        self._fill([])

    def free_in_steps(self, piece: int) -> Iterator[None]:
        """Empty the index; yields after every `piece` buckets. O(N)."""
        buckets = self._buckets
        self._fill([])
        return pop_in_steps(buckets.pop, buckets, piece)

    def copy(self) -> "ScanIndex":
        """An independent copy. O(N), a third of what building takes: no key is hashed."""
        twin = ScanIndex.__new__(ScanIndex)
        twin._buckets = [bucket[:] for bucket in self._buckets]
        twin._low = self._low
        twin._high = self._high
        twin._room = self._room
        twin._slack = self._slack
        twin._bound = self._bound
        twin._rejected = self._rejected
        return twin

    def repack(self) -> None:
        """Copy every bucket to new memory before the old is freed. O(N), 0.1 s for a million keys.

        Buckets are reallocated as they grow and so end up between all other allocations of that time.
        Those that remain when much else is deleted would keep Python's allocator from freeing its arenas,
        which it does only with those that are wholly free.
        """
        self._buckets = [bucket[:] for bucket in self._buckets]

    def _split(self) -> None:
        """Divide the bucket at the split pointer by one more bit of the hash."""
        buckets = self._buckets
        bit = self._low + 1
        source = len(buckets) - bit
        stays: list[bytes] = []
        moves: list[bytes] = []
        for key in buckets[source]:
            if hash(key) & bit:
                moves.append(key)
            else:
                stays.append(key)
        buckets[source] = stays
        buckets.append(moves)
        if len(buckets) == bit * 2:
            self._low = self._high
            self._high = self._high * 2 + 1
        self._room += LOAD
        self._slack += LOAD - MERGE_LOAD

    def _merge(self) -> None:
        """Undo the latest split; a single bucket stays as it is."""
        buckets = self._buckets
        if len(buckets) == 1:
            return
        if len(buckets) == self._low + 1:
            self._high = self._low
            self._low >>= 1
        last = buckets.pop()
        bucket = buckets[len(buckets) & self._low]
        bucket += last
        self._bound = max(self._bound, len(bucket))
        self._room -= LOAD
        self._slack -= LOAD - MERGE_LOAD

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Return the next cursor and the keys of the buckets from `cursor` on, until at least `count` keys.

        `cursor` is any number from 0 to 2**64 - 1; 0 begins, and 0 comes back when the iteration is complete.
        O(count) expected; keys may come twice in one iteration if the table shrank meanwhile.
        """
        buckets = self._buckets
        low = self._low
        found: list[bytes] = []
        while True:
            index = cursor & low
            bit = low + 1
            if index + bit < len(buckets):  # split in this round: one more bit
                index = cursor & self._high
            else:
                bit >>= 1
            found += buckets[index]
            # Add one to the address read backwards; the carry runs towards the low bits.
            while index & bit:
                index ^= bit
                bit >>= 1
            if not bit:
                return 0, found
            cursor = index | bit
            if len(found) >= count:
                return cursor, found

    def random(self, rng: Random) -> bytes:
        """Return one key, each with the same probability. O(1) expected; IndexError when empty."""
        buckets = self._buckets
        width = len(buckets)
        if self._room == LOAD * width:
            raise IndexError("random choice from an empty index")
        if self._rejected > REJECTIONS_PER_BUCKET * width:
            self._rejected = 0
            self._bound = max(map(len, buckets))
        places = width * self._bound
        draw = rng.random
        while True:
            # One draw of 53 random bits serves for both: far more than the bits of `places`.
            slot, index = divmod(int(draw() * places), width)
            bucket = buckets[index]
            if slot < len(bucket):
                return bucket[slot]
            self._rejected += 1

    def sample(self, rng: Random, count: int) -> list[bytes]:
        """Up to ``count`` distinct random keys, at least one unless empty. O(count), 1 us for ten.

        The keys are neighbours in a bucket, grouped only by their salted hashes: cheap, and fair enough to compare.
        """
        buckets = self._buckets
        found: list[bytes] = []
        at = int(rng.random() * len(buckets))
        for index in range(at - len(buckets), at):
            bucket = buckets[index]
            if len(found) + len(bucket) > count:
                first = int(rng.random() * len(bucket))
                bucket = (bucket[first:] + bucket[:first])[: count - len(found)]
            found += bucket
            if len(found) >= count:
                break
        return found

    def _check(self) -> None:
        """Assert every invariant: O(N)."""
        buckets = self._buckets
        count = len(buckets)
        size = sum(map(len, buckets))
        assert self._low + 1 <= count <= self._high
        assert self._low & (self._low + 1) == 0 and self._high == self._low * 2 + 1
        assert size == len(self) and len(set(self)) == size
        assert self._slack == (LOAD - MERGE_LOAD) * count
        assert self._room >= 0 and (count == 1 or self._room <= self._slack)
        assert max(map(len, buckets)) <= self._bound
        for index, bucket in enumerate(buckets):
            split = (index & self._low) + self._low + 1 < count
            mask = self._high if split else self._low
            assert all(hash(key) & mask == index for key in bucket)


class DeferredIndex(ScanIndex):
    """Stand-in for an index that will be built from all keys at once: it stores and returns nothing.

    Adding keys one by one costs 0.8 us each at a million, together 0.2 us.
    """

    __slots__ = ()

    def add(self, key: bytes) -> None:
        """Do nothing."""

    def discard(self, key: bytes) -> None:
        """Do nothing."""

    def held(self, key: bytes) -> bytes:
        """`key` itself."""
        return key
