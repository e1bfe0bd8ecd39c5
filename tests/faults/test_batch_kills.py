"""SIGKILL at every mutating system call of a batch of landings and of an undo: the next command mends all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tests import kit
from tests.faults.batches import BATCHES, TASKS, Batch
from tests.faults.trial import Theatre

pytestmark = [pytest.mark.faults, kit.requires("strace")]

CHUNKS: Final = 24
"""Each scene in so many tests, for the cores to share."""


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    return Theatre(tmp_path_factory.mktemp("theatre"), BATCHES, Batch(), TASKS)


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("scene", BATCHES)
def test_the_next_command_mends_a_kill_at_every_mutating_call_of_a_batch(
    scene: str, chunk: int, theatre: Theatre, record_property: Callable[[str, object], None]
) -> None:
    points = theatre.points(scene)[chunk::CHUNKS]

    wrong = theatre.sweep(scene, points, record_property)

    assert len(theatre.missed) <= max(1, len(points) // 5)
    assert not wrong, "\n".join(wrong)
