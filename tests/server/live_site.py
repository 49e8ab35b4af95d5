"""The page of a server as tests ask for it over HTTP, and the events of its stream."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

import kedis

TIMEOUT = 60


class Site:
    """The page of a server."""

    server: kedis.Server

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        if path != "/events" or answer.status != 200 or method == "HEAD":
            answer.read()
        return answer

    def events(self, **headers: str) -> Iterator[tuple[str, Any]]:
        """The events of a stream: name and data."""
        answer = self.get("/events", **headers)
        assert answer.status == 200
        with answer:
            name = ""
            for line in answer:
                word, _, rest = line.decode().rstrip("\n").partition(": ")
                if word == "event":
                    name = rest
                elif word == "data":
                    yield name, json.loads(rest)

    def fresh(self, wanted: str, **headers: str) -> Any:
        """The data of an event of that name that was made after this call: the first may be a second old."""
        with contextlib.closing(self.events(**headers)) as events:
            found = (data for name, data in events if name == wanted)
            next(found)
            return next(found)

    def history(self, **headers: str) -> Any:
        """The data of the event with which a stream begins."""
        with contextlib.closing(self.events(**headers)) as events:
            name, data = next(events)
        assert name == "history"
        return data

    def opened(self) -> Iterator[tuple[str, Any]]:
        """A stream, when there is room for one: the server has to find that an older page has gone."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            if self.get("/events", method="HEAD").status == 200:
                events = self.events()
                next(events)
                return events
            time.sleep(0.1)
        raise AssertionError("there is never room")
