"""What `status` and `show` print, shared by the plain way in and the ordinary one; imports no Typer."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Final

from conductor_git.cli.documents import review_document, row_document, task_document
from conductor_git.cli.here import Here, onlooker
from conductor_git.cli.output import STATE_COLOURS, age, coloured, columns, document, narrate, plain, say, took, within
from conductor_git.errors import BadRecord
from conductor_git.names import short
from conductor_git.run import State, utcnow
from conductor_git.workflow.look import Row, Shown
from conductor_git.workflow.look import show as look_at
from conductor_git.workflow.look import status as look

_HEADER: Final = ("TASK", "STATE", "HEALTH", "AGENT", "AGE", "±TARGET", "FILES", "TITLE")
_UNREADABLE: Final = "UNREADABLE"


def status(
    *, state: Sequence[State] = (), everything: bool = False, watch: bool = False, as_json: bool = False
) -> None:
    """One row a worker: task, state, health, agent, age, ahead and behind, files."""
    place = onlooker()
    while True:
        text = _status(place, state, everything, as_json)
        if watch and sys.stdout.isatty():
            print("\x1b[H\x1b[2J", end="")
        if text:
            print(text, flush=True)
        else:
            narrate("○", "no tasks" if everything else "no live tasks; conductor-git status --all shows ended ones")
        if not watch:
            return
        time.sleep(2)


def _status(place: Here, states: Sequence[State], everything: bool, as_json: bool) -> str:
    rows, bad = look(place.project, now=utcnow(), states=states, everything=everything)
    if as_json:
        import json

        unreadable = [{"task_id": str(error.facts["task_id"]), "error": error.document()} for error in bad]
        return json.dumps({"schema": 1, "tasks": [*map(row_document, rows), *unreadable]}, ensure_ascii=False)
    for error in bad:
        narrate("▲", error.message)
    lines = sorted([*map(_cells, rows), *map(_unreadable, bad)])
    return _painted(within(columns(_HEADER, lines), sys.stdout), [cells[1] for cells in lines]) if lines else ""


def _unreadable(error: BadRecord) -> tuple[str, ...]:
    return (str(error.facts["task_id"]), _UNREADABLE, *[""] * (len(_HEADER) - 2))


def _cells(row: Row) -> tuple[str, ...]:
    run = row.run
    apart = "" if row.ahead is None else f"+{row.ahead}" + (f" -{row.behind}" if row.behind else "")
    files = str(row.files) if row.files else ""
    title = "" if run.title == run.task_id else run.title[:48]
    return (run.task_id, run.state, row.health or "", run.agent or "", age(row.age_seconds), apart, files, title)


def _painted(table: str, states: list[str]) -> str:
    head, *lines = table.split("\n")
    colours = {_UNREADABLE: "31", **STATE_COLOURS}
    painted = [
        line.replace(f" {state}", f" {coloured(state, colours.get(state, '0'), sys.stdout)}", 1)
        for line, state in zip(lines, states, strict=True)
    ]
    return "\n".join([coloured(head, "2", sys.stdout), *painted])


def show(*, task: str, as_json: bool = False) -> None:
    """One task: its record, timeline and reviews, why it stands where it stands and what moves it."""
    place = onlooker()
    shown = look_at(place.project, place.task(task), now=utcnow())
    if as_json:
        document(
            task=task_document(shown.row.run) | row_document(shown.row),
            reviews=[review_document(review) for review in shown.reviews],
            waits_for=shown.waits_for,
            next_command=shown.next_command,
        )
        return
    say("\n\n".join(part for part in (_facts(shown), _timeline(shown), _reviews(shown), _gates(shown)) if part))
    if shown.row.run.state is not State.COMPLETED:
        narrate("↳", shown.next_command)


def _facts(shown: Shown) -> str:
    run, row = shown.row.run, shown.row
    apart = f"{row.ahead} ahead, {row.behind} behind {run.target}" if row.ahead is not None else None
    return plain(
        {
            "task": f"{run.task_id}: {run.title}",
            "state": f"{run.state}, waits for {shown.waits_for}",
            "health": str(row.health) if row.health else None,
            "agent": run.agent,
            "branch": run.branch,
            "distance": apart,
            "in review": short(run.head_commit),
            "approved": short(run.approved_commit),
            "landed": f"{short(run.merge_commit)} on {run.target}" if run.merge_commit else None,
            "worktree": run.worktree,
            "last landing": str(run.landing.outcome) if run.landing and run.landing.outcome else None,
            "generation": str(run.generation) if run.generation > 1 else None,
        }
    )


def _timeline(shown: Shown) -> str:
    rows = [
        (step.at.strftime("%Y-%m-%d %H:%M:%S"), step.event, step.state, step.by, short(step.commit), _first(step.note))
        for step in shown.row.run.history
    ]
    return within(columns(("WHEN (UTC)", "EVENT", "STATE", "BY", "COMMIT", "NOTE"), rows), sys.stdout)


def _first(text: str | None) -> str:
    return (text or "").split("\n", 1)[0][:80]


def _reviews(shown: Shown) -> str:
    lines = []
    for review in shown.reviews:
        lines.append(f"{review.reviewer}: {review.verdict} of {short(review.commit)} {_first(review.body)}".rstrip())
        lines += [f"  {comment.path}:{comment.line}: {comment.body}" for comment in review.comments]
    return "\n".join(lines)


def _gates(shown: Shown) -> str:
    landing = shown.row.run.landing
    if landing is None or not landing.gates:
        return ""
    return "\n".join(
        f"gate {gate.name}: {'passed' if gate.passed else 'FAILED'} in {took(gate.seconds)}, log {gate.log}"
        for gate in landing.gates
    )
