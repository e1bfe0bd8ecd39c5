"""undo: a landing is taken back by a commit more, and the work can go on from there."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests import kit
from tests.kit import tasks
from tests.kit.interposed import KILL_CALLER, happened, interpose

PRICES = "PRICES = {\n    'apple': 3,\n    'pear': 4,\n}\n"
DEAR = PRICES.replace("3", "30")


def undo(repository: Path, task_id: str, *options: str) -> kit.Completed:
    return kit.conductor("undo", task_id, "--json", *options, cwd=repository)


def landed(repository: Path, name: str, files: tasks.Files, *options: str) -> dict[str, Any]:
    tasks.approved(repository, name, files)
    return tasks.landed(tasks.merge(repository, name, *options))


def test_an_undo_takes_back_what_landed_and_nothing_that_came_after(repository: Path) -> None:
    landed(repository, "prices", {"src/prices.py": DEAR, "src/new.py": "NEW = 1\n", "run.sh": None})
    landed(repository, "later", {"src/later.py": "LATER = 1\n"})
    before = kit.git(repository, "rev-parse", "main")

    done = undo(repository, "prices", "-m", "too dear")

    assert done.code == 0, done
    commit = done.document["undo_commit"]
    assert kit.git(repository, "rev-parse", "main", "main^") == f"{commit}\n{before}"
    assert (repository / "src/prices.py").read_text() == PRICES
    assert (repository / "run.sh").stat().st_mode & 0o111
    assert not (repository / "src/new.py").exists()
    assert (repository / "src/later.py").read_text() == "LATER = 1\n"
    assert kit.git(repository, "status", "--porcelain") == ""
    shown = kit.git(repository, "show", "-s", "--format=%s%n%b", commit)
    assert shown.startswith("Undo prices: prices\ntoo dear\n")
    assert f"Undoes: {tasks.record(repository, 'prices').merge_commit}" in shown
    assert tasks.record(repository, "prices").state == "CANCELLED"
    assert tasks.record(repository, "prices").reason == "too dear"
    assert tasks.told(repository, "UNDONE", "prices") == [f"prices is taken off main again by {commit[:10]}"]


def test_a_task_that_landed_before_a_person_agreed_to_a_new_config_can_still_be_undone(repository: Path) -> None:
    landed(repository, "prices", {"src/new.py": "NEW = 1\n"})
    kit.git(repository, "config", "core.sshCommand", "ssh -4")

    refused = tasks.refused(undo(repository, "prices"), "GIT_CONFIG_CHANGED", 1)
    assert kit.conductor("config", "trust", cwd=repository).code == 0
    assert kit.conductor("hooks", "install", cwd=repository).code == 0
    done = undo(repository, "prices")

    assert refused["keys"] == ["core.sshcommand"]
    assert done.code == 0, done
    assert not (repository / "src/new.py").exists()


def test_what_is_offered_again_is_told_without_what_others_landed_meanwhile(repository: Path) -> None:
    landed(repository, "prices", {"src/prices.py": DEAR})
    landed(repository, "plums", {"src/plums.py": "PLUM = 1\n"})
    assert undo(repository, "prices").code == 0

    told = kit.conductor("diff", "prices", "--name-only", cwd=repository)

    assert told.out.split() == ["src/prices.py"]


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_after_an_undo_the_work_goes_on_and_lands_again(repository: Path, strategy: str) -> None:
    landed(repository, "prices", {"src/prices.py": DEAR, "src/new.py": "NEW = 1\n"}, "--strategy", strategy)
    assert undo(repository, "prices").code == 0

    assert kit.conductor("retry", "prices", cwd=repository).code == 0
    place = Path(tasks.record(repository, "prices").worktree)
    assert (place / "src/prices.py").read_text() == DEAR
    assert (place / "src/new.py").read_text() == "NEW = 1\n"
    assert kit.conductor("start", "prices", cwd=repository).code == 0
    tasks.commit(place, {"src/new.py": "NEW = 2\n"})
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    tasks.landed(tasks.merge(repository, "prices", "--strategy", strategy))

    assert (repository / "src/prices.py").read_text() == DEAR
    assert (repository / "src/new.py").read_text() == "NEW = 2\n"
    assert undo(repository, "prices").code == 0
    assert (repository / "src/prices.py").read_text() == PRICES
    assert not (repository / "src/new.py").exists()


def test_one_of_a_batch_is_undone_alone(repository: Path) -> None:
    for name in ("one", "two", "three"):
        tasks.approved(repository, name, {f"src/{name}.py": f"NAME = {name!r}\n"})
    assert kit.conductor("merge", cwd=repository).code == 0

    assert undo(repository, "two").code == 0

    assert sorted(path.name for path in (repository / "src").glob("*e*.py")) == ["one.py", "prices.py", "three.py"]


def test_what_later_landings_built_on_is_a_conflict_and_stays(repository: Path) -> None:
    landed(repository, "prices", {"src/prices.py": DEAR})
    landed(repository, "more", {"src/prices.py": DEAR.replace("30", "31")})
    before, snapshot = tasks.record(repository, "prices"), kit.snapshot(repository)

    error = tasks.refused(undo(repository, "prices"), "CONFLICT", 13)

    assert error["files"] == ["src/prices.py"]
    assert kit.git(repository, *error["hint"].split()[1:]) != ""
    assert tasks.record(repository, "prices") == before
    assert kit.snapshot(repository) == snapshot


def test_an_undo_that_turns_the_gates_red_is_refused_with_the_log_and_moves_nothing(repository: Path) -> None:
    landed(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.commit(repository, {".conductor.yaml": "gates:\n  - {name: new, run: 'cat src/new.py'}\n"})
    before, snapshot = tasks.record(repository, "prices"), kit.snapshot(repository)

    error = tasks.refused(undo(repository, "prices", "--trust"), "GATE_FAILED", 14)

    assert "src/new.py" in error["log_end"]
    assert tasks.record(repository, "prices") == before
    assert kit.snapshot(repository) == snapshot


def test_an_undo_that_a_dirty_file_blocks_moves_nothing_and_goes_through_once_there_is_way(repository: Path) -> None:
    landed(repository, "prices", {"src/prices.py": DEAR})
    before = tasks.record(repository, "prices")
    (repository / "src/prices.py").write_text("mine\n")
    snapshot = kit.snapshot(repository)

    error = tasks.refused(undo(repository, "prices"), "BLOCKED", 15)

    assert error["files"] == ["src/prices.py"]
    after = tasks.record(repository, "prices")
    assert (after.state, after.undo, after.reason) == (before.state, None, None)
    assert kit.snapshot(repository) == snapshot
    (repository / "src/prices.py").write_text(DEAR)
    assert undo(repository, "prices").code == 0


def test_an_undo_that_was_killed_before_the_target_moved_leaves_no_reason_behind(
    repository: Path, tmp_path: Path
) -> None:
    landed(repository, "prices", {"src/prices.py": DEAR})
    before = tasks.record(repository, "prices")
    env = interpose(tmp_path / "bin", "update-ref", before=f"{KILL_CALLER}; exit 1")

    done = kit.conductor("undo", "prices", "-m", "too dear", cwd=repository, env=env)
    assert (done.code, happened(tmp_path / "bin")) == (-signal.SIGKILL, True)
    under_way = tasks.record(repository, "prices")
    assert kit.conductor("status", cwd=repository).code == 0

    after = tasks.record(repository, "prices")
    assert (under_way.reason, under_way.undo is not None) == ("too dear", True)
    assert (after.state, after.undo, after.reason) == (before.state, None, None)
    assert undo(repository, "prices").code == 0
    assert "too dear" not in (tasks.record(repository, "prices").reason or "")


def test_the_history_says_why_a_landing_was_taken_back(repository: Path) -> None:
    for name, options in {"prices": ("-m", "too dear"), "more": ()}.items():
        landed(repository, name, {f"src/{name}.py": "NEW = 1\n"})
        assert undo(repository, name, *options).code == 0
    run = tasks.record(repository, "more")

    assert tasks.record(repository, "prices").history[-1].note == "too dear"
    assert run.undo is not None
    assert run.history[-1].note == run.reason == f"its landing was undone by {str(run.undo.merge_commit)[:10]}"
    assert "too dear" in tasks.told(repository, "STATE", "prices")[-1]


def test_only_what_has_landed_and_brought_something_can_be_undone(repository: Path) -> None:
    tasks.spawn(repository, "working")
    tasks.refused(undo(repository, "working"), "ILLEGAL_TRANSITION", 12)
    landed(repository, "prices", {"src/prices.py": DEAR})
    tasks.approved(repository, "same", {"README.md": "Changed\n"})
    kit.git(repository, "merge", "--quiet", "--no-edit", "worker/same")
    tasks.landed(tasks.merge(repository, "same"), "ALREADY_LANDED")

    tasks.refused(undo(repository, "same"), "NOTHING_TO_UNDO", 1)
    assert undo(repository, "prices").code == 0
    tasks.refused(undo(repository, "prices"), "ILLEGAL_TRANSITION", 12)


def test_what_somebody_has_taken_back_already_is_nothing_to_undo(repository: Path) -> None:
    document = landed(repository, "prices", {"src/prices.py": DEAR})
    kit.git(repository, "revert", "--no-edit", "-m", "1", document["task"]["merge_commit"])

    tasks.refused(undo(repository, "prices"), "NOTHING_TO_UNDO", 1)
    assert tasks.record(repository, "prices").state == "COMPLETED"


def test_a_dry_run_names_the_files_and_moves_nothing(repository: Path) -> None:
    landed(repository, "prices", {"src/prices.py": DEAR, "src/new.py": "NEW = 1\n"})
    before, snapshot = tasks.record(repository, "prices"), kit.snapshot(repository)

    done = undo(repository, "prices", "--dry-run")

    assert sorted(done.document["files"]) == ["src/new.py", "src/prices.py"]
    assert tasks.record(repository, "prices") == before
    assert kit.snapshot(repository) == snapshot


def test_a_branch_that_is_still_there_is_left_to_whoever_has_it(repository: Path) -> None:
    landed(repository, "prices", {"src/prices.py": DEAR}, "--no-cleanup")
    place = Path(tasks.record(repository, "prices").worktree)
    tip = kit.git(repository, "rev-parse", "worker/prices")

    assert undo(repository, "prices").code == 0

    assert kit.git(repository, "rev-parse", "worker/prices") == tip
    assert (place / "src/prices.py").read_text() == DEAR
    assert kit.git(place, "status", "--porcelain") == ""
    assert kit.conductor("retry", "prices", "--reset", cwd=repository).code == 0
    assert (place / "src/prices.py").read_text() == PRICES
