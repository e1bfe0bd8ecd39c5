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


# --- what only an agent's environment does


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


def test_a_fetch_that_brings_tags_brings_the_branches_and_names_the_way_without(worker: Worker, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    kit.git(worker.main_checkout, "clone", "--quiet", "--bare", ".", str(remote))
    kit.git(remote, "tag", "v1", "main")
    kit.git(worker.main_checkout, "remote", "add", "origin", str(remote))

    assert "git fetch --no-tags" in worker.git("fetch").refusal
    assert worker.git("fetch", "--no-tags") == Done(0, "")
    assert kit.git(worker.worktree, "rev-parse", "origin/main") == kit.git(worker.worktree, "rev-parse", "main")
    assert kit.git(worker.worktree, "tag") == ""


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
