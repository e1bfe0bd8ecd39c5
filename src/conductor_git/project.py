"""Opening a repository: layout, stores, bus and git on it, in one frozen value."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git import directories
from conductor_git.bus.current import CurrentBus
from conductor_git.errors import NotARepository, NotFound, UnbornRepository
from conductor_git.gitcmd import Git, require_recent
from conductor_git.layout import Layout
from conductor_git.names import CommitId
from conductor_git.store.files import FileRuns

_ANSWERS: Final = 3
_BARE: Final = re.compile(rb"^\s*bare\s*=\s*(true|yes|on|1)\s*$", re.IGNORECASE | re.MULTILINE)
"""As git writes it; it is asked in a worktree, where git itself says nothing of it."""


@dataclass(frozen=True, slots=True)
class Project:
    """One repository under coordination. `repository` is its main checkout, `git` runs on its common git dir.

    Of a bare repository, which has no main checkout, `repository` is the common git dir itself.
    """

    project_id: str
    repository: Path
    layout: Layout
    git: Git
    runs: FileRuns
    bus: CurrentBus
    has_moved: Callable[[], bool] | None = field(default=None, compare=False, repr=False)
    """Of a process that lives long: whether any branch may have moved since this was called last. `looking.tips` calls
    it."""

    @property
    def is_bare(self) -> bool:
        """There is no main checkout: the worktrees of a bare repository are its checkouts, each as good as another."""
        return self.repository == self.layout.common_dir

    @property
    def name(self) -> str:
        """What people call the repository: its directory, or what holds the hidden directory of a bare one."""
        return name_of(self.repository, is_bare=self.is_bare)

    def holding(self, *descriptors: int) -> Project:
        """The same project, whose git children keep the given locks until the last of them has ended."""
        return replace(self, git=replace(self.git, inherit=(*self.git.inherit, *descriptors)))


def open_project(start: Path) -> Project:
    """The project that `start` lies in: any directory of its main checkout or of a worktree, or a bare repository.

    `NotARepository` where git finds none, or a bare one without a worktree: that is a place to push to, and nobody
    works there. Reads only.
    """
    asked = Git(start).run(
        "rev-parse", "--path-format=absolute", "--git-common-dir", "--git-dir", "--is-bare-repository", ok=(0, 128)
    )
    if asked.code:
        raise _unusable(start, asked.err.decode("utf-8", "replace").strip().removeprefix("fatal: "))
    if len(asked.lines) != _ANSWERS:
        require_recent()  # before 2.31 git prints what it does not know
    common, git_dir, is_bare = asked.lines
    if is_bare == "true" and not _has_worktrees(Path(common)):
        raise NotARepository(
            f"{common} is a bare repository without a worktree, and workers start from a checkout",
            hint=f"git clone {quote(common)} work && cd work",
            directory=common,
        )
    if is_bare == "true":
        return project_at(Path(common), Path(common))
    return project_at(Path(common), _main_checkout(start, Path(common), Path(git_dir)))


def _has_worktrees(common: Path) -> bool:
    return bool(directories.matching(common, "worktrees/*/gitdir"))


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
        return common if git_dir != common and _says_bare(common) else common.parent
    # A submodule or a separate git dir: only git knows where its files are.
    if git_dir == common:
        return Path(Git(start).run("rev-parse", "--show-toplevel").text)
    return Path(Git(start).run("worktree", "list", "--porcelain", "-z").fields[0].removeprefix("worktree "))


def _says_bare(common: Path) -> bool:
    """`core.bare` is on in the config, or where `extensions.worktreeConfig` moves it to."""
    for name in ("config", "config.worktree"):
        with suppress(OSError):
            if _BARE.search((common / name).read_bytes()):
                return True
    return False


def project_at(common: Path, repository: Path) -> Project:
    """The project with a known common git dir; runs nothing."""
    layout = Layout(common)
    return Project(
        project_id=project_id_of(repository, is_bare=repository == common),
        repository=repository,
        layout=layout,
        git=Git(repository, git_dir=common),
        runs=FileRuns(layout),
        bus=CurrentBus(layout.state_dir),
    )


def name_of(repository: Path, *, is_bare: bool = False) -> str:
    """The name of its directory; of a bare one without `.git`, or of the directory that hides it, as `acme/.bare`."""
    if not is_bare:
        return repository.name
    return repository.parent.name if repository.name.startswith(".") else repository.name.removesuffix(".git")


def project_id_of(repository: Path, *, is_bare: bool = False) -> str:
    """The repository's name in lower case, with every other character than a-z 0-9 . _ - as a dash."""
    return re.sub(r"[^a-z0-9._-]+", "-", name_of(repository, is_bare=is_bare).lower()).strip("-.") or "project"


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
