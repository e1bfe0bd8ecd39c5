"""The one door for children other than git's, and for signals: launch, recognise, end, and leave nothing behind."""

from __future__ import annotations

import os
import selectors
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGTERM, Signals
from subprocess import Popen
from typing import IO, Final, NoReturn

from conductor_git.errors import AgentFailed
from conductor_git.outputlog import OutputLog, open_log
from conductor_git.processtable import carries, carrying, identify, is_alive, is_ancestor, members, wait_gone
from conductor_git.run import ProcessId

__all__ = [
    "Captured",
    "Child",
    "become",
    "capture",
    "detach",
    "end_carrying",
    "end_group",
    "identify",
    "is_alive",
    "is_ancestor",
    "kill",
    "launch",
    "run_limited",
    "signal_name",
    "stragglers",
    "terminate",
    "wait_gone",
]

Child = Popen[bytes]
"""A process of ours that has not been reaped yet."""


@dataclass(frozen=True, slots=True)
class Captured:
    """How a command ended: its exit code (negative for a signal) and what it printed."""

    code: int
    out: str
    err: str


RUN_MARKER: Final = "CONDUCTOR_RUN_ID"
GATE_MARKER: Final = "CONDUCTOR_GATE_RUN"

_KILL_SECONDS: Final = 5.0
"""How long we wait for what was killed; a process that waits in the kernel for its disk can stay longer."""
_GATE_GRACE: Final = 2.0
_LOG_LIMIT: Final = 16 * 1024 * 1024
_LOOK_AGAIN: Final = 0.05
_CHUNK: Final = 65536
_BETWEEN: Final = '/bin/sh -c -- "$1"; exit $?'
"""A shell between us and the command: what ends its parent ends that one."""


def launch(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    stdout: Path,
    stderr: Path,
    stdin: Path | None = None,
) -> Popen[bytes]:
    """Start `command` in a session of its own, its output appended to log files that only we can read.

    Whoever calls reaps it. A command that cannot be started raises `AgentFailed` with what was looked for.
    """
    files = [os.open(stdin or os.devnull, os.O_RDONLY | os.O_CLOEXEC)]
    try:
        files += [open_log(path, os.O_APPEND) for path in (stdout, stderr)]
        return _start(command, cwd, environment, *files)
    finally:
        for descriptor in files:
            os.close(descriptor)


def detach(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path) -> ProcessId:
    """Start `command` so that it outlives us and our terminal: a session of its own, output appended to `log`.

    Should we outlive it, a thread of ours reaps it.
    """
    child = launch(command, cwd=cwd, environment=environment, stdout=log, stderr=log)
    process = identify(child.pid)
    assert process is not None, "a child that nobody has reaped has a pid"
    threading.Thread(target=child.wait, name=f"reaper-{child.pid}", daemon=True).start()
    return process


def end_group(pgid: int, run_id: str, *, grace: float, leader: ProcessId | None = None) -> tuple[ProcessId, ...]:
    """End the process group, then whatever else carries `run_id` in its environment; returns what was ended.

    TERM, up to `grace` seconds, KILL; the same once more for what made a session of its own. Never ourselves or our
    ancestors. A group is touched only when it is provably the run's, as its number may have been given to strangers
    since: its leader is `leader` or a child of ours, or a member carries `run_id`. What has left the group and
    cleared its environment is not found.
    """
    return _end_all(pgid, RUN_MARKER, run_id, grace, leader)


