"""Parts of files, and lists of files, as documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from conductor_git.workflow.excerpt import Excerpt


def excerpt_document(found: Excerpt) -> dict[str, Any]:
    """A part of a file, and where the next one begins."""
    return asdict(found)


def files_document(files: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"name": name, "size": size} for name, size in files]
