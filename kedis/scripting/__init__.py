"""Lua scripts and functions: one sandboxed runtime of Lua 5.1, and how values pass between it and Python.

Bottom-up: ``codes`` (what crosses the bridge), ``to_lua`` and ``from_lua`` (the two directions), ``binary`` (the
libraries bit and struct), ``bytecode`` (tail calls that must keep their frame), ``headers`` (``#!lua``), ``runtime``
(the interpreter), ``lua/`` (what of it is written in Lua).  Nothing here knows of commands or clients: a script calls
back through one Python callable that takes bytes and returns a value or raises CommandError.
"""
