"""What a task should be by now: the state diagram of the documentation, followed next to the real thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from conductor_git.names import TaskId

LIVE: Final = ("ASSIGNED", "WORKING", "IN_REVIEW", "APPROVED")
ENDED: Final = ("FAILED", "CANCELLED")

DIAGRAM: Final = {
    # Written down once more on purpose: a test that took the table of the code would agree with any table.
    ("ASSIGNED", "start"): "WORKING",
    ("WORKING", "done"): "IN_REVIEW",
    ("IN_REVIEW", "approve"): "APPROVED",
    ("IN_REVIEW", "request_changes"): "WORKING",
    ("APPROVED", "request_changes"): "WORKING",
    ("IN_REVIEW", "supersede"): "IN_REVIEW",
    ("APPROVED", "supersede"): "IN_REVIEW",
    ("APPROVED", "bounce"): "WORKING",
    ("APPROVED", "merge"): "COMPLETED",
    **{(state, "fail"): "FAILED" for state in LIVE},
    **{(state, "cancel"): "CANCELLED" for state in LIVE},
    **{(state, "retry"): "ASSIGNED" for state in ENDED},
    ("COMPLETED", "undo"): "CANCELLED",
}


@dataclass(slots=True)
class Task:
    """One task as the sequence of commands so far should have left it."""

    task_id: TaskId
    target: str
    base: str
    worktree: Path
    required: int
    state: str = "ASSIGNED"
    generation: int = 1
    head: str | None = None
    approved: str | None = None
    merged: str | None = None
    landed_on: str | None = None
    """What the landing was put on; None where the target held everything before."""
    needs: tuple[TaskId, ...] = ()
    priority: int = 0
    approved_as: int = 0
    """The number of its last approval, among those of all tasks."""
    events: list[str] = field(default_factory=lambda: ["spawn"])
    verdicts: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Reviewer, verdict and commit of every review, in order."""

    @property
    def branch(self) -> str:
        return f"worker/{self.task_id}"

    @property
    def branch_ref(self) -> str:
        return f"refs/heads/{self.branch}"

    @property
    def target_ref(self) -> str:
        return f"refs/heads/{self.target}"

    def take(self, event: str) -> None:
        self.state = DIAGRAM[self.state, event]
        self.events.append(event)

    def bounce(self) -> None:
        self.take("bounce")
        self.approved = None

    def supersede(self, tip: str) -> None:
        self.take("supersede")
        self.head, self.approved = tip, None

    def review(self, reviewer: str, verdict: str, number: int) -> None:
        """Review `number` of all, of the commit that was handed in, with what follows from it."""
        self.verdicts.append((reviewer, verdict, self.head))
        if verdict == "request_changes":
            self.take("request_changes")
            self.approved = None
        elif self.state == "IN_REVIEW" and len(self.approvers()) >= self.required:
            self.take("approve")
            self.approved, self.approved_as = self.head, number

    def approvers(self) -> set[str]:
        """Whose last verdict approves exactly the commit that was handed in."""
        last = {reviewer: (verdict, commit) for reviewer, verdict, commit in self.verdicts}
        return {reviewer for reviewer, said in last.items() if said == ("approve", self.head)}


def lacking(task: Task, tasks: Mapping[str, Task]) -> set[str]:
    """What the task needs and has not landed."""
    return {need for need in task.needs if need not in tasks or tasks[need].state != "COMPLETED"}


def queue(tasks: Mapping[str, Task], target: str) -> list[str]:
    """The approved tasks of `target` that can land, in the order of the documentation: what is needed comes first, then
    the higher priority, then the earlier approval."""
    waiting = {name: task for name, task in tasks.items() if task.state == "APPROVED" and task.target == target}
    order: list[str] = []

    def place(name: str, above: tuple[str, ...] = ()) -> bool:
        if name in order:
            return True
        needed = lacking(waiting[name], tasks) if name in waiting else set()
        if name not in waiting or name in above:
            return False
        trial = list(order)
        for need in sorted(needed, key=lambda one: _rank(tasks[one])):
            if not place(need, (*above, name)):
                order[:] = trial
                return False
        order.append(name)
        return True

    for name in sorted(waiting, key=lambda one: _rank(waiting[one])):
        place(name)
    return order


def _rank(task: Task) -> tuple[int, int]:
    return (-task.priority, task.approved_as)
