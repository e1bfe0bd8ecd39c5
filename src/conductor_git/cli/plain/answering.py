"""The answer of a command about one task; imports no Typer, and what makes documents only for one."""

from __future__ import annotations

from typing import Any

from conductor_git.cli.output import answer, document
from conductor_git.run import Run


def answer_with(run: Run, text: str = "", *, as_json: bool, **facts: Any) -> None:
    """The document of `run` and `facts`, or `text`; by default its id and its state."""
    if as_json:
        from conductor_git.cli.documents import task_document

        document(task=task_document(run), **facts)
    else:
        answer(text or f"{run.task_id} {run.state}")
