"""Review records as `tasks/<task_id>/reviews/<number>.yaml`, written once and never changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conductor_git import durable, strictyaml
from conductor_git.errors import BadRecord, TooLarge, UnsafePath
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.review import Review, from_tree, to_tree

MAX_BYTES: Final = 2 * 1024 * 1024
"""Of a file: the longest review (`review.MOST_TEXT`), each byte of it escaped, and what YAML adds."""


@dataclass(frozen=True, slots=True)
class FileReviews:
    layout: Layout

    def all(self, task_id: TaskId) -> tuple[Review, ...]:
        """Every review of the task, oldest first; `BadRecord` names one that cannot be read."""
        return tuple(_read(path, task_id) for path in self._paths(task_id))

    def add(self, task_id: TaskId, make: Callable[[int], Review]) -> Review:
        """Store `make(number)` under the next free number. Durable when it returns.

        Call it with the task's lock held.
        """
        number = 1 + max((int(path.stem) for path in self._paths(task_id)), default=0)
        review = make(number)
        data = strictyaml.write(to_tree(review), limit=MAX_BYTES)
        durable.make_directory(self.layout.reviews(task_id))
        durable.replace(self._path(task_id, number), data)
        return review

    def _path(self, task_id: TaskId, number: int) -> Path:
        return self.layout.reviews(task_id) / f"{number}.yaml"

    def _paths(self, task_id: TaskId) -> list[Path]:
        try:
            found = [path for path in self.layout.reviews(task_id).iterdir() if path.suffix == ".yaml"]
        except FileNotFoundError:
            return []
        return sorted((path for path in found if path.stem.isdigit()), key=lambda path: int(path.stem))


def _read(path: Path, task_id: TaskId) -> Review:
    try:
        return from_tree(strictyaml.read(durable.read_regular(path, MAX_BYTES), limit=MAX_BYTES))
    except (OSError, ValueError, TooLarge, UnsafePath) as bad:
        raise BadRecord(
            f"a review of {task_id} cannot be read: {path}: {bad}",
            hint=f"conductor-git bus read --task {task_id} --type REVIEW",
            task_id=task_id,
            path=str(path),
            reason=str(bad),
        ) from bad
