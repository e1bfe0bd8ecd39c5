"""Never an illegal state, an unreachable commit, a touched checkout, or a bus that says otherwise than the record."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.machine import Sequences

_SEEDS: Final = range(1, 3)
"""Many seeds with few examples each: they run side by side, and hypothesis repeats itself less."""
_ROUNDS: Final = 500

_PATIENT: Final = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
_QUICK: Final = settings(
    # Not made shorter, which would take minutes: a failure prints its sequence as it was found.
    _PATIENT,
    max_examples=4,
    stateful_step_count=25,
    phases=(Phase.explicit, Phase.generate),
)
_LONG: Final = settings(_PATIENT, max_examples=8, stateful_step_count=60)


def _run(repository: Path, number: int, profile: settings) -> None:
    machine = type("Machine", (Sequences,), {"template": repository, "place": repository.parent})
    run_state_machine_as_test(seed(number)(machine), settings=profile)


@pytest.mark.parametrize("number", _SEEDS)
def test_no_sequence_of_commands_breaks_a_promise(repository: Path, number: int) -> None:
    """The same sequences every time."""
    _run(repository, number, _QUICK)


@pytest.mark.soak
def test_no_sequence_of_commands_breaks_a_promise_for_long(repository: Path) -> None:
    """Other sequences every time, until one fails, which is then made as short as it gets."""
    chosen = random.SystemRandom()
    for _ in range(_ROUNDS):
        number = chosen.randrange(2**32)
        try:
            _run(repository, number, _LONG)
        except Exception as failed:
            failed.add_note(f"seed {number}")
            raise
