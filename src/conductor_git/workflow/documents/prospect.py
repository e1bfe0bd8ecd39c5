"""What live workers would run into, as a document."""

from __future__ import annotations

from typing import Any

from conductor_git.foresight.foresee import Met
from conductor_git.names import TaskId
from conductor_git.workflow.conflicts import Prospect


def prospect_document(found: Prospect, wanted: TaskId | None = None) -> dict[str, Any]:
    """The answer of `conflicts`: of all live workers, or of one."""
    between, targets, notes = concerning(found, wanted)
    return {
        "collisions": [{"tasks": [met.first, met.second], **_facts(met)} for met in between],
        "targets": [{"task_id": met.first, "target": found.runs[met.first].target, **_facts(met)} for met in targets],
        "order": list(found.order),
        "notes": [{"task_id": task_id, "note": note} for task_id, note in sorted(notes.items())],
    }


def concerning(found: Prospect, wanted: TaskId | None) -> tuple[list[Met], list[Met], dict[str, str]]:
    """Of what was found, what is about `wanted`: with other workers, with its target, and what could not be seen."""
    between = [met for met in found.seen.between if wanted in (None, met.first, met.second)]
    targets = [met for met in found.seen.targets if wanted in (None, met.first)]
    notes = {task_id: note for task_id, note in found.notes.items() if wanted in (None, task_id)}
    return between, targets, notes


def _facts(met: Met) -> dict[str, object]:
    return {"files": list(met.files), "kinds": list(met.kinds), "uncommitted": met.uncommitted}
