"""A batch with red ones in it: found in few runs of the gates, bounced with the log, never on the target."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import ceil, log2
from pathlib import Path
from typing import Final

import pytest

from tests import kit
from tests.integration import queued
from tests.kit import tasks

COUNT: Final = 8
TASKS: Final = queued.names(COUNT)
PAIRS: Final = [pair for pair in combinations(range(COUNT), 2) if sum(pair) in (1, 7, 13)]
"""Two side by side at either end and in the middle, and two as far apart as can be."""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> queued.Shelf:
    """Eight approved tasks; the gate is red where a file of the tree is listed in `red`, beside the repository."""
    shelf = queued.Shelf(tmp_path_factory.mktemp("queue"))
    repository = kit.make_repository(shelf.repository)
    gate = f"! ls work | grep -Fx -f {shelf.place}/red"
    queued.have_gate(repository, queued.counted(shelf.place / "runs", gate))
    for name in TASKS:
        tasks.approved(repository, name, {f"work/{name}": f"{name}\n"})
    shelf.keep()
    return shelf


def make_red(shelf: queued.Shelf, places: Sequence[int]) -> Path:
    repository = shelf.restore()
    (shelf.place / "red").write_text("".join(f"{TASKS[place]}\n" for place in places) or "nothing\n")
    return repository


def judge(shelf: queued.Shelf, bad: Sequence[int]) -> int:
    """Process a queue in which those at the places `bad` are red; everything is as it must be; the runs of the gate."""
    repository = make_red(shelf, bad)
    red = [TASKS[place] for place in bad]
    green = [name for name in TASKS if name not in red]

    done = queued.process(repository)

    assert queued.outcomes(done) == {name: "GATE_FAILED" if name in red else "LANDED" for name in TASKS}, done
    assert queued.on_target(repository) == green
    queued.require_told_once(repository, green)
    queued.require_quiet(repository)
    for name in red:
        run = tasks.record(repository, name)
        assert (run.state, run.approved_commit, run.merge_commit) == ("WORKING", None, None)
        (bounced,) = tasks.told(repository, "BOUNCED", name)
        assert f"\n{name}\n" in f"{bounced}\n", "the gate's own words"
        assert Path(run.worktree).is_dir()
        assert not queued.target_ever_held(repository, f"work/{name}")
    return len(queued.gate_runs(shelf.place / "runs"))


def test_a_green_batch_costs_one_run_of_the_gates(shelf: queued.Shelf) -> None:
    assert judge(shelf, []) == 1


@pytest.mark.parametrize("place", range(COUNT))
def test_one_red_task_in_a_batch_of_eight_costs_at_most_seven_runs_and_only_that_one_bounces(
    shelf: queued.Shelf, place: int
) -> None:
    assert judge(shelf, [place]) <= 1 + 2 * log2(COUNT)


@pytest.mark.parametrize("places", PAIRS, ids=str)
def test_two_red_tasks_are_both_found_and_the_rest_lands(shelf: queued.Shelf, places: tuple[int, int]) -> None:
    assert judge(shelf, places) <= 1 + 2 * (1 + log2(COUNT))


def test_a_batch_in_which_all_are_red_lands_nothing_and_comes_to_its_end(shelf: queued.Shelf) -> None:
    assert judge(shelf, range(COUNT)) <= sum(1 + ceil(log2(left)) for left in range(1, COUNT + 1))


def test_a_red_one_on_top_of_a_red_one_is_judged_without_it(shelf: queued.Shelf) -> None:
    """The log that a task is sent back with tells of no other task."""
    judge(shelf, [3, 4])

    for name, other in ((TASKS[3], TASKS[4]), (TASKS[4], TASKS[3])):
        (bounced,) = tasks.told(shelf.repository, "BOUNCED", name)
        assert other not in bounced


ONE_NAME: Final = "! grep -rhoE '^def [a-z]+' src | sort | uniq -d | grep ."
"""Red where two files define a function of the same name."""


def test_two_tasks_green_alone_and_red_together_the_second_bounces_and_the_target_never_saw_it(
    repository: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    queued.have_gate(repository, queued.counted(runs, ONE_NAME))
    tasks.approved(repository, "first", {"src/one.py": "def total(): return 1\n"})
    second = tasks.approved(repository, "second", {"src/two.py": "def total(): return 2\n"})
    tasks.approved(repository, "third", {"src/three.py": "def other(): return 3\n"})

    done = queued.process(repository)

    assert queued.outcomes(done) == {"first": "LANDED", "second": "GATE_FAILED", "third": "LANDED"}, done
    (bounced,) = tasks.told(repository, "BOUNCED", "second")
    assert "def total" in bounced
    assert queued.on_target(repository) == ["first", "third"]
    assert not queued.target_ever_held(repository, "src/two.py")
    assert second.is_dir()
    assert kit.git(repository, "status", "--porcelain") == ""
    landed = kit.git(repository, "reflog", "show", "--format=%H", "refs/heads/main").split()
    assert landed[0] in queued.gate_runs(runs), "what is on the target was judged as it is"


def test_the_second_lands_once_it_is_mended(repository: Path) -> None:
    queued.have_gate(repository, ONE_NAME)
    tasks.approved(repository, "first", {"src/one.py": "def total(): return 1\n"})
    second = tasks.approved(repository, "second", {"src/two.py": "def total(): return 2\n"})
    queued.process(repository)

    tasks.commit(second, {"src/two.py": "def sum(): return 2\n"})
    tasks.hand_in(repository, "second")
    tasks.approve(repository, "second")
    done = queued.process(repository)

    assert queued.outcomes(done) == {"second": "LANDED"}, done
    assert queued.on_target(repository) == ["first", "second"]
