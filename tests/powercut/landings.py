"""What a repository must hold after landings, and the comparison with what it holds after a power cut."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from typing import Final

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
        found = Found(self.repository)
        for task_id in self._brings.keys() - found.records.keys():
            self._lost(f"{task_id} has no record any more")
        self._compare_claims(found)
        self._compare_acknowledged(found)
        if not (report := found.project.bus.verify()).is_sound:
            self._wrong(f"{report}")
        self._fsck()

    def compare_mended(self) -> None:
        """Once a command has run: nothing half done is left, and record, bus, branches and checkout say the same."""
        found = Found(self.repository)
        for task_id, run in found.records.items():
            if run.merge_commit:
                self._landed[task_id] = str(run.merge_commit)
            is_there = self._is_there(found, task_id)
            for wrong in (*_is_odd(found, run), *(["the target says otherwise"] * (is_there != _landed(run)))):
                self._wrong(f"{task_id}, {run.state}: {wrong}")
        for left in _leftovers(found.project):
            self._wrong(f"left over: {left}")
        if any((self.repository / name).read_bytes() != content for name, content in MINE.items()):
            self._wrong("the person's own files are not as they were")
        status = _asked(self.repository, "--no-optional-locks", "status", "--porcelain")
        if status != " M README.md\n?? idea.txt":
            self._wrong(f"the person's checkout: {status!r}")
        self._fsck()

    def _compare_claims(self, found: Found) -> None:
        """Every landing that the bus or a record tells of is on the target, with all that it brings."""
        claims = [(kind, *claim) for kind in ("LANDED", "UNDONE") for claim in found.claims(kind)]
        claims += [
            ("its record", name, str(run.merge_commit)) for name, run in found.records.items() if run.merge_commit
        ]
        for source, task_id, commit in claims:
            if commit not in found.commits:
                self._lost(f"{task_id}: {source} tells of {commit}, which is not on the target")
        for task_id in {task_id for _, task_id, _ in claims} - self._undoing:
            if not self._is_there(found, task_id):
                self._lost(f"{task_id} is told to have landed, and the target has not what it brings")
        for task_id, run in found.records.items():
            if run.state is State.CANCELLED and self._is_there(found, task_id):
                self._lost(f"{task_id} is told to be undone, and the target has what it brought")

    def _compare_acknowledged(self, found: Found) -> None:
        for task_id, commit in [*self._landed.items(), *self._undone.items()]:
            if commit not in found.commits:
                self._lost(f"{task_id} was acknowledged as {commit}, which is not on the target")
        for task_id, commit in self._landed.items():
            if task_id in found.records and found.records[task_id].merge_commit != commit:
                self._lost(f"{task_id} was acknowledged as {commit}, its record says {found.records[task_id].state}")
        for task_id in self._undone:
            if task_id in found.records and found.records[task_id].state is not State.CANCELLED:
                self._lost(f"{task_id} was acknowledged as undone, its record says {found.records[task_id].state}")
        for kind, acknowledged in (("LANDED", self._landed), ("UNDONE", self._undone)):
            for task_id in acknowledged:
                if kind not in found.told[task_id]:
                    self._lost(f"{task_id} was acknowledged as {kind}, and the bus does not tell")

    def _is_there(self, found: Found, task_id: str) -> bool:
        return found.files.get(file_of(task_id)) == _blob_id(self._brings[task_id].encode())

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


class Found:
    """All of a repository that is compared, asked for once."""

    def __init__(self, repository: Path) -> None:
        self.project = project = open_project(repository)
        self.records = {str(name): project.runs.get(name) for name in project.runs.task_ids()}
        self.commits = set(_asked(repository, "rev-list", "refs/heads/main").split())
        rows = _asked(repository, "ls-tree", "-r", "refs/heads/main").splitlines()
        self.files = {row.partition("\t")[2]: row.split()[2] for row in rows if "\t" in row}
        refs = _asked(repository, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads").splitlines()
        self.refs = dict(row.split(" ", 1) for row in refs)
        self.told: defaultdict[str, list[str]] = defaultdict(list)
        self._claims: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for message in project.bus.read():
            self.told[str(message.task_id)].append(message.type)
            if "commit" in message.meta:
                self._claims[message.type].append((str(message.task_id), message.meta["commit"]))

    def claims(self, kind: str) -> list[tuple[str, str]]:
        """Task and commit of every message of `kind`."""
        return self._claims[kind]


def _blob_id(content: bytes) -> str:
    return sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _landed(run: Run) -> bool:
    return run.state is State.COMPLETED


def _is_odd(found: Found, run: Run) -> Iterator[str]:
    told = found.told[run.task_id]
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
    yield from _has_odd_places(found, run)


def _has_odd_places(found: Found, run: Run) -> Iterator[str]:
    """Its worktree is there until it has landed; its branch too, and again once it is undone."""
    tip = found.refs.get(run.branch_ref)
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
