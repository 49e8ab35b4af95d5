"""From the arguments of ``kedis.connect()`` and ``kedis.aconnect()`` to a store and the options of its client.

An argument is an option of redis-py's client, a setting of Kedis, or an error at once. What tunes a connection over a
network is accepted and has no effect, so that the options of a program's client can be used as they are; what names a
server is an error, since nobody would be connected to it.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, Protocol

import redis
from redis.connection import AbstractConnection

from kedis.config import Config
from kedis.config.keywords import closest, setting_name, settings_of_keywords
from kedis.embedded.embedded_engine import NOTHING_KEPT, EmbeddedEngine

#: Options of a network connection, without effect here.
_OF_THE_NETWORK = frozenset({"socket_keepalive", "socket_keepalive_options", "socket_type"})
#: Options that say where a server is, or that only a server's client has.
_OF_A_SERVER = frozenset({"host", "port", "unix_socket_path", "path", "connection_pool", "connection_class"})
#: Options that bring credentials.
_CREDENTIALS = frozenset({"username", "password", "credential_provider"})


class SharesStore(Protocol):
    """A client of a store in the process, sync or async."""

    @property
    def embedded(self) -> EmbeddedEngine: ...


class Opened(NamedTuple):
    """A store, and the options for a client of it."""

    embedded: EmbeddedEngine
    options: dict[str, Any]


def open_store(
    function: str,
    folder: str | os.PathLike[str] | None,
    store: SharesStore | None,
    settings: Mapping[str, Any] | None,
    options: Mapping[str, Any],
) -> Opened:
    """Open the store that the arguments of ``kedis.FUNCTION()`` ask for, see there."""
    client_options, keywords = sorted_out(function, options)
    given = settings_of_keywords(settings or {}) | settings_of_keywords(keywords)
    if store is not None:
        if folder is not None or given:
            raise TypeError(
                f"kedis.{function}(store=...) uses a store that is open: it takes no folder, no settings"
            )
        try:
            embedded = store.embedded
        except AttributeError:
            raise TypeError(
                f"kedis.{function}(store=...) takes a client that kedis.connect() or kedis.aconnect() has made"
            ) from None
        embedded.check()
    else:
        config = Config({**NOTHING_KEPT, **_folder_settings(function, folder), **given})
        if config.replicaof:
            raise ValueError(
                f"kedis.{function}() opens a store in this process, which follows no master: "
                "use kedis.Server(replicaof=...)"
            )
        embedded = EmbeddedEngine(config)
    password = embedded.engine.config.requirepass
    if password and not _CREDENTIALS & client_options.keys():
        client_options["password"] = password
    return Opened(embedded, client_options)


def _folder_settings(function: str, folder: str | os.PathLike[str] | None) -> dict[str, str]:
    if folder is None:
        return {}
    path = os.fsdecode(folder)
    if "://" in path:
        raise ValueError(
            f"kedis.{function}() takes a folder, and {path!r} is the address of a server: redis.from_url() connects to "
            "one; kedis.patch() has redis.from_url() use a store in this process"
        )
    return {"appendonly": "yes", "dir": path}


def sorted_out(function: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """``options`` by what they are: those of redis-py's client, and settings."""
    known = client_parameters()
    for_client, settings = {}, {}
    for name, value in options.items():
        if name in _OF_A_SERVER or (name == "ssl" and value):
            raise TypeError(
                f"kedis.{function}() opens a store in this process and connects to no server, so it takes no {name}: "
                "use redis.Redis() for a server, kedis.Server() to be one, or kedis.patch() to have redis.Redis() use "
                "a store in this process"
            )
        if name in _OF_THE_NETWORK or name == "ssl" or name.startswith("ssl_"):
            continue
        if name in known:
            for_client[name] = value
        elif setting_name(name) is not None:
            settings[name] = value
        else:
            raise TypeError(f"kedis.{function}() has no option {name!r}; {closest(name, known)}")
    return for_client, settings


@cache
def client_parameters() -> Mapping[str, Any]:
    """The options of redis-py's client and of its connections, by name."""
    found: dict[str, Any] = {}
    for function in (redis.Redis.__init__, AbstractConnection.__init__):
        found |= inspect.signature(function).parameters
    del found["self"]
    return found
