/* Room in a dict for many keys at once: its table otherwise doubles at each power of two, and moves all keys each time.

   A dict that is given the items of another makes room for as many as the other has. So an empty one is updated from one
   without items whose count says how many are to come. The count is a field of CPython's public header, of no use to
   other implementations; what reads it has been the same from 3.11 to 3.14, and another version is left alone. */
#ifndef KEDIS_PRESIZE_H
#define KEDIS_PRESIZE_H

#include <Python.h>

#if defined(PYPY_VERSION) || defined(Py_GIL_DISABLED) || defined(Py_DEBUG) || PY_VERSION_HEX < 0x030B0000 || PY_VERSION_HEX >= 0x030F0000

static int presize(PyObject *dict, Py_ssize_t count) {
    return 0;
}

#else

/* Give the empty `dict`, of keys that are no str, room for so many; 0, or -1 with MemoryError and nothing changed. */
static int presize(PyObject *dict, Py_ssize_t count) {
    if (count < 8) return 0; /* any dict has room; and one that says of itself no more than it had would be copied whole */
    /* A table of str, as that of a new dict, would be thrown away at the first other key. */
    PyObject *key = PyBytes_FromStringAndSize("", 0), *model = PyDict_New();
    int result = -1;
    if (key != NULL && model != NULL && PyDict_SetItem(model, key, Py_None) == 0 && PyDict_DelItem(model, key) == 0) {
        ((PyDictObject *)model)->ma_used = count;
        result = PyDict_Update(dict, model);
        ((PyDictObject *)model)->ma_used = 0;
    }
    Py_XDECREF(model);
    Py_XDECREF(key);
    return result;
}

#endif
#endif
