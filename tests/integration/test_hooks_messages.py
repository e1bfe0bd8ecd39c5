"""What a commit of a worker tells: a heartbeat and one message, and nothing that could keep the commit from being."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests import kit
from tests.integration.fenced import Done, Worker, by_hand, spawned
from tests.kit import tasks


@pytest.fixture(params=[spawned, by_hand], ids=["spawned", "by hand"])
def worker(request: pytest.FixtureRequest, repository: Path) -> Worker:
    made: Worker = request.param(repository)
    return made


def told(worker: Worker) -> list[str]:
    return tasks.told(worker.main_checkout, "PROGRESS", "fix-login")


def head(worker: Worker) -> str:
    return kit.git(worker.worktree, "rev-parse", "HEAD")[:10]


def test_a_commit_tells_its_subject_and_is_a_sign_of_life(worker: Worker) -> None:
    heartbeat = worker.main_checkout / ".git/conductor/tasks/fix-login/heartbeat"
    heartbeat.unlink(missing_ok=True)

    assert worker.git("commit", "--quiet", "--allow-empty", "-m", "Fix it", "-m", "A body") == Done(0, "")

    assert told(worker) == [f"{head(worker)} Fix it"]
    assert heartbeat.exists()


def test_a_rebase_of_many_commits_tells_once(worker: Worker) -> None:
    for name in ("one", "two", "three"):
        worker.commit(name)
    kit.git(worker.main_checkout, "commit", "--quiet", "--allow-empty", "-m", "move on")
    before = len(told(worker))

    assert worker.git("rebase", "--quiet", "main").code == 0

    assert before == 3
    assert told(worker)[3:] == [f"rebased, now at {head(worker)} Add three"]


def test_a_commit_off_the_branch_tells_nothing(worker: Worker) -> None:
    worker.git("switch", "--quiet", "--detach")

    assert worker.git("commit", "--quiet", "--allow-empty", "-m", "x") == Done(0, "")
    assert told(worker) == []


def test_where_conductor_git_is_not_on_the_path_a_commit_is_made_in_silence(worker: Worker, tmp_path: Path) -> None:
    for program in ("git", "sh", "env"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")

    assert worker.git("commit", "--quiet", "--allow-empty", "-m", "x", PATH=str(tmp_path)) == Done(0, "")
    assert told(worker) == []


def test_a_bus_that_takes_nothing_keeps_no_commit_from_being_made(worker: Worker) -> None:
    bus = worker.main_checkout / ".git" / "conductor" / "MESSAGE-BUS.md"
    bus.rename(bus.with_name("gone"))
    bus.mkdir()

    assert worker.git("commit", "--quiet", "--allow-empty", "-m", "x") == Done(0, "")
    assert kit.git(worker.worktree, "log", "-1", "--format=%s") == "x"


@pytest.mark.parametrize("subject", ["x" * 3000, "ümläut \N{SNOWMAN}", "a\x1b[31mred", "---"])
def test_any_subject_is_told(worker: Worker, subject: str) -> None:
    assert worker.git("commit", "--quiet", "--allow-empty", "-m", subject) == Done(0, "")

    assert told(worker) == [f"{head(worker)} {subject[:200]}"]


def test_the_config_of_the_log_changes_nothing(worker: Worker) -> None:
    for setting in (("i18n.logOutputEncoding", "ISO-8859-1"), ("log.showSignature", "true"), ("log.decorate", "full")):
        kit.git(worker.main_checkout, "config", *setting)

    assert worker.git("commit", "--quiet", "--allow-empty", "-m", "ümläut") == Done(0, "")
    assert told(worker) == [f"{head(worker)} ümläut"]


def test_a_subject_that_is_no_text_is_told_as_far_as_it_is(worker: Worker) -> None:
    commit = kit.git(worker.worktree, "cat-file", "commit", "HEAD").partition("\n\n")[0]
    odd = kit.git(worker.worktree, "hash-object", "-t", "commit", "-w", "--stdin", stdin=f"{commit}\n\ncaf\udce9\n")
    kit.git(worker.worktree, "reset", "--quiet", "--hard", odd)

    assert kit.conductor("hook", "post-commit", cwd=worker.worktree).code == 0
    assert told(worker) == [f"{odd[:10]} caf\N{REPLACEMENT CHARACTER}"]


def test_an_agent_of_an_older_generation_tells_nothing(repository: Path) -> None:
    worker = spawned(repository)
    kit.conductor("cancel", "fix-login", cwd=repository)
    assert kit.conductor("retry", "fix-login", cwd=repository).code == 0
    before = told(worker)

    assert worker.git("commit", "--quiet", "--allow-empty", "-m", "x") == Done(0, "")
    assert told(worker) == before


@pytest.mark.parametrize("name", ["post-commit", "post-rewrite"])
def test_outside_a_workers_worktree_the_hook_says_nothing(repository: Path, name: str) -> None:
    done = kit.conductor("hook", name, cwd=repository)

    assert (done.code, done.out, done.err) == (0, "", "")
    assert not (repository / ".git" / "conductor").exists()


def test_a_hook_that_is_none_is_refused(repository: Path) -> None:
    done = kit.conductor("hook", "post-nothing", cwd=repository)

    assert done.code == 18, "an agent would take 2 for a block"
    assert "there is no hook post-nothing" in done.err


def test_work_in_progress_that_done_commits_by_hand_is_told_too(repository: Path) -> None:
    worker = by_hand(repository)
    (worker.worktree / "new").write_text("x\n")

    done = kit.conductor("done", "--wip", cwd=worker.worktree, env={"PATH": os.environ["PATH"]})

    assert done.code == 0, done
    assert told(worker) == [f"{head(worker)} wip: fix-login"]
