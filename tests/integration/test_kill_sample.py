"""A few of the kills of tests/faults, the ones that mended least by themselves: `make faults` tries them all."""

from __future__ import annotations

from typing import Final

import pytest

from tests import kit
from tests.faults.tracer import Hits
from tests.faults.trial import Theatre

pytestmark = kit.requires("strace")

_KILLS: Final = (
    ("spawn", Hits.TREE, "conductor-git", "rename", "journal/fix-login.json"),
    ("spawn", Hits.TREE, "worktree add", "write", "worktrees/fix-login/gitdir"),
    ("spawn", Hits.PROCESS, "branch --quiet", "rename", "refs/heads/worker/fix-login.lock"),
    ("done", Hits.TREE, "conductor-git", "write", "MESSAGE-BUS.md"),
    ("done-wip", Hits.PROCESS, "commit --quiet", "rename", "heads/worker/fix-login.lock"),
    ("merge-checked-out", Hits.TREE, "read-tree", "write", "src/main.py"),
    ("merge-checked-out", Hits.PROCESS, "update-ref -m", "exit_group", ""),
    ("merge-checked-out", Hits.TREE, "conductor-git", "unlink", "index.lock"),
    ("merge-not-checked-out", Hits.PROCESS, "update-ref --no-deref", "rename", "refs/heads/main.lock"),
    ("merge-not-checked-out", Hits.TREE, "worktree remove", "unlink", 'fix-login/.git"'),
    ("merge-not-checked-out", Hits.PROCESS, "worktree remove", "unlink", "worktrees/fix-login/HEAD"),
)


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    return Theatre(tmp_path_factory.mktemp("theatre"))


@pytest.mark.parametrize("kill", _KILLS, ids=lambda kill: " ".join((kill[0], *kill[1:])).strip())
def test_the_next_command_mends_a_kill(kill: tuple[str, Hits, str, str, str], theatre: Theatre) -> None:
    scene, hits, command, call, what = kill
    point = next(
        point
        for point in theatre.points(scene)
        if (point.hits, point.call) == (hits, call) and point.command.startswith(command) and what in point.arguments
    )

    assert theatre.trial(scene, point) == []
