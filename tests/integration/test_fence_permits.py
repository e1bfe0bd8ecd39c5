"""Inside the fence: what belongs to a worker's own branch works as ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import kit
from tests.integration.fenced import MINE, Done, Worker, by_hand, spawned


@pytest.fixture(params=[spawned, by_hand], ids=["spawned", "by hand"])
def worker(request: pytest.FixtureRequest, repository: Path) -> Worker:
    """The same holds for an agent that was spawned and for somebody who works in a worker's worktree by hand."""
    made: Worker = request.param(repository)
    return made


def test_commit_amend_and_reset_work_on_the_workers_branch(worker: Worker) -> None:
    for command in ("commit --quiet --allow-empty -m one", "commit --quiet --amend --allow-empty -m two"):
        assert worker.git(*command.split()) == Done(0, "")
    assert worker.git("reset", "--quiet", "--hard", "HEAD~1") == Done(0, "")

    assert kit.git(worker.worktree, "rev-parse", MINE) == kit.git(worker.worktree, "rev-parse", "main")


def test_a_rebase_with_a_conflict_works(worker: Worker) -> None:
    worker.commit("clash", text="mine\n")
    worker.commit("fine")
    kit.git(worker.main_checkout, "commit", "--quiet", "--allow-empty", "-m", "move on")
    (worker.main_checkout / "clash").write_text("theirs\n")
    kit.git(worker.main_checkout, "add", "clash")
    kit.git(worker.main_checkout, "commit", "--quiet", "-m", "clash")

    assert worker.git("rebase", "main").code == 1
    assert worker.git("checkout", "--theirs", "clash").code == 0
    assert worker.git("add", "clash").code == 0
    assert worker.git("rebase", "--continue", GIT_EDITOR=":").code == 0
    assert worker.branch() == f"refs/heads/{MINE}"
    assert kit.git(worker.worktree, "rev-list", "--count", "main..HEAD") == "2"


def test_an_interactive_rebase_that_keeps_merges_and_autosquashes_works(worker: Worker) -> None:
    worker.commit("one")
    worker.commit("two")
    (worker.worktree / "one").write_text("better\n")
    assert worker.git("commit", "--quiet", "-a", "--fixup", "HEAD~1").code == 0

    done = worker.git(
        "rebase", "-i", "--autosquash", "--rebase-merges", "main", GIT_EDITOR=":", GIT_SEQUENCE_EDITOR=":"
    )

    assert done.code == 0, done.err
    assert kit.git(worker.worktree, "rev-list", "--count", "main..HEAD") == "2"


def test_merge_cherry_pick_and_revert_work(worker: Worker) -> None:
    kit.git(worker.main_checkout, "commit", "--quiet", "--allow-empty", "-m", "move on")
    worker.commit("one")

    assert worker.git("merge", "--quiet", "--no-edit", "main").code == 0
    assert worker.git("revert", "--no-edit", "HEAD^").code == 0
    assert worker.git("cherry-pick", "-x", "HEAD~1^").code == 0


def test_a_bisect_works_from_start_to_reset(worker: Worker) -> None:
    for name in "abcd":
        worker.commit(name)

    for command in (["start", "HEAD", "main"], ["run", "sh", "-c", "! test -e c"], ["reset"]):
        done = worker.git("bisect", *command)
        assert done.code == 0
        assert "is refused" not in done.err
    assert worker.branch() == f"refs/heads/{MINE}"


def test_fetch_pull_and_push_of_the_workers_branch_work(worker: Worker) -> None:
    worker.commit("one")

    assert worker.git("fetch", "--quiet") == Done(0, "")
    assert worker.git("push", "--quiet", "--set-upstream", "origin", "HEAD").code == 0
    assert worker.git("commit", "--quiet", "--amend", "-m", "Add one, better").code == 0
    assert worker.git("push", "--quiet", "--force-with-lease", "origin", MINE).code == 0
    assert worker.git("push", "--quiet", "origin", f"HEAD~1:refs/heads/{MINE}", "--force").code == 0
    assert worker.git("push", "--quiet").code == 0
    assert worker.git("pull", "--quiet", "--rebase").code == 0
    assert worker.git("pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main").code == 0
    assert kit.git(worker.origin, "rev-parse", MINE) == kit.git(worker.worktree, "rev-parse", "HEAD")


def test_a_fetch_where_there_are_new_tags_brings_the_branches_and_leaves_the_tags(worker: Worker) -> None:
    kit.git(worker.main_checkout, "commit", "--quiet", "--allow-empty", "-m", "move on")
    kit.git(worker.main_checkout, "push", "--quiet", "origin", "main", "main:refs/tags/v1", "main:refs/tags/v2")

    for command in ("fetch", "fetch origin", "fetch --all", "remote update", "pull --rebase origin main"):
        assert worker.git(*command.split()).code == 0
    assert kit.git(worker.worktree, "rev-parse", "origin/main") == kit.git(worker.worktree, "rev-parse", "main")
    assert kit.git(worker.worktree, "tag") == ""


