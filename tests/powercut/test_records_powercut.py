"""Run records: what `create` and `update` returned is there after a power cut, or something newer, and never a part."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

import pytest

from conductor_git.errors import BadRecord, NotFound
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.run import Run
from conductor_git.store.base import Change
from conductor_git.store.files import FileRuns
from tests.powercut.chance import Chance
from tests.powercut.crew import Ack, after, cut_while_working
from tests.powercut.disk import Disk
from tests.powercut.tally import CUTS, Tally
from tests.powercut.updating import new_run, shared_task
from tests.powercut.worker import is_whole, text

WORKERS: Final = 4
TASKS: Final = 3
MOST_ACKS: Final = 200
UPDATING: Final = "tests.powercut.updating"


class Known(NamedTuple):
    """The newest revision of a task that was acknowledged or seen on the disk."""

    revision: int
    summary: str


NOTHING: Final = Known(0, "")
Tasks = dict[TaskId, Known]


def hear(tasks: Tasks, ack: Ack) -> None:
    """Keep what is newest: the workers speak in any order."""
    task_id, revision, number = TaskId(ack.words[0]), int(ack.words[1]), int(ack.words[2])
    if task_id not in tasks or tasks[task_id].revision < revision:
        tasks[task_id] = Known(revision, text(ack.worker, number))


def compare(runs: FileRuns, tasks: Tasks, tally: Tally) -> Tasks:
    """Tell the tally what is missing or wrong on the disk; the tasks as they are there."""
    there: Tasks = {}
    for task_id in {*tasks, *runs.task_ids()}:
        at = f"cut {tally.cuts}: {task_id}"
        try:
            run = runs.get(task_id)
        except BadRecord as bad:
            tally.torn.append(f"{at}: {bad}")
        except NotFound:
            tally.lost.append(f"{at}: {tasks[task_id].revision} is gone")
        else:
            there[task_id] = known_from(run)
            compare_one(at, tasks.get(task_id, NOTHING), there[task_id], tally)
    return there


def changed(summary: str) -> Change:
    return lambda run: replace(run, summary=summary)


def known_from(run: Run) -> Known:
    return Known(run.revision, str(run.summary))


def compare_one(at: str, known: Known, found: Known, tally: Tally) -> None:
    if found.revision < known.revision:
        tally.lost.append(f"{at}: {known.revision} was acknowledged, there is {found.revision}")
    if found.revision == known.revision and found.summary != known.summary:
        tally.lost.append(f"{at}: {found.revision} is not what was acknowledged but {found.summary[:40]!r}")
    if found.revision > known.revision + WORKERS:
        tally.other.append(f"{at}: {found.revision} after {known.revision} is more than could be under way")
    if not is_whole(found.summary):
        tally.torn.append(f"{at}: {found.summary[:40]!r} is a part")


@pytest.mark.parametrize("cuts", CUTS)
def test_no_acknowledged_revision_is_lost_or_torn_by_a_power_cut(disk: Disk, cuts: int, tally: Tally) -> None:
    tally.what = "run records"
    runs = FileRuns(Layout(disk.root / "acme.git"))
    made = [runs.create(new_run(shared_task(number), text("first", number))) for number in range(TASKS)]
    tasks = {run.task_id: known_from(run) for run in made}

    for cut in range(cuts):
        crew = [(f"w{cut}.{number}", runs.layout.common_dir, TASKS) for number in range(WORKERS)]
        worked = cut_while_working(disk, UPDATING, crew, after(Chance("records", cut).randint(1, MOST_ACKS)))
        tally.count(worked)
        for ack in worked.acks:
            hear(tasks, ack)
        tasks = compare(runs, tasks, tally)
        later = runs.update(shared_task(0), changed(text("after", cut)))
        tasks[later.task_id] = known_from(later)

    assert not tally.wrong, "\n".join(tally.wrong)
