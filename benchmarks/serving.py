"""P15, P16, P17: the server's list of tasks, its streams and its memory, against a bare FastAPI process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import httpx

from benchmarks.histories import history
from benchmarks.pairs import Row, measured, timed
from benchmarks.scene import Scene, scene
from benchmarks.served import Served, bare, fill, serve
from benchmarks.writers import MESSAGE
from conductor_git.bus.watching.stop import Stop
from conductor_git.project import Project

_TOP: Final = Path(__file__).parents[1]
_FILES: Final = 200
_APART: Final = 0.01
_SETTLED: Final = 2.5
_P99: Final = 98
_LIMIT: Final = 0.25
_READ: Final = 1000
_PAGES: Final = (("GET /tasks, what has not ended", ""), ("GET /tasks, a page of 500 of all", "?all=true&limit=500"))


def listing(pairs: int, count: int) -> Iterator[Row]:
    """P15: warm, so nothing changed since the last request, nor in the two seconds before that one."""
    with scene(_FILES) as here:
        fill(here, count)
        time.sleep(_SETTLED)
        with serve(here.repository) as server, server.client() as ours:
            for what, query in _PAGES:
                path = f"/api/v1/tasks{query}"
                document = json.loads(_told(ours, path))
                with bare(document, here.repository.parent) as yardstick, yardstick.client() as theirs:
                    yield measured(
                        "P15",
                        f"{what}, {count:,} tasks ({len(document['tasks'])} rows)",
                        lambda theirs=theirs: timed(lambda: _told(theirs, "/constant")),  # type: ignore[misc]
                        lambda path=path: timed(lambda: _told(ours, path)),  # type: ignore[misc]
                        pairs=pairs,
                        goal=2,
                    )


def streaming(clients: int, messages: int) -> Iterator[Row]:
    """P16: the yardstick is one follower of the bus in a process of its own, without any server."""
    with scene(_FILES) as here, serve(here.repository) as server:
        with _followed(here.project, messages) as followed, _listening(server, clients, messages) as listening:
            for _ in range(messages):
                here.project.bus.append(MESSAGE._replace(body=str(time.perf_counter_ns())))
                time.sleep(_APART)
            heard = json.loads(listening.readline())
        yield Row(
            "P16",
            f"{clients} clients, {messages:,} messages, post to delivery, p99",
            (quantiles(followed, n=100)[_P99],),
            (quantiles(heard["delays"], n=100)[_P99],),
            limit_seconds=_LIMIT,
            note=f"{len(heard['delays']):,} deliveries; yardstick: one follower of the bus",
            failure=f"{heard['wrong']} clients lost some" if heard["wrong"] else "",
        )


def memory(tasks: int, messages: int) -> Iterator[Row]:
    """P17: after the list of all tasks, a piece of the backlog and some live messages."""
    with scene(_FILES) as here:
        fill(here, tasks)
        bus = here.project.layout.state_dir / "MESSAGE-BUS.md"
        for old in bus.parent.glob("MESSAGE-BUS*"):
            old.unlink()
        long = history(messages, bus)
        with bare({"tasks": []}, here.repository.parent) as yardstick, serve(here.repository) as server:
            with yardstick.client() as theirs:
                _told(theirs, "/constant")
            _used(here, server, long.msg_id(-_READ))
            yield Row(
                "P17",
                f"serve with {tasks:,} tasks and {messages:,} messages",
                (float(yardstick.memory),),
                (float(server.memory),),
                goal=2,
                in_bytes=True,
            )


def _used(here: Scene, server: Served, cursor: str) -> None:
    with server.client() as client:
        for _ in range(3):
            _told(client, "/api/v1/tasks")
            _told(client, "/api/v1/tasks?all=true&limit=500")
        with client.stream("GET", "/api/v1/events", params={"since": cursor}) as stream:
            lines = (line for line in stream.iter_lines() if line.startswith("data:"))
            assert len(list(islice(lines, _READ))) == _READ
            here.project.bus.append(MESSAGE)
            next(lines)


def _told(client: httpx.Client, path: str) -> bytes:
    """What is answered, as it came: to make anything of it is the client's time, and not the server's."""
    answer = client.get(path)
    answer.raise_for_status()
    return answer.content


@contextmanager
def _listening(server: Served, clients: int, messages: int) -> Iterator[Any]:
    command = [sys.executable, "-m", "benchmarks.listeners", server.url, server.token, str(clients), str(messages)]
    with subprocess.Popen(command, cwd=_TOP, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the listeners did not come to listen")
        yield process.stdout


@contextmanager
def _followed(project: Project, messages: int) -> Iterator[list[float]]:
    """The delays of a follower in this process; whole once the block has ended."""
    delays: list[float] = []
    with Stop() as stop:

        def follow() -> None:
            for message in project.bus.follow(stop=stop, types=(MESSAGE.type,)):
                delays.append((time.perf_counter_ns() - int(message.body)) / 1e9)
                if len(delays) == messages:
                    return

        thread = threading.Thread(target=follow)
        thread.start()
        yield delays
        thread.join()
