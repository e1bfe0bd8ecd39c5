"""Landings: what `merge` acknowledged, a record calls COMPLETED or the bus tells of is on the target after a power cut,
the repository is whole, and the next command mends what was on its way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from conductor_git import durable
from tests import kit
from tests.kit import tasks
from tests.powercut.chance import Chance
from tests.powercut.crew import Ack, cut_while_working
from tests.powercut.disk import Disk
from tests.powercut.landings import MINE, Landings
from tests.powercut.merging import LANDED, MERGE, POST, POSTED, QUEUE, UNDO, UNDONE
from tests.powercut.tally import CUTS, Tally

CREWS: Final = (
    pytest.param((MERGE, MERGE, MERGE), False, id="merge"),
    pytest.param((QUEUE, QUEUE), True, id="queue-gates", marks=pytest.mark.powercut),
    pytest.param((QUEUE, MERGE, UNDO), True, id="queue-merge-undo-gates"),
    pytest.param((QUEUE, MERGE, UNDO), False, id="queue-merge-undo", marks=pytest.mark.powercut),
)
IN_HAND: Final = 12
"""Tasks that wait when the workers begin: more than land before the power is cut."""
MOST_LANDINGS: Final = 4
MOST_POSTS: Final = 200
"""The posts beside the landings are the clock, so that the cut comes at any moment of a landing."""
MERGING: Final = "tests.powercut.merging"
GATES: Final = "gates:\n  - name: look\n    run: test -f run.sh && git status > /dev/null\n"
BATCHES: Final = "queue:\n  batch: 3\n"
"""Small ones, so that some have landed when the power is cut and the next is on its way."""
NEXT: Final = (("status", "--all"), ("show", "{task}"), ("merge", "{task}", "--trust"))
"""What a person may do first when the power is back."""


def prepare(disk: Disk, *, gates: bool) -> Path:
    """A repository on the disk, with a person's unfinished work in its checkout."""
    repository = kit.make_repository(disk.root / "acme")
    tasks.commit(repository, {".conductor.yaml": BATCHES + GATES * gates}, "Have a config")
    kit.git(repository, "branch", "dev")
    tasks.write(repository, MINE)
    return repository


class Moment:
    """So many landings, and then so many posts."""

    def __init__(self, landings: int, posts: int) -> None:
        self._landings = landings
        self._posts = posts

    @property
    def has_come(self) -> bool:
        return self._landings <= 0 and self._posts <= 0

    def __call__(self, ack: Ack) -> bool:
        if ack.kind != POSTED:
            self._landings -= 1
        elif self._landings <= 0:
            self._posts -= 1
        return self.has_come


def crew_of(cut: int, landings: Landings, roles: Sequence[str]) -> list[tuple[object, ...]]:
    """A worker for each of `roles`, and one that posts."""
    mergers, undoers = roles.count(MERGE), roles.count(UNDO)
    left = {
        MERGE: [landings.waiting[number::mergers] for number in range(mergers)],
        UNDO: [list(map(landings.undo, landings.kept[number:IN_HAND:undoers])) for number in range(undoers)],
    }
    return [
        (f"{role}{cut}.{number}", landings.repository, role, *(left[role].pop() if role in left else ()))
        for number, role in enumerate((*roles, POST))
    ]


def cut_while_merging(disk: Disk, landings: Landings, tally: Tally, roles: Sequence[str]) -> None:
    """One cut while workers land, a comparison, the next command, and another comparison."""
    cut, repository = tally.cuts, landings.repository
    chance = Chance("landings", cut)
    for number in range(IN_HAND - len(landings.waiting)):
        landings.approve(f"t{cut}-{number}")
    # Whether a person is on the target changes from cut to cut.
    kit.git(repository, "switch", "--quiet", chance.choice(("main", "dev")))
    durable.sync_filesystem(disk.root)

    waiting, moment = landings.waiting, Moment(chance.randint(0, MOST_LANDINGS), chance.randint(1, MOST_POSTS))
    worked = cut_while_working(disk, MERGING, crew_of(cut, landings, roles), moment)
    assert moment.has_come, worked.ends
    tally.count(worked._replace(acks=[ack for ack in worked.acks if ack.kind != POSTED]))
    for ack in worked.acks:
        if ack.kind in (LANDED, UNDONE):
            (landings.hear_landed if ack.kind == LANDED else landings.hear_undone)(*ack.words)
    landings.compare_untouched()
    first = [word.format(task=chance.choice(waiting)) for word in chance.choice(NEXT)]
    done = kit.conductor(*first, cwd=repository)
    if done.code != 0:
        tally.other.append(f"cut {cut}: {' '.join(first)}: {done}")
    landings.compare_mended()


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize(("roles", "gates"), CREWS)
def test_no_acknowledged_landing_is_lost_by_a_power_cut(
    disk: Disk, roles: Sequence[str], gates: bool, cuts: int, tally: Tally
) -> None:
    tally.what = f"landings ({', '.join(dict.fromkeys(roles))}{', with gates' if gates else ''})"
    landings = Landings(prepare(disk, gates=gates), tally)

    for _ in range(cuts):
        cut_while_merging(disk, landings, tally, roles)
    assert not tally.wrong, "\n".join(tally.wrong)
    done = kit.conductor("merge", "--trust", cwd=landings.repository)
    landings.compare_mended()

    assert not tally.wrong, "\n".join(tally.wrong)
    assert landings.waiting == [], done
