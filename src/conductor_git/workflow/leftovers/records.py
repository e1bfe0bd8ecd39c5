"""Records of tasks that ended long ago, with prompts, attempts, reviews and the logs of their landings: archived."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from conductor_git import durable, journal
from conductor_git.errors import BadRecord, ConductorError
from conductor_git.history import tips_of
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.salvage.kept import TIME_FORMAT, salvaged
from conductor_git.store.archived import unpacking
from conductor_git.workflow.leftovers.archive import GONE, drop_parts, pack_folders
from conductor_git.workflow.leftovers.files import named_landings
from conductor_git.workflow.leftovers.finished import ENDED
from conductor_git.workflow.leftovers.kind import IN_USE, Found, Held, Kind, Leftover, Since, size_of

_NAME: Final = "record"


def _find(project: Project, since: Since) -> Found:
    """Those that ended before, and of which nothing is left that a command would need the record for."""
    runs = list(project.runs.scan())
    old = [run for run in runs if isinstance(run, Run) and run.state in ENDED and run.updated_at < since.before]
    if not old:
        return Found()
    needed = dict(_needed(project, runs, old))
    return Found(
        tuple(_leftover(project, run, _landings(runs, run)) for run in old if run.task_id not in needed),
        tuple(Held(_NAME, run.task_id, needed[run.task_id]) for run in old if run.task_id in needed),
    )


def _landings(runs: list[Run | BadRecord], run: Run) -> list[str]:
    """The landings of `run` that no other record names: tasks that landed together share one."""
    others = {
        name for one in runs if isinstance(one, Run) and one.task_id != run.task_id for name in named_landings(one)
    }
    return sorted({name for name in named_landings(run) if name} - others)


def _leftover(project: Project, run: Run, landings: list[str]) -> Leftover:
    layout = project.layout
    back = unpacking(layout, run.task_id, _archived(layout, run))
    size = sum(size_of(layout.state_dir / name) for name in _folders(layout, run, landings))
    why = f"{run.state}, and neither worktree, branch, salvage nor another task needs it: it goes to the archive"
    return Leftover(_NAME, run.task_id, why, run.updated_at, layout.task(run.task_id), None, run.task_id, size, back)


def _archived(layout: Layout, run: Run) -> Path:
    return layout.archived_tasks / f"{run.task_id}.{run.created_at.strftime(TIME_FORMAT)}.tar.gz"


def _folders(layout: Layout, run: Run, landings: list[str]) -> list[str]:
    """What goes into the archive, by its place in the state directory."""
    logs = [layout.landing(name) for name in landings if layout.landing(name).is_dir()]
    return [path.relative_to(layout.state_dir).as_posix() for path in (layout.task(run.task_id), *logs)]


def _needed(project: Project, runs: list[Run | BadRecord], old: list[Run]) -> Iterator[tuple[TaskId, str]]:
    tips = tips_of(project.git, (run.branch_ref for run in old if run.branch))
    kept = {one.task_id for one in salvaged(project.git)}
    ids = {run.task_id for run in old}
    if any(isinstance(run, BadRecord) for run in runs):
        yield from ((run.task_id, "another record cannot be read, and may need it") for run in old)
        return
    others = [run for run in runs if isinstance(run, Run) and run.task_id not in ids]
    named = {name: run.task_id for run in others for name in _names(run)}
    plans: dict[str | None, TaskId] = {run.plan: run.task_id for run in others if run.plan}
    for run in old:
        if (why := _why_needed(run, tips, kept)) or (why := _why_named(run, named, plans)):
            yield run.task_id, why


def _names(run: Run) -> list[TaskId]:
    return [name for name in (*run.needs, run.review_of, run.parent_task_id) if name]


def _why_needed(run: Run, tips: dict[str, str], kept: set[TaskId]) -> str:
    if Path(run.worktree).exists():
        return "its worktree is there"
    if run.review_of is None and run.branch_ref in tips:
        return f"its branch {run.branch} is there"
    return "a salvage of it is there: conductor-git restore" if run.task_id in kept else ""


def _why_named(run: Run, named: dict[TaskId, TaskId], plans: dict[str | None, TaskId]) -> str:
    if run.task_id in named:
        return f"{named[run.task_id]} names it"
    return f"{plans[run.plan]} is of the same plan {run.plan}" if run.plan in plans else ""


def _remove(project: Project, leftover: Leftover, at: datetime) -> str:
    """Archive, then take away by one rename: whoever looks finds the whole record, or none.

    A kill in between leaves both, and the next gc goes on from there.
    """
    assert leftover.task_id is not None
    layout = project.layout
    with durable.try_lock(layout.task_lock(leftover.task_id)) as held:
        if held is None or journal.pending(layout):  # any command under way may be about to name it
            return IN_USE
        found = _find(project, Since(at, at))
        if leftover.task_id not in {one.task_id for one in found.leftovers}:
            return next((one.why for one in found.held if one.name == leftover.task_id), "it has changed meanwhile")
        run = project.runs.get(leftover.task_id)
        if run.updated_at != leftover.since:
            return "it has changed meanwhile"
        try:
            _archive(layout, run, _landings(list(project.runs.scan()), run))
        except (ConductorError, OSError) as trouble:
            return str(trouble)
    return ""


def _archive(layout: Layout, run: Run, landings: list[str]) -> None:
    record = layout.run_info(run.task_id)
    with (
        durable.lock(layout.locks / "archive", purpose="gc"),
        durable.lock(record.with_name(f"{record.name}.lock"), purpose="gc"),
    ):
        drop_parts(layout.archived_tasks)
        folders = _folders(layout, run, landings)
        pack_folders(layout.state_dir, folders, _archived(layout, run))
        for name in folders:
            _take_away(layout, layout.state_dir / name)


def _take_away(layout: Layout, folder: Path) -> None:
    gone = layout.archive / f"{GONE}{folder.parent.name}-{folder.name}"
    shutil.rmtree(gone, ignore_errors=True)
    durable.rename(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


RECORDS: Final = Kind(_NAME, "record", _find, _remove, "records")
