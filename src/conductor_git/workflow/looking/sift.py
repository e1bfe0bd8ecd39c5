"""sift: the records of the tasks in some states, without reading the YAML of all the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import Final

from conductor_git.errors import BadRecord, ConductorError, NotFound
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run, State
from conductor_git.workflow.looking.glance import glance

LIVE: Final = frozenset(state for state in State if not state.is_final)
_KNOWN: Final = frozenset(map(str, State))


def sift(project: Project, states: Collection[State]) -> Iterator[Run | BadRecord]:
    """Every record whose state is one of `states`, and every one that cannot be read.

    Most records of a project are of tasks that have ended, and reading one as YAML costs twenty times what the glance
    at its state does.
    """
    wanted = {str(state) for state in states}
    for found in _read(project, lambda task_id: _said(project, task_id, "state") not in _KNOWN - wanted):
        if isinstance(found, BadRecord) or found.state in states:
            yield found


def live(project: Project) -> tuple[Run, ...]:
    """The tasks that have not ended and whose records can be read."""
    return tuple(found for found in sift(project, LIVE) if isinstance(found, Run))


def tally(project: Project) -> Counter[str]:
    """How many tasks are in each state, without reading any record as YAML; `unreadable` are those that say none."""
    if project.runs.is_quick:
        scanned = project.runs.scan()
        return Counter("unreadable" if isinstance(one, BadRecord) else str(one.state) for one in scanned)
    found: Counter[str] = Counter()
    for task_id in project.runs.task_ids():
        with suppress(NotFound):  # removed since the listing
            said = _said(project, task_id, "state")
            found[said if said in _KNOWN else "unreadable"] += 1
    return found


def reviewers_of(project: Project, task_id: TaskId) -> tuple[Run, ...]:
    """The live tasks that are to review `task_id`."""
    found = _read(project, lambda other: _said(project, other, "review_of") == task_id)
    runs = (run for run in found if isinstance(run, Run))
    return tuple(run for run in runs if run.review_of == task_id and not run.state.is_final)


def _read(project: Project, is_worth_it: Callable[[TaskId], bool]) -> Iterator[Run | BadRecord]:
    if project.runs.is_quick:
        yield from project.runs.scan()
        return
    for task_id in project.runs.task_ids():
        try:
            if is_worth_it(task_id):
                yield project.runs.get(task_id)
        except BadRecord as bad:
            yield bad
        except NotFound:
            continue  # removed since the listing


def _said(project: Project, task_id: TaskId, key: str) -> str:
    try:
        return glance(project.layout, task_id, key)
    except NotFound:
        raise
    except (ConductorError, OSError):
        return ""  # a bad record, which reading it says
