"""Redis's format for values and snapshots (RDB): DUMP and RESTORE, ``dump.rdb``, the base of an append-only file.

===============  ==========================================================================================
``crc64``        the checksum
``lzf``          the compression of strings
``source``       numbers, lengths and strings, read from bytes that may be wrong
``compact``      Redis's flat representations of small containers, read
``flat``         two of them written, for DUMP
``stream_forms`` streams
``unsupported``  functions and modules, passed over
``values``       whole values, written in the plainest form and read in every form
``payload``      what DUMP gives and RESTORE takes
``snapshot``     a whole data set as a file
===============  ==========================================================================================

Simplified: in snapshots, small containers are written element by element, not in Redis's flat forms, which Redis makes
of them again when it loads; modules and functions are refused.
"""
