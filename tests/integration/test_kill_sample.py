"""A few of the kills of tests/faults, the ones that mended least by themselves: `make faults` tries them all."""

from __future__ import annotations

from typing import Final

import pytest

from tests import kit
from tests.faults.tracer import Hits, Wanted
from tests.faults.trial import Theatre

pytestmark = kit.requires("strace")

_KILLS: Final = (
    ("spawn", Wanted(Hits.TREE, "conductor-git", "rename", "journal/fix-login.json")),
    ("spawn", Wanted(Hits.TREE, "worktree add", "write", "worktrees/fix-login/gitdir")),
    ("done", Wanted(Hits.TREE, "conductor-git", "write", "MESSAGE-BUS.md")),
    ("done-wip", Wanted(Hits.PROCESS, "commit --quiet", "rename", "heads/worker/fix-login.lock")),
    ("merge-checked-out", Wanted(Hits.TREE, "read-tree", "write", "src/main.py")),
    ("merge-checked-out", Wanted(Hits.PROCESS, "update-ref -m", "exit_group", "")),
    ("merge-not-checked-out", Wanted(Hits.PROCESS, "update-ref --no-deref", "rename", "refs/heads/main.lock")),
    ("merge-not-checked-out", Wanted(Hits.TREE, "worktree remove", "unlink", 'fix-login/.git"')),
    ("recovery-merge-checked-out-before", Wanted(Hits.TREE, "update-index", "rename", "index")),
)


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    return Theatre(tmp_path_factory.mktemp("theatre"))


@pytest.mark.parametrize(("scene", "wanted"), _KILLS, ids=str)
def test_the_next_command_mends_a_kill(scene: str, wanted: Wanted, theatre: Theatre) -> None:
    point = wanted.first(theatre.points(scene))

    assert theatre.trial(scene, point) == []
    assert theatre.missed == []
