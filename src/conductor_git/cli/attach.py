"""attach: a task's agent, followed live, or joined in its terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from conductor_git import environment, process
from conductor_git.cli.documents import task_document
from conductor_git.cli.here import Here, onlooker
from conductor_git.cli.options import Json, TaskHere, panel
from conductor_git.cli.output import document, narrate
from conductor_git.cli.plain.texts import say_raw
from conductor_git.cli.saying import Saying
from conductor_git.errors import BadInput
from conductor_git.names import TaskId
from conductor_git.record import format_time
from conductor_git.run import Attempt, Run, State, how_it_ended, next_command
from conductor_git.runner.agents.base import AgentEvent
from conductor_git.runner.stop import running
from conductor_git.workflow.attach import Began, Left, Over, Printed, Said, Seen, Waits
from conductor_git.workflow.attach import attach as follow

if TYPE_CHECKING:
    from collections.abc import Iterable

app = typer.Typer()
_HELP: Final = "conductor-git attach --help"
_INTERRUPTED: Final = 130


@app.command(rich_help_panel=panel("look"), epilog="Example: conductor-git attach fix-login")
def attach(
    task: TaskHere = None,
    raw: Annotated[bool, typer.Option("--raw", help="What it prints, byte by byte, and not what that means.")] = False,
    stderr: Annotated[bool, typer.Option("--stderr", help="What it prints on standard error, byte by byte.")] = False,
    as_json: Json = False,
) -> None:
    """Follow the task's agent live, from one attempt to the next, until nobody is at work on it any more.

    ^C leaves the agent alone. With `terminal: tmux` in the config this joins its terminal, where it can be typed into.
    """
    if as_json and (raw or stderr):
        raise BadInput("--json tells what the agent's output means, --raw and --stderr what it is", hint=_HELP)
    place = onlooker()
    task_id = place.task(task)
    if not (raw or stderr or as_json):
        _join(place, task_id)
    seen = follow(place.project, task_id, raw=raw, stderr=stderr)
    try:
        if as_json:
            _tell_documents(seen)
        else:
            _tell_people(seen, task_id)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        narrate("○", f"the agent of {task_id} is left alone; see it again with: conductor-git attach {task_id}")
        raise typer.Exit(_INTERRUPTED) from None


def _join(place: Here, task_id: TaskId) -> None:
    """Become a client of the terminal that the agent runs in, where it has one and we are on one."""
    attempt = running(place.project.runs.get(task_id))
    if attempt is None or attempt.terminal is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    from conductor_git.runner.terminal import joining

    command = joining(place.project, task_id)
    if command is None:
        narrate("▲", f"tmux knows of no session {attempt.terminal} here; this only follows what is printed")
        return
    narrate("○", "C-b d leaves its terminal again, and the agent goes on")
    sys.stderr.flush()
    process.become(command, environment.inherited())


def _tell_people(seen: Iterable[Seen], task_id: TaskId) -> None:
    saying = Saying(sys.stdout)
    for one in seen:
        if isinstance(one, Said):
            saying.say(one.event)
        elif isinstance(one, Printed):
            say_raw(one.data)
        else:
            saying.end()
            sys.stdout.flush()
            _narrate(one, task_id)


def _narrate(one: Began | Over | Waits | Left, task_id: TaskId) -> None:
    if isinstance(one, Began):
        if one.attempt.ended_at is None:
            narrate("◎", f"{task_id}: attempt {one.number}, by {one.attempt.agent}; ^C leaves it alone")
    elif isinstance(one, Over):
        narrate("○", f"{task_id}: attempt {one.number} is over: {_how(one.attempt, one.run)}")
    elif isinstance(one, Waits):
        narrate("◎", f"{task_id}: {_why(one)}")
    else:
        _close(one.run)


def _how(attempt: Attempt, run: Run) -> str:
    if attempt.end is None:
        return f"{attempt.agent} vanished together with its supervisor"
    return f"{attempt.agent} {how_it_ended(run, attempt)}"


def _why(waits: Waits) -> str:
    supervision = waits.supervision
    until = f" until {supervision.until:%H:%M:%S} UTC" if supervision.until else ""
    return f"waits{until}: {supervision.why}"


def _close(run: Run) -> None:
    """How it ended, and what comes next."""
    reason = f": {run.reason}" if run.reason and run.state is State.FAILED else ""
    if run.state in (State.ASSIGNED, State.WORKING):
        narrate("○", f"{run.task_id} is {run.state}, and nobody is at work on it")
        narrate("↳", f"conductor-git resume {run.task_id}")
        return
    symbol = "✗" if run.state is State.FAILED else "○" if run.state is State.CANCELLED else "✓"
    narrate(symbol, f"{run.task_id} is {run.state}{reason}")
    narrate("↳", f"conductor-git diff {run.task_id}" if run.state is State.IN_REVIEW else next_command(run))


def _tell_documents(seen: Iterable[Seen]) -> None:
    for one in seen:
        if isinstance(one, Said):
            document(said={"attempt": one.number, **_event_document(one.event)})
        elif isinstance(one, Began | Over):
            document(attempt=_attempt_document(one))
        elif isinstance(one, Waits):
            supervision = one.supervision
            until = format_time(supervision.until) if supervision.until else None
            document(waits={"for": str(supervision.doing), "until": until, "why": supervision.why})
        elif isinstance(one, Left):
            document(task=task_document(one.run))
        sys.stdout.flush()


def _attempt_document(one: Began | Over) -> dict[str, Any]:
    attempts = task_document(one.run)["attempts"]
    known = [attempt for attempt in attempts if attempt["run_id"] == one.attempt.run_id]
    return {"number": one.number, **(known[0] if known else {})}


def _event_document(event: AgentEvent) -> dict[str, Any]:
    return {
        "kind": str(event.kind),
        "text": event.text,
        "part": event.part,
        "tokens_in": event.tokens_in,
        "tokens_out": event.tokens_out,
        "cost_usd": event.cost_usd,
        "total": event.total,
        "limit": str(event.limit) if event.limit else None,
        "until": format_time(event.until) if event.until else None,
    }
