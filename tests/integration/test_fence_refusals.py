"""The fence: what a worker's git commands may not do, each refused in one line and with nothing moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import kit
from tests.integration.fenced import MINE, Worker, by_hand, spawned


@pytest.fixture(params=[spawned, by_hand], ids=["spawned", "by hand"])
def worker(request: pytest.FixtureRequest, repository: Path) -> Worker:
    """The same holds for an agent that was spawned and for somebody who works in a worker's worktree by hand."""
    made: Worker = request.param(repository)
    return made


@pytest.mark.parametrize(
    ("command", "ref"),
    [
        ("branch -f main HEAD~1", "refs/heads/main"),
        ("branch stray", "refs/heads/stray"),
        ("checkout -B main", "refs/heads/main"),
        ("branch -f worker/other worker/other", "refs/heads/worker/other"),
        ("checkout -b stray", "refs/heads/stray"),
        ("switch -c worker/fix-login-2", "refs/heads/worker/fix-login-2"),
        ("tag v1", "refs/tags/v1"),
        ("tag -a -m v1 v1", "refs/tags/v1"),
        ("branch -D worker/other", "refs/heads/worker/other"),
        ("update-ref refs/heads/worker/other HEAD~1", "refs/heads/worker/other"),
        ("update-ref -d refs/heads/main", "refs/heads/main"),
        ("branch -m worker/other renamed", "refs/heads/worker/other"),
        ("fetch . main:copy", "refs/heads/copy"),
        ("worktree add -b stray ../stray", "refs/heads/stray"),
        ("notes add -m x", "refs/notes/commits"),
        ("replace HEAD HEAD~1", "refs/replace/"),
        ("update-ref refs/heads/NOT_HEAD HEAD", "refs/heads/NOT_HEAD"),
        ("update-ref refs/heads/main HEAD~1", "refs/heads/main"),
        ("fetch origin main:stray", "refs/heads/stray"),
        ("fetch --no-tags origin +refs/heads/*:refs/heads/copies/*", "refs/heads/copies/main"),
        ("update-ref refs/stash HEAD", "git stash"),
        ("update-ref refs/conductor/salvage/x HEAD", "refs/conductor/salvage/x"),
    ],
)
def test_a_ref_that_is_not_the_workers_is_refused_in_one_line(worker: Worker, command: str, ref: str) -> None:
    # Git itself refuses some of these while the branch is checked out, but it is not always.
    kit.git(worker.main_checkout, "checkout", "--quiet", "--detach")
    kit.git(worker.main_checkout, "worktree", "remove", str(worker.worktree.parent / "other"))
    before = worker.everything()

    done = worker.git(*command.split())

    assert done.code != 0
    assert f"conductor-git: {ref}" in done.refusal
    assert MINE in done.refusal or "--no-tags" in done.refusal
    assert worker.everything() == before


@pytest.mark.parametrize("command", ["branch -m renamed", "branch -M worker/other", "update-ref -d HEAD"])
def test_the_workers_branch_is_neither_renamed_nor_removed(worker: Worker, command: str) -> None:
    kit.git(worker.main_checkout, "worktree", "remove", str(worker.worktree.parent / "other"))
    worker.commit("one")
    before = worker.everything()

    done = worker.git(*command.split())

    assert done.code != 0
    assert "worker/" in done.refusal
    assert worker.everything() == before


def test_the_workers_branch_is_not_removed_while_head_is_elsewhere(worker: Worker) -> None:
    worker.git("switch", "--quiet", "--detach")

    assert "neither removed nor renamed" in worker.git("branch", "-D", MINE).refusal
    assert kit.git(worker.worktree, "rev-parse", MINE) == kit.git(worker.worktree, "rev-parse", "HEAD")


def test_the_stash_of_a_person_is_not_popped_away(worker: Worker) -> None:
    (worker.main_checkout / "README.md").write_text("of a person\n")
    kit.git(worker.main_checkout, "stash")
    before = worker.everything()

    for command in ("stash drop", "stash clear", "stash pop"):
        assert "git stash is refused" in worker.git(*command.split()).refusal
    assert worker.everything() == before


def test_stash_is_refused_and_leaves_every_change_in_place(worker: Worker) -> None:
    (worker.worktree / "README.md").write_text("changed\n")
    (worker.worktree / "new.txt").write_text("new\n")
    worker.git("add", "new.txt")
    before = kit.git(worker.worktree, "status", "--porcelain")

    done = worker.git("stash")

    assert done.code != 0
    assert done.refusal == (
        "conductor-git: git stash is refused, all worktrees share its one stack; commit on worker/fix-login instead"
    )
    assert kit.git(worker.worktree, "status", "--porcelain") == before
    assert (worker.worktree / "README.md").read_text() == "changed\n"


