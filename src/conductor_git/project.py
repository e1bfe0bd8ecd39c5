"""Opening a repository: layout, stores, bus and git on it, in one frozen value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git.bus.current import CurrentBus
from conductor_git.errors import NotARepository, NotFound, UnbornRepository
from conductor_git.gitcmd import Git, require_recent
from conductor_git.layout import Layout
from conductor_git.names import CommitId
from conductor_git.store.files import FileRuns

_ANSWERS: Final = 3


@dataclass(frozen=True, slots=True)
class Project:
    """One repository under coordination. `repository` is its main checkout, `git` runs on its common git dir."""

    project_id: str
    repository: Path
    layout: Layout
    git: Git
    runs: FileRuns
    bus: CurrentBus
    has_moved: Callable[[], bool] | None = field(default=None, compare=False, repr=False)
    """Of a process that lives long: whether any branch may have moved since this was called last. `looking.tips` calls
    it."""

    def holding(self, *descriptors: int) -> Project:
        """The same project, whose git children keep the given locks until the last of them has ended."""
        return replace(self, git=replace(self.git, inherit=(*self.git.inherit, *descriptors)))


def open_project(start: Path) -> Project:
    """The project that `start` lies in: any directory of its main checkout or of a worktree.

    `NotARepository` where git finds none, or a bare one, which has no checkout to work from. Reads only.
    """
    asked = Git(start).run(
        "rev-parse", "--path-format=absolute", "--git-common-dir", "--git-dir", "--is-bare-repository", ok=(0, 128)
    )
    if asked.code:
        raise _unusable(start, asked.err.decode("utf-8", "replace").strip().removeprefix("fatal: "))
    if len(asked.lines) != _ANSWERS:
        require_recent()  # before 2.31 git prints what it does not know
    common, git_dir, is_bare = asked.lines
    if is_bare == "true":
        raise NotARepository(
            f"{common} is a bare repository, and workers start from a checkout",
            hint=f"git clone {quote(str(common))} work && cd work",
            directory=common,
        )
    return project_at(Path(common), _main_checkout(start, Path(common), Path(git_dir)))


def _unusable(start: Path, reason: str) -> NotARepository:
    first, _, more = reason.partition("\n")
    # git knows the way out of an ownership it doubts, and says it as a command.
    advised = next((line.strip() for line in more.split("\n") if line.strip().startswith("git ")), "")
    return NotARepository(
        f"{start} is not inside a git repository that can be used: {first}",
        hint=advised or "git init && git commit --allow-empty -m 'first commit'",
        directory=str(start),
    )


def _main_checkout(start: Path, common: Path, git_dir: Path) -> Path:
    if common.name == ".git":
        return common.parent
    # A submodule or a separate git dir: only git knows where its files are.
    if git_dir == common:
        return Path(Git(start).run("rev-parse", "--show-toplevel").text)
    return Path(Git(start).run("worktree", "list", "--porcelain", "-z").fields[0].removeprefix("worktree "))


def project_at(common: Path, repository: Path) -> Project:
    """The project with a known common git dir; runs nothing."""
    layout = Layout(common)
    return Project(
        project_id=project_id_of(repository),
        repository=repository,
        layout=layout,
        git=Git(repository, git_dir=common),
        runs=FileRuns(layout),
        bus=CurrentBus(layout.state_dir),
    )


def project_id_of(repository: Path) -> str:
    """The repository's directory name in lower case, with every other character than a-z 0-9 . _ - as a dash."""
    return re.sub(r"[^a-z0-9._-]+", "-", repository.name.lower()).strip("-.") or "project"


def current_branch(project: Project) -> str | None:
    """The branch that the main checkout is on, or None where its HEAD is detached."""
    done = project.git.run("symbolic-ref", "--quiet", "--short", "HEAD", ok=(0, 1))
    return done.text if done.code == 0 else None


def require_commits(project: Project) -> None:
    if project.git.run("rev-parse", "--verify", "--quiet", "HEAD", ok=(0, 1)).code:
        raise UnbornRepository(
            f"{project.repository} has no commit yet, so there is nothing to start a worker from",
            hint=f"git -C {quote(str(project.repository))} commit --allow-empty -m 'first commit'",
            repository=str(project.repository),
        )


def commit_of(project: Project, revision: str, *, what: str = "commit") -> CommitId:
    """The commit that `revision` names, or `NotFound`."""
    done = project.git.run(
        "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", ok=(0, 1, 128)
    )
    if done.code:
        raise NotFound(f"there is no {what} {revision!r}", hint="git log --oneline --all", revision=revision)
    return CommitId(done.text)
