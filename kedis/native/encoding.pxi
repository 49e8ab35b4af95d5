# Numbers and headers on the wire.


cdef inline int write_number(char* place, long long number) noexcept nogil:
    """Write ``number`` in decimal digits; returns how many bytes that takes, at most 20."""
    cdef char digits[24]
    cdef int count = 0, size = 0
    cdef unsigned long long rest
    if number < 0:
        place[0] = 45  # -
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


cdef inline int write_header(char* place, char kind, long long number) noexcept nogil:
    """Write ``kind``, ``number`` and the line end; returns how many bytes that takes, at most 23."""
    cdef int size
    place[0] = kind
    size = 1 + write_number(place + 1, number)
    place[size] = 13
    place[size + 1] = 10
    return size + 2


cdef inline bint parse_integer(const char* text, Py_ssize_t size, long long* number) noexcept nogil:
    """Read a signed 64-bit integer in its canonical spelling; False if ``text`` is none."""
    cdef unsigned long long value = 0
    cdef bint negative = False
    cdef Py_ssize_t at = 0
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
