"""A repository with a warm pool, and looks at what lies in it."""

from __future__ import annotations

from pathlib import Path

from conductor_git import durable
from conductor_git.pool.entry import Entry, State, entries
from conductor_git.project import open_project
from conductor_git.workflow import refill
from tests import kit


def configured(repository: Path, text: str) -> Path:
    """Commit `text` as the project's config, with the ignore rules that the tests have caches by."""
    (repository / ".conductor.yaml").write_text(f"version: 1\n{text}")
    with (repository / ".gitignore").open("a") as file:
        file.write("node_modules/\n.venv/\n/.env\n")
    kit.git(repository, "add", "--all")
    kit.git(repository, "commit", "--quiet", "-m", "Configure")
    return repository


def refilled(repository: Path) -> tuple[Entry, ...]:
    """Fill the pool here and now, after whoever is at it; returns what is ready."""
    project = open_project(repository)
    kit.until(lambda: refill.refill(project))
    return ready(repository)


def quiet(repository: Path) -> None:
    """Wait until nobody fills the pool."""
    layout = open_project(repository).layout
    kit.until(lambda: not durable.is_locked(layout.pool_lock))


def ready(repository: Path) -> tuple[Entry, ...]:
    return entries(open_project(repository).layout, State.READY)


def leftovers(repository: Path) -> list[str]:
    """What the pool has beside what is ready: records, directories and registrations that nobody has any use for."""
    known = ready(repository)
    layout = open_project(repository).layout
    records = [path.name for path in layout.pool.iterdir() if path.suffix not in (".ready", ".log", "")]
    places = {entry.path for entry in known}
    beside = repository.parent / f"{repository.name}.worktrees"
    directories = [str(path) for path in beside.glob(".pool-*") if str(path) not in places]
    dirs = {entry.git_dir for entry in known}
    registered = [
        str(path)
        for path in (repository / ".git" / "worktrees").glob("*pool-*")
        if str(path) not in dirs and "/.pool-" in (path / "gitdir").read_text()
    ]
    listed = [
        line for line in kit.git(repository, "worktree", "list", "--porcelain").splitlines() if "prunable" in line
    ]
    return [*records, *directories, *registered, *listed]