def test_a_commit_on_a_foreign_branch_is_refused(worker: Worker) -> None:
    kit.git(worker.main_checkout, "branch", "spare")
    before = worker.refs()

    said = worker.git("checkout", "spare")

    assert MINE in said.refusal
    # Since git 2.46 the checkout is refused; before, no hook is asked, the next one tells and the commit is refused.
    if said.code == 0:
        assert "refs/heads/spare" in worker.git("commit", "--allow-empty", "-m", "x").refusal
    assert worker.refs() == before


@pytest.mark.parametrize("command", ["checkout --orphan stray", "switch --orphan stray"])
def test_a_branch_without_history_gets_no_commit(worker: Worker, command: str) -> None:
    before = worker.refs()

    worker.git(*command.split())

    assert "refs/heads/stray is refused" in worker.git("commit", "--allow-empty", "-m", "x").refusal
    assert worker.refs() == before


@pytest.mark.parametrize("packed", ["loose", "packed", "packed and moved since"])
@pytest.mark.parametrize("command", ["branch -D spare", "update-ref -d refs/heads/spare", "tag -d v1"])
def test_a_ref_of_others_is_not_removed_however_git_stores_it(worker: Worker, command: str, packed: str) -> None:
    kit.git(worker.main_checkout, "branch", "spare")
    kit.git(worker.main_checkout, "tag", "v1")
    if packed != "loose":
        kit.git(worker.main_checkout, "pack-refs", "--all")
    if packed == "packed and moved since":
        kit.git(worker.main_checkout, "branch", "--force", "spare", "HEAD~1")
        kit.git(worker.main_checkout, "tag", "--force", "v1", "HEAD~1")
    before = worker.everything()

    assert "is refused" in worker.git(*command.split()).refusal
    assert worker.everything() == before


def test_while_a_neighbour_packs_refs_others_are_no_freer(worker: Worker) -> None:
    before = worker.everything()
    (worker.main_checkout / ".git" / "packed-refs.lock").write_text("")

    assert "refs/heads/main is refused" in worker.git("update-ref", "refs/heads/main", "HEAD~1").refusal
    (worker.main_checkout / ".git" / "packed-refs.lock").unlink()
    assert worker.everything() == before


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("push origin main", "pushing to refs/heads/main"),
        ("push origin HEAD:main", "pushing to refs/heads/main"),
        ("push --force origin HEAD~2:refs/heads/main", "pushing to refs/heads/main"),
        ("push origin worker/fix-login:renamed", "pushing to refs/heads/renamed"),
        ("push origin worker/other", "pushing to refs/heads/worker/other"),
        ("push --force origin main:worker/fix-login", "pushing refs/heads/main"),
        ("push --force origin v1:refs/heads/worker/fix-login", "pushing refs/tags/v1"),
        ("push origin v1", "pushing to refs/tags/v1"),
        ("push --all origin", "pushing to refs/heads/"),
        ("push --tags origin", "pushing to refs/tags/v1"),
        ("push --follow-tags origin worker/fix-login", "pushing to refs/tags/v1"),
        ("push --mirror origin", "pushing to refs/"),
        ("push --delete origin main", "deleting refs/heads/main"),
        ("push origin :main", "deleting refs/heads/main"),
        ("push --delete origin worker/fix-login", "deleting worker/fix-login"),
        ("push --force . HEAD:main", "pushing to refs/heads/main"),
        ("push . main:copy", "pushing to refs/heads/copy"),
        ("push . :worker/other", "deleting refs/heads/worker/other"),
        ("push ../../acme HEAD:refs/heads/copy", "pushing to refs/heads/copy"),
        ("-c push.default=matching push origin", "pushing to refs/heads/"),
        ("push origin refs/heads/*:refs/heads/copies/*", "pushing to refs/heads/copies/"),
    ],
)
def test_a_push_of_anything_but_the_workers_branch_is_refused_in_one_line(
    worker: Worker, command: str, what: str
) -> None:
    kit.git(worker.main_checkout, "push", "--quiet", "origin", MINE)
    kit.git(worker.main_checkout, "commit", "--quiet", "--allow-empty", "-m", "move on")
    kit.git(worker.main_checkout, "tag", "-a", "-m", "v1", "v1", MINE)
    worker.commit("one")
    before = worker.everything()

    done = worker.git(*command.split())

    assert done.code != 0
    assert f"conductor-git: {what}" in done.refusal
    assert MINE in done.refusal
    assert worker.everything() == before


def test_a_refused_push_says_the_command_that_is_meant_and_it_works(worker: Worker) -> None:
    worker.commit("one")

    said = worker.git("push", "origin", "HEAD:main").refusal

    assert said.endswith("; to push your own: git push origin worker/fix-login")
    assert worker.git(*said.rpartition(": git ")[2].split()).code == 0


def test_a_refused_push_does_not_repeat_an_address_that_may_hold_a_password(worker: Worker) -> None:
    said = worker.git("push", f"file://{worker.origin}", "HEAD:refs/heads/copy").refusal

    assert "origin.git" not in said
