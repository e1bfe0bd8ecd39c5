"""gc: worktrees and branches of tasks that have ended go where the target holds what they brought, and else stay."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conductor_git import durable
from conductor_git.layout import Layout
from tests import kit
from tests.kit import tasks
from tests.kit.interposed import happened, interpose

CONFIG = {".conductor.yaml": "gc: {worktrees: 0.001s}\n"}


def gc(repository: Path, *options: str) -> Any:
    done = kit.conductor("gc", "--json", *options, cwd=repository)
    assert done.code == 0, done
    return done.document


def leftovers(document: Any) -> dict[str, str]:
    return {one["kind"]: one["why"] for one in document["leftovers"]}


def ended(repository: Path, end: str = "cancel") -> Path:
    """A task that ended with one commit on its branch, its worktree clean."""
    tasks.commit(repository, CONFIG)
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.commit(worktree, {"src/other.py": "OTHER = 1\n"})
    assert kit.conductor(end, "prices", cwd=repository).code == 0
    return worktree


def by_ancestry(repository: Path) -> None:
    kit.git(repository, "merge", "--quiet", "--no-ff", "--no-edit", "worker/prices")


def by_squash(repository: Path) -> None:
    kit.git(repository, "merge", "--quiet", "--squash", "worker/prices")
    kit.git(repository, "commit", "--quiet", "-m", "Squashed")


def by_squash_and_changed_since(repository: Path) -> None:
    by_squash(repository)
    tasks.commit(repository, {"src/new.py": "NEW = 2\n"})


def by_picks_and_changed_since(repository: Path) -> None:
    tasks.commit(repository, {"README.md": "# Ours\n"})
    kit.git(repository, "cherry-pick", "main..worker/prices")
    tasks.commit(repository, {"src/new.py": "NEW = 2\n"})


MERGED = {
    "main holds its commits": by_ancestry,
    "merging it would change nothing in main": by_squash,
    "main has a commit with the same patch": by_squash_and_changed_since,
    "main has each of its commits as a patch": by_picks_and_changed_since,
}


@pytest.mark.parametrize(("why", "land"), MERGED.items(), ids=[land.__name__ for land in MERGED.values()])
def test_what_the_target_holds_goes_and_comes_back(repository: Path, why: str, land: Callable[[Path], None]) -> None:
    worktree = ended(repository)
    tip = kit.git(repository, "rev-parse", "worker/prices")
    land(repository)

    shown = gc(repository)
    assert worktree.is_dir()
    assert leftovers(shown) == {
        "worktree": f"CANCELLED, {why}, nothing in it is uncommitted",
        "branch": f"CANCELLED, {why}",
    }
    assert shown["dry_run"] is True
    assert shown["bytes"] == sum(one["bytes"] for one in shown["leftovers"]) > 0
    done = gc(repository, "--yes")

    assert [one["removed"] for one in done["leftovers"]] == [True, True]
    assert not worktree.exists()
    assert kit.git(repository, "branch", "--list", "worker/prices") == ""
    kit.git(repository, "reflog", "expire", "--expire=now", "--all")
    kit.git(repository, "gc", "--quiet", "--prune=now")
    kit.git(repository, "cat-file", "-e", tip)  # no commit is lost, whichever way it was merged
    assert kit.conductor("restore", "prices", cwd=repository).code == 0
    assert (worktree / "src" / "other.py").read_text() == "OTHER = 1\n"
    assert kit.git(worktree, "rev-parse", "HEAD") == tip


def test_a_branch_whose_worktree_had_something_to_salvage_goes_with_it(repository: Path) -> None:
    tasks.write(repository / ".git" / "info", {"exclude": "*.pyc\n"})
    worktree = ended(repository)
    tasks.write(worktree, {"cache.pyc": "1\n"})
    by_squash(repository)

    done = gc(repository, "--yes")

    assert [(one["kind"], one["removed"]) for one in done["leftovers"]] == [("worktree", True), ("branch", True)], done
    kept = kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage/prices").splitlines()
    assert len(kept) == 2


def test_what_the_target_does_not_hold_stays_and_says_how_to_look(repository: Path) -> None:
    worktree = ended(repository)

    done = gc(repository, "--yes")

    assert done["leftovers"] == []
    (held,) = done["held"]
    assert held["why"] == "main does not hold what it brings: git log main..worker/prices"
    assert worktree.is_dir()
    assert kit.git(repository, "log", "--format=%s", "main..worker/prices") == "Work on it\nWork on it"


def test_a_merge_that_holds_more_than_its_sides_is_no_patch(repository: Path) -> None:
    worktree = ended(repository)
    tasks.commit(repository, {"README.md": "# Ours\n"})
    kit.git(worktree, "merge", "--quiet", "--no-commit", "main")
    tasks.commit(worktree, {"only-in-the-merge.txt": "here\n"})
    kit.git(repository, "cherry-pick", "worker/prices~1~1", "worker/prices~1")

    assert gc(repository, "--yes")["leftovers"] == []
    assert (worktree / "only-in-the-merge.txt").exists()


def uncommitted(worktree: Path) -> None:
    tasks.write(worktree, {"idea.txt": "idea\n"})


def hidden(worktree: Path) -> None:
    kit.git(worktree, "update-index", "--assume-unchanged", "src/new.py")
    tasks.write(worktree, {"src/new.py": "NEW = 2\n"})


def locked(worktree: Path) -> None:
    kit.git(worktree, "worktree", "lock", str(worktree))


def detached(worktree: Path) -> None:
    kit.git(worktree, "switch", "--quiet", "--detach")


def rebasing(worktree: Path) -> None:
    git_dir = Path(kit.git(worktree, "rev-parse", "--absolute-git-dir"))
    (git_dir / "rebase-merge").mkdir()


STAYS = {uncommitted: "uncommitted", hidden: "uncommitted", locked: "locked", detached: "HEAD", rebasing: "a rebase"}


@pytest.mark.parametrize(("trouble", "word"), STAYS.items(), ids=[trouble.__name__ for trouble in STAYS])
def test_what_somebody_may_want_stays(repository: Path, trouble: Callable[[Path], None], word: str) -> None:
    worktree = ended(repository)
    by_ancestry(repository)
    trouble(worktree)

    done = gc(repository, "--yes")

    assert done["leftovers"] == []
    assert word in done["held"][0]["why"]
    assert worktree.is_dir()


def test_a_task_that_goes_on_and_one_that_just_ended_stay(repository: Path) -> None:
    worktree = ended(repository)
    by_ancestry(repository)
    tasks.commit(repository, {".conductor.yaml": "gc: {worktrees: 1h}\n"})
    assert gc(repository, "--yes")["leftovers"] == []

    tasks.commit(repository, CONFIG)
    assert kit.conductor("retry", "prices", cwd=repository).code == 0

    assert gc(repository, "--yes")["leftovers"] == []
    assert worktree.is_dir()


def test_a_task_that_a_command_is_at_work_on_stays(repository: Path) -> None:
    worktree = ended(repository)
    by_ancestry(repository)

    with durable.lock(Layout(repository / ".git").locks / "tasks" / "prices"):
        done = gc(repository, "--yes")

    assert [one["removed"] for one in done["leftovers"]] == [False, False]
    assert [one["why"] for one in done["left"]] == ["a command is at work on it"] * 2
    assert worktree.is_dir()


def test_two_at_once_remove_it_once_and_harm_nothing(repository: Path) -> None:
    ended(repository)
    by_ancestry(repository)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda _: kit.conductor("gc", "--yes", "--json", cwd=repository), range(3)))

    assert [done.code for done in found] == [0, 0, 0], found
    assert kit.git(repository, "worktree", "list", "--porcelain").count("worktree ") == 1
    assert kit.git(repository, "branch", "--list", "worker/*") == ""
    assert kit.git(repository, "fsck", "--no-dangling", "--no-progress") == ""


def test_a_gate_tree_goes_with_its_target_and_an_old_one_is_a_cache(repository: Path) -> None:
    kit.git(repository, "branch", "release")
    tasks.commit(repository, {".conductor.yaml": "gates:\n  - {name: look, run: test -f src/new.py}\n"})
    kit.git(repository, "branch", "--force", "release", "main")
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    for task, target in (("prices", "main"), ("taxes", "release")):
        tasks.approved(repository, task, {"src/new.py": "NEW = 1\n"}, target=target)
        tasks.landed(tasks.merge(repository, task))
    layout = Layout(repository / ".git")
    gates = layout.gate_tree("main").parent
    assert len([path for path in gates.iterdir() if path.is_dir()]) == 2
    kit.git(repository, "branch", "--quiet", "-D", "release")

    done = gc(repository, "--yes")
    assert [(one["kind"], one["why"]) for one in done["leftovers"]] == [("gate tree", "its target is gone")]
    (kept,) = [path for path in gates.iterdir() if path.is_dir()]
    for path in (kept, kept.with_name(f"{kept.name}.index")):
        os.utime(path, (0, 0))
    done = gc(repository, "--yes")

    assert [(one["kind"], one["back"]) for one in done["leftovers"]] == [("gate tree", None)]
    assert not kept.exists()


def test_without_a_word_it_only_shows(repository: Path) -> None:
    worktree = ended(repository)
    by_ancestry(repository)

    done = kit.conductor("gc", cwd=repository)

    assert done.code == 0
    assert "comes back by: conductor-git restore prices" in done.err
    assert "would remove 1 worktree, 1 branch ref: " in done.err
    assert "conductor-git gc --yes" in done.err
    assert worktree.is_dir()
    tasks.refused(kit.conductor("gc", "--yes", "--dry-run", "--json", cwd=repository), "BAD_INPUT", 2)


@pytest.mark.parametrize("moment", ["update-index -q --really-refresh", "diff-index --name-only"])
def test_a_worktree_that_somebody_removes_while_gc_looks_at_it_is_passed_over(
    repository: Path, tmp_path: Path, moment: str
) -> None:
    worktree = ended(repository)
    by_ancestry(repository)
    hand = tmp_path / "hand"
    env = interpose(hand, moment, before=f"rm -r {worktree} {repository}/.git/worktrees/prices")

    done = kit.conductor("gc", "--json", cwd=repository, env=env)

    assert happened(hand)
    assert (done.code, done.document["leftovers"]) == (0, [])
    assert leftovers(gc(repository)) == {"branch": "CANCELLED, main holds its commits"}