@pytest.mark.parametrize("layout", ["loose", "packed"])
@pytest.mark.parametrize(
    "command",
    [
        "gc --quiet",
        "gc --quiet --prune=now",
        "pack-refs --all",
        "pack-refs --all --no-prune",
        "repack -adq",
        "prune",
        "worktree prune",
        "maintenance run --quiet --task=gc",
        "maintenance run --quiet --task=pack-refs --task=loose-objects --task=incremental-repack --task=commit-graph",
        "maintenance run --quiet --task=prefetch",
        "reflog expire --all --expire=now",
        "fsck --no-progress",
    ],
)
def test_housekeeping_works_and_moves_nothing(worker: Worker, command: str, layout: str) -> None:
    worker.commit("one")
    kit.git(worker.main_checkout, "tag", "v1")
    kit.git(worker.main_checkout, "repack", "-dq")
    if layout == "packed":
        kit.git(worker.main_checkout, "pack-refs", "--all")
        kit.git(worker.main_checkout, "tag", "v2")
    before = [line for line in worker.refs().splitlines() if "refs/prefetch/" not in line]

    done = worker.git(*command.split())

    assert done.code == 0, done.err
    assert "is refused" not in done.err
    assert [line for line in worker.refs().splitlines() if "refs/prefetch/" not in line] == before


def test_the_branch_works_the_same_when_the_coordinator_has_packed_it(worker: Worker) -> None:
    worker.commit("one")
    kit.git(worker.main_checkout, "pack-refs", "--all", "--prune")

    assert worker.commit("two") == Done(0, "")
    assert worker.git("branch", "-m", "renamed").code != 0
    assert worker.git("reset", "--quiet", "--hard", "HEAD~1") == Done(0, "")


def test_a_detached_worktree_may_be_made_and_removed(worker: Worker) -> None:
    assert worker.git("worktree", "add", "--quiet", "--detach", "../look").code == 0
    assert worker.git("worktree", "remove", "../look").code == 0


def test_head_may_be_detached_and_come_back_from_a_subdirectory(worker: Worker) -> None:
    below = worker.worktree / "src"

    assert worker.git("switch", "--quiet", "--detach", "HEAD~1", at=below) == Done(0, "")
    assert worker.git("switch", "--quiet", MINE, at=worker.worktree) == Done(0, "")


def test_a_ref_that_each_worktree_has_of_its_own_may_be_set(worker: Worker) -> None:
    for ref in ("refs/worktree/mark", "refs/bisect/mark", "refs/rewritten/mark", "BISECT_HEAD"):
        assert worker.git("update-ref", ref, "HEAD") == Done(0, "")


def test_an_interactive_rebase_with_an_editor_reorders_and_drops(worker: Worker) -> None:
    for name in ("one", "two", "three"):
        worker.commit(name)

    done = worker.git("rebase", "-i", "main", GIT_SEQUENCE_EDITOR="sed -i.bak -e 2d", GIT_EDITOR=":")

    assert done.code == 0, done.err
    assert kit.git(worker.worktree, "log", "--format=%s", "main..HEAD") == "Add three\nAdd one"
    assert worker.branch() == f"refs/heads/{MINE}"


@pytest.mark.parametrize(
    "command",
    [
        "restore --source HEAD~1 .",
        "clean -fdq",
        "checkout HEAD~1 -- README.md",
        "stash list",
        "stash create",
        "branch --list",
        "tag --list",
        "notes list",
        "switch --detach HEAD~1",
        "reset --quiet --soft HEAD~1",
        "reset --quiet --hard origin/main",
        "merge --quiet --ff-only main",
        "branch --set-upstream-to origin/main",
        "remote set-head origin main",
        "rebase --quiet --autostash main",
    ],
)
def test_what_moves_nothing_of_others_works(worker: Worker, command: str) -> None:
    worker.commit("one")
    kit.git(worker.main_checkout, "checkout", "--quiet", "--detach")
    worker.git("merge", "--quiet", "main")

    done = worker.git(*command.split())

    assert done.code == 0, done.err
    assert "is refused" not in done.err


def test_a_submodule_is_added_updated_and_worked_in(worker: Worker, tmp_path: Path) -> None:
    library = kit.make_repository(tmp_path / "library")
    allow = ("-c", "protocol.file.allow=always")

    assert worker.git(*allow, "submodule", "--quiet", "add", str(library), "lib").code == 0
    for command in ("checkout --quiet -b stray", "tag v1", "commit --quiet --allow-empty -m x", "stash list"):
        assert worker.git(*command.split(), at=worker.worktree / "lib") == Done(0, "")
    assert worker.git("commit", "--quiet", "-m", "Add the library") == Done(0, "")
    assert worker.git(*allow, "submodule", "update", "--quiet", "--init").code == 0
