"""redis-py's pipelines over direct calls: the commands of a pipeline run one after the other under one lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import redis
from redis.client import EMPTY_RESPONSE, NEVER_DECODE, Pipeline

from kedis.embedded.direct_calls import IN_SOCKET
from kedis.embedded.direct_requests import Request, pack
from kedis.embedded.direct_socket import DECLINED, Call
from kedis.embedded.redis_shortcuts import Shortcuts, called_back

#: A command of a pipeline: the arguments and options of ``execute_command``.
Queued = tuple[tuple[Any, ...], dict[str, Any]]


#: The types of most replies, which are no errors.
_SCALARS = frozenset((bytes, str, int, type(None)))


class InProcessPipeline(Shortcuts, Pipeline):  # type: ignore[misc]
    """A pipeline whose commands run without bytes where all of them can; else it works as over a network.

    Args:
        requests: the commands that may be called directly, by name.
        arguments: of redis-py's class.

    The methods that are overridden run within redis-py's ``execute``, which connects, retries and resets.
    """

    def __init__(self, requests: Mapping[Any, Request], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._requests = requests

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """See redis-py."""
        if self.explicit_transaction or not (self.watching or args[0] == "WATCH"):
            self.command_stack.append((args, options))
            return self
        return self.immediate_execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def _execute_pipeline(self, connection: Any, commands: Sequence[Queued], raise_on_error: bool) -> Any:
        ready = packed(self._requests, commands)
        replies = None if ready is None else connection.call_all(ready[1])
        if ready is None or replies is None:
            return super()._execute_pipeline(connection, commands, raise_on_error)  # type: ignore[no-untyped-call]
        responses = []
        callbacks = self.response_callbacks
        for (args, options), request, reply in zip(commands, ready[0], replies, strict=True):
            try:
                if reply is IN_SOCKET:
                    responses.append(self._read(connection, args[0], **options))
                    continue
                if type(reply) not in _SCALARS:
                    _check(connection, reply)
                callback = dict.get(callbacks, request.callback)
                responses.append(reply if callback is None else called_back(callback, reply, options))
            except redis.ResponseError as error:
                responses.append(error)
        return self._without_errors(commands, responses, raise_on_error)

    def _execute_transaction(self, connection: Any, commands: Sequence[Queued], raise_on_error: bool) -> Any:
        ready = packed(self._requests, commands)
        reply: Any = DECLINED if ready is None else connection.call_transaction(ready[1])
        if ready is None or reply is DECLINED:
            return super()._execute_transaction(connection, commands, raise_on_error)
        if reply is IN_SOCKET:
            reply = self._read(connection, "_")
        _check(connection, reply)
        self.watching = False  # EXEC has ended that
        if reply is None:
            raise redis.WatchError("Watched variable changed.")
        self._without_errors(commands, reply, raise_on_error)
        responses = []
        callbacks = self.response_callbacks
        for (_, options), request, response in zip(commands, ready[0], reply, strict=True):
            callback = dict.get(callbacks, request.callback)
            if callback is None or (type(response) not in _SCALARS and isinstance(response, Exception)):
                responses.append(response)
            else:
                responses.append(called_back(callback, response, options))
        return responses

    def _read(self, connection: Any, name: Any, **options: Any) -> Any:
        return self.parse_response(connection, name, **options)  # type: ignore[no-untyped-call]

    def _without_errors(self, commands: Any, responses: list[Any], raise_on_error: bool) -> list[Any]:
        if raise_on_error:
            self.raise_first_error(commands, responses)  # type: ignore[no-untyped-call]
        return responses


def packed(
    known: Mapping[Any, Request], commands: Sequence[Queued]
) -> tuple[list[Request], list[Call]] | None:
    """The commands for direct calls; None where one of them must be sent."""
    requests, calls = [], []
    for args, options in commands:
        try:
            request = known[args[0]]
        except TypeError:  # the name is no name: redis-py says so
            return None
        words = pack(request, args)
        if words is None or (options and (NEVER_DECODE in options or EMPTY_RESPONSE in options)):
            return None
        requests.append(request)
        calls.append((request.command, words))
    return (requests, calls) if calls else None


def first_error(reply: Any) -> Exception | None:
    """The error that ``reply`` is, as ``read_response`` sees it, or None."""
    if type(reply) is list and reply and isinstance(reply[0], redis.ConnectionError):
        reply = reply[0]
    return reply if isinstance(reply, Exception) else None


def _check(connection: Any, reply: Any) -> None:
    """Raise the error that ``reply`` is."""
    error = first_error(reply)
    if error is not None:
        connection.raise_error(error)
