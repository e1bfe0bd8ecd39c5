"""What `status` prints, shared by the plain way in and the ordinary one; imports no Typer."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final

from conductor_git.cli.documents import row_document, unreadable_document
from conductor_git.cli.here import Here, onlooker
from conductor_git.cli.output import STATE_COLOURS, coloured, document, narrate, printable, table
from conductor_git.errors import BadRecord
from conductor_git.names import TaskId
from conductor_git.run import State, utcnow
from conductor_git.wording import age
from conductor_git.workflow.documents.note import note
from conductor_git.workflow.look import Row
from conductor_git.workflow.look import status as look
from conductor_git.workflow.looking.tree import tree

_HEADER: Final = ("TASK", "STATE", "HEALTH", "AGENT", "AGE", "±TARGET", "FILES", "COLLIDES", "NOTE", "TITLE")
_NOTE: Final = _HEADER.index("NOTE") - 1
_UNREADABLE: Final = "UNREADABLE"
_TARGET: Final = "target"
_NAMED: Final = 2
_TITLE: Final = 48


def status(
    *, state: Sequence[State] = (), everything: bool = False, watch: bool = False, as_json: bool = False
) -> None:
    """One row a worker: task, state, health, agent, age, ahead and behind, files, collisions."""
    place = onlooker()
    while True:
        if as_json:
            _document(place, state, everything)
        else:
            _table(place, state, everything, is_redrawn=watch and sys.stdout.isatty())
        if not watch:
            return
        time.sleep(2)


def _document(place: Here, states: Sequence[State], everything: bool) -> None:
    rows, bad = look(place.project, now=utcnow(), states=states, everything=everything)
    document(tasks=[*map(row_document, rows), *map(unreadable_document, bad)])
    sys.stdout.flush()


def _table(place: Here, states: Sequence[State], everything: bool, *, is_redrawn: bool) -> None:
    rows, bad = look(place.project, now=utcnow(), states=states, everything=everything)
    if is_redrawn:
        print("\x1b[H\x1b[2J", end="")
    for error in bad:
        narrate("▲", error.message)
    lines = list(_lines(rows, bad))
    if lines:
        shown = table(_HEADER, lines, sys.stdout)
        print(_painted(shown, [cells[1] for cells in lines]), flush=True)
    else:
        narrate("○", "no tasks" if everything else "no live tasks; conductor-git status --all shows ended ones")


def _lines(rows: Sequence[Row], bad: Sequence[BadRecord]) -> Iterator[tuple[str, ...]]:
    """A line a task, each sub-task indented below the one whose worker spawned it, where that is shown."""
    found = {row.run.task_id: _cells(row) for row in rows}
    found |= {TaskId(str(error.facts["task_id"])): _unreadable(error) for error in bad}
    parents = dict.fromkeys(found) | {row.run.task_id: row.run.parent_task_id for row in rows}
    for task_id, depth in tree(parents):
        name, *cells = found[task_id]
        if depth == 0 and (parent := parents[task_id]) is not None:
            cells[_NOTE] = "; ".join(filter(None, (cells[_NOTE], f"of {parent}")))
        yield ("  " * depth + name, *cells)


def _unreadable(error: BadRecord) -> tuple[str, ...]:
    return (str(error.facts["task_id"]), _UNREADABLE, *[""] * (len(_HEADER) - 2))


def _cells(row: Row) -> tuple[str, ...]:
    run = row.run
    apart = "" if row.ahead is None else f"+{row.ahead}" + (f" -{row.behind}" if row.behind else "")
    files = str(row.files) if row.files else ""
    title = "" if run.title == run.task_id else _one_line(run.title)[:_TITLE]
    agent = _one_line(run.agent or "")
    standing = (run.task_id, run.state, row.health or "", agent, age(row.age_seconds))
    return (*standing, apart, files, _collides(row), note(row), title)


def _one_line(text: str) -> str:
    """What other tools and people wrote, as one cell of a table that no terminal obeys."""
    return printable(text).replace("\n", " ").replace("\t", " ")


def _collides(row: Row) -> str:
    if row.foreseen is None:
        return ""
    names = [*([_TARGET] if row.foreseen.target_files else []), *(str(one.other) for one in row.foreseen.others)]
    more = f" +{len(names) - _NAMED}" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _painted(shown: str, states: list[str]) -> str:
    head, *lines = shown.split("\n")
    colours = {_UNREADABLE: "31", **STATE_COLOURS}
    painted = [
        line.replace(f" {state}", f" {coloured(state, colours.get(state, '0'), sys.stdout)}", 1)
        for line, state in zip(lines, states, strict=True)
    ]
    return "\n".join([coloured(head, "2", sys.stdout), *painted])
