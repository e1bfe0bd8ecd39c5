"""What persons and workers do by plain git between the commands, some of it unwise."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests import kit
from tests.property.model import Task
from tests.property.world import World

FILES: Final = ("README.md", "src/prices.py", "a.txt", "docs/b.txt", "notes.log")
"""The last one is ignored by the project, until somebody adds it by force."""


def write(place: Path, name: str, content: int | None) -> None:
    """A number as the whole file, so that two different ones conflict; None deletes it."""
    file = place / name
    if content is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{content}\n")


def commit(place: Path, name: str, content: int | None, *flags: str) -> None:
    """Commit this file and what was staged before; in the middle of a conflict git refuses.

    Who commits is in the message: the same commit by two of them in the same second would be one commit.
    """
    write(place, name, content)
    kit.git(place, "add", "--force", "--", name, ok=(0, 128))  # 128: a path that was never there was deleted
    kit.git(place, "commit", "--quiet", "--allow-empty", "-m", f"{place.name}: {name} {content}", *flags, ok=(0, 128))


def edit(place: Path, name: str, content: int | None) -> None:
    write(place, name, content)


def stage(place: Path, name: str, content: int | None) -> None:
    write(place, name, content)
    kit.git(place, "add", "--force", "--", name, ok=(0, 128))


def stage_and_take_back(place: Path, name: str, content: int | None) -> None:
    """Staged, and on the disk as before again: it is in the index only."""
    file = place / name
    before = file.read_bytes() if file.is_file() else None
    stage(place, name, content)
    if before is None:
        file.unlink(missing_ok=True)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(before)


def tidy(place: Path, name: str, content: int | None) -> None:  # noqa: ARG001 - as the other acts
    kit.git(place, "reset", "--quiet", "--hard")
    kit.git(place, "clean", "-fdxq", "-e", "/.worker-ctx.json")


MESSES: Final[Mapping[str, Callable[[Path, str, int | None], None]]] = {
    "edit": edit,
    "stage": stage,
    "stage and take back": stage_and_take_back,
    "tidy": tidy,
}


def in_checkout(world: World, act: str, task_id: str) -> None:
    """A person in the main checkout; where git refuses, they leave it."""
    here = world.repository
    if act == "switch":
        to = "main" if world.head_ref(here) == "refs/heads/side" else "side"
        kit.git(here, "switch", "--quiet", to, ok=(0, 1, 128))
    elif act == "detach":
        kit.git(here, "switch", "--quiet", "--detach", ok=(0, 1, 128))
    elif act == "look":
        kit.git(here, "switch", "--quiet", f"worker/{task_id}", ok=(0, 1, 128))
    elif act == "merge":
        _merge(here, f"worker/{task_id}")
    elif act == "prepare branch":
        kit.git(here, "branch", f"worker/{task_id}", "main~1", ok=(0, 128))
    elif act == "prepare path":
        (world.worktrees / task_id).mkdir(parents=True, exist_ok=True)


def _merge(place: Path, name: str) -> None:
    done = kit.git(place, "merge", "--quiet", "--no-edit", name, ok=(0, 1, 2, 128))
    if done or (Path(kit.git(place, "rev-parse", "--absolute-git-dir")) / "MERGE_HEAD").exists():
        kit.git(place, "merge", "--abort", ok=(0, 128))


def in_worktree(task: Task, act: str) -> None:
    """A worker that leaves the usual path in its own worktree."""
    here = task.worktree
    if act == "delete":
        shutil.rmtree(here)
    elif act == "detach":
        kit.git(here, "switch", "--quiet", "--detach", ok=(0, 1, 128))
    elif act == "side branch":
        kit.git(here, "switch", "--quiet", "-c", f"aside-{task.task_id}", ok=(0, 1, 128))
    elif act == "back":
        kit.git(here, "switch", "--quiet", task.branch, ok=(0, 1, 128))
    elif act == "merge":  # a conflict stays as it is
        kit.git(here, "merge", "--quiet", "--no-edit", task.target, ok=(0, 1, 2, 128))
    elif act == "resolve":
        kit.git(here, "merge", "--quiet", "--no-edit", "-X", "ours", task.target, ok=(0, 1, 2, 128))
    elif act == "commit all":  # markers of a conflict too
        kit.git(here, "add", "--all")
        kit.git(here, "commit", "--quiet", "--allow-empty", "-m", f"{here.name}: all of it", ok=(0, 128))
    elif act == "abort":
        kit.git(here, "merge", "--abort", ok=(0, 128))


def move_branch(world: World, task: Task) -> None:
    """A commit on the branch that nobody has checked out, as when the worktree is gone."""
    tip = world.tip(task.branch_ref)
    assert tip is not None
    made = kit.git(
        world.repository, "commit-tree", "-p", tip, "-m", f"{task.task_id}: from elsewhere", f"{tip}^{{tree}}"
    )
    kit.git(world.repository, "update-ref", task.branch_ref, made, tip)
