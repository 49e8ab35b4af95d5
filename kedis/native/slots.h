/* Attributes of Python objects whose classes have __slots__, by their offset: 1 ns each, where a look-up by name takes 30.

   The offset stands in the descriptor that the class holds for the slot; it is read once, when the module is loaded. */
#ifndef KEDIS_SLOTS_H
#define KEDIS_SLOTS_H

#include <Python.h>
#include <structmember.h>

/* The offset of the slot that `descriptor` describes; -1 and TypeError if it describes none. */
static Py_ssize_t slot_offset(PyObject *descriptor) {
    if (!PyObject_TypeCheck(descriptor, &PyMemberDescr_Type)) {
        PyErr_SetString(PyExc_TypeError, "not the descriptor of a slot");
        return -1;
    }
    return ((PyMemberDescrObject *)descriptor)->d_member->offset;
}

/* The object in a slot, borrowed; NULL where nothing has been assigned. */
static inline PyObject *slot_get(PyObject *owner, Py_ssize_t offset) {
    return *(PyObject **)((char *)owner + offset);
}

static inline void slot_set(PyObject *owner, Py_ssize_t offset, PyObject *value) {
    PyObject **place = (PyObject **)((char *)owner + offset);
    PyObject *old = *place;
    Py_INCREF(value);
    *place = value;
    Py_XDECREF(old);
}

/* The integer in a slot: any that fits 64 bits. */
static inline long long slot_int(PyObject *owner, Py_ssize_t offset) {
    return PyLong_AsLongLong(slot_get(owner, offset));
}

/* Sets a slot to an integer; 0, or -1 with MemoryError. */
static inline int slot_set_int(PyObject *owner, Py_ssize_t offset, long long number) {
    PyObject **place = (PyObject **)((char *)owner + offset);
    PyObject *old = *place, *value = PyLong_FromLongLong(number);
    if (value == NULL) return -1;
    *place = value;
    Py_XDECREF(old);
    return 0;
}

static inline int slot_add(PyObject *owner, Py_ssize_t offset, long long amount) {
    return slot_set_int(owner, offset, slot_int(owner, offset) + amount);
}

static inline int binary_digits(unsigned long long number) {
    return number ? 64 - __builtin_clzll(number) : 0;
}

/* What set.__sizeof__ says of a set or of an instance of a subclass in C. */
static inline Py_ssize_t set_bytes(PyObject *set) {
    PySetObject *members = (PySetObject *)set;
    Py_ssize_t size = Py_TYPE(set)->tp_basicsize;
    return members->table == members->smalltable ? size : size + (members->mask + 1) * (Py_ssize_t)sizeof(setentry);
}

#endif
