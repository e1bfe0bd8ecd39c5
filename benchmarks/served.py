"""Servers as processes of their own: `conductor-git serve` of a project with many tasks, and a bare one beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.scene import Scene
from conductor_git.names import TaskId
from conductor_git.run import Event, Run, State, utcnow
from conductor_git.store.files import encode
from tests import kit

_TOP: Final = Path(__file__).parents[1]
_LIVE_EACH: Final = 10
"""Of so many tasks one has not ended."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers at `url`."""

    url: str
    token: str
    process_id: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers, trust_env=False, timeout=120)

    @property
    def memory(self) -> int:
        """Bytes that the process holds now."""
        status = Path(f"/proc/{self.process_id}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


@contextmanager
def serve(repository: Path) -> Iterator[Served]:
    """The installed command, on a free port."""
    command = str(kit.console_script())
    made = subprocess.run(
        [command, "serve", "token", "add", "bench", "--role", "viewer", "--json"],
        cwd=repository,
        check=True,
        capture_output=True,
    )
    token = json.loads(made.stdout)["secret"]
    with _running([command, "serve", "--port", "0", "--json"], repository) as (line, process_id):
        yield Served(json.loads(line)["serve"]["url"], token, process_id)


@contextmanager
def bare(constant: Any, scratch: Path) -> Iterator[Served]:
    """A FastAPI application that returns `constant`."""
    file = scratch / "constant.json"
    file.write_text(json.dumps(constant), "utf-8")
    with _running([sys.executable, "-m", "benchmarks.bare", str(file)], _TOP) as (line, process_id):
        yield Served(f"http://127.0.0.1:{line.strip()}", "", process_id)


@contextmanager
def _running(command: list[str], cwd: Path) -> Iterator[tuple[str, int]]:
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline(), process.pid
        finally:
            process.terminate()


def fill(here: Scene, count: int) -> None:
    """Records of `count` tasks, a tenth of them at work: as of a project that has been used for months."""
    model = here.committed(here.task_id())
    for number in range(1, count):
        run = _like(model, TaskId(f"task-{number:05d}"), number)
        path = here.project.layout.run_info(run.task_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(run))
    for number in range(_LIVE_EACH, count, _LIVE_EACH):
        here.git("branch", f"worker/task-{number:05d}", model.branch)


def _like(model: Run, task_id: TaskId, number: int) -> Run:
    is_live = number % _LIVE_EACH == 0
    state = State.WORKING if is_live else State.CANCELLED
    steps = model.history if is_live else (*model.history, _cancelled(model))
    return replace(
        model,
        task_id=task_id,
        title=f"Task number {number}",
        branch=f"worker/{task_id}",
        state=state,
        history=steps,
        revision=len(steps),
        updated_at=utcnow() - timedelta(minutes=number),
    )


def _cancelled(model: Run) -> Any:
    return replace(model.history[-1], revision=len(model.history) + 1, event=Event.CANCEL, state=State.CANCELLED)
