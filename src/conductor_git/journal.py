"""The journal of operations under way, so that what a SIGKILL interrupted is found and mended by the next command.

An operation holds its task's lock and leaves one small file here for as long as it runs. The lock's descriptor is
inherited by the operation's git processes, so a free lock proves that nothing of it is alive any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from conductor_git import durable
from conductor_git.errors import GitKilled, Unfinished
from conductor_git.ground.home import require_home
from conductor_git.layout import Layout
from conductor_git.names import TaskId

_MOVES_A_TARGET: Final = ("merge", "undo")
_ANYWHERE: Final = ("spawn", "doctor")
"""The verbs that need no worktree of the task in its place: it is about to be made, or to be found."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What an operation was about to do: its verb and the facts that recovery needs."""

    task_id: TaskId
    verb: str
    facts: dict[str, Any]


@contextmanager
def operation(layout: Layout, task_id: TaskId, verb: str, *, seconds: float = 10, **facts: Any) -> Iterator[int]:
    """Hold the task's lock and an intent while the block runs; yields the lock's descriptor for git children.

    `RepositoryMoved` where the task's worktree was made by a repository in another place.

    The intent goes when the block ends or raises a refusal (the block has undone its own work by then). It stays
    where the process is killed or interrupted, and where it raises `Unfinished` or `GitKilled`. Flushed for the verbs
    that move a target: after a power cut, too, the next command has to find what a person's checkout was left in.
    The others' is not; what the disk kept of them is compared by `doctor`.
    """
    if verb not in _ANYWHERE:
        require_home(layout, task_id)
    durable.make_directory(layout.journal)
    with durable.lock(layout.task_lock(task_id), seconds=seconds, purpose=verb) as descriptor:
        intent = layout.intent(task_id)
        write = durable.replace if verb in _MOVES_A_TARGET else durable.write_through
        write(intent, json.dumps({"verb": verb, "facts": facts}).encode())
        try:
            yield descriptor
        except (Unfinished, GitKilled):
            raise
        except Exception:
            intent.unlink(missing_ok=True)
            raise
        intent.unlink(missing_ok=True)


def pending(layout: Layout) -> tuple[TaskId, ...]:
    """The tasks with an intent: under way, or interrupted. One directory read, and none of the tasks is opened."""
    try:
        names = [path.name for path in layout.journal.iterdir()]
    except FileNotFoundError:
        return ()
    return tuple(sorted({task_id for name in names if (task_id := _task_of(name))}))


def _task_of(name: str) -> TaskId | None:
    """The task of an intent, or of the temporary file of one: a kill can come before the rename."""
    if name.endswith(".json"):
        return TaskId(name.removesuffix(".json"))
    if name.startswith(".") and name.endswith(".tmp"):
        return TaskId(name[1:].rpartition(".json.")[0])
    return None


@contextmanager
def interrupted(layout: Layout, task_id: TaskId) -> Iterator[tuple[Intent, int] | None]:
    """The intent of `task_id` with its lock held, or None while its operation is alive or where it has ended."""
    with durable.try_lock(layout.task_lock(task_id)) as descriptor:
        if descriptor is None:
            yield None
            return
        durable.drop_temporaries(layout.intent(task_id))
        intent = _read(layout, task_id)
        yield None if intent is None else (intent, descriptor)


def forget(layout: Layout, task_id: TaskId) -> None:
    """Drop an intent that has been mended."""
    layout.intent(task_id).unlink(missing_ok=True)


def _read(layout: Layout, task_id: TaskId) -> Intent | None:
    try:
        document = json.loads(durable.read_regular(layout.intent(task_id), 64 * 1024))
        return Intent(task_id, str(document["verb"]), dict(document["facts"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        # write_through renames whole files, so this is damage from outside; the verb's absence means "look at all".
        return Intent(task_id, "unknown", {})
