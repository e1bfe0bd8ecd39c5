"""Never an illegal state, an unreachable commit, a touched checkout, or a bus that says otherwise than the record."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.machine import Sequences

_SEEDS: Final = (1, 2, 3, 4)
_PATIENT: Final = settings(
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def _run(repository: Path, number: int | None, profile: settings) -> None:
    machine = type("Machine", (Sequences,), {"template": repository, "place": repository.parent})
    run_state_machine_as_test(machine if number is None else seed(number)(machine), settings=profile)


@pytest.mark.parametrize("number", _SEEDS)
def test_no_sequence_of_commands_breaks_a_promise(repository: Path, number: int) -> None:
    """The same sequences every time. A failure prints its sequence as it was found, which takes no time; the soak
    below looks for the shortest one."""
    phases = (Phase.explicit, Phase.generate)
    _run(repository, number, settings(_PATIENT, max_examples=4, stateful_step_count=25, phases=phases))


@pytest.mark.soak
def test_no_sequence_of_commands_breaks_a_promise_for_long(repository: Path) -> None:
    """Other sequences every time, until one fails, which is then made as short as it gets."""
    profile = settings(_PATIENT, max_examples=2000, stateful_step_count=60, verbosity=Verbosity.normal)
    _run(repository, None, profile)
