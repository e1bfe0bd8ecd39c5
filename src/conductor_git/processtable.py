"""What the system knows about its processes: which one this is, whether it lives, whose it is. Sends no signal."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from conductor_git.run import ProcessId

_LONGEST_PAUSE: Final = 0.05
_LOOKS: Final = 5
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def identify(pid: int) -> ProcessId | None:
    """`pid` as a process that can be recognised later, or None where there is none; a zombie still is one.

    `started` is what the kernel keeps for as long as the process lives: on Linux seconds since boot, because the time
    of day that other tools compute from it moves whenever the clock is set; elsewhere seconds since the epoch.
    """
    seen = _look(pid)
    return None if seen is None else ProcessId(pid, seen[0])


def is_alive(process: ProcessId) -> bool:
    """Whether exactly this process still runs: not another one with its pid, and not a zombie."""
    return _look(process.pid) == (process.started, True)


def wait_gone(processes: set[ProcessId], seconds: float) -> set[ProcessId]:
    """Wait until none of `processes` is alive, at most `seconds`; returns those that are. Reaps none of them."""
    deadline = time.monotonic() + seconds
    pause = 0.001
    while (left := {process for process in processes if is_alive(process)}) and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return left


def is_ancestor(process: ProcessId) -> bool:
    """Whether `process` is our parent, or its parent, and so on."""
    return process.pid in _ancestors() and is_alive(process)


def members(pgid: int) -> set[ProcessId]:
    """The live processes of the group, without ourselves and our ancestors."""
    return {process for process in _others() if _group(process.pid) == pgid}


def carrying(marker: str, value: str) -> set[ProcessId]:
    """The live processes that were started with `marker=value`, without ourselves and our ancestors.

    What another user owns cannot be looked at and is not found.
    """
    return {process for process in _others() if carries(process.pid, marker, value)}


def standing_in(directory: Path) -> bool:
    """Whether a process has `directory` or one below it as its working directory, as far as we may know."""
    top = os.path.realpath(directory)
    return any(place == top or place.startswith(f"{top}/") for place in _working_directories())


def _working_directories() -> Iterator[str]:
    if _look is _look_in_proc:
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with suppress(OSError):
                    yield os.readlink(f"/proc/{entry.name}/cwd")  # noqa: PTH115 - a text; of hundreds, once a spawn
        return
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            yield process.cwd() or ""


def marked(marker: str, names: Collection[str]) -> list[tuple[ProcessId, dict[str, str]]]:
    """The live processes that were started with `marker` in their environment, each with the variables `names` of it.

    Without ourselves and our ancestors, and as far as we may know.
    """
    import psutil

    found: list[tuple[ProcessId, dict[str, str]]] = []
    for process in _others():
        try:
            variables = psutil.Process(process.pid).environ()
        except (psutil.Error, OSError):
            continue
        if marker in variables and is_alive(process):
            found.append((process, {name: variables[name] for name in names if name in variables}))
    return found


def _others() -> set[ProcessId]:
    import psutil

    spared = {os.getpid(), *_ancestors()}
    found = {identify(pid) for pid in psutil.pids() if pid not in spared}
    return {process for process in found if process is not None and is_alive(process)}


def _ancestors() -> set[int]:
    """Our parent and its parents. Whoever launched us may end while we look, and then the line is another one."""
    import psutil

    for _ in range(_LOOKS):
        try:
            return {parent.pid for parent in psutil.Process().parents()}
        except psutil.NoSuchProcess:
            continue
    return {os.getppid()}


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def carries(pid: int, marker: str, value: str) -> bool:
    """Whether `pid` was started with `marker=value` in its environment, as far as we may know."""
    import psutil

    try:
        return psutil.Process(pid).environ().get(marker) == value
    except (psutil.Error, OSError):
        return False


def out_of_memory_kills() -> int | None:
    """How many processes the kernel has ended for want of memory since it started; None where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def _look_in_proc(pid: int) -> tuple[float, bool] | None:
    """Start time and whether it runs, from proc_pid_stat(5): state is field 3, num_threads 20, starttime 22.

    A process whose first thread is a zombie still runs, and holds its files and locks, while it has another one.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in field 2 may hold spaces and parentheses; nothing after it does.
    fields = stat.rpartition(b")")[2].split()
    return int(fields[19]) / _TICKS, fields[0] not in (b"Z", b"X", b"x") or int(fields[17]) > 1


def _look_with_psutil(pid: int) -> tuple[float, bool] | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return process.create_time(), process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.ZombieProcess:
        return 0.0, False
    except (psutil.Error, ValueError):
        return None


_look = _look_in_proc if Path("/proc/self/stat").exists() else _look_with_psutil
