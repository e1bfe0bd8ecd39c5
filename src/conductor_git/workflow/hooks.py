"""hooks install, uninstall, status: the fence for people who work in a worker's worktree by hand.

Nothing of the project's is replaced. One section of the repository's git config, which holds for linked worktrees only,
sets core.hooksPath to a directory of ours, and each hook in there goes on to the project's own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git import configguard, durable, fence
from conductor_git.errors import HookChanged, TooLarge, UnsafePath
from conductor_git.gitdir import git_dir_at
from conductor_git.project import Project
from conductor_git.runner.environment import original_hooks, remotes
from conductor_git.workflow import includes
from conductor_git.workflow.looking.sift import live

_SETTINGS: Final = "gitconfig"
_PROJECT_HOOKS: Final = "project-hooks"
_WRITTEN: Final = "written.json"
_LIMIT: Final = 1 << 20


class Standing(StrEnum):
    """How a hook of ours stands: as this version writes it, as an older one did, edited by somebody, or not there."""

    INSTALLED = "installed"
    OUTDATED = "outdated"
    CHANGED = "changed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Hook:
    """A file of ours; `chained` is the hook of the project that runs after it."""

    name: str
    standing: Standing
    chained: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """What is installed, and what the project has. Nothing of ours is there where `is_absent`.

    `section` tells how the section of the git config stands. `unresolved` are the places where core.hooksPath leads to
    no directory, so that git runs none of the project's hooks there; `hidden` the worktrees of live tasks in which
    another setting wins over ours.
    """

    directory: Path
    section: Standing
    hooks: tuple[Hook, ...]
    project_hooks: Path
    unresolved: tuple[Path, ...]
    hidden: tuple[Path, ...]

    @property
    def is_absent(self) -> bool:
        return self.section is Standing.MISSING and all(hook.standing is Standing.MISSING for hook in self.hooks)

    @property
    def is_whole(self) -> bool:
        return all(
            standing is Standing.INSTALLED for standing in (self.section, *(hook.standing for hook in self.hooks))
        )


def install(project: Project) -> bool:
    """Install the hooks or bring them up to date; returns whether anything changed.

    `HookChanged` before anything is written, where a file of ours was edited. The files come first and the config
    last, so a kill leaves the hooks out of force or in force as a whole; running it again goes on.
    """
    with _alone(project, "install"):
        _require_unedited(project)
        changed = _write_files(project)
        changed |= includes.put_in(project.layout)
        _let_the_guard_know(project, [includes.INCLUDED])
    return changed


def uninstall(project: Project) -> bool:
    """Take out what `install` put in; returns whether there was anything.

    The git config is to the byte what it would be without us. `HookChanged` before anything is removed, where a
    file of ours was edited: it would be lost. After a kill, running it again goes on.
    """
    with _alone(project, "uninstall"):
        _require_unedited(project)
        changed = includes.take_out(project.layout)
        changed |= _remove_files(project)
        _let_the_guard_know(project, [])
    return changed


def status(project: Project) -> Status:
    """How things stand; reads only."""
    wanted, written = _wanted(project), _written(project)
    theirs = original_hooks(project)
    names = [*fence.HOOKS, *sorted((wanted.keys() | written.keys()) - {*fence.HOOKS})]
    return Status(
        directory=project.layout.installed_hooks,
        section=_section(project),
        hooks=tuple(
            Hook(name, _standing(project, name, wanted, written), _chained(project, theirs, name)) for name in names
        ),
        project_hooks=theirs,
        unresolved=tuple(_unresolved(project, theirs)),
        hidden=tuple(_hidden(project)),
    )


@contextmanager
def _alone(project: Project, verb: str) -> Iterator[None]:
    with durable.lock(project.layout.locks / "hooks", purpose=f"hooks {verb}"):
        for name in (*_wanted(project), *_written(project), _WRITTEN):
            durable.drop_temporaries(project.layout.installed_hooks / name)
        yield


# --- files


def _wanted(project: Project) -> dict[str, bytes]:
    directory, theirs = project.layout.installed_hooks.resolve(), original_hooks(project)
    is_set = theirs != project.layout.common_dir / "hooks"
    return {
        **fence.hooks(),
        _SETTINGS: fence.settings(directory, remotes(project)),
        # For the fence, which starts no process to ask git.
        _PROJECT_HOOKS: os.fsencode(f"{theirs}\n") if is_set else b"",
    }


def _written(project: Project) -> dict[str, list[str]]:
    """File name → hashes of what `install` has written there: so ours is told from what somebody edited."""
    try:
        found = json.loads(durable.read_regular(project.layout.installed_hooks / _WRITTEN, _LIMIT))
        return {str(name): list(map(str, hashes)) for name, hashes in found.items()}
    except (FileNotFoundError, ValueError, AttributeError, TypeError):
        return {}


def _standing(project: Project, name: str, wanted: Mapping[str, bytes], written: Mapping[str, list[str]]) -> Standing:
    path = project.layout.installed_hooks / name
    try:
        content = durable.read_regular(path, _LIMIT)
    except FileNotFoundError:
        return Standing.MISSING
    except (UnsafePath, TooLarge):
        return Standing.CHANGED
    if content == wanted.get(name):
        return Standing.INSTALLED if fence.is_current(path, content) else Standing.OUTDATED
    return Standing.OUTDATED if sha256(content).hexdigest() in written.get(name, ()) else Standing.CHANGED


def _require_unedited(project: Project) -> None:
    includes.is_there(project.layout)
    wanted, written = _wanted(project), _written(project)
    edited = [
        project.layout.installed_hooks / name
        for name in sorted(wanted.keys() | written.keys())
        if _standing(project, name, wanted, written) is Standing.CHANGED
    ]
    if edited:
        raise HookChanged(
            f"{', '.join(map(str, edited))} was changed since conductor-git wrote it, and what somebody wrote there "
            "would be lost",
            hint=f"mv {quote(str(edited[0]))} {quote(str(edited[0]) + '.kept')}",
            files=list(map(str, edited)),
        )


def _write_files(project: Project) -> bool:
    directory, wanted, written = project.layout.installed_hooks, _wanted(project), _written(project)
    hashes = {name: [sha256(content).hexdigest()] for name, content in wanted.items()}
    stale = [name for name, content in wanted.items() if not fence.is_current(directory / name, content)]
    if not stale and written == hashes:
        return False
    durable.make_directory(directory)
    # Until all are written the old ones count as ours too, and so do the new ones if this is killed.
    _write_written(directory, {name: [*written.get(name, ()), *hashes.get(name, ())] for name in {*written, *hashes}})
    for name in stale:
        durable.replace(directory / name, wanted[name], mode=0o755)
    for name in written.keys() - wanted.keys():
        durable.remove(directory / name)
    _write_written(directory, hashes)
    return True


def _write_written(directory: Path, hashes: Mapping[str, list[str]]) -> None:
    durable.replace(directory / _WRITTEN, json.dumps(hashes, sort_keys=True).encode())


def _remove_files(project: Project) -> bool:
    directory = project.layout.installed_hooks
    if not directory.is_dir():
        return False
    for name in sorted(_wanted(project).keys() | _written(project).keys()):
        (directory / name).unlink(missing_ok=True)
    durable.remove(directory / _WRITTEN)
    with suppress(OSError):  # somebody keeps a file of their own there
        directory.rmdir()
    return True


# --- the config


def _section(project: Project) -> Standing:
    try:
        return Standing.INSTALLED if includes.is_there(project.layout) else Standing.MISSING
    except HookChanged:
        return Standing.CHANGED


def _let_the_guard_know(project: Project, values: list[str]) -> None:
    """Let the guard accept what this changed in the config, and nothing else that changed besides."""
    configguard.accept(project.layout, includes.KEY, values)


# --- what there is besides


def _chained(project: Project, theirs: Path, name: str) -> str | None:
    path = project.repository / theirs / name
    return str(theirs / name) if path.is_file() and os.access(path, os.X_OK) else None


def _unresolved(project: Project, theirs: Path) -> Iterator[Path]:
    """Where the project's hooks lead nowhere; a repository that sets no core.hooksPath need not have any."""
    if theirs == project.layout.common_dir / "hooks":
        return
    places = [project.repository, *(Path(run.worktree) for run in live(project))]
    for path in dict.fromkeys(place / theirs for place in places if place.is_dir()):
        if not path.is_dir():
            yield path


def _hidden(project: Project) -> Iterator[Path]:
    if _section(project) is not Standing.INSTALLED:
        return
    for run in live(project):
        git_dir = git_dir_at(Path(run.worktree))
        if git_dir is not None and _hooks_in(project, git_dir.path) != project.layout.installed_hooks.resolve():
            yield Path(run.worktree)


def _hooks_in(project: Project, git_dir: Path) -> Path:
    git = replace(project.git, git_dir=git_dir, hooks=True)
    return Path(git.run("rev-parse", "--git-path", "hooks").text)
