"""SIGKILL at every mutating call of a spawn from the pool, and of a landing that gives a worktree back to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import kit
from tests.faults.pooling import SCENES, Pooled
from tests.faults.trial import Theatre

pytestmark = [pytest.mark.faults, kit.requires("strace")]

CHUNKS = 18


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    return Theatre(tmp_path_factory.mktemp("theatre"), SCENES, Pooled())


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("scene", SCENES)
def test_the_next_command_mends_a_kill_at_every_mutating_call(
    scene: str, chunk: int, theatre: Theatre, record_property: Callable[[str, object], None]
) -> None:
    points = theatre.points(scene)[chunk::CHUNKS]

    wrong = theatre.sweep(scene, points, record_property)

    assert len(theatre.missed) <= max(1, len(points) // 5)
    assert not wrong, "\n".join(wrong)
