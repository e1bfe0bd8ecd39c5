"""conflicts: what is remembered is never wrong, costs next to nothing to use, and only a help."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git.foresight import memory
from conductor_git.foresight.memory import Memory
from conductor_git.foresight.merging import Clash
from conductor_git.project import open_project
from conductor_git.workflow.conflicts import collisions
from tests import kit
from tests.integration.foreseen import committed, foresee, pairs, shell, worker
from tests.kit import tasks
from tests.kit.counted import git_calls

CLASH = (Clash("x", "", "1", "2", ("y",), ("contents",)),)
LOOK = ["ls-files", "write-tree"]
WARM = ["rev-parse", "for-each-ref", "version", "config"]


def calls(repository: Path, *arguments: str) -> list[str]:
    return [words.split(" ")[0] for words in git_calls(repository.parent, repository, *arguments)]


def crowd(repository: Path, count: int) -> None:
    for number in range(count):
        shell(worker(repository, f"w{number}", f"echo {number} >x"), f"echo {number} >y")


@pytest.mark.parametrize("count", [2, 6])
def test_a_look_starts_as_many_git_processes_for_a_pair_as_for_all_pairs(repository: Path, count: int) -> None:
    crowd(repository, count)
    foresee(repository)
    for number in range(count):
        committed(repository.parent / "acme.worktrees" / f"w{number}", f"echo {number} >z")

    called = calls(repository, "conflicts")

    once = ["merge-base", "rev-list", "diff-tree", "merge-tree"]
    assert sorted(called) == sorted([*WARM, *LOOK * count, *once])


def test_uncommitted_work_costs_one_process_more_for_each_worker_and_one_for_all(repository: Path) -> None:
    crowd(repository, 3)
    foresee(repository)

    assert sorted(calls(repository, "conflicts")) == sorted([*WARM, *LOOK * 3, *["update-index"] * 3, "hash-object"])


def test_where_no_branch_moved_a_glance_starts_three_git_processes(repository: Path) -> None:
    crowd(repository, 4)
    project = open_project(repository)
    runs = list(map(project.runs.get, project.runs.task_ids()))
    first = collisions(project, runs, uncommitted=False)

    again = collisions(project, runs, uncommitted=False)

    assert again == first
    assert [one.other for one in again[runs[0].task_id].others] == ["w1", "w2", "w3"]


def test_an_amended_and_a_reset_branch_are_looked_at_anew(repository: Path) -> None:
    one = worker(repository, "one", "echo 1 >x")
    worker(repository, "two", "echo 2 >x")
    assert pairs(foresee(repository)) == {("one", "two"): ["x"]}

    shell(one, "git mv x y; git commit -q --amend --no-edit")
    assert pairs(foresee(repository)) == {}
    shell(one, "git reset -q --hard HEAD@{1}")
    assert pairs(foresee(repository)) == {("one", "two"): ["x"]}
    shell(one, "git reset -q --soft HEAD~; git restore --staged x; rm x")
    assert pairs(foresee(repository)) == {}


def test_a_file_that_changes_within_the_same_second_and_size_is_seen(repository: Path) -> None:
    one = tasks.spawn(repository, "one")
    worker(repository, "two", "echo 2 >README.md")
    file = one / "README.md"
    for _ in range(3):
        file.write_text("1\n")
        assert pairs(foresee(repository)) == {("one", "two"): ["README.md"]}
        file.write_text("2\n")
        assert pairs(foresee(repository)) == {}


def test_a_setting_that_changes_how_git_merges_is_obeyed_at_once(repository: Path) -> None:
    worker(repository, "one", "git mv src lib")
    worker(repository, "two", "echo >src/new.py")
    assert pairs(foresee(repository)) == {("one", "two"): ["lib/new.py"]}

    kit.git(repository, "config", "--global", "merge.directoryRenames", "false")

    assert pairs(foresee(repository)) == {}


@pytest.mark.parametrize("damage", [b"", b"\0" * 4096, b"nonsense\n{}", b"cut"])
def test_a_damaged_memory_is_thrown_away_silently(repository: Path, damage: bytes) -> None:
    worker(repository, "one", "echo 1 >x")
    worker(repository, "two", "echo 2 >x")
    foresee(repository)
    for name in ("merges", "answers"):
        place = repository / ".git" / "conductor" / "foresight" / name
        place.write_bytes(place.read_bytes()[:-5] if damage == b"cut" else damage)

    done = kit.conductor("conflicts", "--json", cwd=repository)

    assert (done.code, done.err) == (0, "")
    assert pairs(done.document) == {("one", "two"): ["x"]}


def test_a_memory_that_says_something_else_under_a_right_sum_would_be_believed(repository: Path) -> None:
    layout = open_project(repository).layout
    Memory(layout, "rules").keep({("a", "b"): CLASH, ("a", "c"): ()})

    assert Memory(layout, "rules").merges([("a", "b"), ("a", "c"), ("b", "c")]) == {("a", "b"): CLASH, ("a", "c"): ()}
    assert Memory(layout, "other rules").merges([("a", "b")]) == {}


def test_the_memory_is_bounded_in_number_and_age(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = open_project(repository).layout
    monkeypatch.setattr(memory, "MOST_MERGES", 3)
    kept = Memory(layout, "rules")
    for number in range(5):
        kept.keep({("a", str(number)): ()})
        kept.keep_answer(str(number), [])

    asked = [("a", str(number)) for number in range(5)]
    assert list(kept.merges(asked)) == asked[2:]
    assert [kept.answer(str(number)) for number in range(5)] == [None, [], [], [], []]
    monkeypatch.setattr(memory, "LONGEST_DAYS", -1)
    kept.keep({("a", "new"): ()})
    assert kept.merges(asked) == {}


def test_a_state_directory_that_takes_no_writes_costs_the_memory_and_not_the_answer(repository: Path) -> None:
    worker(repository, "one", "echo 1 >x")
    worker(repository, "two", "echo 2 >x")
    foresee(repository)
    place = repository / ".git" / "conductor" / "foresight"
    for name in ("merges", "answers"):
        (place / name).unlink()
        (place / name).mkdir()

    assert pairs(foresee(repository)) == {("one", "two"): ["x"]}


def test_a_git_without_merges_in_batches_gives_the_same_answer(repository: Path, tmp_path: Path) -> None:
    worker(repository, "one", "echo 1 >x; git mv run.sh a; git mv src lib")
    worker(repository, "two", "echo 2 >x; git mv run.sh b; echo >src/new.py")
    worker(repository, "three", "mkdir x; echo 3 >x/y")
    newer = foresee(repository)
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    real = kit.git(repository, "--exec-path")
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *--stdin*merge-tree*|merge-tree*--stdin*) echo usage >&2; exit 129;; version) '
        f'echo git version 2.38.0; exit;; esac\nexec {real}/git "$@"\n'
    )
    program.chmod(0o755)

    done = kit.conductor("conflicts", "--json", cwd=repository, env={"PATH": f"{program.parent}:/usr/bin:/bin"})

    assert done.document == newer
    assert len(newer["collisions"]) == 3
