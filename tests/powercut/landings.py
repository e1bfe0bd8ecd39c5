"""What a repository must hold after landings, and the comparison with what it holds after a power cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from conductor_git.bus.base import Bus
from conductor_git.names import TaskId
from conductor_git.project import Project, open_project
from conductor_git.run import Phase, Run, State
from tests import kit
from tests.kit import tasks
from tests.powercut.tally import Tally
from tests.powercut.worker import text

MINE: Final = {"README.md": b"mine,\r\nunfinished", "idea.txt": b"mine\n"}
"""What a person has in the checkout: a changed file, and one that git does not know."""


def file_of(task_id: str) -> str:
    return f"work/{task_id}.txt"


class Landings:
    """The tasks of one repository: what each brings, which have landed for good, and which were taken back for good."""

    def __init__(self, repository: Path, tally: Tally) -> None:
        self.repository = repository
        self._tally = tally
        self._brings: dict[str, str] = {}
        self._landed: dict[str, str] = {}
        self._undone: dict[str, str] = {}
        self._undoing: set[str] = set()
        """Those that somebody was about to take back."""

    @property
    def waiting(self) -> list[str]:
        """The tasks that are not known to have landed, oldest first."""
        return [task_id for task_id in self._brings if task_id not in self._landed]

    @property
    def kept(self) -> list[str]:
        """The tasks that have landed and that nobody was about to take back."""
        return [task_id for task_id in self._landed if task_id not in self._undoing]

    def approve(self, task_id: str) -> None:
        """One task more that only has to land."""
        self._brings[task_id] = text(task_id, 0) + "\n"
        tasks.approved(self.repository, task_id, {file_of(task_id): self._brings[task_id]}, target="main")

    def undo(self, task_id: str) -> str:
        """Have it taken back, in a moment."""
        self._undoing.add(task_id)
        return task_id

    def hear_landed(self, task_id: str, commit: str) -> None:
        self._landed[task_id] = commit

    def hear_undone(self, task_id: str, commit: str) -> None:
        self._undone[task_id] = commit

    def compare_untouched(self) -> None:
        """What the disk says by itself, before any command of ours has looked at it."""
        project = open_project(self.repository)
        records = {str(run.task_id): run for run in _records(project)}
        for task_id in self._brings.keys() - records.keys():
            self._lost(f"{task_id} has no record any more")
        self._compare_claims(project.bus, records)
        self._compare_acknowledged(records)
        if not (report := project.bus.verify()).is_sound:
            self._wrong(f"{report}")
        self._fsck()

    def compare_mended(self) -> None:
        """Once a command has run: nothing half done is left, and record, bus, branches and checkout say the same."""
        project = open_project(self.repository)
        for run in _records(project):
            if run.merge_commit:
                self._landed[run.task_id] = str(run.merge_commit)
            is_there = self._on_target(str(run.task_id)) == self._brings[str(run.task_id)]
            for wrong in (*_is_odd(project, run), *(["the target says otherwise"] * (is_there != _landed(run)))):
                self._wrong(f"{run.task_id}, {run.state}: {wrong}")
        for left in _leftovers(project):
            self._wrong(f"left over: {left}")
        if any((self.repository / name).read_bytes() != content for name, content in MINE.items()):
            self._wrong("the person's own files are not as they were")
        status = _asked(self.repository, "--no-optional-locks", "status", "--porcelain")
        if status != " M README.md\n?? idea.txt":
            self._wrong(f"the person's checkout: {status!r}")
        self._fsck()

    def _compare_claims(self, bus: Bus, records: dict[str, Run]) -> None:
        """Every landing that the bus or a record tells of is on the target, with all that it brings."""
        on_target = self._target()
        claims = [("the bus", str(one.task_id), one.meta["commit"]) for one in bus.read() if one.type == "LANDED"]
        claims += [("its record", name, str(run.merge_commit)) for name, run in records.items() if run.merge_commit]
        claims += [("the bus", str(one.task_id), one.meta["commit"]) for one in bus.read() if one.type == "UNDONE"]
        for source, task_id, commit in claims:
            if commit not in on_target:
                self._lost(f"{task_id}: {source} tells of {commit}, which is not on the target")
        for task_id in {task_id for _, task_id, _ in claims} - self._undoing:
            if self._on_target(task_id) != self._brings[task_id]:
                self._lost(f"{task_id} is told to have landed, and the target has not what it brings")
        for task_id, run in records.items():
            if run.state is State.CANCELLED and self._on_target(task_id) == self._brings[task_id]:
                self._lost(f"{task_id} is told to be undone, and the target has what it brought")

    def _compare_acknowledged(self, records: dict[str, Run]) -> None:
        on_target = self._target()
        for task_id, commit in [*self._landed.items(), *self._undone.items()]:
            if commit not in on_target:
                self._lost(f"{task_id} was acknowledged as {commit}, which is not on the target")
        for task_id, commit in self._landed.items():
            if task_id in records and records[task_id].merge_commit != commit:
                self._lost(f"{task_id} was acknowledged as {commit}, its record says {records[task_id].state}")
        for task_id in self._undone:
            if task_id in records and records[task_id].state is not State.CANCELLED:
                self._lost(f"{task_id} was acknowledged as undone, its record says {records[task_id].state}")
        told = {(message.task_id, message.type) for message in open_project(self.repository).bus.read()}
        for kind, acknowledged in (("LANDED", self._landed), ("UNDONE", self._undone)):
            for task_id in acknowledged:
                if (TaskId(task_id), kind) not in told:
                    self._lost(f"{task_id} was acknowledged as {kind}, and the bus does not tell")

    def _target(self) -> set[str]:
        return set(kit.git(self.repository, "rev-list", "refs/heads/main").split())

    def _on_target(self, task_id: str) -> str:
        return _asked(self.repository, "cat-file", "blob", f"refs/heads/main:{file_of(task_id)}") + "\n"

    def _fsck(self) -> None:
        report = _asked(self.repository, "fsck", "--full", "--no-dangling", "--no-progress")
        if report:
            self._tally.torn.append(f"cut {self._tally.cuts}: git fsck: {report}")

    def _lost(self, what: str) -> None:
        self._tally.lost.append(f"cut {self._tally.cuts}: {what}")

    def _wrong(self, what: str) -> None:
        self._tally.other.append(f"cut {self._tally.cuts}: {what}")


def _asked(place: Path, *arguments: str) -> str:
    """What git says, or why it says nothing."""
    try:
        return kit.git(place, *arguments)
    except (AssertionError, OSError) as failed:
        return str(failed)


def _records(project: Project) -> list[Run]:
    return [project.runs.get(task_id) for task_id in project.runs.task_ids()]


def _landed(run: Run) -> bool:
    return run.state is State.COMPLETED


def _is_odd(project: Project, run: Run) -> Iterator[str]:
    told = [message.type for message in project.bus.read() if message.task_id == run.task_id]
    for kind, times in (("LANDED", run.merge_commit is not None), ("UNDONE", run.state is State.CANCELLED)):
        if told.count(kind) != times:
            yield f"{kind} was told {told.count(kind)} times"
    if told.count("STATE") != len(run.history):
        yield f"{told.count('STATE')} steps were told of {len(run.history)}"
    for under_way in (run.landing, run.undo):
        if under_way and under_way.phase is not Phase.ENDED:
            yield f"its record is still at {under_way.phase}"
    if run.state not in (State.APPROVED, State.COMPLETED, State.CANCELLED):
        yield f"{run.reason or run.history[-1].note}"
    yield from _has_odd_places(project, run)


def _has_odd_places(project: Project, run: Run) -> Iterator[str]:
    """Its worktree is there until it has landed; its branch too, and again once it is undone."""
    tip = kit.git(project.repository, "for-each-ref", "--format=%(objectname)", run.branch_ref)
    if run.state is State.APPROVED and tip != run.approved_commit:
        yield f"its branch is at {tip or 'nothing'}"
    if run.state is State.APPROVED and (status := _asked(Path(run.worktree), "status", "--porcelain")):
        yield f"its worktree is not as it was handed in: {status}"
    if run.state is not State.APPROVED and Path(run.worktree).exists():
        yield "its worktree is there still"
    if bool(tip) == _landed(run):
        yield f"its branch is at {tip or 'nothing'}"


def _leftovers(project: Project) -> Iterator[str]:
    layout = project.layout
    own = (layout.locks, layout.quarantine)
    for file in layout.common_dir.rglob("*.lock"):
        if not any(file.is_relative_to(place) for place in own) and file.name != "run-info.yaml.lock":
            yield str(file)
    yield from map(str, layout.journal.glob("*"))
    yield from map(str, layout.state_dir.rglob(".*.tmp"))
    yield from map(str, layout.state_dir.glob("landings/*/index*"))
    yield from map(str, layout.state_dir.glob("landings/*/held"))
    for name in ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"):
        if (layout.common_dir / name).exists():
            yield name
