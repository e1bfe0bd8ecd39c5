"""How a worker gives a part of its task to another one."""

from __future__ import annotations

from typing import Final

from conductor_git.names import TaskId

_SHARE: Final = """\
A part that somebody else can do by itself may be a sub-task. It starts from {target} and lands there, not on your
branch; its worker knows nothing but what you ask:

    conductor-git spawn {part} -m 'Write the tests for the price list'
    conductor-git wait --children --until review --timeout 30m"""

_LONGEST_ID: Final = 64


def how_to_share(task_id: TaskId, target: str) -> str:
    return _SHARE.format(target=target, part=part_of(task_id))


def part_of(task_id: TaskId, name: str = "-tests") -> TaskId:
    """A task id for a part of the task `task_id`."""
    return TaskId(task_id[: _LONGEST_ID - len(name)] + name)
