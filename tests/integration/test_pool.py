"""The warm pool: a spawn takes a worktree that lies ready, and it is as one that was just made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conductor_git.pool.entry import Entry
from tests import kit
from tests.integration import pooled
from tests.integration.test_spawn import spawns
from tests.kit import tasks


@pytest.fixture
def acme(repository: Path) -> Path:
    return pooled.configured(repository, "pool: {size: 2}\n")


def spawned(repository: Path, task_id: str, *options: str) -> Path:
    done = kit.conductor("spawn", task_id, "--json", *options, cwd=repository)
    assert done.code == 0, done
    return Path(done.document["task"]["worktree"])


def seen(worktree: Path) -> dict[str, object]:
    """What of a worktree must be the same wherever it came from: files, modes, index, HEAD, status and config."""
    files = {
        str(path.relative_to(worktree)): (path.lstat().st_mode, path.is_file() and path.read_bytes())
        for path in sorted(worktree.rglob("*"))
        if path.name not in (".git", ".worker-ctx.json")
    }
    git_dir = Path(kit.git(worktree, "rev-parse", "--absolute-git-dir"))
    return {
        "files": files,
        "index": kit.git(worktree, "ls-files", "--stage", "-v"),
        "head": kit.git(worktree, "rev-parse", "HEAD"),
        "status": kit.git(worktree, "status", "--porcelain", "--ignored"),
        "config": kit.git(worktree, "config", "--list", "--local"),
        "git dir": sorted(path.name for path in git_dir.iterdir()),
    }


def came_from_pool(entries: tuple[Entry, ...], worktree: Path) -> bool:
    return kit.git(worktree, "rev-parse", "--absolute-git-dir") in {entry.git_dir for entry in entries}


def test_a_worktree_from_the_pool_is_as_one_that_was_just_made(acme: Path) -> None:
    fresh = spawned(acme, "fresh")
    entries = pooled.refilled(acme)

    warm = spawned(acme, "warm")

    assert came_from_pool(entries, warm)
    assert not came_from_pool(entries, fresh)
    assert seen(warm) | {"status": "", "config": ""} == seen(fresh) | {"status": "", "config": ""}
    assert kit.git(warm, "status", "--porcelain") == ""
    assert kit.git(warm, "symbolic-ref", "HEAD") == "refs/heads/worker/warm"
    assert kit.git(acme, "rev-parse", "worker/warm") == kit.git(acme, "rev-parse", "main")
    assert kit.git(warm, "diff-files") == "", "the index is fresh"
    assert kit.git(warm, "reflog", "show", "--format=%gs", "HEAD").count("\n") == 0, "nothing of the pool is told"
    assert kit.git(acme, "worktree", "list", "--porcelain").count(f"worktree {warm}\n") == 1
    kit.git(acme, "worktree", "remove", "--force", str(warm))


def test_the_pool_is_filled_in_the_background_after_a_spawn(acme: Path) -> None:
    spawned(acme, "first")

    kit.until(lambda: len(pooled.ready(acme)) == 2)
    pooled.quiet(acme)

    assert pooled.leftovers(acme) == []
    assert kit.git(acme, "status", "--porcelain") == ""


def test_an_entry_behind_the_target_is_brought_to_the_base_of_the_task(acme: Path) -> None:
    entries = pooled.refilled(acme)
    tasks.commit(acme, {"src/main.py": "print('later')\n", "docs/how to run.md": None, "new/deep.txt": "new\n"})

    worktree = spawned(acme, "later")

    assert came_from_pool(entries, worktree)
    assert kit.git(worktree, "rev-parse", "HEAD") == kit.git(acme, "rev-parse", "main")
    assert kit.git(worktree, "status", "--porcelain") == ""
    assert (worktree / "new/deep.txt").read_text() == "new\n"
    assert not (worktree / "docs").exists()
    pooled.refilled(acme)
    assert {entry.commit for entry in pooled.ready(acme)} == {kit.git(acme, "rev-parse", "main")}


def test_without_a_pool_nothing_of_it_is_made(repository: Path) -> None:
    spawned(repository, "plain")

    assert not (repository / ".git/conductor/pool").exists()
    assert [path.name for path in (repository.parent / "acme.worktrees").iterdir()] == ["plain"]


def test_a_pool_that_is_switched_off_goes_with_the_next_spawn(acme: Path) -> None:
    pooled.refilled(acme)
    tasks.commit(acme, {".conductor.yaml": "version: 1\n"})

    assert not came_from_pool(pooled.ready(acme), spawned(acme, "plain"))

    kit.until(lambda: pooled.ready(acme) == ())
    pooled.quiet(acme)
    assert pooled.leftovers(acme) == []


def _deleted(entry: Entry) -> None:
    shutil.rmtree(entry.path)


def _pruned(entry: Entry) -> None:
    shutil.rmtree(entry.git_dir)


def _without_git_file(entry: Entry) -> None:
    (Path(entry.path) / ".git").unlink()


def _other_git_file(entry: Entry) -> None:
    (Path(entry.path) / ".git").write_text(f"gitdir: {Path(entry.git_dir).parents[1]}\n")


def _in_use_by_git(entry: Entry) -> None:
    (Path(entry.git_dir) / "index.lock").touch()


def _written_into(entry: Entry) -> None:
    (Path(entry.path) / "src" / "scribble.txt").write_text("mine\n")


def _on_a_branch(entry: Entry) -> None:
    kit.git(Path(entry.path), "switch", "--quiet", "--create", "mine")


def _configured(entry: Entry) -> None:
    (Path(entry.git_dir) / "config.worktree").write_text("[core]\n\teditor = touch /tmp/never\n")


def _replaced_by_a_link(entry: Entry) -> None:
    Path(entry.path).rename(f"{entry.path}-elsewhere")
    Path(entry.path).symlink_to(f"{entry.path}-elsewhere")


def _damaged_record(entry: Entry) -> None:
    (record,) = Path(entry.git_dir).parents[1].joinpath("conductor", "pool").glob(f"{entry.name}.ready")
    record.write_text("{")


SPOILT: tuple[Callable[[Entry], None], ...] = (
    _deleted,
    _pruned,
    _without_git_file,
    _other_git_file,
    _in_use_by_git,
    _written_into,
    _on_a_branch,
    _configured,
    _replaced_by_a_link,
    _damaged_record,
)


def test_spoilt_entries_are_passed_over_and_the_next_refill_puts_the_pool_right(repository: Path) -> None:
    pooled.configured(repository, f"pool: {{size: {len(SPOILT)}}}\n")
    entries = pooled.refilled(repository)
    for spoil, entry in zip(SPOILT, entries, strict=True):
        spoil(entry)
    before = kit.snapshot(repository)

    worktree = spawned(repository, "plain")

    assert kit.git(worktree, "rev-parse", "--absolute-git-dir") == str(repository / ".git/worktrees/plain")
    assert kit.snapshot(repository) == before, "a `.git` file that leads elsewhere leads nobody there"
    assert kit.git(worktree, "status", "--porcelain") == ""
    later = pooled.refilled(repository)
    assert len(later) == len(SPOILT)
    assert not {entry.name for entry in entries} & {entry.name for entry in later}
    assert [kit.git(Path(entry.path), "status", "--porcelain") for entry in later] == [""] * len(SPOILT)


def test_a_pool_that_was_deleted_by_hand_is_filled_again_after_the_next_spawn(acme: Path) -> None:
    entries = pooled.refilled(acme)
    for entry in entries:
        shutil.rmtree(entry.path)

    spawned(acme, "plain")

    kit.until(lambda: [Path(entry.path).is_dir() for entry in pooled.ready(acme)] == [True, True])
    pooled.quiet(acme)
    assert pooled.leftovers(acme) == []


def test_an_entry_that_a_person_locked_is_passed_over_and_stays(acme: Path) -> None:
    entries = pooled.refilled(acme)
    for entry in entries:
        kit.git(acme, "worktree", "lock", entry.path)

    assert not came_from_pool(entries, spawned(acme, "plain"))

    pooled.refilled(acme)
    assert all((Path(entry.path) / "README.md").is_file() for entry in entries)


def test_an_entry_that_a_process_stands_in_is_passed_over(acme: Path) -> None:
    entries = pooled.refilled(acme)
    wait = [sys.executable, "-c", "print(flush=True); input()"]
    held = [
        subprocess.Popen(wait, cwd=Path(entry.path) / "src", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for entry in entries
    ]
    try:
        for process in held:
            assert process.stdout is not None
            process.stdout.readline()

        assert not came_from_pool(entries, spawned(acme, "plain"))
    finally:
        for process in held:
            process.communicate(b"\n")


def test_many_spawns_at_once_each_get_a_worktree_of_their_own(acme: Path) -> None:
    entries = pooled.refilled(acme)
    wanted = [f"task-{number}" for number in range(8)]

    ended = spawns(acme, wanted)

    assert [done.code for done in ended] == [0] * 8, [done.err for done in ended]
    places = [Path(done.document["task"]["worktree"]) for done in ended]
    assert sum(came_from_pool(entries, place) for place in places) == 2
    for task_id, place in zip(wanted, places, strict=True):
        assert kit.git(place, "status", "--porcelain") == ""
        assert kit.git(place, "symbolic-ref", "HEAD") == f"refs/heads/worker/{task_id}"
    pooled.refilled(acme)
    assert pooled.leftovers(acme) == []


def test_a_branch_that_cannot_be_made_is_refused_as_without_a_pool(acme: Path) -> None:
    pooled.refilled(acme)
    kit.git(acme, "branch", "worker/a/b")

    done = kit.conductor("spawn", "a", "--json", cwd=acme)

    tasks.refused(done, "BRANCH_EXISTS", 1)
    assert not (acme.parent / "acme.worktrees" / "a").exists()
    pooled.refilled(acme)
    assert pooled.leftovers(acme) == []


def test_the_config_of_the_repository_is_not_written(acme: Path) -> None:
    before = (acme / ".git/config").read_bytes()
    pooled.refilled(acme)
    spawned(acme, "plain")

    assert (acme / ".git/config").read_bytes() == before
