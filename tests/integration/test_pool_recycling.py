"""What of a landed task's worktree goes on to the next task: build caches that git ignores, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import kit
from tests.integration import pooled
from tests.integration.test_pool import came_from_pool, spawned
from tests.kit import tasks

CONFIG = "pool: {size: 1, keep_ignored: true}\n"


@pytest.fixture
def acme(repository: Path) -> Path:
    (repository / ".worktreeinclude").write_text(".env\nnode_modules/.secret\n")
    return pooled.configured(repository, CONFIG)


def landed_with(repository: Path, task_id: str, files: tasks.Files) -> Path:
    """Land a task in whose worktree `files` lie beside its commit; returns where that worktree was."""
    worktree = tasks.approved(repository, task_id, {f"{task_id}.txt": "work\n"})
    tasks.write(worktree, files)
    tasks.landed(tasks.merge(repository, task_id))
    assert not worktree.exists()
    assert kit.git(repository, "worktree", "list").count(f"/{task_id} ") == 0
    return worktree


def next_one(repository: Path, task_id: str = "next") -> Path:
    entries = pooled.refilled(repository)
    worktree = spawned(repository, task_id)
    assert came_from_pool(entries, worktree)
    assert kit.git(worktree, "status", "--porcelain") == ""
    return worktree


def test_build_caches_of_a_landed_task_lie_in_the_next_worktree(acme: Path) -> None:
    pooled.refilled(acme)
    cache: tasks.Files = {"node_modules/left-pad/index.js": "pad\n", "build/out.o": b"\0\1"}
    landed_with(acme, "prices", cache)

    worktree = next_one(acme)

    assert (worktree / "node_modules/left-pad/index.js").read_text() == "pad\n"
    assert (worktree / "build/out.o").read_bytes() == b"\0\1"
    assert (worktree / "prices.txt").read_text() == "work\n", "it starts from what has landed"
    pooled.refilled(acme)  # what the spawn began is done
    assert pooled.leftovers(acme) == []


def test_nothing_else_of_it_does(acme: Path, tmp_path: Path) -> None:
    pooled.refilled(acme)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept.txt").write_text("kept\n")
    worktree = tasks.approved(acme, "prices", {"prices.txt": "work\n"})
    tasks.write(
        worktree,
        {
            ".env": "TOKEN=of the former task\n",
            "trace.log": "ignored by itself\n",
            "scribble.txt": "untracked\n",
            "src/main.py": "changed\n",
            "node_modules/pad.js": "pad\n",
            "node_modules/.secret": "of the former task\n",
            "node_modules/clone/.git/HEAD": "ref: refs/heads/main\n",
            ".venv/pyvenv.cfg": "home = /usr\n",
            "build/cmake/CMakeCache.txt": "CMAKE_HOME_DIRECTORY\n",
            "build/out.o": "out\n",
            "docs/.gitignore": "hidden/\n",
            "docs/hidden/notes.txt": "ignored by the task's own rule\n",
        },
    )
    (worktree / "node_modules" / "clone" / ".git" / "HEAD").unlink()  # a repository inside would keep the worktree
    (worktree / "build" / "away").symlink_to(tmp_path / "outside")
    git_dir = Path(kit.git(worktree, "rev-parse", "--absolute-git-dir"))
    kit.git(worktree, "update-index", "--assume-unchanged", "README.md")
    (git_dir / "config.worktree").write_text("[core]\n\tfsmonitor = touch /tmp/never\n")
    (worktree / ".git").write_text("gitdir: /nowhere\n")
    landed = tasks.landed(tasks.merge(acme, "prices"))

    later = next_one(acme)

    names = {str(path.relative_to(later)) for path in later.rglob("*")}
    assert {"node_modules/pad.js", "build/out.o", "build/away"} <= names
    former = {".env", "trace.log", "scribble.txt", "node_modules/.secret", "node_modules/clone", ".venv", "build/cmake"}
    assert former & names == set()
    assert not any(name.startswith("docs/") and "hidden" in name for name in names)
    assert kit.git(later, "ls-files", "-v").count("h ") == 0
    assert not (Path(kit.git(later, "rev-parse", "--absolute-git-dir")) / "config.worktree").exists()
    assert (tmp_path / "outside" / "kept.txt").read_text() == "kept\n"
    kept = landed["cleanup"]["salvage"]
    for name in (".env", "scribble.txt", "src/main.py", "node_modules/.secret", "trace.log"):
        assert kit.git(acme, "cat-file", "-e", f"{kept}:{name}") == "", name


def test_directories_that_take_no_write_are_caches_like_others(acme: Path) -> None:
    pooled.refilled(acme)
    worktree = tasks.approved(acme, "prices", {"prices.txt": "work\n"})
    tasks.write(worktree, {"build/mod/c": "c\n", "build/mod/.env": "TOKEN\n", ".venv/lib/pyvenv.cfg": ""})
    for folder in ("build/mod", ".venv/lib"):
        (worktree / folder).chmod(0o555)
    tasks.landed(tasks.merge(acme, "prices"))

    worktree = next_one(acme)

    assert [path.name for path in (worktree / "build/mod").iterdir()] == ["c"]
    assert list(worktree.rglob("pyvenv.cfg")) == []
    pooled.refilled(acme)
    assert pooled.leftovers(acme) == []


def test_a_landing_salvages_what_came_from_the_pool_no_second_time(acme: Path) -> None:
    pooled.refilled(acme)
    landed_with(acme, "prices", {"node_modules/pad.js": "pad\n"})
    next_one(acme, "again")
    tasks.commit(acme.parent / "acme.worktrees" / "again", {"again.txt": "work\n"})
    kit.conductor("start", "again", cwd=acme)
    tasks.hand_in(acme, "again")
    tasks.approve(acme, "again")

    landed = tasks.landed(tasks.merge(acme, "again"))

    assert landed["cleanup"]["salvage"] is None
    assert (next_one(acme, "third") / "node_modules/pad.js").read_text() == "pad\n"


def test_without_keep_ignored_a_landed_worktree_is_removed(acme: Path) -> None:
    tasks.commit(acme, {".conductor.yaml": "version: 1\npool: {size: 1, keep_ignored: false}\n"})
    pooled.refilled(acme)
    landed_with(acme, "prices", {"node_modules/pad.js": "pad\n"})

    assert not (next_one(acme) / "node_modules").exists()
    assert pooled.leftovers(acme) == []


def test_a_locked_worktree_of_a_landed_task_stays(acme: Path) -> None:
    pooled.refilled(acme)
    worktree = tasks.approved(acme, "prices", {"prices.txt": "work\n"})
    kit.git(acme, "worktree", "lock", str(worktree))

    landed = tasks.landed(tasks.merge(acme, "prices"))

    assert (worktree / "prices.txt").is_file()
    assert "locked" in landed["cleanup"]["kept_because"]
    assert worktree.name in {path.name for path in worktree.parent.iterdir()}
