"""Redis's format for values and snapshots (RDB): DUMP and RESTORE, ``dump.rdb``, the base of an append-only file.

===============  ==================================================================================="""
