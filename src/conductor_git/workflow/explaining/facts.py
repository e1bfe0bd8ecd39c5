"""What an explanation is made from, and what it is (no I/O)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from conductor_git.names import TaskId
from conductor_git.review import Review
from conductor_git.run import Run
from conductor_git.workflow.looking.glimpse import Met

if TYPE_CHECKING:  # the health's enumeration, of what reads it from the system
    from conductor_git.workflow.looking.health import Health


class Explanation(NamedTuple):
    """Why a task stands where it stands."""

    waits_for: str
    """Whom or what, in a few words."""
    because: tuple[str, ...] = ()
    """What is to know about that; one of them may have more lines than one."""
    moves: tuple[str, ...] = ()
    """What to type in the main checkout, from the first to the last; `diff` and `log` among them only look."""


class Tree(NamedTuple):
    """The task's worktree as it was found."""

    is_there: bool = True
    under_way: str = ""
    """What git is in the middle of there, in words."""
    head: str = ""
    """Where its HEAD is, where that is not the task's branch."""
    uncommitted: tuple[str, ...] = ()
    """Looked for only where somebody may hand in."""
    trouble: str = ""
    """Why it could not be looked at."""
    is_to_be_set_up: bool = False
    """Looked for only where nobody has begun."""


class Need(NamedTuple):
    """A task that has to land first; `standing` is its state, or why nobody knows it."""

    task_id: TaskId
    standing: str


class LogEnd(NamedTuple):
    """The end of what a gate or an agent printed."""

    path: str
    text: str


class InTheWay(NamedTuple):
    """A checkout of the target, and which of the files that blocked a landing are changed there now."""

    checkout: str
    files: tuple[str, ...]


class PushRefused(NamedTuple):
    """A remote that did not take what has landed, and what it said."""

    remote: str
    said: str


class Question(NamedTuple):
    """What a worker asked on the bus, and nobody has answered."""

    msg_id: str
    text: str


class Facts(NamedTuple):
    """All that was found out about a task; what its state does not ask for was not looked at and has no value."""

    run: Run
    now: datetime
    health: Health | None = None
    supervised: bool = False
    """Whether a supervisor of ours looks after it."""
    ahead: int | None = None
    behind: int | None = None
    tip: str | None = None
    """Where the task's branch is; None where there is none."""
    target_tip: str | None = None
    tree: Tree = Tree()
    last_beat: float | None = None
    """The seconds since the last sign of life."""
    reviews: tuple[Review, ...] = ()
    unreadable: str = ""
    """Why the reviews could not be read."""
    judged: Run | None = None
    """The task that a reviewer's task is about."""
    reviewers: tuple[Run, ...] = ()
    """The live tasks that are to review this one."""
    person: str = ""
    """Under which name whoever asks would review."""
    needs: tuple[Need, ...] = ()
    """Those that have not landed."""
    position: int | None = None
    ahead_in_queue: tuple[TaskId, ...] = ()
    unmet: tuple[TaskId, ...] = ()
    """The needs that do not land before it in its queue either."""
    landing: tuple[TaskId, ...] = ()
    """Of the tasks of its target, those with a landing or an undo under way."""
    was_foreseen: bool = False
    """Whether it was looked for what its branch would run into."""
    target_files: tuple[str, ...] = ()
    """The paths in which it would conflict with its target."""
    collides: tuple[Met, ...] = ()
    log: LogEnd | None = None
    in_the_way: InTheWay | None = None
    push: PushRefused | None = None
    question: Question | None = None
    """The last one, where its worker is there to hear the answer."""
