"""A server that cannot start."""

from __future__ import annotations


class StartError(Exception):
    """The server cannot start; the message is one clear line for the user."""
