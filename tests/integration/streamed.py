"""A client of the server's event streams that reads them by the letter of the standard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from conductor_git.message import Message
from conductor_git.project import Project
from conductor_git.server.access.role import Role
from tests.kit.server import Server

EVENTS = "/api/v1/events"


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    event_id: str
    document: Any

    @property
    def body(self) -> str:
        return str(self.document["message"]["body"])


class Reading:
    """What comes in an open stream. `last_id` is what a browser would come again with."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last_id = ""
        self.comments: list[str] = []
        self.lines = response.iter_lines()
        self._events = self._parsed()

    def one(self) -> Event:
        return next(self._events)

    def some(self, count: int) -> list[Event]:
        return [self.one() for _ in range(count)]

    def rest(self) -> list[Event]:
        """All that comes until the server ends the stream."""
        return list(self._events)

    def _parsed(self) -> Iterator[Event]:
        name, data = "message", list[str]()
        for line in self.lines:
            key, _, value = line.partition(": ")
            match key:
                case "":
                    if not line and data:
                        yield Event(name, self.last_id, json.loads("\n".join(data)))
                    elif line:
                        self.comments.append(value)
                    name, data = ("message", []) if not line else (name, data)
                case "id":
                    self.last_id = value
                case "event":
                    name = value
                case "data":
                    data.append(value)


@contextmanager
def stream(
    server: Server, path: str = EVENTS, *, role: Role = Role.VIEWER, last: str = "", **query: Any
) -> Iterator[Reading]:
    """The open stream at `path`, its first event not yet read."""
    headers = {"Last-Event-ID": last} if last else {}
    with server.client(role) as client, client.stream("GET", path, params=query, headers=headers) as response:
        if response.status_code != httpx.codes.OK:
            response.read()
        yield Reading(response)


def post(project: Project, *bodies: str, kind: str = "FACT", task: str | None = None) -> list[str]:
    """Post messages and return their ids."""
    return [project.bus.append(Message(type=kind, body=body, task_id=task)) for body in bodies]
