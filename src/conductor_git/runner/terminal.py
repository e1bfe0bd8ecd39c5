"""An attempt in a terminal that a person can join and type into: a session of a tmux server of the project's own."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conductor_git import environment, process
from conductor_git.errors import AgentFailed
from conductor_git.names import TaskId
from conductor_git.processtable import is_alive
from conductor_git.project import Project
from conductor_git.run import ProcessId, Run
from conductor_git.runner import interactive
from conductor_git.runner.agents.base import Launch
from conductor_git.runner.child import Adopted, Child

if TYPE_CHECKING:
    from libtmux import Server

_PROGRAM: Final = "conductor_git.runner.interactive"
_COLUMNS, _LINES = "200", "50"
"""The size of a terminal that nobody has joined yet; then it is that of whoever joins."""
_START_SECONDS: Final = 30.0
_END_SECONDS: Final = 5.0
_ASK_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.05


class Attended:
    """The leading process of an attempt in a terminal: no child of ours, but how it ended is left for us in a file."""

    def __init__(self, project: Project, task_id: TaskId, process: ProcessId, folder: Path) -> None:
        self.process = process
        self._project, self._task_id, self._folder = project, task_id, folder
        self._found = Adopted(process)

    @property
    def is_over(self) -> bool:
        return self._found.is_over

    def fileno(self) -> int | None:
        return self._found.fileno()

    def reap(self) -> int | None:
        """As a child's; nothing is left of its terminal then."""
        self._found.reap()
        _wait_for_end(self._folder)
        with suppress(AgentFailed):  # tmux was taken away meanwhile: its sessions end with what runs in them
            _close(_server(self._project), session(self._project, self._task_id))
        return interactive.exit_code(self._folder)


def session(project: Project, task_id: TaskId) -> str:  # noqa: ARG001 - a server is of one project
    """The name of the task's session: tmux takes no dot in it, and no task id has a plus."""
    return f"conductor-{task_id.replace('.', '+')}"


def start(project: Project, run: Run, launch: Launch, environment: dict[str, str], folder: Path) -> Child:
    """Start `launch` on a terminal in the task's session; its process carries the attempt's run id.

    What it prints is appended to `stdout.log` in `folder`, for there is one stream on a terminal. `AgentFailed` where
    libtmux or tmux is missing or refuses, or the agent does not begin in time; nothing of it is left then.
    """
    server, name = _server(project), session(project, run.task_id)
    stdin = None if launch.stdin is None else str(launch.stdin)
    interactive.give(folder, interactive.Order(launch.command, environment, run.worktree, stdin))
    try:
        _close(server, name)  # of an attempt that nobody saw the end of
        _open(server, name, run, environment[process.RUN_MARKER], folder)
        return Attended(project, run.task_id, _appeared(server, name, folder), folder)
    except BaseException:
        _close(server, name)
        raise
    finally:
        interactive.take_back(folder)


def joining(project: Project, task_id: TaskId) -> tuple[str, ...] | None:
    """The command that joins the task's session; None where tmux knows of none."""
    program = shutil.which("tmux")
    if program is None:
        return None
    tmux, target = (program, "-L", _socket(project)), f"={session(project, task_id)}"
    asked = process.capture(
        [*tmux, "has-session", "-t", target], cwd=Path("/"), environment=environment.inherited(), seconds=_ASK_SECONDS
    )
    return None if asked.code else (*tmux, "attach-session", "-t", target)


def _socket(project: Project) -> str:
    """The name of the project's tmux server, so that nobody's own is touched."""
    return f"conductor-{sha256(os.fsencode(project.layout.common_dir)).hexdigest()[:12]}"


def _server(project: Project) -> Server:
    try:
        from libtmux import Server
    except ImportError as missing:
        raise AgentFailed(
            "`terminal: tmux` needs the Python package libtmux: pip install 'conductor-git[tmux]'",
            hint="pip install 'conductor-git[tmux]'",
        ) from missing
    if shutil.which("tmux") is None:
        raise AgentFailed("`terminal: tmux` needs the program tmux, which was not found", hint="command -v tmux")
    # Without the person's tmux.conf: what that runs, or keeps after the end, would be ours to answer for.
    return Server(socket_name=_socket(project), config_file=os.devnull)


def _open(server: Server, name: str, run: Run, run_id: str, folder: Path) -> None:
    # Words of their own each, so that no shell reads them; on a command line that everybody can see there is no key.
    options = ("set-option", "-g", "default-terminal", "screen-256color", ";")
    size = ("-x", _COLUMNS, "-y", _LINES)
    marked = ("-e", f"{process.RUN_MARKER}={run_id}")
    ours = (sys.executable, "-P", "-m", _PROGRAM, str(folder))
    # A format, in which `#` begins a field; at the end of a word `;` begins another command.
    place = ("-c", re.sub(";$", r"\\;", run.worktree.replace("#", "##")))
    done = server.cmd(
        "start-server", ";", *options, "new-session", "-d", "-s", name, "-n", "agent", *size, *marked, *place, *ours
    )
    if done.returncode:
        said = "; ".join(done.stderr) or f"exit code {done.returncode}"
        raise AgentFailed(f"tmux opened no session: {said}", hint="tmux -V", session=name)


def _appeared(server: Server, name: str, folder: Path) -> ProcessId:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        is_open = server.has_session(name)
        found = interactive.started(folder)
        if found is not None and found.agent is not None:
            return found.agent
        if found is not None or not is_open:
            why = found.failed if found is not None else "its session ended at once"
            raise AgentFailed(f"the agent did not begin in its terminal: {why}", hint="tmux -V", session=name)
        time.sleep(_LOOK_SECONDS)
    raise AgentFailed(f"the agent did not begin in its terminal within {_START_SECONDS:g} s", hint="tmux -V")


def _wait_for_end(folder: Path) -> None:
    """Wait until it is on file how the agent ended, as long as somebody is there to write it."""
    deadline = time.monotonic() + _END_SECONDS
    known = interactive.started(folder)
    keeper = known.keeper if known is not None else None
    while keeper is not None and is_alive(keeper) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def _close(server: Server, name: str) -> None:
    if server.has_session(name):
        server.cmd("kill-session", "-t", f"={name}")
