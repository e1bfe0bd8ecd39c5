"""foretell: look ahead, and say each new collision once on the bus."""

from __future__ import annotations

import json
from typing import Final

from conductor_git.foresight import told
from conductor_git.foresight.foresee import Met
from conductor_git.foresight.told import Key
from conductor_git.message import Message
from conductor_git.names import readable
from conductor_git.project import Project
from conductor_git.transition import message_of
from conductor_git.wording import several
from conductor_git.workflow.conflicts import Prospect, prospect

_MOST_FILES: Final = 50


def foretell(project: Project) -> Prospect:
    """`prospect`, with an ISSUE on the bus for each collision that is new or has come back.

    Checks that run at once tell it once. After a kill in between a message may come twice, never not at all.
    """
    before = told.read(project.layout)
    found = prospect(project)
    if before.after(_keys(found), found.notes) is before:
        return found
    with told.alone(project.layout):
        now = told.read(project.layout)
        if now.turn != before.turn:
            found = prospect(project)  # what was seen may be older than what was told since
        keys = _keys(found)
        for key in sorted(keys.keys() - now.keys):
            project.bus.append(_message(found, keys[key]))
        after = now.after(keys, found.notes)
        if after is not now:
            told.write(project.layout, after)
    return found


def _keys(found: Prospect) -> dict[Key, Met]:
    between: dict[Key, Met] = {(met.first, met.second): met for met in found.seen.between}
    return between | {(met.first, found.runs[met.first].target_ref): met for met in found.seen.targets}


def _message(found: Prospect, met: Met) -> Message:
    """Addressed to the one that would come second: it is the one to do something about it."""
    files = [readable(file) for file in met.files]
    meta = {
        "event": "collision",
        "files": json.dumps(files[:_MOST_FILES], ensure_ascii=False),
        "kind": ", ".join(met.kinds),
    }
    where = f"in {several(files)}"
    if not met.second:
        run = found.runs[met.first]
        body = f"{run.task_id}: would conflict with its target {run.target} {where}"
        return message_of(run, "ISSUE", body, {**meta, "target": run.target})
    other, task_id = sorted((met.first, met.second), key=found.order.index)
    loose = " (not committed yet)" if met.uncommitted else ""
    body = f"{task_id}: would conflict with {other} {where}{loose}"
    return message_of(found.runs[task_id], "ISSUE", body, {**meta, "other": other})
