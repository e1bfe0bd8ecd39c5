"""Beside the fence: the project's own hooks still run, a commit names its task, and hooks are installed whole."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from conductor_git import fence
from tests import kit
from tests.integration.fenced import MINE, Done, Worker, fenced, write_hook


@pytest.fixture
def worker(repository: Path) -> Worker:
    return fenced(repository)


# --- the project's own hooks


def test_a_hook_of_the_project_still_runs_and_can_refuse(worker: Worker) -> None:
    write_hook(worker.main_checkout / ".git" / "hooks", "pre-commit", 'echo "no: $PWD" >&2; exit 1')

    done = worker.commit("one")

    assert done == Done(1, f"no: {worker.worktree}\n")


@pytest.mark.parametrize("name", fence.CHAINED_HOOKS)
def test_every_hook_is_handed_on_with_its_arguments_and_its_input(worker: Worker, tmp_path: Path, name: str) -> None:
    write_hook(
        worker.main_checkout / ".git" / "hooks",
        name,
        f'printf "%s|" "$0" "$@" > {tmp_path}/seen; cat >> {tmp_path}/seen; exit 3',
    )
    hook = worker.main_checkout / ".git" / "conductor" / "hooks" / name

    environment = os.environ | worker.variables | {"GIT_DIR": str(worker.main_checkout / ".git")}
    done = subprocess.run(
        [hook, "one", "a b"], cwd=worker.worktree, env=environment, input=b"in", check=False, timeout=60
    )

    assert done.returncode == 3
    assert (tmp_path / "seen").read_text() == f"{worker.main_checkout}/.git/hooks/{name}|one|a b|in"


def test_hooks_that_a_relative_hooks_path_names_run_too(repository: Path) -> None:
    write_hook(repository / ".husky", "commit-msg", "echo checked >&2")
    kit.git(repository, "add", ".husky")
    kit.git(repository, "commit", "--quiet", "-m", "hooks")
    kit.git(repository, "config", "core.hooksPath", ".husky")
    worker = fenced(repository, original_hooks=Path(".husky"))

    (worker.worktree / "src" / "new").write_text("x")
    worker.git("add", "--all")
    assert worker.git("commit", "--quiet", "-m", "x", at=worker.worktree / "src") == Done(0, "checked\n")


def test_the_projects_own_reference_transaction_sees_what_the_fence_lets_pass(worker: Worker, tmp_path: Path) -> None:
    log = tmp_path / "log"
    hooks = worker.main_checkout / ".git" / "hooks"
    write_hook(hooks, "reference-transaction", f'echo "$1 $PWD" >> {log}; cat >> {log}')
    new, old = kit.git(worker.worktree, "rev-parse", "HEAD~1", "HEAD").split()

    assert worker.git("update-ref", f"refs/heads/{MINE}", new, old) == Done(0, "")
    assert worker.git("tag", "v1").code != 0

    told = log.read_text()
    for phase in ("prepared", "committed"):
        assert f"{phase} {worker.worktree}\n{old} {new} refs/heads/{MINE}\n" in told
    assert f"aborted {worker.worktree}" in told
    assert "v1" not in told.partition("aborted")[0]


def test_the_projects_own_reference_transaction_can_refuse(worker: Worker) -> None:
    write_hook(worker.main_checkout / ".git" / "hooks", "reference-transaction", '[ "$1" != prepared ] || exit 1')

    assert worker.git("commit", "--allow-empty", "-m", "x").code != 0


def test_the_projects_own_post_checkout_runs(worker: Worker) -> None:
    write_hook(worker.main_checkout / ".git" / "hooks", "post-checkout", "echo hydrated >&2")

    assert worker.git("checkout", "--quiet", "--detach") == Done(0, "hydrated\n")


def test_our_own_hooks_are_never_chained_to_themselves(tmp_path: Path) -> None:
    hooks = fence.materialise(tmp_path / "hooks")

    for original in (hooks, None):
        variables = fence.environment(
            hooks=hooks, branch_ref="refs/heads/x", common_dir=tmp_path, original_hooks=original
        )
        assert variables["CONDUCTOR_CHAIN_HOOKS"] == ""


# --- the trailer


def message(worker: Worker) -> str:
    return kit.git(worker.worktree, "log", "-1", "--format=%B").rstrip("\n")


def test_a_commit_names_its_task(worker: Worker) -> None:
    commit = ("commit", "--quiet", "--allow-empty", "-m", "Fix it", "-m", "a\n---\nb")

    assert worker.git(*commit, CONDUCTOR_TASK_ID="fix-login") == Done(0, "")
    assert message(worker) == "Fix it\n\na\n---\nb\n\nTask-Id: fix-login"
    worker.git("commit", "--quiet", "--amend", "--no-edit", "--allow-empty", CONDUCTOR_TASK_ID="other", GIT_EDITOR=":")
    assert message(worker) == "Fix it\n\na\n---\nb\n\nTask-Id: fix-login"


def test_without_a_task_the_message_is_as_it_was(worker: Worker) -> None:
    worker.git("commit", "--quiet", "--allow-empty", "-m", "Fix it")

    assert message(worker) == "Fix it"


def test_a_message_left_empty_still_gives_up_the_commit(worker: Worker) -> None:
    template = worker.worktree / "template"
    template.write_text("Subject\n")
    before = worker.refs()

    for more in ((), ("-m", ""), ("--template", "template")):
        done = worker.git("commit", "--allow-empty", *more, CONDUCTOR_TASK_ID="fix-login", GIT_EDITOR=":")
        assert done.code == 1, more
    assert worker.refs() == before


def test_the_projects_prepare_commit_msg_runs_after_the_trailer(worker: Worker) -> None:
    write_hook(worker.main_checkout / ".git" / "hooks", "prepare-commit-msg", 'echo "Ticket: 7 ($2)" >> "$1"')

    worker.git("commit", "--quiet", "--allow-empty", "-m", "Fix it", CONDUCTOR_TASK_ID="fix-login")
    assert message(worker) == "Fix it\n\nTask-Id: fix-login\nTicket: 7 (message)"


# --- installing


def test_what_is_materialised_is_complete_executable_and_untouched_the_second_time(tmp_path: Path) -> None:
    hooks = fence.materialise(tmp_path / "state" / "hooks")
    names = {*fence.SOURCED, *fence.OWN_HOOKS, *fence.CHAINED_HOOKS, fence.CONFIG_NAME}
    first = {path.name: path.stat().st_ino for path in hooks.iterdir()}

    assert first.keys() == names
    assert all(os.access(hooks / name, os.X_OK) for name in names)
    fence.materialise(tmp_path / "state" / "hooks")
    assert {path.name: path.stat().st_ino for path in hooks.iterdir()} == first


def test_a_hook_that_was_changed_or_lost_its_permission_is_put_right(tmp_path: Path) -> None:
    hooks = fence.materialise(tmp_path)
    (hooks / "pre-commit").write_text("exit 1")
    (hooks / "reference-transaction").chmod(0o644)
    (hooks / "chain").unlink()

    fence.materialise(tmp_path)
    assert (
        (hooks / "pre-commit").read_bytes() == (hooks / "chain").read_bytes() == (fence.SOURCE / "chain").read_bytes()
    )
    assert os.access(hooks / "reference-transaction", os.X_OK)


def test_the_agents_commits_are_as_durable_as_ours(worker: Worker) -> None:
    done = subprocess.run(
        ["git", "config", "core.fsync"],
        cwd=worker.worktree,
        env=os.environ | worker.variables,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "committed,loose-object,reference\n"
