"""Situations that a task can be in, made for real: for what `show` says of them, and whether its commands move it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from conductor_git.processtable import is_alive
from conductor_git.project import open_project
from tests import kit
from tests.integration import agents
from tests.kit import tasks

OLD = "PRICES = {\n    'apple': 3,\n    'pear': 4,\n}\n"
DEAR, DEARER = OLD.replace("3", "30"), OLD.replace("3", "300")
WORK = {"src/new.py": "NEW = 1\n"}


def place(repository: Path, task_id: str = "prices") -> Path:
    return repository.parent / "acme.worktrees" / task_id


def run(repository: Path, *words: str) -> None:
    done = kit.conductor(*words, cwd=repository)
    assert done.code == 0, done


def not_started(repository: Path) -> None:
    run(repository, "spawn", "prices", "--no-start")


def not_started_and_without_a_worktree(repository: Path) -> None:
    not_started(repository)
    without_its_worktree(repository)


def begun(repository: Path) -> None:
    tasks.spawn(repository, "prices")


def with_a_commit(repository: Path) -> None:
    begun(repository)
    tasks.commit(place(repository), WORK)


def with_uncommitted_work(repository: Path) -> None:
    begun(repository)
    tasks.write(place(repository), {"src/new.py": "NEW = 1\n", "src/prices.py": DEAR})


def with_an_agent_that_ended(repository: Path) -> None:
    agents.launch(repository, agents.WAIT)
    run(repository, "stop", "prices")


def with_an_agent_that_vanished(repository: Path) -> None:
    attempt = agents.launch(repository, agents.WAIT)
    assert attempt.supervisor is not None
    assert attempt.process is not None
    os.kill(attempt.supervisor.pid, signal.SIGKILL)
    os.kill(attempt.process.pid, signal.SIGKILL)
    left = [attempt.supervisor, attempt.process]
    kit.until(lambda: not any(map(is_alive, left)))


def with_an_agent_at_work(repository: Path) -> None:
    agents.launch(repository, agents.WAIT)


def with_a_question(repository: Path) -> None:
    agents.launch(repository, f"{kit.console_script()} bus post --type QUESTION 'gross or net?' && {agents.WAIT}")
    kit.until(lambda: open_project(repository).bus.tail(1, types=("QUESTION",)))


def with_an_agent_that_says_nothing(repository: Path) -> None:
    agents.launch(repository, agents.WAIT)
    activity = repository / ".git/conductor/tasks/prices/activity"
    kit.until(activity.exists)
    os.utime(activity, (0, 0))


def with_its_head_elsewhere(repository: Path) -> None:
    with_a_commit(repository)
    kit.git(place(repository), "switch", "--quiet", "--detach", "main")


def without_its_branch(repository: Path) -> None:
    with_a_commit(repository)
    kit.git(repository, "update-ref", "-d", "refs/heads/worker/prices")


def without_its_worktree(repository: Path) -> None:
    if not place(repository).exists():
        with_a_commit(repository)
    kit.git(repository, "worktree", "remove", "--force", str(place(repository)))


def in_conflict(repository: Path, *options: str) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": DEAR})
    tasks.commit(repository, {"src/prices.py": DEARER}, "Dearer still")
    tasks.refused(tasks.merge(repository, "prices", *options), "CONFLICT", 13)


def in_conflict_as_a_rebase(repository: Path) -> None:
    in_conflict(repository, "--strategy", "rebase")


def in_conflict_with_uncommitted_work(repository: Path) -> None:
    in_conflict(repository)
    tasks.write(place(repository), {"src/prices.py": DEAR + "# mine\n"})


def in_the_middle_of_the_merge(repository: Path) -> None:
    in_conflict(repository)
    kit.git(place(repository), "merge", "main", ok=(1,))
    settled(repository)


def settled(repository: Path) -> None:
    """The conflict edited away, as a worker would."""
    tasks.write(place(repository), {"src/prices.py": DEARER + "# and dear pears\n"})


def out_of_conflict(repository: Path) -> None:
    in_the_middle_of_the_merge(repository)
    kit.git(place(repository), "commit", "--quiet", "--all", "--no-edit")


def have_gate(repository: Path, words: str, limit: str = "10m") -> None:
    tasks.commit(repository, {".conductor.yaml": f"gates:\n  - name: unit\n    run: {words}\n    timeout: {limit}\n"})
    run(repository, "config", "trust", "--yes")


def with_a_red_gate(repository: Path) -> None:
    have_gate(repository, "sh -c 'echo one failed; echo two failed >&2; exit 3'")
    tasks.approved(repository, "prices", WORK)
    tasks.refused(tasks.merge(repository, "prices"), "GATE_FAILED", 14)


def with_a_gate_out_of_time(repository: Path) -> None:
    have_gate(repository, "sleep 600", "1s")
    tasks.approved(repository, "prices", WORK)
    tasks.refused(tasks.merge(repository, "prices"), "GATE_FAILED", 14)


def with_changes_requested(repository: Path) -> None:
    with_a_commit(repository)
    tasks.hand_in(repository, "prices")
    comment = ("--comment", "src/new.py:1:call it something else")
    run(repository, "request-changes", "prices", "-m", "not like this", *comment, "--as", "ada")


def with_the_changes_made(repository: Path) -> None:
    with_changes_requested(repository)
    tasks.commit(place(repository), {"src/new.py": "ELSE = 1\n"})


def in_review(repository: Path, reviews: int = 1) -> None:
    tasks.spawn(repository, "prices", reviews_required=reviews)
    tasks.commit(place(repository), WORK)
    tasks.hand_in(repository, "prices")


def in_review_by_two(repository: Path) -> None:
    in_review(repository, 2)
    tasks.approve(repository, "prices")


def in_review_by_somebody_else(repository: Path) -> None:
    in_review(repository, 2)
    run(repository, "approve", "prices")


def in_review_and_moved(repository: Path) -> None:
    in_review(repository)
    tasks.commit(place(repository), {"src/more.py": "MORE = 1\n"})


def in_review_without_its_branch(repository: Path) -> None:
    in_review(repository)
    kit.git(repository, "update-ref", "-d", "refs/heads/worker/prices")


def in_review_by_an_agent(repository: Path) -> None:
    in_review(repository)
    run(repository, "spawn", "look", "--review", "prices", "--no-start")
    run(repository, "start", "look")


def approved(repository: Path) -> None:
    tasks.approved(repository, "prices", WORK)


def second_in_the_queue(repository: Path) -> None:
    tasks.approved(repository, "pears", {"src/pears.py": "PEARS = 1\n"})
    approved(repository)


def approved_and_moved(repository: Path) -> None:
    approved(repository)
    tasks.commit(place(repository), {"src/more.py": "MORE = 1\n"})


def approved_without_its_branch(repository: Path) -> None:
    approved(repository)
    kit.git(repository, "update-ref", "-d", "refs/heads/worker/prices")


def approved_and_in_need(repository: Path) -> None:
    tasks.spawn(repository, "pears")
    tasks.approved(repository, "prices", WORK, needs=("pears",))


def about_to_conflict(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": DEAR})
    tasks.commit(repository, {"src/prices.py": DEARER})


def without_its_target(repository: Path) -> None:
    kit.git(repository, "branch", "release")
    tasks.approved(repository, "prices", WORK, target="release")
    kit.git(repository, "branch", "--delete", "--force", "release")


def blocked(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": DEAR, "docs/how to run.md": "Just run it.\n"})
    tasks.write(repository, {"src/prices.py": OLD + "# mine\n", "docs/how to run.md": "mine\n"})
    tasks.refused(tasks.merge(repository, "prices"), "BLOCKED", 15)


def blocked_by_an_ignored_file(repository: Path) -> None:
    tasks.approved(repository, "prices", {"debug.log": "theirs\n"})
    tasks.write(repository, {"debug.log": "mine\n"})
    tasks.refused(tasks.merge(repository, "prices"), "BLOCKED", 15)


def blocked_no_more(repository: Path) -> None:
    blocked(repository)
    kit.git(repository, "checkout", "--quiet", "--", ".")


def landed(repository: Path) -> None:
    approved(repository)
    tasks.landed(tasks.merge(repository, "prices"))


def landed_with_its_worktree_left(repository: Path) -> None:
    approved(repository)
    tasks.landed(tasks.merge(repository, "prices", "--no-cleanup"))


def undone(repository: Path) -> None:
    landed(repository)
    run(repository, "undo", "prices", "-m", "too dear")


def failed(repository: Path) -> None:
    agents.launch(repository, "echo out; echo it broke >&2; exit 7")
    agents.ended(repository)
    kit.until(lambda: tasks.record(repository, "prices").state == "FAILED")


def cancelled_and_gone(repository: Path) -> None:
    with_a_commit(repository)
    run(repository, "cancel", "prices", "-m", "done elsewhere")
    kit.git(repository, "worktree", "remove", "--force", str(place(repository)))
    kit.git(repository, "branch", "--quiet", "--delete", "--force", "worker/prices")
