"""Processes and records against one another: agents that are gone, and processes that no record has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from conductor_git import journal, process
from conductor_git.names import RunId, TaskId
from conductor_git.process import RUN_MARKER
from conductor_git.processtable import is_alive, marked
from conductor_git.project import Project
from conductor_git.run import End, Run
from conductor_git.runner import logs
from conductor_git.runner.stop import is_supervised, running, with_attempt
from conductor_git.transition import message_of, note
from conductor_git.workflow.diagnosing.finding import Family, Finding, Ground

_OUTPUT = "CONDUCTOR_OUTPUT"


def _find(ground: Ground) -> Iterator[Finding]:
    for run in ground.runs:
        if _is_gone(ground.project, run):
            attempt = running(run)
            who = f"the agent of {run.task_id} (process {attempt.pid})" if attempt else f"what supervised {run.task_id}"
            said = f"{who} is gone, and the record has it at work"
            yield Finding("AGENT_GONE", run.task_id, said, f"conductor-git show {run.task_id}", run.task_id)
    yield from _left(ground)


def _is_gone(project: Project, run: Run) -> bool:
    """Neither the agent of its open attempt lives nor a supervisor; pids of another machine, or boot, are nobody's."""
    attempt = running(run)
    if attempt is None and run.supervision is None:
        return False
    if attempt is not None and attempt.process is not None and is_alive(attempt.process):
        return False
    alive = run.supervision is not None and is_alive(run.supervision.process)
    return not alive and not is_supervised(project, run.task_id)


def _left(ground: Ground) -> Iterator[Finding]:
    """Processes with our marker whose attempt has ended or that no record has; of this project, by their output."""
    open_runs = {attempt.run_id for run in ground.runs if (attempt := running(run)) is not None}
    found: dict[RunId, list[int]] = {}
    tasks: dict[RunId, TaskId] = {}
    for known, variables in marked(RUN_MARKER, (RUN_MARKER, _OUTPUT)):
        task_id, run_id = _whose(ground, variables.get(_OUTPUT, "")), RunId(variables[RUN_MARKER])
        # Of a task whose record cannot be read nobody knows what is open.
        if task_id is not None and task_id not in ground.unreadable and run_id not in open_runs:
            found.setdefault(run_id, []).append(known.pid)
            tasks[run_id] = task_id
    for run_id, pids in sorted(found.items()):
        said = f"attempt {run_id} of {tasks[run_id]} is over, and {_processes(len(pids))} still there"
        command = f"ps -o pid,etime,args -p {','.join(map(str, sorted(pids)))}"
        yield Finding("PROCESS_LEFT", run_id, said, command, tasks[run_id])


def _whose(ground: Ground, output: str) -> TaskId | None:
    """The task whose attempt writes to `output`: `tasks/TASK/attempts/RUN/output.md` of this state directory."""
    tasks, path = ground.layout.tasks, Path(output)
    if not output or not path.is_relative_to(tasks):
        return None
    return TaskId(path.relative_to(tasks).parts[0])


def _record_end(project: Project, finding: Finding, at: datetime) -> str:
    """Put on record that the attempt is lost; what it may have left behind ends."""
    task_id = TaskId(finding.subject)
    with journal.operation(project.layout, task_id, "doctor"):
        run = project.runs.get(task_id)
        if not _is_gone(project, run):
            return ""
        attempt = running(run)
        if attempt is not None:
            process.end_group(attempt.pgid or 0, attempt.run_id, grace=1)
            if project.layout.attempt(task_id, attempt.run_id).is_dir():
                logs.seal_all(project.layout.attempt(task_id, attempt.run_id))
        run = note(project, task_id, lambda now: _without_agent(now, at), at=at)
        if attempt is not None:
            words = f"{attempt.agent} vanished together with its supervisor"
            project.bus.append(message_of(run, "RUN_CRASH", words, {"end": str(End.LOST)}, attempt.run_id))
    return f"put on record that nobody works on {task_id}"


def _without_agent(run: Run, at: datetime) -> Run:
    attempt = running(run)
    lost = run if attempt is None else with_attempt(run, replace(attempt, ended_at=at, end=End.LOST))
    return replace(lost, supervision=None)


def _end(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    for run in project.runs.scan():
        if isinstance(run, Run) and (attempt := running(run)) is not None and attempt.run_id == finding.subject:
            return ""  # it has been taken up again
    ended = process.end_carrying(RUN_MARKER, finding.subject)
    return f"ended {len(ended)} of its processes" if ended else ""


def _processes(number: int) -> str:
    return "one process is" if number == 1 else f"{number} processes are"


RUNNING = Family(_find, {"AGENT_GONE": _record_end, "PROCESS_LEFT": _end})
