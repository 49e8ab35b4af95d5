# Words of a packed collection: the elements of Redis's listpack, one behind the other, without its header and end.
#
# A word is a code with its content and, behind it, the length of both in groups of seven bits, so that one can walk in
# both directions. Texts that spell a 64-bit integer are kept as integers, in as few bytes as they need (see
# kedis.structures.listpack_size). Every text has exactly one spelling, so equal words are equal bytes: a search compares
# memory. Copies of loaded data are spelled anew.

cdef struct Word:
    # A text, spelled: ``head`` (the code, or the whole integer), then ``rest``, then ``back``.
    unsigned char head[9]
    unsigned char back[5]
    int head_size, back_size
    const char* rest
    Py_ssize_t rest_size, size  # size of everything


cdef inline bint parse_canonical(const char* text, Py_ssize_t size, long long* number) noexcept nogil:
    """Read a signed 64-bit integer in its canonical spelling; False if ``text`` is none."""
    cdef unsigned long long value = 0
    cdef Py_ssize_t at = 0
    cdef bint negative = False
    if size == 0 or size > 20:
        return False
    if text[0] == 45:  # -
        negative = True
        at = 1
        if size == 1 or text[1] == 48:
            return False
    elif text[0] == 48 and size > 1:
        return False
    if size - at > 19:
        return False
    while at < size:
        if not 48 <= text[at] <= 57:
            return False
        value = 10 * value + <unsigned long long>(text[at] - 48)
        at += 1
    if negative:
        if value > <unsigned long long>1 << 63:
            return False
        number[0] = <long long>(0 - value)
    else:
        if value >> 63:
            return False
        number[0] = <long long>value
    return True


cdef inline int write_decimal(char* place, long long number) noexcept nogil:
    """Write decimal digits; returns how many bytes, at most 20."""
    cdef char digits[24]
    cdef int count = 0, size = 0
    cdef unsigned long long rest
    if number < 0:
        place[0] = 45
        size = 1
        rest = 0 - <unsigned long long>number
    else:
        rest = <unsigned long long>number
    while True:
        digits[count] = 48 + <char>(rest % 10)
        count += 1
        rest //= 10
        if rest == 0:
            break
    while count:
        count -= 1
        place[size] = digits[count]
        size += 1
    return size


cdef inline int groups_of(Py_ssize_t size) noexcept nogil:
    """Bytes of the length behind a word. Redis's bounds are one less than what fits, but for the first."""
    if size <= 127:
        return 1
    return 2 + (size >= 16383) + (size >= 2097151) + (size >= 268435455)


cdef inline void spell_integer(Word* word, long long number) noexcept nogil:
    cdef int at, bytes_
    if 0 <= number < 128:
        word.head[0] = <unsigned char>number
        word.head_size = 1
        return
    if -4096 <= number < 4096:
        word.head[0] = 0xC0 | <unsigned char>((number >> 8) & 0x1F)
        word.head[1] = <unsigned char>(number & 0xFF)
        word.head_size = 2
        return
    if -32768 <= number < 32768:
        word.head[0] = 0xF1
        bytes_ = 2
    elif -(1 << 23) <= number < 1 << 23:
        word.head[0] = 0xF2
        bytes_ = 3
    elif -(<long long>1 << 31) <= number < <long long>1 << 31:
        word.head[0] = 0xF3
        bytes_ = 4
    else:
        word.head[0] = 0xF4
        bytes_ = 8
    for at in range(bytes_):
        word.head[1 + at] = <unsigned char>((number >> (8 * at)) & 0xFF)
    word.head_size = 1 + bytes_


cdef inline void spell(Word* word, const char* text, Py_ssize_t size) noexcept nogil:
    """Spell ``text``, which must outlive the word."""
    cdef long long number
    cdef Py_ssize_t whole
    cdef int at
    word.rest = text
    word.rest_size = 0
    if size and size <= 20 and text[0] <= 57 and parse_canonical(text, size, &number):
        spell_integer(word, number)
    else:
        word.rest_size = size
        if size < 64:
            word.head[0] = 0x80 | <unsigned char>size
            word.head_size = 1
        elif size < 4096:
            word.head[0] = 0xE0 | <unsigned char>(size >> 8)
            word.head[1] = <unsigned char>(size & 0xFF)
            word.head_size = 2
        else:
            word.head[0] = 0xF0
            for at in range(4):
                word.head[1 + at] = <unsigned char>((size >> (8 * at)) & 0xFF)
            word.head_size = 5
    whole = word.head_size + word.rest_size
    word.back_size = groups_of(whole)
    for at in range(word.back_size):
        word.back[word.back_size - 1 - at] = <unsigned char>((whole >> (7 * at)) & 127) | (128 if at < word.back_size - 1 else 0)
    word.size = whole + word.back_size


