# -- replies ------------------------------------------------------------------------------------------
# A form gives its reply by these functions: as bytes into the buffer of the client, or, while ``as_value`` is set, as a
# Python value to whoever has called the command (Path.call_command).


cdef int give(Path self, object value) except -1:
    """Take ``value`` as the reply, or as the next element of the list that has been begun."""
    if self.elements is None:
        self.value = value
    else:
        self.elements.append(value)
    return 0


cdef inline Py_ssize_t mark_reply(Path self) except -1:
    """The place of the reply that is begun now, for take_back_reply."""
    return 0 if self.as_value else self.peer.output_size


cdef inline int take_back_reply(Path self, Py_ssize_t mark) except -1:
    if self.as_value:
        self.elements = self.value = None
    else:
        self.peer.output_size = mark
    return 0


cdef inline int reply_ok(Path self) except -1:
    if self.as_value:
        return give(self, OK)
    return self.peer.put(b"+OK\r\n", 5)


cdef inline int reply_pong(Path self) except -1:
    if self.as_value:
        return give(self, PONG)
    return self.peer.put(b"+PONG\r\n", 7)


cdef inline int reply_integer(Path self, long long number) except -1:
    if self.as_value:
        return give(self, number)
    cdef char* place = self.peer.room(24)
    self.peer.output_size += write_header(place, 58, number)
    return 0


cdef inline int reply_bulk(Path self, const char* text, Py_ssize_t size) except -1:
    if self.as_value:
        return give(self, PyBytes_FromStringAndSize(text, size))
    cdef char* place = self.peer.room(size + 32)
    cdef int head = write_header(place, 36, size)
    memcpy(place + head, text, size)
    place[head + size] = 13
    place[head + size + 1] = 10
    self.peer.output_size += head + size + 2
    return 0


cdef inline int reply_bytes(Path self, bytes value) except -1:
    if self.as_value:
        return give(self, value)
    return reply_bulk(self, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))


cdef inline int reply_null(Path self) except -1:
    if self.as_value:
        return give(self, None)
    if self.resp3:
        return self.peer.put(b"_\r\n", 3)
    return self.peer.put(b"$-1\r\n", 5)


cdef inline int reply_header(Path self, char kind, Py_ssize_t count) except -1:
    """Begin a reply of ``count`` elements."""
    if self.as_value:
        self.elements = []
        return 0
    cdef char* place = self.peer.room(24)
    self.peer.output_size += write_header(place, kind, count)
    return 0


cdef inline int reply_double(Path self, double value) except -1:
    if self.as_value:
        return give(self, value)
    cdef char digits[40]
    cdef int size
    if fabs(value) < 1e15 and value == <double><long long>value and (value != 0 or not signbit(value)):
        size = write_number(digits, <long long>value)  # a tenth of snprintf's time
    else:
        size = snprintf(digits, 40, "%.17g", value)
    if self.resp3:
        reply_header_text(self, 44, digits, size)
        return 0
    return reply_bulk(self, digits, size)


cdef int reply_header_text(Path self, char kind, const char* text, int size) except -1:
    cdef char* place = self.peer.room(size + 3)
    place[0] = kind
    memcpy(place + 1, text, size)
    place[size + 1] = 13
    place[size + 2] = 10
    self.peer.output_size += size + 3
    return 0


cdef int encode(Path self, object value) except -1:
    """Append the reply ``value``, whatever its type."""
    if self.as_value:
        return give(self, value)
    cdef Py_ssize_t mark = self.peer.output_size
    if encode_here(self, value):
        return 0
    self.peer.output_size = mark
    return encode_by_python(self, value)


cdef int reply_words(Path self, const char* at, Py_ssize_t size) except -1:
    """Append each of the words of a packed collection (words.pxi)."""
    cdef char digits[24]
    cdef const char* text
    cdef const char* end = at + size
    while at < end:
        size = text_of(at, &text, digits)
        reply_bulk(self, text, size)
        at += word_size(at)
    return 0


cdef int encode_by_python(Path self, object value) except -1:
    """Append ``value`` by the encoders of the client's protocol. A long reply must be sent by the Python path."""
    cdef list chunks = []
    encoders = self.client.encoders
    encoders[type(value)](value, chunks.append)
    for chunk in chunks:
        if type(chunk) is not bytes or PyBytes_GET_SIZE(chunk) > LONG_REPLY:
            self.peer.surface()
            (<list>slot_get(self.client, CLIENT_OUT)).extend(chunks)
            self.leave = True
            return 0
    for chunk in chunks:
        self.peer.put(PyBytes_AS_STRING(chunk), PyBytes_GET_SIZE(chunk))
    return 0


cdef bint encode_here(Path self, object value) except -1:
    """Append ``value`` if its type is a frequent one and it is not long; False otherwise."""
    cdef int overflow = 0
    cdef long long number
    cdef Py_ssize_t at, count
    cdef PyObject* field
    cdef PyObject* content
    kind = type(value)
    if value is OK:
        self.peer.put(b"+OK\r\n", 5)
    elif kind is int:
        number = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow:
            return False
        reply_integer(self, number)
    elif kind is bytes:
        if PyBytes_GET_SIZE(value) > LONG_REPLY:
            return False
        reply_bytes(self, <bytes>value)
    elif value is None:
        reply_null(self)
    elif kind is list or kind is OrderedSet:
        count = PyList_GET_SIZE(value)
        if count > PART:
            return False
        reply_header(self, 126 if self.resp3 and kind is OrderedSet else 42, count)
        for at in range(count):
            if not encode_here(self, <object>PyList_GET_ITEM(value, at)):
                return False
    elif kind is float:
        reply_double(self, value)
    elif kind is FullHash or kind is dict:
        count = PyDict_Size(value)
        if count > PART:
            return False
        if self.resp3:
            reply_header(self, 37, count)
        else:
            reply_header(self, 42, 2 * count)
        at = 0
        while PyDict_Next(value, &at, &field, &content):
            if not encode_here(self, <object>field) or not encode_here(self, <object>content):
                return False
    elif kind is FullSet or kind is set:
        count = PySet_GET_SIZE(value)
        if count > PART:
            return False
        reply_header(self, 126 if self.resp3 else 42, count)
        for member in value:
            if not encode_here(self, member):
                return False
    else:
        return False
    return True
