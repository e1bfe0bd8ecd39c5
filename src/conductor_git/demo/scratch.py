"""The scratch repository: made from real files and read back with GitPython, which knows nothing of conductor-git."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import git

import conductor_git
from conductor_git import environment
from conductor_git.demo import story
from conductor_git.layout import CONFIG_NAME

PYTHON: Final = Path(sys.executable).name
"""What the interpreter that runs us is called on the path of the demo."""
_PACKAGE: Final = Path(conductor_git.__file__).resolve().parent
_CONFIG: Final = """\
version: 1
gates:
  - {{name: {gate}, run: "{python} -m doctest {files}", timeout: 1m}}
"""


@dataclass(frozen=True, slots=True)
class Scratch:
    """A directory of its own with the repository `acme` in it, and beside it what a home holds."""

    root: Path
    files: int

    @property
    def repository(self) -> Path:
        return self.root / "acme"

    @property
    def worktrees(self) -> Path:
        return self.root / "acme.worktrees"

    def remove(self) -> None:
        shutil.rmtree(self.root)

    def environment(self) -> dict[str, str]:
        """For every command of the demo: nothing of the caller's git or conductor-git settings, a person called Ada."""
        home, clean = self.root / "home", clean_environment()
        return clean | {
            "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "NO_COLOR": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), clean.get("PATH", os.defpath)]),
            "PYTHONIOENCODING": "utf-8",
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_STATE_HOME": str(home / "state"),
        }


@dataclass(frozen=True, slots=True)
class Landed:
    """A commit of the target's first-parent line, with the trailers that a landing adds."""

    commit: str
    subject: str
    parents: tuple[str, ...]
    trailers: Mapping[str, list[str]]


def clean_environment() -> dict[str, str]:
    """Our environment without any variable that steers git or conductor-git. Cleaning twice changes nothing more."""
    ours = environment.without_git(environment.inherited())
    return {name: value for name, value in ours.items() if not name.startswith(("GIT_", "CONDUCTOR_"))}


def make() -> Scratch:
    """A scratch repository with one commit of real files, and the person's unfinished work in its checkout."""
    root = Path(tempfile.mkdtemp(prefix="conductor-git-demo-")).resolve()
    try:
        return _furnished(root)
    except BaseException:
        shutil.rmtree(root)
        raise


def _furnished(root: Path) -> Scratch:
    for name in ("config", "state"):
        (root / "home" / name).mkdir(parents=True)
    identity = f"[user]\n\tname = {story.PERSON}\n\temail = {story.PERSON.lower()}@example.org\n"
    (root / "home" / "gitconfig").write_text(identity, "utf-8")
    repository = root / "acme"
    for source, name in sources():
        target = repository / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    config = _CONFIG.format(gate=story.GATE, python=PYTHON, files=" ".join(story.GATED_FILES))
    (repository / CONFIG_NAME).write_text(config, "utf-8")
    files = _commit_everything(repository)
    _begin_an_edit(repository)
    return Scratch(root, files)


def sources() -> Iterator[tuple[Path, str]]:
    """The files of the demo's repository and their names in it: those that the project's own repository tracks, where
    the package runs from a checkout of it, else the package's own source."""
    top = _PACKAGE.parents[1]
    if (top / ".git").exists() and top / "src" / "conductor_git" == _PACKAGE:
        with suppress(git.GitError, OSError), git.Repo(top) as project:
            tracked = sorted({str(path) for path, _ in project.index.entries})
            yield from ((top / name, name) for name in tracked if (top / name).is_symlink() or (top / name).is_file())
            return
    for path in sorted(_PACKAGE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path, f"src/conductor_git/{path.relative_to(_PACKAGE).as_posix()}"


def _commit_everything(repository: Path) -> int:
    with git.Repo.init(repository, initial_branch="main") as repo:
        # The caller's template for new repositories may bring hooks, and they have no say here.
        shutil.rmtree(repository / ".git" / "hooks", ignore_errors=True)
        repo.git.add("--all", "--force")
        author = git.Actor(story.PERSON, f"{story.PERSON.lower()}@example.org")
        repo.index.commit("Everything there is", author=author, committer=author, skip_hooks=True)
        return len(repo.index.entries)


def _begin_an_edit(repository: Path) -> None:
    name, addition = story.UNFINISHED
    with (repository / name).open("a", encoding="utf-8") as file:
        file.write(addition)
    name, text = story.NOTE
    (repository / name).write_text(text, "utf-8")


def fingerprints(repository: Path) -> dict[str, str]:
    """The hash of every file of the checkout, `.git` apart."""
    files = (path for path in repository.rglob("*") if path.is_file() and not path.is_symlink())
    inside = ((path, path.relative_to(repository)) for path in files)
    return {name.as_posix(): sha256(path.read_bytes()).hexdigest() for path, name in inside if name.parts[0] != ".git"}


def blobs(scratch: Scratch) -> dict[str, str]:
    """The same of every file in the commit that main is at."""
    with git.Repo(scratch.repository) as repo:
        tree = repo.heads["main"].commit.tree
        found = (item for item in tree.traverse() if isinstance(item, git.Blob) and item.mode != git.Blob.link_mode)
        return {str(item.path): sha256(item.data_stream.read()).hexdigest() for item in found}


def line_of(scratch: Scratch, branch: str, path: str, text: str) -> int:
    """The number of the line with `text` in the file that `branch` holds, from 1."""
    with git.Repo(scratch.repository) as repo:
        content = repo.heads[branch].commit.tree[path].data_stream.read().decode("utf-8")
    return next(number for number, line in enumerate(content.splitlines(), 1) if text in line)


def history(scratch: Scratch) -> tuple[Landed, ...]:
    """What has landed on main since the first commit, oldest first."""
    with git.Repo(scratch.repository) as repo:
        line = [*repo.iter_commits("main", first_parent=True)]
        return tuple(_landed(commit) for commit in reversed(line[:-1]))


def _landed(commit: git.Commit) -> Landed:
    parents = tuple(parent.hexsha for parent in commit.parents)
    return Landed(commit.hexsha, str(commit.summary), parents, commit.trailers_dict)


def branches(scratch: Scratch) -> tuple[str, ...]:
    with git.Repo(scratch.repository) as repo:
        return tuple(sorted(head.name for head in repo.heads))


def moves_of_head(scratch: Scratch) -> tuple[str, ...]:
    """Why the checkout's HEAD has moved each time since the first commit, from its reflog."""
    with git.Repo(scratch.repository) as repo:
        return tuple(entry.message for entry in repo.head.log())


def complaints_of_fsck(scratch: Scratch) -> tuple[str, ...]:
    """What `git fsck` finds wrong; objects that nothing points at are not wrong."""
    with git.Repo(scratch.repository) as repo:
        code, out, err = repo.git.fsck("--full", "--no-dangling", with_extended_output=True, with_exceptions=False)
    lines = [line for line in f"{out}\n{err}".splitlines() if line.strip()]
    return tuple(lines) if code or any(line.startswith(("error", "missing")) for line in lines) else ()
