"""What a worker has of the machine for as long as its worktree is there: ports and a temporary directory.

The ports are leased in one file, so that no two workers of a project ever have the same. The file can be rebuilt from
the contexts in the worktrees' git dirs, and is, where it is missing or damaged. Ports that something else listens on
are passed over; what comes to listen on one later is not kept out.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git import directories, durable
from conductor_git.context import LIMIT, Ports, decode
from conductor_git.errors import BadContext, PortsTaken, TooLarge, UnsafePath
from conductor_git.layout import CANONICAL_CONTEXT_NAME, Layout
from conductor_git.names import TaskId

_BYTES: Final = 1 << 22
_LAST: Final = 65535
_EVERYWHERE: Final = ("127.0.0.1", "::1")


class Lease(NamedTuple):
    """What a task has, and the worktree that it has it for."""

    ports: Ports
    worktree: Path


def lease(layout: Layout, task_id: TaskId, worktree: Path, *, base: int, each: int) -> Ports | None:
    """The ports of the task, from now on its own: those that it has already, or the first share that is free.

    A share is `each` ports from `base` + n · `each`; None where `each` is 0. Where all are given out, those of tasks
    that are gone, or whose worktrees are, are given out again. `PortsTaken` where none is free then.
    """
    if each == 0:
        return None
    with durable.lock(layout.ports_lock, purpose="ports"):
        known = _read(layout)
        mine = known.get(task_id)
        if mine is None or mine.ports.count != each or mine.worktree != worktree:
            others = {other: held for other, held in known.items() if other != task_id}
            mine = Lease(_found(layout, others, base, each), worktree)
            kept = {other: held for other, held in others.items() if not _meet(held.ports, mine.ports)}
            _write(layout, {**kept, task_id: mine})
    return mine.ports


def free(layout: Layout, task_id: TaskId) -> None:
    """Give the ports of the task back, and remove its temporary directory with all in it. Safe to repeat."""
    shutil.rmtree(layout.temporary(task_id), ignore_errors=True)
    if not layout.ports.exists():
        return
    with durable.lock(layout.ports_lock, purpose="ports"):
        known = _read(layout)
        if task_id in known:
            _write(layout, {other: held for other, held in known.items() if other != task_id})


def leased(layout: Layout) -> Mapping[TaskId, Lease]:
    """What each task has. Reads only, and needs no lock: the file is replaced whole."""
    return _read(layout)


def drop_temporary_files(layout: Layout) -> None:
    """Remove what a killed writer of the leases left."""
    if layout.state_dir.is_dir():
        with durable.lock(layout.ports_lock, purpose="ports"):
            durable.drop_temporaries(layout.ports)


def temporary(layout: Layout, task_id: TaskId) -> Path:
    """The task's temporary directory, which only we can read; made where it is missing."""
    path = layout.temporary(task_id)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as failure:
        raise durable.unwritable(path, failure) from failure
    return path


def _living(layout: Layout, known: Mapping[TaskId, Lease]) -> dict[TaskId, Lease]:
    """Without the leases of tasks whose worktree is gone: a spawn that is under way has an intent and none yet."""
    return {
        task_id: held
        for task_id, held in known.items()
        if layout.intent(task_id).exists() or (held.worktree.exists() and layout.run_info(task_id).exists())
    }


def _meet(one: Ports, other: Ports) -> bool:
    return one.base < other.base + other.count and other.base < one.base + one.count


def _first_free(known: Mapping[TaskId, Lease], base: int, each: int) -> Ports | None:
    taken = {port for held in known.values() for port in range(held.ports.base, held.ports.base + held.ports.count)}
    for start in range(base, _LAST + 2 - each, each):
        share = range(start, start + each)
        if not taken.intersection(share) and all(map(_is_free, share)):
            return Ports(start, each)
    return None


def _found(layout: Layout, others: Mapping[TaskId, Lease], base: int, each: int) -> Ports:
    found = _first_free(others, base, each) or _first_free(_living(layout, others), base, each)
    if found is not None:
        return found
    raise PortsTaken(
        f"no {each} ports in a row from {base} on are free: other workers have them, or something listens there",
        hint="conductor-git config check  # `ports.base` and `ports.per_worker` say which are given out",
        base=base,
        per_worker=each,
    )


def _is_free(port: int) -> bool:
    """Whether a server could listen on `port` of this machine now. A machine without IPv6 has nothing there."""
    for family, host in ((socket.AF_INET, _EVERYWHERE[0]), (socket.AF_INET6, _EVERYWHERE[1])):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: what just ended is free
                probe.bind((host, port))
        except OSError:
            if family is socket.AF_INET or _has_ipv6():
                return False
    return True


def _has_ipv6() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
        probe.bind((_EVERYWHERE[1], 0))
        return True
    return False


def _read(layout: Layout) -> dict[TaskId, Lease]:
    try:
        found = json.loads(durable.read_regular(layout.ports, _BYTES))
        return {
            TaskId(task_id): Lease(Ports(int(held["base"]), int(held["count"])), Path(held["worktree"]))
            for task_id, held in found["leases"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, TooLarge, UnsafePath):
        return dict(_of_contexts(layout))


def _of_contexts(layout: Layout) -> Iterator[tuple[TaskId, Lease]]:
    for path in directories.matching(layout.common_dir, f"worktrees/*/{CANONICAL_CONTEXT_NAME}"):
        with suppress(OSError, BadContext, TooLarge, UnsafePath):
            context = decode(durable.read_regular(path, LIMIT), str(path))
            if context.ports is not None:
                yield context.task_id, Lease(context.ports, context.worktree)


def _write(layout: Layout, known: Mapping[TaskId, Lease]) -> None:
    if not known:
        layout.ports.unlink(missing_ok=True)
        return
    leases = {
        task_id: {"base": held.ports.base, "count": held.ports.count, "worktree": str(held.worktree)}
        for task_id, held in sorted(known.items())
    }
    durable.write_through(layout.ports, json.dumps({"version": 1, "leases": leases}, indent=1).encode())