def capture(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], seconds: float) -> Captured:
    """Run `command` to its end with nothing on its standard input; any exit code is an answer.

    Bytes that are not UTF-8 come as replacement characters. `AgentFailed` when it cannot be started, or has not ended
    after `seconds`; it is killed then, and what it may have started is not.
    """
    try:
        done = subprocess.run(
            list(command),
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise AgentFailed(f"`{shlex.join(command)}` did not end within {seconds:g} s", command=list(command)) from late
    except OSError as failure:
        raise _unstartable(command, cwd, environment, failure) from failure
    return Captured(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def become(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Go on as `command` with `environment`, in this very process. What is unflushed in our buffers is lost."""
    os.execve(command[0], list(command), environment)  # noqa: S606 - no shell is wanted


def end_carrying(marker: str, value: str) -> tuple[ProcessId, ...]:
    """End every process that was started with `marker=value`: TERM, a moment, KILL. Returns what was ended."""
    return tuple(_end(lambda: carrying(marker, value), _GATE_GRACE))


def terminate(process: ProcessId) -> None:
    """Ask `process` to end, if it is still the same one."""
    _send(process, (SIGTERM,))


def kill(process: ProcessId) -> None:
    """End `process` now, if it is still the same one."""
    _send(process, (SIGKILL,))


def stragglers(run_id: str) -> tuple[ProcessId, ...]:
    """The live processes that carry `run_id` in their environment, in any group; not ourselves or our ancestors."""
    return tuple(sorted(carrying(RUN_MARKER, run_id), key=attrgetter("pid")))


def run_limited(
    command: str,
    *,
    cwd: Path,
    environment: Mapping[str, str],
    log: Path,
    seconds: float,
    secrets: Sequence[str] = (),
    log_limit: int = _LOG_LIMIT,
    give_up: Callable[[], bool] = lambda: False,
) -> tuple[int | None, float]:
    """Run `sh -c command` for at most `seconds`; returns its exit code (None: out of time) and how long it took.

    Once `give_up` says so, its time is over too.

    A signal is told as shells do, by 128 and its number. We are not the command's parent, so it does not end us when
    it ends that. Its output goes to `log` without `secrets`, of which the head and the tail are kept within
    `log_limit` bytes. However it ends, also by an exception of ours, nothing that it started goes on: not its group,
    not what left the group, but for a chain of processes that each make a session of their own and end at once.
    """
    marker = os.urandom(16).hex()
    began = time.monotonic()
    with OutputLog(log, log_limit, secrets) as output:
        shell = ["/bin/sh", "-c", _BETWEEN, "gate", command]
        child = _start(shell, cwd, {**environment, GATE_MARKER: marker}, subprocess.DEVNULL, subprocess.PIPE)
        with child:
            pipe = child.stdout
            assert pipe is not None, "stdout was asked for as a pipe"
            try:
                in_time = _follow(child, pipe, output, began + seconds, give_up)
                took = time.monotonic() - began
            finally:
                _end(lambda: members(child.pid), _GATE_GRACE)
                _kill_group(child.pid)
                _end(lambda: carrying(GATE_MARKER, marker), _GATE_GRACE)
            _drain(pipe, output)
    if not in_time:
        return None, took
    return child.returncode if child.returncode >= 0 else 128 - child.returncode, took


def signal_name(exit_code: int) -> str | None:
    """The signal that a negative exit code of `Popen` stands for, as `SIGKILL`; None for an exit of its own."""
    if exit_code >= 0:
        return None
    return Signals(-exit_code).name if -exit_code in set(Signals) else f"signal {-exit_code}"


def _start(
    command: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    stdin: int,
    stdout: int,
    stderr: int = subprocess.STDOUT,
) -> Popen[bytes]:
    try:
        return Popen(
            list(command), cwd=cwd, env=environment, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
        )
    except (OSError, ValueError, IndexError) as failure:
        raise _unstartable(command, cwd, environment, failure) from failure


def _unstartable(command: Sequence[str], cwd: Path, environment: Mapping[str, str], failure: Exception) -> AgentFailed:
    program = command[0] if command else ""
    reason = failure.strerror if isinstance(failure, OSError) else str(failure)
    where = f"in {cwd}" if "/" in program else f"on PATH={environment.get('PATH', os.defpath)}"
    if not cwd.is_dir():
        reason, where = "its directory is missing", f"in {cwd}"
    return AgentFailed(
        f"{program!r} could not be started: {reason} (looked for it {where})",
        hint=f"command -v {shlex.quote(program)}",
        command=list(command),
        directory=str(cwd),
    )


def _follow(
    child: Popen[bytes], pipe: IO[bytes], output: OutputLog, deadline: float, give_up: Callable[[], bool]
) -> bool:
    """Copy what comes until the child ends or time is up; a grandchild that holds the pipe open keeps nobody.

    Returns whether it ended in time. Does not reap it, so that its number stays its own.
    """
    process = identify(child.pid)
    assert process is not None, "a child that nobody has reaped has a pid"
    os.set_blocking(pipe.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0 and is_alive(process) and not give_up():
            if selector.select(min(left, _LOOK_AGAIN)):
                chunk = os.read(pipe.fileno(), _CHUNK)
                if not chunk:
                    return not wait_gone({process}, deadline - time.monotonic())
                output.write(chunk)
    return not is_alive(process)


def _drain(pipe: IO[bytes], output: OutputLog) -> None:
    """Copy what was in the pipe when its writers ended; bounded, should one have escaped and go on writing."""
    for _ in range(64):
        try:
            chunk = os.read(pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            return
        output.write(chunk)


def _end_all(pgid: int, marker: str, value: str, grace: float, leader: ProcessId | None) -> tuple[ProcessId, ...]:
    ended: set[ProcessId] = set()
    if _is_ours(pgid, marker, value, leader):
        ended |= _end(lambda: members(pgid), grace)
    ended |= _end(lambda: carrying(marker, value), grace)
    return tuple(sorted((process for process in ended if not is_alive(process)), key=attrgetter("pid")))


def _end(find: Callable[[], set[ProcessId]], grace: float) -> set[ProcessId]:
    # A stopped process gets TERM only once it goes on.
    asked = _signal_until_gone(find, (SIGTERM, SIGCONT), grace)
    return asked | _signal_until_gone(find, (SIGKILL,), _KILL_SECONDS)


def _signal_until_gone(
    find: Callable[[], set[ProcessId]], signals: Sequence[Signals], seconds: float
) -> set[ProcessId]:
    """Signal what `find` finds, each process once, until it finds nothing or time is up: children come late."""
    deadline = time.monotonic() + seconds
    signalled: set[ProcessId] = set()
    while left := find():
        for process in left - signalled:
            _send(process, signals)
        signalled |= left
        if wait_gone(left, deadline - time.monotonic()) or time.monotonic() >= deadline:
            break
    return signalled


def _send(process: ProcessId, signals: Sequence[Signals]) -> None:
    for signal in signals:
        if is_alive(process):
            try:
                os.kill(process.pid, signal)
            except (ProcessLookupError, PermissionError):
                return


def _kill_group(pgid: int) -> None:
    """Kill the whole group at once: a process that starts another and ends, over and over, is never met by itself.

    The leader must be a child of ours that we have not reaped, so that the number is still the group's.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, SIGKILL)


def _is_ours(pgid: int, marker: str, value: str, leader: ProcessId | None) -> bool:
    import psutil

    if leader is not None and leader.pid == pgid and is_alive(leader):
        return True
    try:
        # While we have not reaped our child, nobody else can be given its number.
        if psutil.Process(pgid).ppid() == os.getpid():
            return True
    except (psutil.Error, ValueError):
        pass
    return any(carries(member.pid, marker, value) for member in members(pgid))
