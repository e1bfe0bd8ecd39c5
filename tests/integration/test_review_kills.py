"""A verdict that is killed at any of its writes: the next command finishes it for both tasks, or it never was."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from conductor_git.project import open_project
from conductor_git.store.reviews import FileReviews
from tests import kit
from tests.kit import tasks

pytestmark = kit.requires("strace")

CALLS = "fsync"
"""Before and after each rename of a record: kills elsewhere leave one of the same states."""
APPROVE = ("approve", "prices")
REJECT = ("request-changes", "prices", "-m", "no", "--comment", "src/new.py:1:why?")


def stage(repository: Path) -> Path:
    """`prices` in review, and a reviewer's worktree for it."""
    place = tasks.spawn(repository, "prices")
    tasks.commit(place, {"src/new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "prices")
    done = kit.conductor("spawn", "critic", "--review", "prices", "--json", cwd=repository)
    assert done.code == 0, done
    return Path(done.document["task"]["worktree"])


def traced(where: Path, log: Path, *words: str) -> int:
    """Run the command under strace with `words`; how it ended."""
    command = ["strace", "-qq", "-o", str(log), *words]
    return subprocess.run(command, cwd=where, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode


def writes(where: Path, log: Path, command: tuple[str, ...]) -> list[tuple[str, int]]:
    """Every call of the command that changes something, by its name and how many of that name came before, from 1."""
    assert traced(where, log, "-e", f"trace={CALLS}", str(kit.console_script()), *command) == 0
    seen: Counter[str] = Counter()
    found = []
    for name in re.findall(r"^(\w+)\(", log.read_text(), re.MULTILINE):
        seen[name] += 1
        found.append((name, seen[name]))
    return found


def verdicts(repository: Path) -> list[tuple[str, str]]:
    task_id = tasks.record(repository, "prices").task_id
    return [(one.reviewer, str(one.verdict)) for one in FileReviews(open_project(repository).layout).all(task_id)]


def agree(repository: Path, verdict: str, state: str) -> bool:
    """Both records and the bus tell of the one verdict, or none of them does; which it is."""
    prices, critic = tasks.record(repository, "prices"), tasks.record(repository, "critic")
    told = tasks.told(repository, "REVIEW", "prices")
    if not verdicts(repository):
        assert (prices.state, critic.state, told) == ("IN_REVIEW", "ASSIGNED", [])
        return False
    assert verdicts(repository) == [("critic", verdict)]
    assert (prices.state, critic.state, len(told)) == (state, "COMPLETED", 1)
    assert [step.event for step in critic.history] == ["spawn", "reviewed"]
    for task_id in ("prices", "critic"):
        steps = len(tasks.record(repository, task_id).history)
        assert len(tasks.told(repository, "STATE", task_id)) == steps
    return True


@pytest.mark.parametrize(
    ("command", "verdict", "state"),
    [
        pytest.param(APPROVE, "approve", "APPROVED", id="approve"),
        pytest.param(REJECT, "request_changes", "WORKING", id="request-changes", marks=pytest.mark.faults),
    ],
)
def test_a_killed_verdict_of_an_agent_is_whole_after_the_next_command(
    tmp_path: Path, command: tuple[str, ...], verdict: str, state: str
) -> None:
    calls = writes(stage(kit.make_repository(tmp_path / "look" / "acme")), tmp_path / "log", command)
    assert len(calls) >= 6
    ends = []
    for name, number in calls:
        repository = kit.make_repository(tmp_path / f"{name}-{number}" / "acme")
        where = stage(repository)
        inject = f"inject={name}:signal=KILL:when={number}"
        assert traced(where, tmp_path / "log", "-e", inject, str(kit.console_script()), *command) == -9

        looked = kit.conductor("status", cwd=repository)

        assert looked.code == 0, looked
        assert list((repository / ".git" / "conductor" / "journal").iterdir()) == []
        ends.append(agree(repository, verdict, state))
        if not ends[-1]:
            assert kit.conductor(*command, cwd=where).code == 0
            assert agree(repository, verdict, state)
    assert set(ends) == {True, False}


def test_a_verdict_on_an_earlier_hand_in_is_not_taken_for_one_that_was_killed(repository: Path, tmp_path: Path) -> None:
    place = stage(repository).parent / "prices"
    for verb in ("request-changes", "done"):
        assert kit.conductor(verb, "prices", cwd=repository if verb == "request-changes" else place).code == 0
    inject = "inject=rename,renameat,renameat2:signal=KILL:when=2"
    killed = traced(repository, tmp_path / "log", "-e", inject, str(kit.console_script()), "approve", "prices")
    assert killed == -9

    kit.conductor("status", cwd=repository)

    assert tasks.record(repository, "prices").state == "IN_REVIEW"
