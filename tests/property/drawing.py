"""What the machine draws from: tasks in a state, files and contents, messes and strays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

from conductor_git.names import TaskId
from tests.property import people

NAMES: Final = tuple(TaskId(name) for name in ("alder", "birch", "cedar", "doum", "elm"))
CONTENTS: Final = st.one_of(st.integers(0, 4), st.none())
FILES: Final = st.sampled_from(people.FILES)
TWINS: Final = ("a.txt", "docs/b.txt", "src/prices.py", "a.txt")
"""The gate is red where the first two of them are the same."""
MESSES: Final = st.sampled_from(sorted(people.MESSES))
STRAYS: Final = ("detach", "side branch", "merge", "delete", "back", "resolve", "commit all", "abort")
PROVOCATIONS: Final = {
    # Which states are to be left behind before, by the main road.
    "approve": ("ASSIGNED", "WORKING"),
    "request_changes": ("ASSIGNED", "WORKING", "IN_REVIEW"),
    "done": ("ASSIGNED",),
    "done --wip": ("ASSIGNED",),
    "merge": ("ASSIGNED", "WORKING", "IN_REVIEW"),
    "merge --dry-run": ("ASSIGNED", "WORKING", "IN_REVIEW"),
    "retry": (),
    "retry --reset": (),
}
SOME_STRAY: Final = st.one_of(st.none(), st.sampled_from(STRAYS))
VERBS: Final = {"start", "done", "approve", "request_changes", "merge", "undo", "cancel", "fail", "retry"}
STRATEGIES: Final = st.sampled_from(["merge", "squash", "rebase"])
OFTEN: Final = st.sampled_from([True, True, True, False])
SELDOM: Final = st.sampled_from([False, False, False, True])


def ready_for(*states: str) -> st.SearchStrategy[TaskId]:
    """A task, most often one in one of `states`, so that commands are refused now and then and not mostly."""

    def choose(machine: Any) -> st.SearchStrategy[TaskId]:
        tasks = machine.session.tasks.values()
        ready = [task.task_id for task in tasks if task.state in states]
        return st.sampled_from([*ready, *ready, *ready, *(task.task_id for task in tasks)])

    return st.runner().flatmap(choose)


def is_any(*states: str) -> Callable[[Any], bool]:
    return lambda machine: any(task.state in states for task in machine.session.tasks.values())


KNOWN: Final = ready_for()
"""A task that there is."""

UNUSED: Final = st.runner().flatmap(
    lambda machine: st.sampled_from([name for name in NAMES if name not in machine.session.tasks] * 2 + [NAMES[0]])
)
"""A name for a new task, now and then one that may be taken."""

ANY: Final = st.sampled_from(NAMES)
