"""The fence: in a worker's repository its git commands move the worker's own branch, and nothing else feels it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import kit
from tests.integration.fenced import MINE, Done, Worker, fenced, write_hook


@pytest.fixture
def worker(repository: Path) -> Worker:
    return fenced(repository)


# --- refused


@pytest.mark.parametrize(
    ("command", "ref"),
    [
        ("branch -f main HEAD~1", "refs/heads/main"),
        ("branch stray", "refs/heads/stray"),
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
    ],
)
def test_a_ref_that_is_not_the_workers_is_refused_in_one_line(worker: Worker, command: str, ref: str) -> None:
    # Git itself refuses some of these while the branch is checked out, but it is not always.
    kit.git(worker.main_checkout, "checkout", "--quiet", "--detach")
    kit.git(worker.main_checkout, "worktree", "remove", str(worker.worktree.parent / "other"))
    before = worker.refs()

    done = worker.git(*command.split())

    assert done.code != 0
    assert f"conductor-git: {ref}" in done.refusal
    assert MINE in done.refusal or "--no-tags" in done.refusal
    assert worker.refs() == before
    assert worker.branch() == f"refs/heads/{MINE}"


@pytest.mark.parametrize("command", ["branch -m renamed", "branch -M worker/other", "update-ref -d HEAD"])
def test_the_workers_branch_is_neither_renamed_nor_removed(worker: Worker, command: str) -> None:
    kit.git(worker.main_checkout, "worktree", "remove", str(worker.worktree.parent / "other"))
    worker.commit("one")
    before = worker.refs()

    done = worker.git(*command.split())

    assert done.code != 0
    assert "worker/" in done.refusal
    assert worker.refs() == before
    assert worker.branch() == f"refs/heads/{MINE}"


def test_the_workers_branch_is_not_removed_while_head_is_elsewhere(worker: Worker) -> None:
    worker.git("switch", "--quiet", "--detach")

    assert "neither removed nor renamed" in worker.git("branch", "-D", MINE).refusal
    assert kit.git(worker.worktree, "rev-parse", MINE) == kit.git(worker.worktree, "rev-parse", "HEAD")


def test_the_stash_of_a_person_is_not_popped_away(worker: Worker) -> None:
    (worker.main_checkout / "README.md").write_text("of a person\n")
    kit.git(worker.main_checkout, "stash")
    before = worker.refs()

    for command in ("stash drop", "stash clear", "stash pop"):
        assert "git stash is refused" in worker.git(*command.split()).refusal
    assert worker.refs() == before


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


@pytest.mark.parametrize("value", ["refs/heads/main", "refs/heads/worker/fix-login-2"])
def test_head_may_not_be_pointed_at_another_branch_where_git_asks(worker: Worker, value: str) -> None:
    hook = worker.main_checkout / ".git/conductor/hooks/reference-transaction"
    git_dir = kit.git(worker.worktree, "rev-parse", "--absolute-git-dir")

    def ask(line: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | worker.variables | {"GIT_DIR": git_dir}
        return subprocess.run(
            [hook, "prepared"],
            cwd=worker.worktree,
            env=environment,
            input=line,
            capture_output=True,
            text=True,
            check=False,
        )

    assert ask(f"{'0' * 40} ref:{value} HEAD\n").returncode == 1
    assert ask(f"ref:{value} ref:refs/heads/{MINE} HEAD\n").returncode == 0


def test_the_main_checkout_and_the_other_worker_are_out_of_reach(worker: Worker) -> None:
    other = worker.worktree.parent / "other"
    before = worker.refs()

    for place in (worker.main_checkout, worker.main_checkout / "src", other):
        done = worker.git("commit", "--allow-empty", "-m", "x", at=place)
        assert done.code != 0
        assert "is refused" in done.refusal
    assert worker.refs() == before


def test_the_head_of_the_main_checkout_is_not_detached(worker: Worker) -> None:
    done = worker.git("checkout", "--detach", at=worker.main_checkout)

    assert done.code != 0
    assert kit.git(worker.main_checkout, "symbolic-ref", "HEAD") == "refs/heads/main"


# --- permitted


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


def test_fetch_and_push_of_the_workers_branch_work(worker: Worker, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    kit.git(worker.main_checkout, "clone", "--quiet", "--bare", ".", str(remote))
    kit.git(worker.main_checkout, "remote", "add", "origin", str(remote))
    worker.commit("one")

    assert worker.git("fetch", "--quiet").code == 0
    assert worker.git("push", "--quiet", "--set-upstream", "origin", "HEAD").code == 0
    assert worker.git("pull", "--quiet", "--rebase", "origin", "main").code == 0
    assert kit.git(remote, "rev-parse", MINE) == kit.git(worker.worktree, "rev-parse", "HEAD")


def test_a_fetch_that_brings_tags_brings_the_branches_and_names_the_way_without(worker: Worker, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    kit.git(worker.main_checkout, "clone", "--quiet", "--bare", ".", str(remote))
    kit.git(remote, "tag", "v1", "main")
    kit.git(worker.main_checkout, "remote", "add", "origin", str(remote))

    assert "git fetch --no-tags" in worker.git("fetch").refusal
    assert worker.git("fetch", "--no-tags") == Done(0, "")
    assert kit.git(worker.worktree, "rev-parse", "origin/main") == kit.git(worker.worktree, "rev-parse", "main")
    assert kit.git(worker.worktree, "tag") == ""


def test_housekeeping_works(worker: Worker) -> None:
    before = worker.refs()

    assert worker.git("gc", "--quiet") == Done(0, "")
    assert worker.git("worktree", "prune") == Done(0, "")
    assert worker.refs() == before


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


def test_a_checkout_in_the_main_checkout_is_not_told_about_the_workers_head(worker: Worker) -> None:
    kit.git(worker.main_checkout, "branch", "spare")

    done = worker.git("checkout", "--quiet", "spare", at=worker.main_checkout)

    assert done == Done(0, "") or "HEAD of the main checkout is refused" in done.refusal


# --- other repositories


def test_a_scratch_repository_has_its_own_hooks_and_no_fence(worker: Worker, tmp_path: Path) -> None:
    scratch = worker.worktree / "build" / "scratch"
    write_hook(worker.main_checkout / ".git" / "hooks", "pre-commit", "echo of the project >&2; exit 1")
    for path in (scratch, tmp_path / "elsewhere"):
        assert worker.git("init", "--quiet", "-b", "main", str(path)).code == 0
        write_hook(path / ".git" / "hooks", "pre-commit", "echo of the scratch repository >&2")

        done = worker.git("commit", "--quiet", "--allow-empty", "-m", "x", at=path, CONDUCTOR_TASK_ID="fix-login")
        assert done == Done(0, "of the scratch repository\n")
        for command in ("branch stray", "tag v1", "checkout --quiet -b other", "stash list"):
            assert worker.git(*command.split(), at=path).code == 0
        assert kit.git(path, "log", "-1", "--format=%B") == "x\n"


def test_the_hook_itself_refuses_nothing_in_another_repository(worker: Worker, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    kit.git(tmp_path, "init", "--quiet", str(scratch))
    hooks = worker.main_checkout / ".git" / "conductor" / "hooks"

    for command in ("commit --quiet --allow-empty -m x", "branch stray", "tag v1"):
        done = worker.git("-c", f"core.hooksPath={hooks}", *command.split(), at=scratch)
        assert done == Done(0, "")


def test_a_submodule_of_the_worktree_is_another_repository(worker: Worker, tmp_path: Path) -> None:
    library = kit.make_repository(tmp_path / "library")
    allow = ("-c", "protocol.file.allow=always")

    assert worker.git(*allow, "submodule", "--quiet", "add", str(library), "lib").code == 0
    assert worker.git("checkout", "--quiet", "-b", "stray", at=worker.worktree / "lib") == Done(0, "")
    hooks = worker.main_checkout / ".git" / "conductor" / "hooks"
    assert worker.git("-c", f"core.hooksPath={hooks}", "tag", "v1", at=worker.worktree / "lib") == Done(0, "")
    assert worker.git("commit", "--quiet", "-m", "Add the library") == Done(0, "")


@pytest.mark.parametrize("name", ["with space", "br[ack]et*?", "ümläut", 'quo"te', "back\\slash", "new\nline"])
def test_the_fence_holds_in_a_repository_of_any_name(tmp_path: Path, name: str) -> None:
    worker = fenced(kit.make_repository(tmp_path / name / "acme"))

    assert worker.commit("one") == Done(0, "")
    assert "refs/heads/stray" in worker.git("branch", "stray").refusal


def test_the_fence_holds_where_the_repository_is_reached_by_a_link(tmp_path: Path) -> None:
    kit.make_repository(tmp_path / "real" / "acme")
    (tmp_path / "link").symlink_to("real")
    worker = fenced(link := tmp_path / "link" / "acme")

    assert worker.commit("one") == Done(0, "")
    assert "refs/heads/stray" in worker.git("branch", "stray").refusal
    # A shell in a directory reached by a link says so in PWD.
    assert "refs/heads/stray" in worker.git("branch", "stray", at=link, PWD=str(link)).refusal


def test_without_the_environment_nothing_is_refused(worker: Worker) -> None:
    config = (worker.main_checkout / ".git" / "config").read_bytes()

    kit.git(worker.worktree, "tag", "v1")
    kit.git(worker.worktree, "stash", "list")
    assert (worker.main_checkout / ".git" / "config").read_bytes() == config


def test_cdpath_in_the_environment_changes_nothing(worker: Worker, tmp_path: Path) -> None:
    elsewhere = kit.make_repository(tmp_path / "elsewhere")

    done = worker.git("branch", "stray", at=worker.main_checkout, CDPATH=str(elsewhere))

    assert "refs/heads/stray" in done.refusal
