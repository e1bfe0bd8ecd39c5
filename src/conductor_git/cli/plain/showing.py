"""What `show` prints, shared by the plain way in and the ordinary one; imports no Typer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from conductor_git.cli.here import onlooker
from conductor_git.cli.output import STATE_COLOURS, coloured, columns, document, printable, took
from conductor_git.cli.wrapping import cells, wrapped
from conductor_git.names import short
from conductor_git.review import Review, Verdict, is_outdated
from conductor_git.run import GateResult, Run, Step, utcnow
from conductor_git.wording import several
from conductor_git.workflow.documents.show import show_document
from conductor_git.workflow.show import Shown
from conductor_git.workflow.show import show as look_at

_NARROWEST: Final = 40
_UNBOUNDED: Final = 1 << 20
"""The width of a pipe, where nothing is wrapped: `grep` finds whole sentences there."""
_LEAST_NOTE: Final = 24
_CHILDREN: Final = 8


def show(*, task: str, as_json: bool = False) -> None:
    """One task: its record, timeline and reviews, why it stands where it stands and what moves it."""
    place = onlooker()
    shown = look_at(place.project, place.task(task), now=utcnow())
    if as_json:
        document(**show_document(shown))
        return
    parts = (_facts(shown), _why(shown), _timeline(shown), _reviews(shown), _gates(shown))
    print("\n\n".join("\n".join(part) for part in map(list, parts) if part))


def _facts(shown: Shown) -> Iterator[str]:
    run, row = shown.row.run, shown.row
    state = coloured(run.state, STATE_COLOURS.get(run.state, "0"), sys.stdout)
    apart = f", {row.ahead} ahead, {row.behind} behind {run.target}" if row.ahead is not None else ""
    known = {
        "state": state + (f" (generation {run.generation})" if run.generation > 1 else ""),
        "agent": _agent(shown),
        "reviews": f"{run.review_of} at {short(run.base_commit)}" if run.review_of else "",
        "branch": f"{run.branch}{apart}" if run.review_of is None else "",
        "in review": short(run.head_commit),
        "approved": short(run.approved_commit),
        "landed": f"{short(run.merge_commit)} on {run.target}" if run.merge_commit else "",
        "worktree": _clean(run.worktree) + ("" if shown.facts.tree.is_there else "  (gone)"),
        "last landing": str(run.landing.outcome) if run.landing and run.landing.outcome else "",
        "priority": str(run.priority) if run.priority else "",
        "sub-task of": run.parent_task_id or "",
        "sub-tasks": several([f"{child.task_id} {child.state}" for child in shown.children], _CHILDREN),
    }
    yield from _hanging("task", f"{run.task_id}: {run.title}")
    for name, value in known.items():
        if value:
            yield f"{_dim(name.ljust(_LEAD))}{value}"


_LEAD: Final = len("last landing  ")


def _agent(shown: Shown) -> str:
    names = [_clean(shown.row.run.agent or ""), str(shown.row.health or "")]
    return ", ".join(name for name in names if name)


def _why(shown: Shown) -> Iterator[str]:
    why = shown.explanation
    yield from _hanging("waits for", why.waits_for)
    for reason in why.because:
        first, *rest = reason.split("\n")
        yield from _hanging("", first)
        yield from (f"{' ' * _LEAD}  {_dim(_clean(line))}" for line in rest)
    for number, move in enumerate(why.moves):
        # Never broken: it is there to be copied.
        yield f"{_dim(('moves it' if number == 0 else '').ljust(_LEAD))}{coloured(_clean(move), '1', sys.stdout)}"


def _hanging(name: str, text: str) -> Iterator[str]:
    for number, line in enumerate(wrapped(_clean(text), max(_NARROWEST, _width() - _LEAD))):
        yield f"{_dim((name if number == 0 else '').ljust(_LEAD))}{line}"


def _timeline(shown: Shown) -> Iterator[str]:
    steps = shown.row.run.history
    rows = [
        (step.at.strftime("%Y-%m-%d %H:%M:%S"), step.event, step.state, _clean(step.by), short(step.commit))
        for step in steps
    ]
    head, *lines = columns(("WHEN (UTC)", "EVENT", "STATE", "BY", "COMMIT"), rows).split("\n")
    width = max(map(cells, (head, *lines)))
    yield _dim(head)
    for line, step in zip(lines, steps, strict=True):
        yield from _noted(_painted(line, step), line, _first(step.note), width)


def _painted(line: str, step: Step) -> str:
    colour = STATE_COLOURS.get(step.state, "0")
    return line.replace(f"  {step.state}", f"  {coloured(step.state, colour, sys.stdout)}", 1)


def _noted(shown: str, line: str, note: str, width: int) -> Iterator[str]:
    """A line of the timeline with its note behind it, or below it where that leaves too little room."""
    room = _width() - width - 2
    if not note or cells(note) <= room:
        yield f"{shown}{' ' * (width - cells(line) + 2)}{note}" if note else shown
        return
    yield shown
    yield from (f"    {_dim(part)}" for part in wrapped(note, max(_NARROWEST, _width() - 4)))


def _reviews(shown: Shown) -> Iterator[str]:
    for review in shown.facts.reviews:
        yield from _review(review, shown.row.run)


def _review(review: Review, run: Run) -> Iterator[str]:
    colour, word = ("32", "approve") if review.verdict is Verdict.APPROVE else ("33", "request changes")
    old = ", outdated" if is_outdated(review, run.head_commit) else ""
    at = review.at.strftime("%Y-%m-%d %H:%M:%S")
    yield f"{_clean(review.reviewer)}: {coloured(word, colour, sys.stdout)} of {short(review.commit)} at {at}{old}"
    for line in review.body.strip().split("\n") if review.body.strip() else ():
        yield from (f"  {part}" for part in wrapped(_clean(line), max(_NARROWEST, _width() - 2)))
    for comment in review.comments:
        first, *rest = comment.body.split("\n")
        place = f"{_clean(comment.path)}:{comment.line}"
        for part in (f"{place}: {_clean(first)}", *(f"  {_clean(line)}" for line in rest)):
            yield from (f"  {line}" for line in wrapped(part, max(_NARROWEST, _width() - 2)))


def _gates(shown: Shown) -> Iterator[str]:
    landing = shown.row.run.landing
    for gate in landing.gates if landing else ():
        yield _gate(gate)


def _gate(gate: GateResult) -> str:
    symbol = coloured("✓", "32", sys.stdout) if gate.passed else coloured("✗", "31", sys.stdout)
    how = "passed" if gate.passed else "time limit" if gate.exit_code is None else f"exit code {gate.exit_code}"
    return f"{symbol} gate {_clean(gate.name)}: {how} in {took(gate.seconds)}, log {_clean(gate.log)}"


def _first(text: str | None) -> str:
    return _clean((text or "").split("\n", 1)[0])


def _clean(text: str) -> str:
    """What somebody else wrote, on one line and without what a terminal would obey, also one behind a pipe."""
    return printable(text).replace("\n", " ").replace("\t", " ")


def _dim(text: str) -> str:
    return coloured(text, "2", sys.stdout) if text.strip() else text


def _width() -> int:
    if not sys.stdout.isatty():
        return _UNBOUNDED
    import shutil

    return max(_NARROWEST, shutil.get_terminal_size().columns)
