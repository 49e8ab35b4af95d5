# -- the permissions of a user ----------------------------------------------------------------------------


cdef enum:
    # What is to be checked of a command, beside its arity, for a user who may not all.
    NOTHING = 0
    KEYS = 1  # its keys, against the patterns of each selector that allows it
    ASK = 2  # whatever kedis.engine.users.User.denial says
    DENIED = 3

cdef enum:
    EXACT = 0
    PREFIX = 1
    PLACES = 2
    LONG = 3  # left to its matcher in Python

cdef enum:
    #: The longest pattern, and the longest key, that are compared here: the steps are their product at worst.
    LONGEST_PATTERN = 64
    LONGEST_KEY = 1024

cdef enum:
    # What may stand at a place of a pattern: a byte, or one of these; from SET on it is the number of a set of bytes.
    ANY = 256
    STAR = 257
    SET = 258
    SET_SIZE = 32  # bytes, a bit for each


cdef bint is_match(
    const short* places, Py_ssize_t length, const unsigned char* sets, const unsigned char* key, Py_ssize_t size
) noexcept nogil:
    """Whether ``key``, which is not empty, matches: a mismatch goes back to the last star alone."""
    cdef Py_ssize_t at = 0, place = 0, star = -1, tried = 0
    cdef int allowed, byte
    while place < size:
        allowed = places[at] if at < length else -1
        byte = key[place]
        if allowed == STAR:
            star = at
            tried = place
            at += 1
        elif allowed == byte or allowed == ANY or (
            allowed >= SET and sets[(allowed - SET) * SET_SIZE + (byte >> 3)] >> (byte & 7) & 1
        ):
            at += 1
            place += 1
        elif star >= 0:
            tried += 1
            place = tried
            at = star + 1
        else:
            return False
    while at < length and places[at] == STAR:
        at += 1
    return at == length


cdef struct Pattern:
    int access
    int kind
    Py_ssize_t size
    const char* text
    const short* places
    const unsigned char* sets


cdef class KeyRules:
    """The key patterns of a selector (:class:`kedis.engine.acl_selector.Selector`), which must not change."""

    cdef Pattern* patterns
    cdef Py_ssize_t count
    cdef list kept, matchers

    def __cinit__(self, dict keys):
        cdef Py_ssize_t at = 0
        cdef bytes text
        self.count = len(keys)
        self.kept, self.matchers = [], []  # the patterns point into bytes that are kept
        self.patterns = <Pattern*>malloc(max(self.count, 1) * sizeof(Pattern))
        if self.patterns == NULL:
            raise MemoryError
        for text, (access, matcher) in keys.items():
            self.kept.append(text)
            self.matchers.append(matcher)
            self.patterns[at].access = access
            self.patterns[at].text = PyBytes_AS_STRING(text)
            self.patterns[at].size = len(text)
            self.patterns[at].kind = EXACT
            if is_special(text):
                if text.endswith(b"*") and not is_special(text[: len(text) - 1]):
                    self.patterns[at].kind = PREFIX
                    self.patterns[at].size -= 1
                elif len(text) <= LONGEST_PATTERN:
                    self.take_places(&self.patterns[at], segments_of(text))
                else:
                    self.patterns[at].kind = LONG
            at += 1

    cdef int take_places(self, Pattern* pattern, list segments) except -1:
        """Say of each place of the pattern which bytes may stand there."""
        cdef array places
        cdef bytes sets
        places, sets = places_of(segments)
        self.kept += [places, sets]
        pattern.kind = PLACES
        pattern.size = len(places)
        pattern.places = <const short*>places.data.as_shorts
        pattern.sets = <const unsigned char*>PyBytes_AS_STRING(sets)
        return 0

    def __dealloc__(self):
        free(self.patterns)

    cdef bint allow(self, const char* key, Py_ssize_t size, int access) except -1:
        """Whether one pattern allows all of ``access`` to the key."""
        cdef Py_ssize_t at
        cdef Pattern* pattern
        for at in range(self.count):
            pattern = &self.patterns[at]
            if access & ~pattern.access:
                continue
            if pattern.kind == PLACES and 0 < size <= LONGEST_KEY:
                if is_match(pattern.places, pattern.size, pattern.sets, <const unsigned char*>key, size):
                    return True
            elif pattern.kind >= PLACES:
                if self.matchers[at](PyBytes_FromStringAndSize(key, size)):
                    return True
            elif (
                (size == pattern.size or (size > pattern.size and pattern.kind == PREFIX))
                and memcmp(key, pattern.text, pattern.size) == 0
            ):
                return True
        return False

    cdef bint allow_all(self, Path path, Row row, Py_ssize_t at, Py_ssize_t last) except -1:
        """Whether each key of the request at hand, from ``at`` to ``last``, is allowed."""
        while at <= last:
            if not self.allow(path.words[at], path.sizes[at], row.key_access):
                return False
            at += row.key_step
        return True


cdef bint is_keyword(const char* text, Py_ssize_t size, bytes word) noexcept:
    """Whether ``text`` is ``word``, which has upper-case letters alone, in whatever case."""
    cdef Py_ssize_t at
    cdef const char* letters = PyBytes_AS_STRING(word)
    if size != PyBytes_GET_SIZE(word):
        return False
    for at in range(size):
        if text[at] & 0xDF != letters[at]:
            return False
    return True


def places_of(segments):
    """The places of a pattern, as is_match reads them, and the sets of bytes that they name."""
    places = array("h")
    sets = bytearray()
    for number, segment in enumerate(segments):
        if number:
            places.append(STAR)
        for allowed in segment:
            if len(allowed) == 1:
                places.extend(allowed)
            elif len(allowed) == 256:
                places.append(ANY)
            else:
                places.append(SET + len(sets) // SET_SIZE)
                bits = 0
                for byte in allowed:
                    bits |= 1 << byte
                sets += int(bits).to_bytes(SET_SIZE, "little")
    return places, bytes(sets)


cdef bint is_special(bytes text) except -1:
    """Whether a pattern matches anything but itself."""
    return b"*" in text or b"?" in text or b"[" in text or b"\\" in text


cdef class Access:
    """What a user may, for each row that the native path serves.

    Kept by the user (``User.compiled``) until its rules change.
    """

    cdef object user
    cdef bytes kinds
    #: The key patterns of each row's selectors.
    cdef list rules

    def __init__(self, user, rows):
        kinds = bytearray()
        rules_of = {}
        self.user = user
        self.rules = []
        for selector in user.selectors:
            rules_of[selector] = KeyRules(selector.keys)
        for row in rows:
            rules = []
            kinds.append(what_to_check(user, row, rules_of, rules))
            self.rules.append(rules)
        self.kinds = bytes(kinds)


def what_to_check(user, Row row, rules_of, rules):
    """What is to be checked of the command of ``row`` for ``user``; appends the key patterns of its selectors to ``rules``.

    Args:
        rules_of: the key patterns by selector.
    """
    command = row.command
    for selector in user.selectors:
        if command in selector.first_words:
            return ASK
        if selector.commands & command.bit:
            if (selector.all_keys or not command.names_keys) and (selector.all_channels or not command.channels):
                return NOTHING
            rules.append(rules_of[selector])
    if not rules:
        return DENIED
    return KEYS if row.key_places and not command.channels else ASK
