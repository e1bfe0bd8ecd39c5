"""The power is cut before or after each git command of a landing, with a neighbour's flush just before the cut.

The flush brings to the disk all names and sizes that the landing has changed up to then, and none of its data: what the
landing has not flushed itself is empty afterwards, and not as it was before.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

import pytest

from conductor_git import durable
from tests import kit
from tests.kit import tasks
from tests.kit.interposed import happened, interpose
from tests.powercut.disk import Disk
from tests.powercut.landings import MINE, Landings
from tests.powercut.tally import Tally

TOP: Final = Path(__file__).parents[2]
STEPS: Final = {
    "the merge is computed": "merge-tree",
    "the merge commit is written": "commit-tree",
    "the files of the checkout are written": "read-tree -m -u",
    "the target moves": "update-ref -m conductor-git: land",
    "the worktree is removed": "worktree remove",
    "the branch is deleted": "update-ref --no-deref -d",
}
WHEN: Final = ("before", "after")
COMMANDS: Final = {"one task": ("merge", "t0"), "the queue": ("merge",)}
CASES: Final = ("one task", pytest.param("the queue", marks=pytest.mark.powercut))


def cutting(disk: Disk) -> str:
    """A shell script that flushes a file of somebody else's and cuts the power; nothing comes after it."""
    neighbour, root = (shlex.quote(str(path)) for path in (disk.root / "neighbour", disk.root))
    python = f"cd {shlex.quote(str(TOP))} && {shlex.quote(sys.executable)} -m tests.powercut.cutting {root}"
    return f"echo more >> {neighbour}; sync {neighbour}; ({python}); kill -KILL $PPID; exit 1"


@pytest.mark.parametrize("command", CASES)
@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("step", STEPS)
def test_a_power_cut_around_any_step_of_a_landing_is_mended_by_the_next_command(
    disk: Disk, tmp_path: Path, step: str, when: str, command: str, tally: Tally
) -> None:
    tally.what = f"{command}: {when} {step}"
    landings = Landings(kit.make_repository(disk.root / "acme"), tally)
    tasks.write(landings.repository, MINE)
    for number in range(3):
        landings.approve(f"t{number}")
    durable.sync_filesystem(disk.root)
    env = interpose(tmp_path / "bin", STEPS[step], **{when: cutting(disk)})

    merged = kit.conductor(*COMMANDS[command], cwd=landings.repository, env=env)
    assert happened(tmp_path / "bin")
    assert merged.code != 0
    disk.restore()
    landings.compare_untouched()
    looked = kit.conductor("status", "--all", cwd=landings.repository)
    landings.compare_mended()
    assert looked.code == 0, looked
    assert not tally.wrong, "\n".join(tally.wrong)
    done = kit.conductor("merge", cwd=landings.repository)
    landings.compare_mended()

    assert not tally.wrong, "\n".join(tally.wrong)
    assert landings.waiting == [], done
