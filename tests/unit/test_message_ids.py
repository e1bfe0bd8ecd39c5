"""Message ids: they hold their time, order as their times, and never go back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from conductor_git.message import (
    id_time,
    make_msg_id,
    next_time,
    timestamp,
)

NOON = 1_795_174_502_123_456_789
ID = "MSG-20261120-113502-123456789-PID04242-0001"


def test_an_id_holds_its_time_and_the_next_one_is_later_whatever_the_clock_says() -> None:
    assert make_msg_id(NOON, 4242, 10001) == ID
    assert timestamp(NOON) == "2026-11-20T11:35:02.123456789Z"
    assert id_time(ID) == NOON
    assert next_time(NOON + 5, ID) == NOON + 5
    for now in (NOON, NOON - 1, NOON - 10**18, 0):
        assert next_time(now, ID) == NOON + 1
    assert next_time(NOON, "") == next_time(NOON, "of another shape") == NOON


@given(st.integers(0, 253_402_300_799_999_999_999), st.integers(0, 4_194_304))
def test_ids_order_as_their_times_and_read_back(now: int, pid: int) -> None:
    assert id_time(make_msg_id(now, pid, 0)) == now
    assert make_msg_id(now, 0, 0) < make_msg_id(now + 1, pid, 0) or now == 253_402_300_799_999_999_999
