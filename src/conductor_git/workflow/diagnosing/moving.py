"""A repository or a worktree that was moved, renamed or copied: where its workers are now, and whose they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from shlex import quote

from conductor_git import durable, journal
from conductor_git.config.model import Config
from conductor_git.context import WorkerContext
from conductor_git.errors import ConductorError
from conductor_git.layout import CONTEXT_NAME, Layout
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.settings import project_config
from conductor_git.workflow.diagnosing.finding import Family, Finding, Ground
from conductor_git.workflow.diagnosing.registry import Entry, context_in, entries, join, line, pointed_to, same
from conductor_git.workflow.spawn import write_context
from conductor_git.workflow.spawning.order import worktree_path


def _find(ground: Ground) -> Iterator[Finding]:
    runs = {run.task_id: run for run in ground.runs}
    for entry in entries(ground.layout):
        run = None if entry.context is None else runs.get(entry.context.task_id)
        if run is not None and entry.context is not None and entry.path is not None:
            yield from _about(ground.project, run, entry, entry.context)


def _about(project: Project, run: Run, entry: Entry, context: WorkerContext) -> Iterator[Finding]:
    assert entry.path is not None
    original = owner(project, entry)
    if original is not None:
        said = f"{entry.path}, the worktree of {run.task_id}, belongs to {original}: this repository is a copy of it"
        state = quote(str(project.layout.state_dir))
        command = f"mv {state} {state}.copied  # this copy then knows no tasks"
        yield Finding("COPIED", str(entry.path), said, command, run.task_id)
        return
    there = whereabouts(project, entry, context)
    is_settled = there == entry.path and same(pointed_to(there), entry.git_dir) and str(there) == run.worktree
    if there is not None and not is_settled:
        was = f" (it was {run.worktree})" if str(there) != run.worktree else ""
        said = f"the worktree of {run.task_id} is {there}{was}, and git or the record does not know"
        yield Finding("MOVED", run.task_id, said, f"git worktree repair {quote(str(there))}", run.task_id)


def owner(project: Project, entry: Entry) -> Path | None:
    """The other repository that `entry` was copied from, and that is there and has the task or the worktree still."""
    context, layout = entry.context, project.layout
    is_ours = context is None or same(context.state_dir, layout.state_dir)
    if context is not None and not is_ours and Layout(context.state_dir.parent).run_info(context.task_id).is_file():
        return context.state_dir.parent
    named = None if entry.path is None else pointed_to(entry.path)
    if entry.path is None or named is None or not (named / "gitdir").is_file():
        return None
    if same(named.parent.parent, layout.common_dir):
        return None
    return named.parent.parent if same(named / line(named / "gitdir"), entry.path / ".git") else None


def whereabouts(project: Project, entry: Entry, context: WorkerContext) -> Path | None:
    """Where the worktree of `entry` is: where git has it, or where it came to with the repository; None if nowhere.

    Another place counts only where a worktree of the same entry and the same task lies, of a repository that is gone.
    """
    assert entry.path is not None
    if same(pointed_to(entry.path), entry.git_dir):
        return entry.path
    for place in (entry.path, *_places(project, entry.path, context)):
        named = pointed_to(place)
        if named is None or named.name != entry.git_dir.name:
            continue
        is_gone = not named.exists() or same(named, entry.git_dir)
        told = context_in(place / CONTEXT_NAME)
        if is_gone and (told is None or told.task_id == context.task_id):
            return place
    return None


def _places(project: Project, path: Path, context: WorkerContext) -> Iterator[Path]:
    """Where the worktree at `path` would be now: as it lay from the repository, beside it, where the config has it."""
    here = project.repository
    yield Path(os.path.normpath(here / os.path.relpath(path, context.repository)))
    yield here.parent / path.parent.name / path.name
    try:
        yield worktree_path(project, _config(project), context.task_id)
    except ConductorError:
        return


def _config(project: Project) -> Config:
    try:
        return project_config(project)
    except ConductorError:
        return Config()


def _settle(project: Project, finding: Finding, at: datetime) -> str:
    """Let git, the record and the context say where the worktree is. Its files stay as they are."""
    task_id = TaskId(finding.subject)
    with journal.operation(project.layout, task_id, "doctor"):
        for entry in entries(project.layout):
            if entry.context is None or entry.context.task_id != task_id or entry.path is None or owner(project, entry):
                continue
            there = whereabouts(project, entry, entry.context)
            if there is None:
                continue
            with durable.lock(project.layout.worktree_lock, seconds=60, purpose="doctor"):
                join(project, entry.git_dir, there)
            write_context(project, project.runs.update(task_id, _placed(str(there), at)))
            with durable.lock(project.layout.ports_lock, purpose="doctor"):
                durable.remove(project.layout.ports)  # it names the old place, and is made again from the contexts
            return f"{task_id} works in {there}"
    return ""


def _placed(worktree: str, at: datetime) -> Callable[[Run], Run]:
    return lambda run: run if run.worktree == worktree else replace(run, worktree=worktree, updated_at=at)


MOVING = Family(_find, {"MOVED": _settle})
