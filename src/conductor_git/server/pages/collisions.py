"""The collisions page: which tasks would conflict with which, and with their target, as a matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from conductor_git.foresight.foresee import Seen
from conductor_git.names import TaskId, readable
from conductor_git.run import Run
from conductor_git.server.pages.rendering import page
from conductor_git.server.pages.session import Looking
from conductor_git.server.serving import Serving, serving
from conductor_git.workflow.conflicts import prospect

router = APIRouter(include_in_schema=False, dependencies=[Looking])

Server = Annotated[Serving, Depends(serving)]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The live tasks in the order in which they had best land, and the paths in which each two would conflict."""

    runs: Sequence[Run]
    between: Mapping[tuple[TaskId, TaskId], Sequence[str]]
    targets: Mapping[TaskId, Sequence[str]]
    notes: Mapping[str, str]

    def files(self, one: TaskId, other: TaskId) -> Sequence[str]:
        return self.between.get((one, other), self.between.get((other, one), ()))


@router.get("/collisions")
def collisions(request: Request, server: Server) -> Response:
    found = prospect(server.project)
    placed = [found.runs[task_id] for task_id in found.order if task_id in found.runs]
    rest = [run for task_id, run in found.runs.items() if task_id not in found.order]
    return page(request, "collisions.html", matrix=_matrix([*placed, *rest], found.seen, found.notes))


def _matrix(runs: Sequence[Run], seen: Seen, notes: Mapping[str, str]) -> Matrix:
    return Matrix(
        runs,
        {(met.first, met.second): [readable(path) for path in met.files] for met in seen.between},
        {met.first: [readable(path) for path in met.files] for met in seen.targets},
        notes,
    )
