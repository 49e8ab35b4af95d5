"""The engine: the command table, the client, and every step between a request's words and its handler.

Nothing in this package uses a socket, and nothing can yield.
"""
