"""The gates of a target, judged on a real repository without a landing around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conductor_git import integration
from conductor_git.config.model import Gate
from conductor_git.gitcmd import Git
from conductor_git.landing import gates
from conductor_git.landing.gates import Case, Judged
from conductor_git.landing.gatetree import GateTree
from conductor_git.names import CommitId, parse_task_id
from conductor_git.project import open_project
from conductor_git.run import GateResult
from tests import kit
from tests.kit import tasks


@dataclass(frozen=True, slots=True)
class Bench:
    """Judges commits of one repository, all for the target `main`."""

    repository: Path
    tree: GateTree

    def commit(self, files: tasks.Files) -> CommitId:
        """A commit of `files` in the main checkout."""
        return CommitId(tasks.commit(self.repository, files))

    def judge(
        self,
        *commands: str,
        commit: str = "HEAD",
        timeout: str = "15m",
        told: Callable[[GateResult], None] = lambda result: None,
    ) -> Judged:
        """Run `commands` as the gates one, two, … on `commit`."""
        names = ("one", "two", "three")
        listed = [
            Gate.model_validate({"name": name, "run": run, "timeout": timeout})
            for name, run in zip(names, commands, strict=False)
        ]
        case = Case("main", self._id(commit), (parse_task_id("prices"),))
        return gates.judge(self.tree.integration, self.tree.layout, listed, case, told)

    def put(self, commit: str = "HEAD", base: str | None = None) -> None:
        """Bring the tree to `commit` without running anything in it."""
        self.tree.put(self._id(commit), self._id(base) if base else None)

    def _id(self, revision: str) -> CommitId:
        if len(revision) == 40:
            return CommitId(revision)
        return CommitId(kit.git(self.repository, "rev-parse", revision))

    @property
    def files(self) -> dict[str, str]:
        """Everything in the tree but its `.git`: path → text, or what a link leads to."""
        found = (path for path in self.tree.path.rglob("*") if ".git" not in path.relative_to(self.tree.path).parts)
        return {str(path.relative_to(self.tree.path)): _text(path) for path in found if _is_leaf(path)}

    @property
    def log(self) -> bytes:
        """The log of the first gate of the last run that there was at HEAD."""
        commit = self._id("HEAD")
        return (self.tree.layout.landing(commit) / "01-one.log").read_bytes()


def bench(repository: Path) -> Bench:
    project = open_project(repository)
    looking: Git = integration.opened(project.layout, project.git, integration.shared_config(project.git))
    return Bench(repository, GateTree(looking, project.layout, "main"))


def committed(repository: Path, revision: str = "HEAD") -> dict[str, str]:
    """The files of a commit: path → text."""
    names = kit.git(repository, "ls-tree", "-r", "-z", "--name-only", revision).split("\0")
    return {name: kit.git(repository, "cat-file", "blob", f"{revision}:{name}") for name in filter(None, names)}


def _is_leaf(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _text(path: Path) -> str:
    return str(path.readlink()) if path.is_symlink() else path.read_text().removesuffix("\n")
