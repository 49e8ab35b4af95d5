/* Ids of streams: 128 bits as one Python integer, in two halves. */
#ifndef KEDIS_STREAM_IDS_H
#define KEDIS_STREAM_IDS_H

#include <Python.h>
#include <stdint.h>

static inline void stream_id_put(unsigned char *place, uint64_t number) {
    for (int at = 0; at < 8; at++) place[at] = (unsigned char)(number >> (8 * at));
}

static inline uint64_t stream_id_take(const unsigned char *place) {
    uint64_t number = 0;
    for (int at = 0; at < 8; at++) number |= (uint64_t)place[at] << (8 * at);
    return number;
}

/* The id ms-sequence; NULL with MemoryError. */
static inline PyObject *stream_id_of(unsigned long long ms, unsigned long long sequence) {
    unsigned char bytes[16];
    stream_id_put(bytes, sequence);
    stream_id_put(bytes + 8, ms);
#if PY_VERSION_HEX >= 0x030D0000
    return PyLong_FromUnsignedNativeBytes(bytes, sizeof bytes, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
#else
    return _PyLong_FromByteArray(bytes, sizeof bytes, 1, 0);
#endif
}

/* The halves of an id; 0, or -1 with OverflowError for what is none. */
static inline int stream_id_halves(PyObject *id, unsigned long long *ms, unsigned long long *sequence) {
    unsigned char bytes[16];
#if PY_VERSION_HEX >= 0x030D0000
    Py_ssize_t size = PyLong_AsNativeBytes(
        id, bytes, sizeof bytes,
        Py_ASNATIVEBYTES_LITTLE_ENDIAN | Py_ASNATIVEBYTES_UNSIGNED_BUFFER | Py_ASNATIVEBYTES_REJECT_NEGATIVE);
    if (size < 0) return -1;
    if (size > (Py_ssize_t)sizeof bytes) {
        PyErr_SetString(PyExc_OverflowError, "no id of a stream");
        return -1;
    }
#else
    if (_PyLong_AsByteArray((PyLongObject *)id, bytes, sizeof bytes, 1, 0) < 0) return -1;
#endif
    *sequence = stream_id_take(bytes);
    *ms = stream_id_take(bytes + 8);
    return 0;
}

#endif
