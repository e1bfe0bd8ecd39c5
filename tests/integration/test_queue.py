"""merge without a task: the order, what holds a task back, and what keeps none of the others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conductor_git.layout import Layout
from conductor_git.names import parse_task_id
from tests import kit
from tests.integration import queued
from tests.kit import tasks

PRICES = "PRICES = {\n    'apple': 3,\n    'pear': 4,\n}\n"


def new_file(name: str) -> dict[str, str]:
    return {f"src/{name}.py": f"NAME = {name!r}\n"}


def the_queue(repository: Path, target: str = "main") -> dict[str, Any]:
    done = kit.conductor("queue", "--json", cwd=repository)
    assert done.code == 0, done
    (found,) = [queue for queue in done.document["queues"] if queue["target"] == target]
    return dict(found)


@contextmanager
def another_command_on(repository: Path, task_id: str) -> Generator[None]:
    """Another process that is in the middle of an operation on the task."""
    program = (
        "import sys; from pathlib import Path; from conductor_git import journal; from conductor_git.layout import *\n"
        "with journal.operation(Layout(Path(sys.argv[1])), sys.argv[2], 'done'): print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", program, str(repository / ".git"), task_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            child.communicate(b"\n")


def test_an_empty_queue_is_no_failure_and_changes_nothing(repository: Path) -> None:
    before = kit.snapshot(repository)

    done = kit.conductor("merge", cwd=repository)

    assert (done.code, done.out, done.err.strip()) == (0, "", "○ nothing is approved and ready to land")
    assert kit.conductor("queue", "--json", cwd=repository).document == {"schema": 1, "queues": []}
    assert kit.snapshot(repository) == before


def test_the_queue_lands_in_the_order_that_it_shows(repository: Path) -> None:
    base = kit.git(repository, "rev-parse", "main")
    for name, order in {"first": {}, "second": {}, "third": {"needs": ("fourth",)}, "fourth": {}}.items():
        if name == "third":
            tasks.spawn(repository, "fourth")
        if name != "fourth":
            tasks.approved(repository, name, new_file(name), **order)
    tasks.commit(repository.parent / "acme.worktrees/fourth", new_file("fourth"))
    tasks.hand_in(repository, "fourth")
    tasks.approve(repository, "fourth")
    assert kit.conductor("queue", "third", "--priority", "5", cwd=repository).code == 0

    shown = [entry["task_id"] for entry in the_queue(repository)["ready"]]
    done = queued.process(repository)

    assert shown == ["fourth", "third", "first", "second"]
    assert done.code == 0
    assert list(queued.outcomes(done)) == shown
    assert queued.on_target(repository, base) == shown


def test_a_task_whose_need_has_not_landed_waits_and_says_for_what(repository: Path) -> None:
    tasks.spawn(repository, "base")
    tasks.approved(repository, "top", new_file("top"), needs=("base",))
    before = kit.git(repository, "rev-parse", "main")

    done = queued.process(repository)

    assert done.code == 0
    assert done.document["landings"] == []
    assert done.document["waiting"] == [{"task_id": "top", "target": "main", "needs": ["base"]}]
    error = tasks.refused(tasks.merge(repository, "top"), "NEEDS_UNMET", 1)
    assert error["needs"] == ["base"]
    assert error["hint"] == "conductor-git show base"
    assert kit.git(repository, "rev-parse", "main") == before
    tasks.landed(tasks.merge(repository, "top", "--ignore-needs"))


def test_what_needs_a_task_that_bounces_does_not_land_without_it(repository: Path) -> None:
    queued.have_gate(repository, "! test -e src/bad.py")
    tasks.approved(repository, "bad", new_file("bad"))
    tasks.approved(repository, "on-top", new_file("on-top"), needs=("bad",))
    tasks.approved(repository, "other", new_file("other"))

    done = queued.process(repository)

    assert done.code == 14
    assert queued.outcomes(done) == {"bad": "GATE_FAILED", "on-top": "NEEDS_UNMET", "other": "LANDED"}
    assert tasks.record(repository, "on-top").state == "APPROVED"
    assert not (repository / "src/on-top.py").exists()


def test_of_two_that_conflict_the_first_lands_and_the_second_bounces_with_the_way_out(repository: Path) -> None:
    tasks.approved(repository, "apples", {"src/prices.py": PRICES.replace("3", "30")})
    tasks.approved(repository, "also-apples", {"src/prices.py": PRICES.replace("3", "33")})
    tasks.approved(repository, "other", new_file("other"))

    done = queued.process(repository)

    assert done.code == 13
    assert queued.outcomes(done) == {"apples": "LANDED", "also-apples": "CONFLICT", "other": "LANDED"}
    assert "git -C" in tasks.told(repository, "BOUNCED", "also-apples")[0]
    assert tasks.record(repository, "also-apples").state == "WORKING"
    assert (repository / "src/prices.py").read_text() == PRICES.replace("3", "30")
    assert kit.git(repository, "status", "--porcelain") == ""


def test_one_whose_rival_bounces_is_not_blamed_for_the_conflict_between_them(repository: Path) -> None:
    queued.have_gate(repository, "! grep -q 30 src/prices.py")
    tasks.approved(repository, "red", {"src/prices.py": PRICES.replace("3", "30")})
    tasks.approved(repository, "rival", {"src/prices.py": PRICES.replace("3", "33")})

    done = queued.process(repository)

    assert queued.outcomes(done) == {"red": "GATE_FAILED", "rival": "LANDED"}
    assert (repository / "src/prices.py").read_text() == PRICES.replace("3", "33")


def test_a_dirty_file_blocks_the_task_that_changes_it_and_no_other(repository: Path) -> None:
    for name in ("one", "two"):
        tasks.approved(repository, name, new_file(name))
    tasks.approved(repository, "prices", {"src/prices.py": PRICES.replace("3", "30")})
    mine = PRICES + "# mine\n"
    (repository / "src/prices.py").write_text(mine)

    done = queued.process(repository)

    assert done.code == 15
    assert queued.outcomes(done) == {"one": "LANDED", "two": "LANDED", "prices": "BLOCKED"}
    assert done.document["landings"][2]["error"]["files"] == ["src/prices.py"]
    assert tasks.record(repository, "prices").state == "APPROVED"
    assert (repository / "src/prices.py").read_text() == mine
    (repository / "src/prices.py").write_text(PRICES)
    assert queued.outcomes(queued.process(repository)) == {"prices": "LANDED"}


def test_a_superseded_task_goes_back_to_review_and_the_rest_lands(repository: Path) -> None:
    moved = tasks.approved(repository, "moved", new_file("moved"))
    tasks.approved(repository, "other", new_file("other"))
    tasks.commit(moved, {"src/unseen.py": "UNSEEN = 1\n"})

    done = queued.process(repository)

    assert done.code == 16
    assert queued.outcomes(done) == {"moved": "SUPERSEDED", "other": "LANDED"}
    assert tasks.record(repository, "moved").state == "IN_REVIEW"
    assert not (repository / "src/unseen.py").exists()


@pytest.mark.parametrize("which", ["all", "one"])
def test_a_supersede_that_the_bus_did_not_hear_of_stays_in_the_journal_and_is_told_by_the_next_command(
    repository: Path, which: str
) -> None:
    place = tasks.approved(repository, "moved", new_file("moved"))
    tasks.approved(repository, "other", new_file("other"))
    head = tasks.commit(place, new_file("unseen"))
    bus = repository / ".git" / "conductor" / "MESSAGE-BUS.md"
    kept = bus.rename(bus.with_name("kept"))
    bus.mkdir()

    done = queued.process(repository) if which == "all" else tasks.merge(repository, "moved")

    tasks.refused(done, "STATE_UNWRITABLE", 1)
    assert tasks.record(repository, "moved").state == "IN_REVIEW"
    assert Layout(repository / ".git").intent(parse_task_id("moved")).exists()
    bus.rmdir()
    kept.rename(bus)
    assert kit.conductor("status", cwd=repository).code == 0
    (*_, told) = tasks.told(repository, "STATE", "moved")
    assert told.startswith(f"moved: APPROVED → IN_REVIEW (supersede by coordinator) at {head[:10]}\n")
    queued.require_quiet(repository)
    assert queued.outcomes(queued.process(repository)) == {"other": "LANDED"}


def test_a_task_that_another_command_is_at_work_on_keeps_none_of_the_others(repository: Path) -> None:
    for name in ("first", "busy", "last"):
        tasks.approved(repository, name, new_file(name))
    tasks.approved(repository, "on-top", new_file("on-top"), needs=("busy",))

    with another_command_on(repository, "busy"):
        done = queued.process(repository, "--wait", "0.2")

    assert done.code == 17
    assert queued.outcomes(done) == {
        "busy": "LOCK_TIMEOUT",
        "first": "LANDED",
        "last": "LANDED",
        "on-top": "NEEDS_UNMET",
    }
    assert tasks.record(repository, "busy").state == "APPROVED"
    queued.require_told_once(repository, ["first", "last"])
    queued.require_quiet(repository)
    assert queued.outcomes(queued.process(repository)) == {"busy": "LANDED", "on-top": "LANDED"}


def test_every_target_has_a_queue_of_its_own(repository: Path) -> None:
    kit.git(repository, "branch", "release")
    tasks.approved(repository, "one", new_file("one"))
    tasks.approved(repository, "two", new_file("two"), target="release")

    assert queued.outcomes(queued.process(repository, "--target", "release")) == {"two": "LANDED"}
    assert tasks.record(repository, "one").state == "APPROVED"
    assert queued.outcomes(queued.process(repository)) == {"one": "LANDED"}
    assert kit.git(repository, "show", "release:src/two.py") == "NAME = 'two'"
    assert kit.git(repository, "ls-tree", "--name-only", "main", "src/two.py") == ""


def test_the_size_of_a_batch_is_the_targets_own(repository: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    gate = queued.counted(runs, "true").replace("'", "''")
    config = f"queue: {{batch: 2}}\ngates:\n  - name: look\n    run: '{gate}'\n"
    tasks.commit(repository, {".conductor.yaml": config}, "Two at once")
    for name in queued.names(5):
        tasks.approved(repository, name, new_file(name))

    assert queued.process(repository).code == 0

    assert len(queued.gate_runs(runs)) == 3


def test_a_dry_run_tells_what_would_land_and_moves_nothing(repository: Path) -> None:
    tasks.approved(repository, "one", new_file("one"))
    tasks.approved(repository, "apples", {"src/prices.py": PRICES.replace("3", "30")})
    tasks.approved(repository, "also-apples", {"src/prices.py": PRICES.replace("3", "33")})
    before, records = kit.snapshot(repository), [tasks.record(repository, name) for name in ("one", "also-apples")]

    done = queued.process(repository, "--dry-run")

    assert queued.outcomes(done) == {"one": "LANDED", "apples": "LANDED", "also-apples": "CONFLICT"}
    assert done.document["dry_run"] is True
    assert kit.snapshot(repository) == before
    assert [tasks.record(repository, name) for name in ("one", "also-apples")] == records


def test_the_landings_of_a_batch_follow_one_another_and_each_names_its_own_commit(repository: Path) -> None:
    base = kit.git(repository, "rev-parse", "main")
    for name in queued.names(3):
        tasks.approved(repository, name, new_file(name))

    queued.process(repository)

    below = base
    for name in queued.names(3):
        run = tasks.record(repository, name)
        assert run.landing is not None
        assert run.merge_commit is not None
        assert kit.git(repository, "rev-parse", f"{run.merge_commit}^1") == below
        assert kit.git(repository, "rev-parse", f"{run.merge_commit}^2") == run.head_commit
        assert (run.landing.target_before, run.landing.landing_id) == (below, kit.git(repository, "rev-parse", "main"))
        below = run.merge_commit
    moves = kit.git(repository, "reflog", "show", "--format=%gs", "refs/heads/main").splitlines()
    assert moves[0] == "conductor-git: land task-00, task-01, task-02"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("queue", "one"), "go together"),
        (("queue", "--priority", "3"), "go together"),
        (("merge", "one", "--target", "main"), "--target is for the queue"),
        (("queue", "gone", "--priority", "1"), "there is no task gone"),
    ],
)
def test_words_that_cannot_be_meant_are_refused(repository: Path, words: tuple[str, ...], told: str) -> None:
    tasks.approved(repository, "one", new_file("one"))

    done = kit.conductor(*words, cwd=repository)

    assert done.code in (2, 18)
    assert told in done.err
    assert tasks.record(repository, "one").state == "APPROVED"


def test_a_task_that_has_ended_gets_no_priority(repository: Path) -> None:
    tasks.spawn(repository, "one")
    assert kit.conductor("cancel", "one", cwd=repository).code == 0

    tasks.refused(kit.conductor("queue", "one", "--priority", "1", "--json", cwd=repository), "ILLEGAL_TRANSITION", 12)
