"""status, show and log: what there is to see."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from conductor_git.cli.documents import review_document, row_document, task_document
from conductor_git.cli.here import Here, onlooker
from conductor_git.cli.options import Json, Task, panel
from conductor_git.cli.output import age, coloured, columns, document, narrate, plain, say
from conductor_git.errors import BadInput
from conductor_git.names import short
from conductor_git.run import State, utcnow
from conductor_git.workflow.look import Row, Shown
from conductor_git.workflow.look import show as look_at
from conductor_git.workflow.look import status as look

app = typer.Typer()
_HEADER = ("TASK", "STATE", "HEALTH", "AGENT", "AGE", "±TARGET", "FILES", "TITLE")
_STATE_COLOURS = {
    State.WORKING: "36",
    State.IN_REVIEW: "33",
    State.APPROVED: "32",
    State.COMPLETED: "2",
    State.FAILED: "31",
    State.CANCELLED: "2",
}


@app.command(rich_help_panel=panel("look"), epilog="Example: conductor-git status --all")
def status(
    state: Annotated[list[State] | None, typer.Option(help="Only tasks in this state; repeat for more.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Final tasks too.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again every two seconds, until ^C.")] = False,
    as_json: Json = False,
) -> None:
    """One row a worker: task, state, health, agent, age, ahead and behind, files."""
    place = onlooker()
    while True:
        text = _status(place, state or [], everything, as_json)
        if watch and sys.stdout.isatty():
            text = f"\x1b[H\x1b[2J{text}"
        print(text, flush=True)
        if not watch:
            return
        time.sleep(2)


def _status(place: Here, states: list[State], everything: bool, as_json: bool) -> str:
    rows, bad = look(place.project, now=utcnow(), states=states, everything=everything)
    if as_json:
        import json

        unreadable = [{"task_id": str(error.facts["task_id"]), "error": error.document()} for error in bad]
        return json.dumps({"schema": 1, "tasks": [*map(row_document, rows), *unreadable]}, ensure_ascii=False)
    for error in bad:
        narrate("▲", error.message)
    if not rows:
        narrate("○", "no tasks" if everything else "no live tasks; conductor-git status --all shows ended ones")
        return ""
    table = columns(
        ("TASK", "STATE", "HEALTH", "AGENT", "AGE", "±TARGET", "FILES", "TITLE"), [_cells(row) for row in rows]
    )
    return _painted(table, rows)


def _cells(row: Row) -> tuple[str, ...]:
    run = row.run
    apart = "" if row.ahead is None else f"+{row.ahead}" + (f" -{row.behind}" if row.behind else "")
    files = str(row.files) if row.files else ""
    title = "" if run.title == run.task_id else run.title[:48]
    return (run.task_id, run.state, row.health or "", run.agent or "", age(row.age_seconds), apart, files, title)


def _painted(table: str, rows: tuple[Row, ...]) -> str:
    head, *lines = table.split("\n")
    painted = [
        line.replace(
            f" {row.run.state} ", f" {coloured(row.run.state, _STATE_COLOURS.get(row.run.state, '0'), sys.stdout)} ", 1
        )
        for line, row in zip(lines, rows, strict=True)
    ]
    return "\n".join([coloured(head, "2", sys.stdout), *painted])


@app.command(rich_help_panel=panel("look"), epilog="Example: conductor-git show fix-login")
def show(task: Task, as_json: Json = False) -> None:
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
    return columns(("WHEN (UTC)", "EVENT", "STATE", "BY", "COMMIT", "NOTE"), rows)


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
        f"gate {gate.name}: {'passed' if gate.passed else 'FAILED'} in {gate.seconds:.1f} s, log {gate.log}"
        for gate in landing.gates
    )


@app.command(rich_help_panel=panel("look"), epilog="Example: conductor-git log fix-login -f")
def log(
    task: Task,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the attempt has ended.")] = False,
    attempt: Annotated[int | None, typer.Option(metavar="N", min=1, help="By default the last.")] = None,
    stderr: Annotated[bool, typer.Option("--stderr", help="Its errors instead of its output.")] = False,
    as_json: Json = False,
) -> None:
    """What the task's agent printed."""
    from conductor_git.workflow.log import attempt_log, pieces

    place = onlooker()
    found = attempt_log(place.project, place.task(task), number=attempt, stderr=stderr)
    if as_json:
        if follow:
            raise BadInput("--json prints one document, and -f never ends", hint=f"conductor-git log {task} --json")
        text = b"".join(pieces(place.project, found, follow=False)).decode("utf-8", "replace")
        document(task_id=str(found.task_id), run_id=str(found.run_id), path=str(found.path), log=text)
        return
    for piece in pieces(place.project, found, follow=follow):
        say_raw(piece)


def say_raw(piece: bytes) -> None:
    """An agent's own bytes: as they are into a pipe, without terminal controls on a terminal."""
    if sys.stdout.isatty():
        from conductor_git.cli.output import printable

        sys.stdout.write(printable(piece.decode("utf-8", "replace")))
    else:
        sys.stdout.buffer.write(piece)
    sys.stdout.flush()
