"""SIGKILL at every mutating system call of spawn, done and merge: the next command mends all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests import kit
from tests.faults.scenes import SCENES
from tests.faults.trial import Theatre

pytestmark = [pytest.mark.faults, kit.requires("strace")]

CHUNKS: Final = 12
"""Each scene in so many tests, for the cores to share."""


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    return Theatre(tmp_path_factory.mktemp("theatre"))


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("scene", SCENES)
def test_the_next_command_mends_a_kill_at_every_mutating_call(
    scene: str, chunk: int, theatre: Theatre, record_property: Callable[[str, object], None]
) -> None:
    points = theatre.points(scene)[chunk::CHUNKS]

    wrong = theatre.sweep(scene, points, record_property)

    assert len(theatre.missed) <= max(1, len(points) // 5)
    assert not wrong, "\n".join(wrong)


def test_every_git_process_of_a_landing_is_traced(theatre: Theatre) -> None:
    commands = {point.command.split(" ")[0] for point in theatre.points("merge-checked-out")}

    assert {"conductor-git", "read-tree", "update-ref", "worktree", "commit-tree"} <= commands


def test_a_stage_is_the_same_again_after_a_trial(theatre: Theatre) -> None:
    point = theatre.points("done")[0]
    assert theatre.trial("done", point) == []

    assert theatre.trial("done", point) == []
    assert Path(theatre.stage.main).is_dir()
