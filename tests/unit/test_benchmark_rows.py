"""benchmarks: what reaches a goal, and that no row reaches one whose writers did not flush."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.flushes import Proof, read_log
from benchmarks.pairs import Row
from benchmarks.table import cells

BUS = Path("/scratch/bus")
WRITE = 'write(3</scratch/bus>, ""..., 300) = 300'
FLUSH = "fdatasync(3</scratch/bus>) = 0"
FAILED = "fdatasync(3</scratch/bus>) = -1 EIO (Input/output error)"
OTHER_FLUSH = "fsync(4</scratch>) = 0"
OTHER_FILE = "fdatasync(5</scratch/bus-wal>) = 0"
TOLD = 'write(6</scratch/acknowledged.17>, ""..., 44) = 44'


def test_an_acknowledgement_after_a_flush_after_its_write_is_proved() -> None:
    assert read_log([OTHER_FLUSH, WRITE, FLUSH, TOLD, WRITE, FLUSH, TOLD], BUS) == Proof(2, unproved=0, flushes=3)


@pytest.mark.parametrize(
    "calls",
    [
        [WRITE, TOLD],
        [FLUSH, WRITE, TOLD],
        [WRITE, FAILED, TOLD],
        [WRITE, OTHER_FLUSH, OTHER_FILE, TOLD],
        [WRITE, FLUSH, WRITE, TOLD],
        [FLUSH, TOLD],
    ],
)
def test_an_acknowledgement_without_a_flush_that_began_after_its_write_is_not_proved(calls: list[str]) -> None:
    before = [WRITE, FLUSH, TOLD]

    found = read_log([*before, *calls, *before], BUS)

    assert (found.acknowledged, found.unproved) == (3, 1)
    assert not found.is_durable


def test_fewer_acknowledgements_than_messages_prove_nothing() -> None:
    assert Proof(1000, unproved=0, flushes=1000).is_durable
    assert not Proof(999, unproved=0, flushes=1000).is_durable
    assert not Proof(1000, unproved=1, flushes=1000).is_durable


def test_a_row_with_a_ratio_and_a_time_reaches_its_goal_where_both_hold() -> None:
    row = Row("P3", "read", (0.001,), (0.004,), goal=5, limit_seconds=0.005)

    assert row.is_reached
    assert not Row("P3", "read", (0.001,), (0.006,), goal=7, limit_seconds=0.005).is_reached
    assert not Row("P3", "read", (0.001,), (0.004,), goal=3, limit_seconds=0.005).is_reached
    assert Row("P5", "follow", (0.001,), (0.004,), limit_seconds=0.005).is_reached
    assert Row("P1", "for comparison", (0.001,), (0.004,)).is_reached is None
    assert cells(row)[5:] == ("≤ 5 and ≤ 5 ms", "yes", "")


def test_a_failure_stands_where_a_ratio_would_have_been_reached() -> None:
    row = Row("P1", "append", (0.004,), (0.001,), goal=1.5, work=1, note="0 flushes", failure="not durable")

    assert row.is_reached is False
    assert cells(row)[6:] == ("NOT DURABLE", "0 flushes")


def test_a_row_that_may_take_so_much_longer_reaches_its_goal_by_the_difference_in_each_pair() -> None:
    row = Row("F1", "git update-ref", (0.010, 0.002, 0.020), (0.014, 0.006, 0.024), more_seconds=0.005)

    assert row.is_reached
    assert cells(row)[5:] == ("≤ 5 ms more", "yes", "")
    assert Row("F1", "git update-ref", (0.010,), (0.016,), more_seconds=0.005).is_reached is False
