"""Worktrees: git's entries against records against the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from shlex import quote

from conductor_git import directories, durable, journal, worktree
from conductor_git.errors import ConductorError, WorktreeBusy
from conductor_git.layout import CANONICAL_CONTEXT_NAME, CONTEXT_NAME, Layout
from conductor_git.names import TaskId
from conductor_git.pool import entry as pool
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.salvage.keep import keep_head_of_gone
from conductor_git.settings import project_config
from conductor_git.workflow.diagnosing.finding import Family, Finding, Ground, set_aside
from conductor_git.workflow.diagnosing.moving import owner, whereabouts
from conductor_git.workflow.diagnosing.registry import (
    Entry,
    context_in,
    entries,
    join,
    pointed_to,
    register,
    same,
)
from conductor_git.workflow.restore import restore
from conductor_git.workflow.spawn import write_context
from conductor_git.workflow.spawning.order import worktree_path


def _find(ground: Ground) -> Iterator[Finding]:
    known = tuple(entries(ground.layout))
    for run in ground.live:
        yield from _of_live(ground.project, run, known)
    yield from _left(ground, known)
    yield from _folders(ground)


def _of_live(project: Project, run: Run, known: tuple[Entry, ...]) -> Iterator[Finding]:
    path, task_id = Path(run.worktree), run.task_id
    if any(_is_elsewhere(project, entry, run) for entry in known):
        return  # it was moved or copied, which is told
    if not os.path.lexists(path):
        said = f"the worktree of {task_id}, {path}, is gone"
        yield Finding("WORKTREE_GONE", task_id, said, f"conductor-git restore {task_id}", task_id)
        return
    if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        said = f"{path}, the worktree of {task_id}, and the context in it may not be read"
        yield Finding("CONTEXT_BAD", task_id, said, f"ls -ld {quote(str(path))}", task_id, {"stuck": True})
        return
    entry = next((entry for entry in known if entry.path == path), None)
    if entry is None or not entry.is_whole:
        said = f"git has no whole entry for {path}, the worktree of {task_id}"
        yield Finding("REGISTRATION_GONE", task_id, said, "git worktree list", task_id)
    elif not same(pointed_to(path), entry.git_dir):
        said = f"{path / '.git'} does not lead to the git dir of the worktree of {task_id}"
        stuck = (path / ".git").is_dir() and not (path / ".git").is_symlink()
        command = f"ls -la {quote(str(path / '.git'))}"
        yield Finding("GIT_FILE_CHANGED", task_id, said, command, task_id, {"stuck": stuck})
    elif why := _bad_context(project, run, entry):
        said = f"the context of {task_id} {why}"
        yield Finding("CONTEXT_BAD", task_id, said, f"cat {quote(str(path / CONTEXT_NAME))}", task_id)


def _is_elsewhere(project: Project, entry: Entry, run: Run) -> bool:
    if entry.context is None or entry.context.task_id != run.task_id or entry.path is None:
        return False
    if owner(project, entry) is not None:
        return True
    if same(pointed_to(entry.path), entry.git_dir):
        return entry.path != Path(run.worktree)
    return whereabouts(project, entry, entry.context) is not None


def _bad_context(project: Project, run: Run, entry: Entry) -> str:
    for path in (entry.git_dir / CANONICAL_CONTEXT_NAME, Path(run.worktree) / CONTEXT_NAME):
        found = context_in(path)
        if found is None:
            return f"cannot be read: {path}"
        if found.task_id != run.task_id or found.generation != run.generation:
            return f"speaks of {found.task_id}, generation {found.generation}: {path}"
        here = same(found.worktree, Path(run.worktree)) and same(found.repository, project.repository)
        if not here or not same(found.state_dir, project.layout.state_dir):
            return f"is of another place: {path}"
    return ""


def _left(ground: Ground, known: tuple[Entry, ...]) -> Iterator[Finding]:
    """Entries of ours whose worktree is gone, where no live task misses it."""
    missed = {run.worktree for run in ground.live}
    ended = {run.worktree for run in ground.runs}
    unread = ground.unreadable
    for entry in known:
        if entry.path is None or os.path.lexists(entry.path) or str(entry.path) in missed:
            continue
        if entry.context is None and str(entry.path) not in ended:
            continue  # a worktree of a person's, and git's own matter
        task_id = entry.context.task_id if entry.context else TaskId(entry.path.name)
        is_alive = any(run.task_id == task_id for run in ground.live)
        if is_alive or task_id in unread or durable.is_locked(ground.layout.task_lock(task_id)):
            continue
        said = f"git has an entry for {entry.path}, which is gone" + (", and it is locked" if entry.is_locked else "")
        command = f"git worktree unlock {quote(str(entry.path))}" if entry.is_locked else "git worktree prune --dry-run"
        yield Finding("REGISTRATION_LEFT", str(entry.path), said, command, task_id, {"stuck": entry.is_locked})


def _folders(ground: Ground) -> Iterator[Finding]:
    """Folders in the place for worktrees that are nobody's; names with a dot before them are the pool's or a tool's."""
    try:
        root = worktree_path(ground.project, project_config(ground.project), TaskId("x")).parent
    except ConductorError:
        return
    if ground.project.repository.is_relative_to(root):
        return  # other things lie there too
    known = {run.worktree for run in ground.live} | set(map(str, ground.registered)) | _pooled(ground.layout)
    for path in directories.matching(root, "*"):
        is_a_tools = path.name.startswith(".") and not path.name.startswith(".pool-")
        if is_a_tools or str(path) in known or not path.is_dir():
            continue
        named = pointed_to(path)
        if named is not None and (ground.layout.common_dir / "worktrees" / named.name).is_dir():
            continue  # a worktree that was moved, or whose entry is damaged, which is told
        if not durable.is_locked(ground.layout.task_lock(TaskId(path.name))):
            said = f"{path} is no worktree of git's and of no live task"
            yield Finding("ORPHAN_FOLDER", str(path), said, f"ls -la {quote(str(path))}")


