"""Whatever state a worktree is in when it is removed, `restore` brings back its bytes, modes, index and status."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import kit
from tests.integration.worktree_states import disturb, look
from tests.kit import tasks

SEEDS = range(20)


def worktree_with_rivals(repository: Path) -> Path:
    """The worktree of `prices`, with a commit of its own and a branch `theirs` that conflicts with it."""
    kit.git(repository, "branch", "theirs")
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/prices.py": "PRICES = 'ours'\n", "src/new.py": "NEW = 1\n"})
    kit.git(worktree, "checkout", "--quiet", "theirs")
    tasks.commit(worktree, {"src/prices.py": "PRICES = 'theirs'\n", "theirs.txt": "theirs\n"})
    kit.git(worktree, "checkout", "--quiet", "worker/prices")
    return worktree


def restored(repository: Path, *options: str) -> kit.Completed:
    done = kit.conductor("restore", "prices", "--json", *options, cwd=repository)
    assert done.code == 0, done
    return done


@pytest.mark.parametrize("seed", SEEDS)
def test_a_worktree_that_a_landing_removed_comes_back_as_it_was(repository: Path, seed: int) -> None:
    worktree = worktree_with_rivals(repository)
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    deeds = disturb(worktree, seed)
    before = look(worktree)
    tasks.landed(tasks.merge(repository, "prices"))
    assert not worktree.exists(), deeds

    restored(repository)

    assert look(worktree) == before, deeds
    assert tasks.record(repository, "prices").state == "COMPLETED"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_worktree_that_was_started_over_comes_back_beside_it(repository: Path, seed: int) -> None:
    worktree = worktree_with_rivals(repository)
    deeds = disturb(worktree, seed + 1000)
    before = look(worktree)
    assert kit.conductor("cancel", "prices", cwd=repository).code == 0
    assert kit.conductor("retry", "prices", "--reset", cwd=repository).code == 0
    fresh = look(worktree)
    place = repository.parent / "again"

    restored(repository, "--into", str(place))

    after = look(place)
    assert (after.files, after.index, after.flags) == (before.files, before.index, before.flags), deeds
    assert after.tip == before.tip
    assert (place / ".worker-ctx.json").exists() is False
    assert after.head == before.tip
    assert look(worktree) == fresh


def test_what_was_restored_can_be_salvaged_and_restored_again(repository: Path) -> None:
    worktree = worktree_with_rivals(repository)
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    disturb(worktree, 7)
    before = look(worktree)
    tasks.landed(tasks.merge(repository, "prices"))
    restored(repository)

    tasks.landed(tasks.merge(repository, "prices"), "ALREADY_LANDED")
    assert not worktree.exists()
    restored(repository)

    assert look(worktree) == before
    refs = kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage/prices/")
    assert len(refs.split("\n")) == 2


def test_git_itself_can_drop_nothing_that_a_salvage_needs(repository: Path) -> None:
    worktree = worktree_with_rivals(repository)
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    kit.git(worktree, "merge", "--quiet", "theirs", ok=(1,))
    tasks.write(worktree, {"staged.txt": "one\n"})
    kit.git(worktree, "add", "staged.txt")
    tasks.write(worktree, {"staged.txt": "two\n", "idea.log": "ignored\n"})
    before = look(worktree)
    tasks.landed(tasks.merge(repository, "prices"))
    kit.git(repository, "branch", "--quiet", "-D", "theirs")
    kit.git(repository, "reflog", "expire", "--expire=now", "--all")
    kit.git(repository, "gc", "--quiet", "--prune=now")

    restored(repository)

    assert look(worktree) == before
    kit.git(worktree, "add", "--all")
    kit.git(worktree, "commit", "--quiet", "-m", "Merge theirs after all")
    assert len(kit.git(worktree, "rev-list", "--parents", "-1", "HEAD").split()) == 3
    subprocess.run(["git", "fsck", "--no-dangling", "--no-progress"], cwd=repository, check=True)
