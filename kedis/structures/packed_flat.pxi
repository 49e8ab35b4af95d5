# -- from a snapshot -----------------------------------------------------------------------------------
#
# The elements of a small value become a packed collection without an object for each. What is not sound, or needs a full
# structure, is left to the reader in Python, which says what is wrong.

cdef enum:
    #: The longest value that is read here.
    FLAT_BYTES = 1 << 16
    #: Fields of a hash, each of which is compared with those before it: 0.3 ms.
    MOST_PAIRS = 512

#: The words of the value that is being read, their bytes and their number.
cdef char flat_words[FLAT_BYTES]
cdef Py_ssize_t flat_size = 0, flat_count = 0


cdef void begin_flat() noexcept:
    """Begin a value."""
    global flat_size, flat_count
    flat_size = flat_count = 0


cdef bint add_flat(const char* text, Py_ssize_t size) noexcept:
    """Add an element of the value; False where there is no room for it."""
    global flat_size, flat_count
    cdef Word word
    spell(&word, text, size)
    if word.size > FLAT_BYTES - flat_size:
        return False
    write_word(flat_words + flat_size, &word)
    flat_size += word.size
    flat_count += 1
    return True


cdef bint read_listpack(const unsigned char* data, Py_ssize_t size) noexcept:
    """Read the elements of a listpack as the value; False where it is not sound, or too long."""
    cdef Py_ssize_t at = 6, end = size - 1, content, step
    cdef char digits[24]
    cdef const char* text
    begin_flat()
    if not 7 <= size <= FLAT_BYTES or data[end] != 0xFF:
        return False
    if (<Py_ssize_t>data[0] | <Py_ssize_t>data[1] << 8 | <Py_ssize_t>data[2] << 16 | <Py_ssize_t>data[3] << 24) != size:
        return False
    while at < end:
        if data[at] > 0xF4 or at + head_size(data[at]) > end:
            return False
        content = content_size(data + at)
        step = content + groups_of(content)
        if step > end - at or not ends_with_length(data + at + content, content):
            return False
        content = text_of(<const char*>data + at, &text, digits)
        if not add_flat(text, content):
            return False
        at += step
    return flat_count == (<Py_ssize_t>data[4] | <Py_ssize_t>data[5] << 8) or (data[4] & data[5]) == 0xFF


cdef inline bint ends_with_length(const unsigned char* back, Py_ssize_t content) noexcept nogil:
    """Whether the bytes behind the content of a word spell its length as they have to."""
    cdef int count = groups_of(content), at
    for at in range(count):
        if back[count - 1 - at] != ((content >> (7 * at)) & 127 | (128 if at < count - 1 else 0)):
            return False
    return True


cdef inline Py_ssize_t head_size(unsigned char code) noexcept nogil:
    """Bytes of a word that say how long it is."""
    if code == 0xF0:
        return 5
    return 2 if 0xE0 <= code < 0xF0 else 1


cdef int take_words(Packed made, Py_ssize_t count) except -1:
    """Give the words of the value to a collection that has none, of so many entries."""
    made.insert_bytes(0, flat_size)
    memcpy(made.data, flat_words, flat_size)
    made.count = <unsigned int>count
    return 0


cdef bint are_distinct() noexcept:
    """Whether no two fields of the value are equal, where every second word is one. O(fields squared), in C."""
    cdef char* at = flat_words
    cdef char* other
    cdef Py_ssize_t length
    while at < flat_words + flat_size:
        length = word_size(at)
        other = flat_words
        while other < at:
            if word_size(other) == length and memcmp(other, at, length) == 0:
                return False
            other += word_size(other)
            other += word_size(other)
        at += length
        at += word_size(at)
    return True


cdef Hash flat_hash(thresholds):
    """The value as a hash, packed and on no account yet; None where this is for the reader in Python."""
    cdef Hash made
    if flat_count == 0 or flat_count & 1 or flat_count // 2 > min(slot_int(thresholds, ENTRIES), <long long>MOST_PAIRS) or not are_distinct():
        return None
    made = Hash.__new__(Hash)
    take_words(made, flat_count // 2)
    made.thresholds = thresholds
    return made


cdef List flat_list():
    """The value as a list, packed and on no account yet; None where this is for the reader in Python."""
    cdef List made
    if not 1 <= flat_count <= LIST_ELEMENTS or flat_size + MOST_AROUND * flat_count > LIST_BYTES:
        return None
    made = List.__new__(List)
    take_words(made, flat_count)
    return made
