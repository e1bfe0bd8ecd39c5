"""Trees in which gates ran, all of them caches: those of targets that are gone, and those long out of use."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from conductor_git import directories
from conductor_git.errors import ConductorError, LockTimeout
from conductor_git.history import branches
from conductor_git.landing.gatetree import discard_tree
from conductor_git.landing.lease import lease
from conductor_git.layout import Layout
from conductor_git.project import Project
from conductor_git.workflow.leftovers.kind import IN_USE, Found, Kind, Leftover, Since, size_of

_NAME: Final = "gate tree"
_HASH: Final = 16


def _find(project: Project, since: Since) -> Found:
    trees = _trees(project.layout)
    known = {project.layout.gate_tree(name).name for name in branches(project.git).tips} if trees else set[str]()
    found = [_leftover(tree, at) for tree in trees if tree.name in known and (at := _used(tree)) < since.before]
    return Found((*(_orphan(tree) for tree in trees if tree.name not in known), *found))


def _trees(layout: Layout) -> list[Path]:
    """A tree is named by the hash of its target; what lies beside it begins with the same name."""
    try:
        found = [path for path in layout.gates.iterdir() if len(path.name) == _HASH and not path.is_symlink()]
    except FileNotFoundError:
        return []
    return sorted(path for path in found if path.is_dir())


def _used(tree: Path) -> datetime:
    """When a landing last put a commit into it: the index beside it is written then."""
    index = tree.with_name(f"{tree.name}.index")
    times = (status.st_mtime for status in directories.statuses((tree, index)))
    return datetime.fromtimestamp(max(times, default=0), UTC)


def _orphan(tree: Path) -> Leftover:
    return Leftover(_NAME, str(tree), "its target is gone", _used(tree), tree, size=size_of(tree))


def _leftover(tree: Path, at: datetime) -> Leftover:
    why = "no landing used it since, and the next one makes it anew"
    return Leftover(_NAME, str(tree), why, at, tree, size=size_of(tree))


def _remove(project: Project, leftover: Leftover, at: datetime) -> str:  # noqa: ARG001 - as every kind
    """Remove it with the lease of its target held, so that no gate is running in it."""
    assert leftover.path is not None
    try:
        with lease(project.layout.locks / "targets" / leftover.path.name, "gc", seconds=0):
            discard_tree(project.layout, leftover.path)
    except LockTimeout:
        return IN_USE
    except ConductorError as refused:
        return refused.message
    return ""


GATE_TREES: Final = Kind(_NAME, "gate tree", _find, _remove)
