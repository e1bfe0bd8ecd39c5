"""What is asked for in a body, as the workflows take it."""

from __future__ import annotations

from conductor_git.names import TaskId
from conductor_git.review import LineComment, path_inside
from conductor_git.run import Run
from conductor_git.server.api.asking import Changing
from conductor_git.server.api.bodies import Merge, Opinion
from conductor_git.workflow.landing.wish import Wish
from conductor_git.workflow.review import Give


def judge(asking: Changing, task_id: TaskId, body: Opinion, give: Give) -> Run:
    """Give the verdict under the name of the token; the task after it."""
    return give(
        asking.guarded(task_id),
        task_id,
        by=asking.reviewer,
        at=asking.now(),
        commit=body.commit,
        body=body.message,
        comments=[LineComment(path_inside(one.path), one.line, one.body, one.side) for one in body.comments],
    )


def wish_of(body: Merge) -> Wish:
    """How a landing is wished."""
    return Wish(
        strategy=body.strategy,
        cleanup=body.cleanup,
        wait_seconds=body.wait,
        dry_run=body.dry_run,
        trust=body.trust,
        ignore_needs=body.ignore_needs,
    )
