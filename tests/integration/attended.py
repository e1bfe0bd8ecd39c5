"""Attempts in a terminal: a tmux server that is the test's own, and what a person does to it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conductor_git import process
from conductor_git.names import TaskId
from conductor_git.project import Project, open_project
from conductor_git.runner import terminal
from conductor_git.runner.agents.base import Launch
from conductor_git.runner.child import Child
from tests import kit
from tests.kit import tasks

RUN = "attended-run"
PRICES = TaskId("prices")


def tmux(*words: str, ok: tuple[int, ...] = (0,)) -> str:
    """Say `words` to the project's tmux server; returns what it answers."""
    done = subprocess.run(["tmux", "-L", _server(), *words], capture_output=True, text=True, check=False)
    assert done.returncode in ok, done
    return done.stdout


def _server() -> str:
    """The one server of ours that there is, or was, in the test's own directory."""
    known = [path.name for path in Path(os.environ["TMUX_TMPDIR"]).glob("tmux-*/conductor-*")]
    assert len(known) <= 1, known
    return known[0] if known else "conductor-nobody"


def sessions() -> list[str]:
    return tmux("list-sessions", "-F", "#{session_name}", ok=(0, 1)).split()


def type_in(*keys: str, task: str = "prices") -> None:
    tmux("send-keys", "-t", f"=conductor-{task}:", *keys)


def nothing_is_left(run_id: str = RUN) -> bool:
    """No session, no server, and no process that carries the run id."""
    asked = subprocess.run(["tmux", "-L", _server(), "list-sessions"], capture_output=True, check=False)
    return asked.returncode == 1 and process.stragglers(run_id) == ()


def begin(
    repository: Path,
    *command: str,
    task: str = "prices",
    project: Project | None = None,
    stdin: Path | None = None,
    **variables: str,
) -> Child:
    """Start `command` on a terminal as an attempt of a task, which is made where it is not there."""
    project = project or open_project(repository)
    if not project.layout.run_info(TaskId(task)).exists():
        tasks.spawn(repository, task)
    environment = {**os.environ, "CONDUCTOR_RUN_ID": f"{RUN}-{task}" if task != "prices" else RUN, **variables}
    launch = Launch(command, stdin)
    return terminal.start(project, project.runs.get(TaskId(task)), launch, environment, folder(repository, task))


def folder(repository: Path, task: str = "prices") -> Path:
    place = repository / ".git" / "conductor" / "tasks" / task / "attempts" / RUN
    place.mkdir(parents=True, exist_ok=True)
    return place


def printed(repository: Path) -> str:
    """What is in the log of the attempt, with the ends of lines as everywhere."""
    return (folder(repository) / "stdout.log").read_text("utf-8", "replace").replace("\r\n", "\n")


def over(child: Child) -> int | None:
    """The exit code of an attempt that ends by itself."""
    kit.until(lambda: child.is_over)
    return child.reap()


@contextmanager
def ended_at_last(repository: Path) -> Iterator[None]:
    """However the block ends, what it started is ended: agents, sessions, the server."""
    try:
        yield
    finally:
        known = repository / ".git" / "conductor" / "tasks"
        for task in known.iterdir() if known.exists() else ():
            kit.conductor("stop", task.name, cwd=repository)
            for run_id in (RUN, f"{RUN}-{task.name}"):
                process.end_group(0, run_id, grace=0)
        tmux("kill-server", ok=(0, 1))
