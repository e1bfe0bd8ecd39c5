"""glimpse: what the branches of all live workers would run into, for those who look in passing.

`status` is asked again and again while no branch moves. So the last answer lies beside what it was the answer to, and
is read without any git process and without what works it out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from conductor_git import durable
from conductor_git.errors import ConductorError
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run

_LIMIT: Final = 4 << 20
_VERSION: Final = 1
_Question = list[list[str | None]]


class Met(NamedTuple):
    """Another live task, and the paths in which the two would conflict."""

    other: TaskId
    files: tuple[str, ...]


class Foreseen(NamedTuple):
    """What the branch of one task would run into, uncommitted work left out."""

    others: tuple[Met, ...] = ()
    target_files: tuple[str, ...] = ()


def glimpse(project: Project, live: Sequence[Run], tips: Mapping[str, str]) -> dict[TaskId, Foreseen]:
    """What each of `live` would run into, whose refs are at `tips`; empty where it could not be told.

    Never refuses: who looks at a project wants to see it also where this cannot be known. A setting of git that decides
    about merges, changed since the last time, shows once a branch moves; `conflicts` asks afresh.
    """
    runs = _meeting(live)
    if not runs:
        return {}
    question = _question(runs, tips)
    known = _read(project)
    if _is_answer(known, question):
        return {TaskId(task_id): _foreseen(told) for task_id, told in known["told"].items()}
    return _asked(project, runs, question)


def is_settled(project: Project, live: Sequence[Run], tips: Mapping[str, str]) -> bool:
    """Whether the answer about `live` is kept: where there is much to find out, every look finds out a bit more."""
    runs = _meeting(live)
    return not runs or _is_answer(_read(project), _question(runs, tips))


def _meeting(live: Sequence[Run]) -> list[Run]:
    return [run for run in live if not run.state.is_final and run.review_of is None]


def _question(runs: Sequence[Run], tips: Mapping[str, str]) -> _Question:
    return sorted([run.task_id, tips.get(run.branch_ref), run.target, tips.get(run.target_ref)] for run in runs)


def _is_answer(known: dict[str, Any], question: _Question) -> bool:
    return known.get("version") == _VERSION and known.get("question") == question


def _asked(project: Project, runs: Sequence[Run], question: _Question) -> dict[TaskId, Foreseen]:
    from conductor_git.workflow.conflicts import collisions

    try:
        found = collisions(project, runs, uncommitted=False)
    except (OSError, ConductorError):  # a disk that is full, a branch whose commits are gone
        return {}
    told = {
        str(task_id): {
            "others": [[str(one.other), list(one.files)] for one in each.others],
            "target": list(each.target_files),
        }
        for task_id, each in found.items()
    }
    if not any(each.note for each in found.values()):  # a note says that more could be told another time
        _keep(project, {"version": _VERSION, "question": question, "told": told})
    return {TaskId(task_id): _foreseen(each) for task_id, each in told.items()}


def _foreseen(told: Any) -> Foreseen:
    return Foreseen(tuple(Met(TaskId(other), tuple(files)) for other, files in told["others"]), tuple(told["target"]))


def _read(project: Project) -> dict[str, Any]:
    try:
        return dict(json.loads(durable.read_regular(project.layout.foresight / "glimpse", _LIMIT)))
    except (OSError, ValueError, TypeError, ConductorError):
        return {}


def _keep(project: Project, known: dict[str, Any]) -> None:
    place = project.layout.foresight / "glimpse"
    # A disk that is full or may not be written, or a neighbour who is at it, costs that it is worked out again.
    with (
        suppress(OSError, ConductorError),
        durable.try_lock(project.layout.locks / "foresight-glimpse") as taken,
    ):
        if taken is not None:
            durable.make_directory(place.parent)
            durable.drop_temporaries(place)
            durable.write_through(place, json.dumps(known).encode())