cdef inline void write_word(char* place, Word* word) noexcept nogil:
    memcpy(place, word.head, word.head_size)
    memcpy(place + word.head_size, word.rest, word.rest_size)
    memcpy(place + word.head_size + word.rest_size, word.back, word.back_size)


cdef inline Py_ssize_t content_size(const unsigned char* place) noexcept nogil:
    """Bytes of code and content of the word at ``place``."""
    cdef unsigned char code = place[0]
    if code < 0x80:
        return 1
    if code < 0xC0:
        return 1 + (code & 63)
    if code < 0xE0:
        return 2
    if code < 0xF0:
        return 2 + ((<Py_ssize_t>(code & 15) << 8) | place[1])
    if code == 0xF0:
        return 5 + (
            <Py_ssize_t>place[1] | <Py_ssize_t>place[2] << 8 | <Py_ssize_t>place[3] << 16 | <Py_ssize_t>place[4] << 24
        )
    if code == 0xF4:
        return 9
    return code - 0xF1 + 3  # two, three or four bytes behind the code


cdef inline Py_ssize_t word_size(const char* place) noexcept nogil:
    cdef Py_ssize_t size = content_size(<const unsigned char*>place)
    return size + groups_of(size)


cdef inline const char* word_before(const char* end) noexcept nogil:
    """The word that ends at ``end``."""
    cdef const unsigned char* at = <const unsigned char*>end - 1
    cdef Py_ssize_t size = 0
    cdef int shift = 0
    while True:
        size |= <Py_ssize_t>(at[0] & 127) << shift
        if not at[0] & 128:
            break
        at -= 1
        shift += 7
    return <const char*>at - size


cdef inline bint word_is(const char* place, Word* word) noexcept nogil:
    """Whether the word at ``place``, of which so many bytes exist, is this one."""
    return (
        (<const unsigned char*>place)[0] == word.head[0]
        and memcmp(place, word.head, word.head_size) == 0
        and memcmp(place + word.head_size, word.rest, word.rest_size) == 0
    )


cdef inline Py_ssize_t text_of(const char* place, const char** text, char* digits) noexcept nogil:
    """The text of a word: where it begins, which may be in ``digits`` (24 bytes), and its size."""
    cdef const unsigned char* at = <const unsigned char*>place
    cdef unsigned char code = at[0]
    cdef long long number
    cdef int place_, bytes_
    if code >= 0x80 and code < 0xC0:
        text[0] = place + 1
        return code & 63
    if code >= 0xE0 and code < 0xF0:
        text[0] = place + 2
        return content_size(at) - 2
    if code == 0xF0:
        text[0] = place + 5
        return content_size(at) - 5
    if code < 0x80:
        number = code
    elif code < 0xE0:
        number = (<long long>(code & 31) << 8) | at[1]
        if number >= 4096:
            number -= 8192
    else:
        bytes_ = <int>content_size(at) - 1
        number = <signed char>at[bytes_]
        for place_ in range(bytes_ - 1, 0, -1):
            number = (number * 256) | at[place_]
    text[0] = digits
    return write_decimal(digits, number)


cdef inline bytes bytes_of(const char* place):
    """The text of a word as an object."""
    cdef char digits[24]
    cdef const char* text
    cdef Py_ssize_t size = text_of(place, &text, digits)
    return PyBytes_FromStringAndSize(text, size)


cdef inline Py_ssize_t room_of(Py_ssize_t size) noexcept nogil:
    """Bytes of main memory that a buffer of ``size`` bytes occupies: multiples of 16, above 512 with malloc's header."""
    if size == 0:
        return 0
    return (size + 15) & -16 if size <= 512 else (size + 23) & -16
