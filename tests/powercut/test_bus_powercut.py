"""The bus on each backend: what `append` and `acknowledge` returned outlives a power cut, once, whole and in order."""

from __future__ import annotations

from typing import Final

import pytest

from tests.conformance.backends import BACKENDS, url_in
from tests.powercut.chance import Chance
from tests.powercut.crew import after, cut_while_working
from tests.powercut.disk import Disk
from tests.powercut.ledger import Ledger
from tests.powercut.posting import bus_at
from tests.powercut.tally import CUTS, Tally

WORKERS: Final = 4
SEGMENT_BYTES: Final = (32 << 10, 64 << 10, 128 << 10)
"""Small, so that many a cut comes while a file is closed and the next one begun."""
POSTING: Final = "tests.powercut.posting"


def cut_while_posting(disk: Disk, url: str, ledger: Ledger, tally: Tally, acks: int) -> None:
    """One cut while workers post to the bus at `url`, then a comparison, and a message after it."""
    cut = tally.cuts
    segment_bytes = Chance("segment", cut).choice(SEGMENT_BYTES)
    crew = [(f"w{cut}.{number}", url, segment_bytes) for number in range(WORKERS)]
    worked = cut_while_working(disk, POSTING, crew, after(acks))
    tally.count(worked)
    for ack in worked.acks:
        ledger.hear(ack)
    bus = bus_at(url, segment_bytes)
    there = ledger.compare(bus)
    ledger.go_on(bus, f"after{cut}", there)


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_no_acknowledged_message_is_lost_or_torn_by_a_power_cut(
    disk: Disk, backend: str, cuts: int, tally: Tally
) -> None:
    tally.what = f"bus ({backend})"
    url, ledger = url_in(disk.root / "conductor", backend), Ledger(tally)

    for cut in range(cuts):
        cut_while_posting(disk, url, ledger, tally, Chance(backend, cut).randint(1, 150))

    assert not tally.wrong, "\n".join(tally.wrong)
    if backend == "file":
        assert bus_at(url, SEGMENT_BYTES[0]).verify().segments > cuts, "rotation was under way as well"


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_first_messages_of_a_new_bus_outlive_a_power_cut(disk: Disk, backend: str, cuts: int, tally: Tally) -> None:
    tally.what = f"first messages of a bus ({backend})"

    for cut in range(cuts):
        url = url_in(disk.root / f"project-{cut}" / "conductor", backend)
        cut_while_posting(disk, url, Ledger(tally), tally, Chance(backend, "new", cut).randint(1, 4))

    assert not tally.wrong, "\n".join(tally.wrong)
