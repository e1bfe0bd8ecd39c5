"""The repository that the commands run on, and how it looks at one moment. Looking writes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha1
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from conductor_git.gitcmd import Git
from conductor_git.layout import CONTEXT_NAME
from conductor_git.project import Project, open_project
from tests import kit
from tests.property.model import Task

_NOT_STATE: Final = (
    "locks",
    "journal",
    "integration.git",
    "landings",
    "gates",
    "git-config.json",
    "hooks",
    "foresight",
)
"""Parts of the state directory that say nothing about a task: locks, scratch space, what is made again."""

GATE: Final = '[ ! -e a.txt ] || [ "$(cat a.txt)" != "$(cat docs/b.txt)" ]'
"""Red where these two files are twins: what each of two tasks brings can be green alone and red together."""

_UNDER_WAY: Final = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply", "index.lock")


@dataclass(frozen=True)
class Desk:
    """A worker's worktree, byte for byte; `index` is the index file."""

    files: Mapping[str, bytes]
    head: str
    index: bytes
    under_way: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """All that a command could have changed."""

    state: Mapping[str, bytes]
    refs: Mapping[str, str]
    commits: frozenset[str]
    checkout: kit.Snapshot
    desks: Mapping[str, Desk]


@dataclass
class World:
    """One repository with its workers' worktrees beside it."""

    repository: Path
    _seconds: int = 0
    has_gates: bool = False
    targets: dict[str, frozenset[str]] = field(default_factory=dict)
    """What each branch that tasks land on should hold: what persons put there, and what was landed."""

    @classmethod
    def build(cls, template: Path, place: Path) -> World:
        shutil.copytree(template, place / "acme", symlinks=True)
        kit.git(place / "acme", "branch", "side", "main~1")
        world = cls(place / "acme")
        world.note_targets()
        return world

    @cached_property
    def project(self) -> Project:
        return open_project(self.repository)

    @property
    def common(self) -> Path:
        return self.repository / ".git"

    @property
    def worktrees(self) -> Path:
        return self.repository.with_name("acme.worktrees")

    def now(self) -> datetime:
        """A clock that goes on by a second whenever somebody looks at it."""
        self._seconds += 1
        return kit.FIRST_COMMIT_AT + timedelta(days=1, seconds=self._seconds)

    def have_gates(self) -> None:
        """From now on both targets have a gate."""
        self.has_gates = True
        for branch in ("side", "main"):
            kit.git(self.repository, "switch", "--quiet", branch)
            (self.repository / ".conductor.yaml").write_text(f"gates:\n  - name: twins\n    run: '{GATE}'\n")
            kit.git(self.repository, "add", ".conductor.yaml")
            kit.git(self.repository, "commit", "--quiet", "-m", f"a gate on {branch}")
        self.note_targets()

    def is_red(self, tree: str) -> bool:
        """What the gate says of a tree or commit."""
        files = dict(self.tree(tree)) if self.has_gates else {}
        return "a.txt" in files and files["a.txt"] == files.get("docs/b.txt")

    def tips(self, target: str) -> list[str]:
        """Every commit that the target's ref has been at, oldest first."""
        return self.ask("reflog", "show", "--format=%H", f"refs/heads/{target}").split()[::-1]

    # questions by plain git

    def ask(self, *arguments: str, ok: tuple[int, ...] = (0,), at: Path | None = None) -> str:
        return kit.git(at or self.repository, "--no-optional-locks", *arguments, ok=ok)

    def tip(self, ref: str) -> str | None:
        return self.ask("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", ok=(0, 1)) or None

    def holds(self, holder: str, commit: str) -> bool:
        return commit in self.ask("rev-list", holder).split()

    def unsettled(self, place: Path, *, ignored: bool = False) -> set[str]:
        """The paths of a checkout that are not as its HEAD has them."""
        how = ("--untracked-files=all", "--no-renames", *(["--ignored=matching"] if ignored else []))
        return {line[3:] for line in self.ask("status", "--porcelain=v1", "-z", *how, at=place).split("\0") if line}

    def would_commit(self, place: Path) -> bool:
        """`git add --all` and `git commit` would make a commit here."""
        known = self.ask("ls-files", "-z", "--cached", "--others", "--exclude-standard", at=place).split("\0")
        files = {(name, blob_id((place / name).read_bytes())) for name in known if name and (place / name).is_file()}
        return files != self.tree("HEAD", at=place)

    def tree(self, commit: str, at: Path | None = None) -> set[tuple[str, str]]:
        """Path and blob of every file of a commit."""
        rows = self.ask("ls-tree", "-r", "-z", commit, at=at).split("\0")
        return {(name, meta.split(" ")[2]) for meta, _, name in (row.partition("\t") for row in rows) if name}

    def git_dir(self, place: Path) -> Path:
        entry = place / ".git"
        return entry if entry.is_dir() else Path(entry.read_text().strip().removeprefix("gitdir: "))

    def head_ref(self, place: Path) -> str:
        return (self.git_dir(place) / "HEAD").read_text().strip().removeprefix("ref: ")

    def is_quiet(self, task: Task) -> bool:
        """The worktree's HEAD is on its branch, and nothing is under way in it."""
        git_dir = self.git_dir(task.worktree)
        return self.head_ref(task.worktree) == task.branch_ref and not any(_there(git_dir, _UNDER_WAY))

    # all of it at once

    def facts(self) -> Facts:
        return Facts(
            state=dict(self._state()),
            refs=dict(
                line.split(" ") for line in self.ask("for-each-ref", "--format=%(refname) %(objectname)").split("\n")
            ),
            commits=frozenset(self.ask("rev-list", "--all").split("\n")),
            checkout=kit.snapshot(self.repository),
            desks={path.name: self._desk(path) for path in self._desks()},
        )

    def _state(self) -> Iterator[tuple[str, bytes]]:
        top = self.common / "conductor"
        for path in top.rglob("*"):
            name = path.relative_to(top)
            if name.parts[0] not in _NOT_STATE and not name.name.endswith(".lock") and path.is_file():
                yield str(name), path.read_bytes()

    def _desks(self) -> list[Path]:
        return sorted(self.worktrees.iterdir()) if self.worktrees.is_dir() else []

    def _desk(self, place: Path) -> Desk:
        files = {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}
        files.pop(".git", None)
        if not (place / ".git").exists():
            return Desk(files, "", b"", ())
        git_dir = self.git_dir(place)
        head = (git_dir / "HEAD").read_text().strip()
        return Desk(files, head, (git_dir / "index").read_bytes(), tuple(_there(git_dir, _UNDER_WAY)))

    def staged(self, desk: Desk) -> set[str]:
        """The blobs in the index of a worktree as it was, which may be gone by now."""
        with NamedTemporaryFile() as index:
            index.write(desk.index)
            index.flush()
            rows = Git(self.repository, index=Path(index.name)).run("ls-files", "--stage").lines
        return {row.split(" ")[1] for row in rows}

    def note_targets(self) -> None:
        """Take what the targets hold now for right: only persons were at work since it was looked at last."""
        for target in ("main", "side"):
            self.targets[target] = self.holding(target)

    def holding(self, target: str) -> frozenset[str]:
        return frozenset(self.ask("rev-list", f"refs/heads/{target}").split("\n"))


def _there(git_dir: Path, names: tuple[str, ...]) -> Iterator[str]:
    return (name for name in names if (git_dir / name).exists())


def blob_id(content: bytes) -> str:
    return sha1(b"blob %d\0" % len(content) + content).hexdigest()


def work(desk: Desk) -> set[tuple[str, str]]:
    """Path and blob of every file of the project in a worktree, committed or not."""
    return {(path, blob_id(content)) for path, content in desk.files.items() if path != CONTEXT_NAME}
