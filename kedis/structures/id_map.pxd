"""What id_map.py is when it is compiled: its class in C."""


cdef class IdMap:
    cdef public dict _values
    cdef public list _runs, _lasts

    cpdef get(self, key)

    cpdef extend(self, list keys, list values)

    cpdef _insert(self, key)

    cpdef pop(self, key)

    cpdef first(self)

    cpdef last(self)

    cpdef floor(self, key)

    cpdef above(self, key)
