"""What the task of a reviewer is called who is asked without a name: after the task it reviews, and counted."""

from __future__ import annotations

from hashlib import sha256
from itertools import count
from typing import Final

from conductor_git.names import MAX_TASK_ID, TaskId, parse_task_id
from conductor_git.project import Project

_DIGEST: Final = 8


def reviewer_id(task_id: TaskId, number: int) -> TaskId:
    """TASK.review-N; where that is longer than an id may be, the beginning of TASK and a digest of it stand for TASK.

    The digest is of the whole id, so two long names that begin alike have reviewers of their own.
    """
    ending = f".review-{number}"
    if len(task_id) + len(ending) <= MAX_TASK_ID:
        return parse_task_id(task_id + ending)
    digest = sha256(task_id.encode()).hexdigest()[:_DIGEST]
    room = MAX_TASK_ID - len(ending) - len(digest) - 1
    return parse_task_id(f"{task_id[:room].rstrip('.-_')}-{digest}{ending}")


def free_reviewer_id(project: Project, reviewed: TaskId) -> TaskId:
    """The first of them that no task has."""
    names = (reviewer_id(reviewed, number) for number in count(1))
    return next(name for name in names if not project.layout.run_info(name).exists())
