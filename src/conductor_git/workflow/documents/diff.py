"""What a task would bring, as a document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conductor_git.names import TaskId
from conductor_git.patch import Part, parts
from conductor_git.workflow.diff import Difference, Remark
from conductor_git.workflow.documents.task import remark_document


def diff_document(task_id: TaskId, found: Difference, said: Iterable[Remark]) -> dict[str, Any]:
    """The answer of `diff`: from where to where, the files, the text, and the line comments."""
    return {
        "task_id": task_id,
        "base_commit": found.base,
        "head_commit": found.head,
        "files": list(found.files),
        "diff": found.text,
        "comments": [remark_document(remark) for remark in said],
    }


def parts_document(text: str) -> list[dict[str, Any]]:
    """A patch file by file; each line with its numbers in the file before and after, null where it is not in that."""
    return [_part_document(part) for part in parts(text)] if text else []


def _part_document(part: Part) -> dict[str, Any]:
    lines = [{"text": line.text, "old": line.old, "new": line.new} for line in part.lines]
    return {"old_path": part.old_path, "new_path": part.new_path, "lines": lines}
