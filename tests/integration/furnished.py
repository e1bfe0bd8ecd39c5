"""A repository with ignored files in its main checkout, and a config that brings them along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conductor_git.project import open_project
from conductor_git.settings import project_config, trust
from tests import kit
from tests.kit import tasks


def configured(repository: Path, config: str, *, ignored: str = "", files: tasks.Files | None = None) -> None:
    """Commit `config` and a `.gitignore`, agree to the commands, and write `files` beside, which nobody commits."""
    listed = (repository / ".gitignore").read_text() if (repository / ".gitignore").exists() else ""
    tasks.commit(repository, {".conductor.yaml": config, ".gitignore": listed + ignored})
    tasks.write(repository, files or {})
    settings = project_config(open_project(repository))
    if settings.commands:
        trust(settings)


def spawned(repository: Path, task_id: str = "prices", *more: str) -> tuple[Path, kit.Completed]:
    """The worktree that `spawn` made, in which git sees nothing new, and what the command said."""
    done = kit.conductor("spawn", task_id, *more, cwd=repository)
    assert done.code == 0, done.err
    place = Path(done.out.strip())
    assert kit.git(place, "status", "--porcelain") == ""
    return place, done


def refused(repository: Path, code: str) -> dict[str, Any]:
    """The error document of a spawn that was refused and left nothing."""
    done = kit.conductor("spawn", "prices", "--json", cwd=repository)
    error: dict[str, Any] = done.document["error"]
    assert error["code"] == code, error
    assert error["hint"]
    return error