def _pooled(layout: Layout) -> set[str]:
    if not pool.is_in_use(layout):
        return set()
    found = [Path(entry.path) for state in pool.State for entry in pool.entries(layout, state)]
    # Where the template gives each worktree a folder of its own, that is the pool's too.
    return {str(path) for path in (*found, *(path.parent for path in found))}


# --- menders


def _bring_back(project: Project, finding: Finding, at: datetime) -> str:
    if os.path.lexists(project.runs.get(TaskId(finding.subject)).worktree):
        return ""
    back = restore(project, TaskId(finding.subject), at=at)
    write_context(project, back.run)
    return f"brought back {back.plan.path}"


def _register(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    task_id = TaskId(finding.subject)
    with journal.operation(project.layout, task_id, "doctor"):
        run = project.runs.get(task_id)
        path = Path(run.worktree)
        if run.state.is_final or any(entry.path == path and entry.is_whole for entry in entries(project.layout)):
            return ""
        if (path / ".git").is_dir():
            raise WorktreeBusy(f"{path} is a repository of its own", hint=f"git -C {quote(str(path))} status")
        with durable.lock(project.layout.worktree_lock, seconds=60, purpose="doctor"):
            register(project, run, path)
        write_context(project, run)
        return f"git knows {path} again"


def _lead_back(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    task_id = TaskId(finding.subject)
    with journal.operation(project.layout, task_id, "doctor"):
        path = Path(project.runs.get(task_id).worktree)
        entry = next((entry for entry in entries(project.layout) if entry.path == path), None)
        if entry is None or same(pointed_to(path), entry.git_dir):
            return ""
        if os.path.lexists(path / ".git"):
            set_aside(project.layout, path / ".git", task_id)
        with durable.lock(project.layout.worktree_lock, seconds=60, purpose="doctor"):
            join(project, entry.git_dir, path)
        return f"{path / '.git'} leads to its git dir again"


def _write_context(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    task_id = TaskId(finding.subject)
    with journal.operation(project.layout, task_id, "doctor"):
        run = project.runs.get(task_id)
        for path in (Path(run.worktree) / CONTEXT_NAME,):
            if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
                set_aside(project.layout, path, task_id)
        write_context(project, run)
        return f"wrote the context of {task_id} anew"


def _drop(project: Project, finding: Finding, at: datetime) -> str:
    """Drop the entry; a detached HEAD that nothing else holds is kept in a salvage ref first."""
    path = Path(finding.subject)
    assert finding.task_id is not None
    with journal.operation(project.layout, finding.task_id, "doctor"):
        if os.path.lexists(path):
            return ""
        kept = keep_head_of_gone(project.git, project.layout, finding.task_id, path, at=at)
        worktree.drop_registration(project.layout, path)
        return f"dropped git's entry for {path}" + (f"; its HEAD is kept in {kept.ref}" if kept else "")


WORKTREES = Family(
    _find,
    {
        "WORKTREE_GONE": _bring_back,
        "REGISTRATION_GONE": _register,
        "GIT_FILE_CHANGED": _lead_back,
        "CONTEXT_BAD": _write_context,
        "REGISTRATION_LEFT": _drop,
    },
)
