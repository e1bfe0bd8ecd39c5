"""What `run` says of a plan: while it runs, what became of it, and what it would do."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any, Final

from conductor_git.cli import landed
from conductor_git.cli.output import document, narrate, say, table
from conductor_git.errors import ConductorError
from conductor_git.names import short
from conductor_git.project import Project
from conductor_git.run import Run, utcnow
from conductor_git.wording import counted, several
from conductor_git.workflow.landing.wish import Landed, Refused
from conductor_git.workflow.planning.actions import Action, Approve, Ask, Halt, Resume
from conductor_git.workflow.planning.decide import decide
from conductor_git.workflow.planning.drive import Audience, Result
from conductor_git.workflow.planning.facts import Stands
from conductor_git.workflow.planning.look import Looker
from conductor_git.workflow.planning.planned import Planned, PlannedTask, waves
from conductor_git.workflow.planning.standing import Standing
from conductor_git.workflow.planning.summary import Summary, summary

_SYMBOLS: Final = {
    Stands.LANDED: "✓",
    Stands.AT_WORK: "◎",
    Stands.REVIEWING: "◎",
    Stands.LANDING: "◎",
    Stands.FAILED: "✗",
    Stands.CANCELLED: "✗",
    Stands.NEVER: "✗",
    Stands.WAITING: "▲",
}
_NAMED: Final = 6


def audience(planned: Planned) -> Audience:
    """One line on standard error for everything that changes."""
    own = planned.by_id
    return Audience(
        stands=lambda task_id, standing, run: _tell_standing(own[task_id], standing, run),
        did=_tell_action,
        refused=_tell_refusal,
        landing=landed.listener(_tell_push),
    )


def _tell_standing(task: PlannedTask, standing: Standing, run: Run | None) -> None:
    by_itself = any(isinstance(action, Approve) for action in standing.actions)
    if standing.stands in (Stands.PENDING, Stands.HELD) or by_itself:
        return  # nothing has become of it, or the next line says what
    narrate(_SYMBOLS[standing.stands], f"{task.task_id} {_told(standing, run)}")


def _told(standing: Standing, run: Run | None) -> str:
    words = {
        Stands.AT_WORK: f"is worked on by {run.agent}" if run else "",
        Stands.REVIEWING: "is reviewed",
        Stands.LANDING: "is approved, and lands",
        Stands.LANDED: f"is on {run.target} as {short(run.merge_commit)}" if run and run.merge_commit else "is done",
        Stands.WAITING: "waits for a person",
        Stands.FAILED: "failed",
        Stands.CANCELLED: "was cancelled",
        Stands.NEVER: "is not started",
    }
    said = words[standing.stands]
    return f"{said}: {standing.why}" if standing.why and standing.stands is not Stands.LANDING else said


def _tell_action(action: Action) -> None:
    if isinstance(action, Resume):
        narrate("◎", f"{action.task_id} goes on: {action.why}")
    elif isinstance(action, Ask):
        narrate("◎", f"{action.agent} reviews {action.task_id} as {action.reviewer}")
    elif isinstance(action, Halt):
        narrate("○", f"the agent of {action.task_id} was stopped: {action.why}")


def _tell_refusal(action: Action, error: ConductorError) -> None:
    what = type(action).__name__.lower()
    narrate("✗", f"{what} {action.task_id}: {error.message}")
    if error.hint:
        narrate("↳", error.hint)


def _tell_push(result: Landed | Refused) -> None:
    if isinstance(result, Landed) and result.push_error:
        narrate("▲", f"{result.run.target} has moved here, and the push was refused: {result.push_error}")
    elif isinstance(result, Refused):
        narrate("✗", f"{result.run.task_id} did not land: {result.error.message}")


# --- at the end


def tell_result(planned: Planned, result: Result, as_json: bool) -> int:
    """The answer of `run`; returns its exit code."""
    found = summary(result.standings, result.runs)
    if as_json:
        document(**_document(planned, result, found))
        return found.exit_code
    rows = [_row(task, result.standings[task.task_id], result.runs.get(task.task_id)) for task in planned.tasks]
    say(table(("TASK", "STATE", "AGENT", "COMMIT", "STANDS", "WHY"), rows, sys.stdout))
    for symbol, said in _counts(found):
        narrate(symbol, said)
    return found.exit_code


def _row(task: PlannedTask, standing: Standing, run: Run | None) -> tuple[str, ...]:
    if run is None:
        return (task.task_id, "-", task.agents[0], "", str(standing.stands), standing.why)
    commit = short(run.merge_commit or run.head_commit)
    return (task.task_id, str(run.state), run.agent or "", commit, str(standing.stands), standing.why)


def _counts(found: Summary) -> list[tuple[str, str]]:
    groups = [
        ("✓", found.landed, "landed"),
        ("✗", found.failed, "failed"),
        ("▲", found.waiting, "waiting"),
        ("○", found.not_started, "not started"),
    ]
    return [
        (symbol, f"{counted(len(ids), 'task')} {what}: {several(list(ids), _NAMED)}")
        for symbol, ids, what in groups
        if ids
    ]


def _document(planned: Planned, result: Result, found: Summary) -> dict[str, Any]:
    return {
        "plan": planned.name,
        "tasks": [
            _task_document(task, result.standings[task.task_id], result.runs.get(task.task_id))
            for task in planned.tasks
        ],
        "landed": list(found.landed),
        "failed": list(found.failed),
        "waiting": list(found.waiting),
        "not_started": list(found.not_started),
    }


def _task_document(task: PlannedTask, standing: Standing, run: Run | None) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "state": str(run.state) if run else None,
        "stands": str(standing.stands),
        "why": standing.why or None,
        "agent": run.agent if run else task.agents[0],
        "stage": task.stage,
        "needs": list(task.needs),
        "target": run.target if run else task.target,
        "branch": run.branch if run else None,
        "base_commit": run.base_commit if run else None,
        "head_commit": run.head_commit if run else None,
        "merge_commit": run.merge_commit if run else None,
        "attempts": run.attempts_before + len(run.attempts) if run else 0,
    }


def tell_interrupted(planned: Planned, result: Result, file: Path) -> None:
    """What goes on although we end, and how to go on."""
    going = [task_id for task_id, standing in result.standings.items() if standing.stands is Stands.AT_WORK]
    narrate("▲", f"the plan {planned.name} is not run any more, and nothing of it starts or lands")
    if going:
        narrate("○", f"still at work: {several(going, _NAMED)}")
    narrate("↳", f"conductor-git run {shlex.quote(str(file))}")
    if going:
        narrate("↳", f"conductor-git stop {going[0]}")


# --- before anything is done


def tell_dry_run(project: Project, planned: Planned, as_json: bool) -> None:
    """The tasks in the order in which they can start, and what would be done first."""
    facts = Looker(project, planned, utcnow()).facts({})
    decision = decide(planned, facts)
    first = list(dict.fromkeys(action.task_id for action in decision.actions))
    if as_json:
        document(
            plan=planned.name,
            dry_run=True,
            workers=planned.workers,
            tasks=[
                _task_document(task, decision.standings[task.task_id], facts.runs.get(task.task_id))
                | {"wave": number, **_settled(task)}
                for number, wave in enumerate(waves(planned), 1)
                for task in wave
            ],
            first=first,
        )
        return
    rows = [
        _planned_row(number, task, facts.runs.get(task.task_id))
        for number, wave in enumerate(waves(planned), 1)
        for task in wave
    ]
    header = ("WAVE", "STAGE", "TASK", "STATE", "AGENT", "NEEDS", "TARGET", "APPROVE", "REVIEWERS")
    say(table(header, rows, sys.stdout))
    narrate("○", f"at most {counted(planned.workers, 'agent')} at once; nothing has been started")
    narrate("○", f"first: {several(first, _NAMED)}" if first else "there is nothing to do now")


def _planned_row(number: int, task: PlannedTask, run: Run | None) -> tuple[str, ...]:
    return (
        str(number),
        task.stage or "",
        task.task_id,
        str(run.state) if run else "",
        ", ".join(task.agents),
        ", ".join(task.needs),
        task.target,
        str(task.approval),
        ", ".join(task.reviewers),
    )


def _settled(task: PlannedTask) -> dict[str, Any]:
    return {
        "agents": list(task.agents),
        "approve": str(task.approval),
        "reviewers": list(task.reviewers),
        "reviews_required": task.reviews_required,
        "priority": task.priority,
    }
