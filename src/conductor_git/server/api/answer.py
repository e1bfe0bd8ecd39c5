"""How the API answers: one JSON document with its schema number, as `--json` prints it, and the tag of a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conductor_git.run import Run
from conductor_git.server.document import SCHEMA, Document
from conductor_git.workflow.documents.task import task_document


def answer(status: int = 200, headers: Mapping[str, str] | None = None, **content: Any) -> Document:
    """One document; `content` are its keys after `schema`."""
    return Document({"schema": SCHEMA, **content}, status, dict(headers or {}))


def task_answer(run: Run, status: int = 200, headers: Mapping[str, str] | None = None, **more: Any) -> Document:
    """The record of a task, with its revision as the tag that `If-Match` takes."""
    return answer(status, {**tagged(run), **(headers or {})}, task=task_document(run), **more)


def tagged(run: Run) -> dict[str, str]:
    return {"ETag": f'"{run.revision}"'}
