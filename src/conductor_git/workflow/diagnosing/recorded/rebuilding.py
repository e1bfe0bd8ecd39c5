"""A record that is damaged or gone, made again: from the bus, the worker's context, and the lines that can be read."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from conductor_git import durable, strictyaml
from conductor_git.context import WorkerContext
from conductor_git.errors import ConductorError
from conductor_git.layout import Layout
from conductor_git.message import Message
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.record import BadField, format_time, from_tree, to_tree
from conductor_git.run import Event, Run, State, Step
from conductor_git.settings import project_config
from conductor_git.store.files import MAX_BYTES
from conductor_git.workflow.diagnosing.recorded.steps import brought_to, steps_told
from conductor_git.workflow.diagnosing.registry import entries

_LINE: Final = re.compile(rb"[a-z_]+: [^\s].*")
_LISTS: Final = ("command", "needs", "fallbacks", "history", "attempts")
_PARTS: Final = ("supervision", "landing", "undo", "join")
_CAREFUL: Final = 2
"""How many approvals a task needs where nothing can be read that says it."""


def contexts(layout: Layout, *, but: Collection[Path] = ()) -> dict[TaskId, tuple[WorkerContext, Path]]:
    """The canonical contexts of all worktrees that git has entries for, by task, and where each worktree is by them.

    Without those whose git dirs are among `but`.
    """
    known = ((entry.context, entry.path) for entry in entries(layout) if entry.git_dir not in but)
    return {context.task_id: (context, path or context.worktree) for context, path in known if context is not None}


def legible(path: Path) -> dict[str, str]:
    """The single values among the lines of a damaged record; the first of each key, as the file has them at the top.

    Whole lines only: of `reviews_required: 12` a cut may have left `reviews_required: 1`.
    """
    try:
        data = durable.read_regular(path, 4 * MAX_BYTES)
    except (OSError, ConductorError):
        return {}
    found: dict[str, str] = {}
    for line in data.split(b"\n")[:-1]:
        if _LINE.fullmatch(line):
            with suppress(strictyaml.BadYaml):
                tree = strictyaml.read(line + b"\n")
                (key, value), *_ = tree.items() if isinstance(tree, dict) else [("", None)]
                if isinstance(value, str):
                    found.setdefault(key, value)
    return found


def rebuilt(
    project: Project,
    task_id: TaskId,
    lines: Mapping[str, str],
    known: tuple[WorkerContext, Path] | None,
    told: Sequence[Message],
) -> Run | None:
    """The record that `task_id` should have; None where too little is left of it.

    What neither the bus nor the context says is as the damaged record's lines say, or as if it had never been given:
    the attempts, and how a landing went. It never needs fewer approvals than any of them says.
    """
    if lines.get("task_id", task_id) != task_id:
        # The folder was copied or renamed: they speak for the worktree and the branch of another task.
        lines = {key: value for key, value in lines.items() if key == "reviews_required"}
    said: dict[str, Any] = {key: value for key, value in lines.items() if key not in (*_LISTS, *_PARTS)}
    said |= {} if known is None else _from_context(*known)
    steps = steps_told(told)
    first = steps[0] if steps else None
    ordered = told[0].meta if first is not None else {}
    said["reviews_required"] = str(_reviews(project, lines.get("reviews_required", ""), ordered.get("reviews", "")))
    said["needs"] = ordered.get("needs", "").split()
    if first is not None:
        said["created_at"] = said.get("created_at") or format_time(first.at)
        said["base_commit"] = said.get("base_commit") or str(first.commit or "")
    run = _parsed(project, task_id, said)
    if run is None:
        return None
    spawned = Step(1, Event.SPAWN, State.ASSIGNED, run.created_at, "doctor", run.base_commit)
    return brought_to(run, steps or (spawned,))


def _reviews(project: Project, *said: str) -> int:
    """As the record's line and its first message say; else as many as a spawn would ask for now.

    Where the config cannot be read either: as many as any other task needs, and no fewer than two.
    """
    found = [int(one) for one in said if one.isdecimal() and one.isascii() and int(one) > 0]
    if found:
        return max(found)
    try:
        return project_config(project).reviews_required
    except ConductorError:
        return max([_CAREFUL, *(run.reviews_required for run in project.runs.scan() if isinstance(run, Run))])


def _from_context(context: WorkerContext, worktree: Path) -> dict[str, str]:
    said = {
        "branch": context.branch,
        "target": context.target,
        "base_commit": context.base_commit,
        "title": context.description,
        "worktree": os.fspath(worktree),
        "created_at": format_time(context.created_at),
    }
    return said | ({"review_of": context.review_of} if context.review_of else {})


def _parsed(project: Project, task_id: TaskId, said: Mapping[str, Any]) -> Run | None:
    tree: dict[str, Any] = {
        "version": "1",
        "revision": "1",
        "title": task_id,
        **said,
        "project_id": project.project_id,
        "task_id": task_id,
        "generation": "1",
        "state": str(State.ASSIGNED),
        "updated_at": said.get("created_at", ""),
        **dict.fromkeys(("head_commit", "approved_commit", "merge_commit")),
    }
    try:
        run = from_tree(tree)
        from_tree(strictyaml.read(strictyaml.write(to_tree(run))))  # what cannot be written is no record
    except (BadField, strictyaml.BadYaml, ValueError):
        return None
    return run if Path(run.worktree).is_absolute() and run.branch and run.target else None
