"""The JSON documents of cli.md, as commands import them; they are made below, where the API finds them too."""

from __future__ import annotations

from conductor_git.workflow.documents.task import (
    remark_document,
    review_document,
    row_document,
    task_document,
    unreadable_document,
)

__all__ = ["remark_document", "review_document", "row_document", "task_document", "unreadable_document"]
