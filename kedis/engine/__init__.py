"""The engine: the command table, the client, and everything between a request's words and its handler.

Nothing in here knows a socket, and nothing can yield.
"""
