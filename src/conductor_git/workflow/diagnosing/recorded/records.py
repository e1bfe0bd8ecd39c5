"""Records: those that cannot be read, tasks and worktrees without one, and what the bus says against one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from shlex import quote

from conductor_git import directories, durable, journal
from conductor_git.errors import BadRecord, BadTaskId, ConductorError, NotFound
from conductor_git.layout import Layout
from conductor_git.message import Message
from conductor_git.names import TaskId, parse_task_id
from conductor_git.project import Project
from conductor_git.record import VERSION
from conductor_git.run import Run
from conductor_git.transition import tell_missing
from conductor_git.workflow.diagnosing.finding import Family, Finding, Ground, set_aside
from conductor_git.workflow.diagnosing.looking import steps_of
from conductor_git.workflow.diagnosing.moving import owner
from conductor_git.workflow.diagnosing.recorded.rebuilding import contexts, legible, rebuilt
from conductor_git.workflow.diagnosing.recorded.steps import agree, brought_to, is_prefix, steps_told
from conductor_git.workflow.diagnosing.registry import entries


def _find(ground: Ground) -> Iterator[Finding]:
    yield from _unreadable(ground)
    yield from _without(ground)
    for run in ground.runs:
        yield from _against_the_bus(ground, run)


# --- records that are not there, or cannot be read


def _unreadable(ground: Ground) -> Iterator[Finding]:
    odd = {
        task_id: f"the record of {task_id} is no plain file"
        for task_id in _folders(ground.layout)
        if _is_odd(ground.layout, task_id)
    }
    for task_id, why in {**odd, **ground.unreadable}.items():
        path = ground.layout.run_info(task_id)
        lines = legible(path)
        version = lines.get("version", "")
        newer = version.isdigit() and int(version) > VERSION
        stuck = newer or not _may_read(path)
        can = "it can be rebuilt" if _again(ground.project, task_id, ground) else "too little is left to rebuild it"
        yield Finding(
            "BAD_RECORD",
            task_id,
            why if stuck else f"{why}; {can}",
            f"{'cat' if _may_read(path) else 'ls -l'} {quote(str(path))}",
            task_id,
            {"stuck": stuck},
        )


def _is_odd(layout: Layout, task_id: TaskId) -> bool:
    path = layout.run_info(task_id)
    return os.path.lexists(path) and not path.is_file()


def _may_read(path: Path) -> bool:
    return path.is_symlink() or os.access(path, os.R_OK)


def _without(ground: Ground) -> Iterator[Finding]:
    layout = ground.layout
    known = {run.task_id for run in ground.runs} | set(ground.unreadable)
    folders = [task_id for task_id in _folders(layout) if not os.path.lexists(layout.run_info(task_id))]
    for task_id in folders:
        yield Finding(
            "TASK_WITHOUT_RECORD",
            task_id,
            f"{layout.task(task_id)} has no record",
            f"ls -la {quote(str(layout.task(task_id)))}",
            task_id,
        )
    others = {entry.git_dir for entry in entries(layout) if owner(ground.project, entry) is not None}
    for task_id, (_, path) in contexts(layout, but=others).items():
        if task_id not in known and not layout.task(task_id).exists():
            yield Finding(
                "WORKTREE_WITHOUT_RECORD",
                task_id,
                f"{path} is a worker's worktree, and there is no task {task_id}",
                f"git -C {quote(str(path))} log --oneline -5",
                task_id,
            )


def _folders(layout: Layout) -> Iterator[TaskId]:
    try:
        entries = sorted(layout.tasks.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        try:
            task_id = parse_task_id(entry.name)
        except BadTaskId:
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield task_id


def _again(project: Project, task_id: TaskId, ground: Ground | None = None) -> Run | None:
    told = steps_of(project, task_id) if ground is None else (ground.told or {}).get(task_id, ())
    known = contexts(project.layout).get(task_id)
    return rebuilt(project, task_id, legible(project.layout.run_info(task_id)), known, told)


def _rebuild(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    """Put a record in its place that is read again; what was there, or all of the task, goes to the quarantine."""
    task_id = TaskId(finding.subject)
    layout = project.layout
    with durable.lock(layout.task_lock(task_id), seconds=10, purpose="doctor"):
        if _is_well(project, task_id):
            return ""
        run, path = _again(project, task_id), layout.run_info(task_id)
        if run is None:
            if not layout.task(task_id).exists():
                return ""
            return f"{set_aside(layout, layout.task(task_id), 'tasks')} has all that there was of it"
        aside = set_aside(layout, path, task_id) if os.path.lexists(path) else None
        try:
            project.runs.create(run)
        except ConductorError:
            if aside is not None:
                durable.move(aside, path)  # what can be read of it is wanted for the next try
            raise
        damaged = f", the damaged one is {aside}" if aside else ""
        return f"rebuilt the record of {task_id}: {run.state}{damaged}"


def _is_well(project: Project, task_id: TaskId) -> bool:
    try:
        project.runs.get(task_id)
    except (NotFound, BadRecord):
        return False
    return True


# --- what the bus says


def _against_the_bus(ground: Ground, run: Run) -> Iterator[Finding]:
    messages = (ground.told or {}).get(run.task_id, ())
    steps = steps_told(messages)
    look = f"conductor-git show {run.task_id}"
    if (run.history and run.history[-1].state is not run.state) or not agree(run.history, steps):
        says = f"the bus says {steps[-1].state}" if steps else f"its history says {run.history[-1].state}"
        said = f"{run.task_id} is {run.state} by its record, and {says}"
        yield Finding("RECORD_CONTRADICTS", run.task_id, said, look, run.task_id)
    elif len(steps) > len(run.history):
        said = f"the bus tells of {len(steps)} steps of {run.task_id}, and its record of {len(run.history)}"
        yield Finding("RECORD_BEHIND", run.task_id, said, look, run.task_id)
    elif ground.told is not None and _last(messages) < len(run.history) and _is_untold(ground, run):
        said = f"{run.task_id} is {run.state}, and the bus does not say so"
        command = f"conductor-git bus read --task {run.task_id} --type STATE"
        yield Finding("STATE_UNTOLD", run.task_id, said, command, run.task_id)


def _last(messages: tuple[Message, ...]) -> int:
    number = messages[-1].meta.get("step", "0") if messages else "0"
    return int(number) if number.isdigit() else 0


def _is_untold(ground: Ground, run: Run) -> bool:
    """Looked at again with nobody at work on the task: the message comes after the record, under the same lock."""
    if durable.is_locked(ground.layout.task_lock(run.task_id)):
        return False
    said = tuple(ground.project.bus.tail(1, types=("STATE",), task_id=run.task_id))
    if not said and directories.matching(ground.layout.archived_bus, "*"):
        return False  # what told of it has been put into the archive
    return _last(said) < len(run.history)


def _replay(project: Project, finding: Finding, at: datetime) -> str:
    """Bring the record to where the bus, or else its own history, says that the task came to."""
    task_id = TaskId(finding.subject)
    with journal.operation(project.layout, task_id, "doctor"):
        steps = steps_told(steps_of(project, task_id))

        def change(run: Run) -> Run:
            if not agree(run.history, steps) or (is_prefix(run.history, steps) and len(steps) > len(run.history)):
                return replace(brought_to(run, steps), updated_at=at)
            last = run.history[-1].state if run.history else run.state
            return run if last is run.state else replace(run, state=last, updated_at=at)

        return f"{task_id} is {project.runs.update(task_id, change).state} by its record again"


def _tell(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    task_id = TaskId(finding.subject)
    with journal.operation(project.layout, task_id, "doctor"):
        tell_missing(project, project.runs.get(task_id))
    return f"told the bus where {task_id} stands"


RECORDS = Family(
    _find,
    {
        "BAD_RECORD": _rebuild,
        "TASK_WITHOUT_RECORD": _rebuild,
        "WORKTREE_WITHOUT_RECORD": _rebuild,
        "RECORD_CONTRADICTS": _replay,
        "RECORD_BEHIND": _replay,
        "STATE_UNTOLD": _tell,
    },
)
