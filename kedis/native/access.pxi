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
    WILD = 2  # with * and ?, but no brackets and no backslash
    GLOB = 3

cdef enum:
    #: The longest pattern, and the longest key, that are compared here: the steps are their product at worst.
    LONGEST_WILD = 64
    LONGEST_KEY = 1024


cdef bint is_match(const char* pattern, Py_ssize_t length, const char* key, Py_ssize_t size) noexcept nogil:
    """Whether ``key``, which is not empty, matches a WILD pattern: a mismatch goes back to the last star alone."""
    cdef Py_ssize_t at = 0, place = 0, star = -1, tried = 0
    while place < size:
        if at < length and pattern[at] == 42:  # *
            star = at
            tried = place
            at += 1
        elif at < length and (pattern[at] == 63 or pattern[at] == key[place]):  # ?
            at += 1
            place += 1
        elif star >= 0:
            tried += 1
            place = tried
            at = star + 1
        else:
            return False
    while at < length and pattern[at] == 42:
        at += 1
    return at == length


cdef struct Pattern:
    int access
    int kind
    Py_ssize_t size
    const char* text


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
                is_wild = b"[" not in text and b"\\" not in text and len(text) <= LONGEST_WILD
                self.patterns[at].kind = WILD if is_wild else GLOB
                if text.endswith(b"*") and not is_special(text[: len(text) - 1]):
                    self.patterns[at].kind = PREFIX
                    self.patterns[at].size -= 1
            at += 1

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
            if pattern.kind == WILD and 0 < size <= LONGEST_KEY:
                if is_match(pattern.text, pattern.size, key, size):
                    return True
            elif pattern.kind >= WILD:
                if self.matchers[at](PyBytes_FromStringAndSize(key, size)):
                    return True
            elif (
                (size == pattern.size or (size > pattern.size and pattern.kind == PREFIX))
                and memcmp(key, pattern.text, pattern.size) == 0
            ):
                return True
        return False

    cdef bint allow_all(self, Path path, Row row, Py_ssize_t last) except -1:
        """Whether each key of the request at hand, the last of which is at ``last``, is allowed."""
        cdef Py_ssize_t at = row.key_first
        while at <= last:
            if not self.allow(path.words[at], path.sizes[at], row.key_access):
                return False
            at += row.key_step
        return True


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
    return KEYS if row.key_step and not command.channels else ASK
