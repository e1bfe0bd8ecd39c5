"""A bus file cut, joined or changed at every byte of its messages: neighbours stay, and nothing torn is shown as whole.

The empty line that parts two messages is what a search past damage finds the second one by, so a change of its two
newlines can cost both, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

import pytest

from conductor_git.bus.file import FileBus
from conductor_git.frames.frame import encode
from conductor_git.message import Message, Parent
from tests.faults.bus_scenes import in_memory
from tests.integration.buses import FACT, numbered

FORGED: Final = "---\nmsg_id: MSG-20991231-235959-000000001-PID04242-0001\nts: x\ntype: FACT\nlength: 2\n---\nno\n\n---"
MESSAGES: Final = (
    numbered(1, "the first of four"),
    numbered(2)._replace(body=f"Notes:\n{FORGED}\n"),
    numbered(3)._replace(body="one\n\n\nzwei ü 漢 \N{SNOWMAN}\n\\---\n[2026-11-20 10:15:02] FACT: old\n---\n\nlast"),
    numbered(4)._replace(body="", parents=(Parent(numbered(1).msg_id, "answers"),), meta={"revision": "7", "a": "---"}),
)
FRAMES: Final = tuple(map(encode, MESSAGES))
WHOLE: Final = b"".join(FRAMES)
STARTS: Final = tuple(accumulate(map(len, FRAMES), initial=0))
"""Where each message begins, and where the file ends."""
BIT_FLIPS: Final = (0x01, 0x20, 0x80, 0xFF)


@pytest.fixture
def bus() -> Iterator[FileBus]:
    with in_memory() as place:
        yield FileBus(place / "MESSAGE-BUS.md")


def shown(bus: FileBus, data: bytes) -> list[Message]:
    """What a reader sees of a bus that holds `data`, whether it was found by searching or not."""
    bus.path.write_bytes(data)
    return [message._replace(recovered=False) for message in bus.read()]


def test_a_cut_at_every_byte_costs_no_good_neighbour_and_shows_no_torn_body(bus: FileBus) -> None:
    for cut in range(STARTS[1], len(WHOLE) + 1):
        bus.path.write_bytes(WHOLE[:cut])
        whole = [message for message, end in zip(MESSAGES, STARTS[1:], strict=True) if end <= cut]
        assert list(bus.read()) == whole, cut
        assert bus.tail(9) == whole, cut

        FileBus(bus.path).append(FACT._replace(body=f"after the cut at {cut}"))

        after = list(bus.read())
        assert after[:-1] == whole, cut
        assert after[-1].body == f"after the cut at {cut}"
        assert bus.verify().is_sound, cut
        assert bus.verify().torn is None
        assert list(taken_from_quarantine(bus)) == [WHOLE[max(start for start in STARTS if start <= cut) : cut]], cut


def taken_from_quarantine(bus: FileBus) -> Iterator[bytes]:
    """What lies there, removed; one empty part where nothing does."""
    kept = list((bus.path.parent / "quarantine").glob("*"))
    for path in kept:
        yield path.read_bytes()
        path.unlink()
    if not kept:
        yield b""


def test_a_message_that_was_cut_in_the_middle_of_the_file_takes_no_neighbour_along(bus: FileBus) -> None:
    before, torn, after, last = FRAMES
    for cut in range(1, len(torn)):
        ahead, *found, behind = shown(bus, before + torn[:cut] + b"\n\n" + after + last)

        # With one newline missing, the message before the cut is whole once another follows.
        assert [ahead, *found, behind] in ([*MESSAGES[:1], *MESSAGES[2:]], list(MESSAGES)), cut
        report = bus.verify()
        assert report.damaged == (len(found) == 1), cut
        # What is left of one or two dashes is a line of text, which nobody has to search past.
        assert report.recovered == (report.damaged if cut > 2 else 0), cut


def test_a_message_whose_end_is_missing_never_takes_words_of_the_next_one_for_its_own(bus: FileBus) -> None:
    for gap in (b"", b"\n", b"\0\0"):
        for cut in range(1, len(FRAMES[1])):
            found = shown(bus, FRAMES[0] + FRAMES[1][:cut] + gap + FRAMES[2] + FRAMES[3])

            assert set(map(encode, found)) <= set(FRAMES), (gap, cut)
            assert (found[0], found[-1]) == (MESSAGES[0], MESSAGES[3]), (gap, cut)


@pytest.mark.parametrize("changed", [1, 2])
def test_a_changed_byte_costs_its_own_message_and_is_never_shown(bus: FileBus, changed: int) -> None:
    neighbours = [message for message in MESSAGES if message is not MESSAGES[changed]]
    for place in range(len(FRAMES[changed])):
        for bits in BIT_FLIPS:
            frame = bytearray(FRAMES[changed])
            frame[place] ^= bits

            found = shown(bus, WHOLE[: STARTS[changed]] + bytes(frame) + WHOLE[STARTS[changed + 1] :])

            if place < len(frame) - 2:
                assert found == neighbours, (place, bits)
            else:
                assert found in (neighbours, [m for m in neighbours if m is not MESSAGES[changed + 1]]), (place, bits)
            assert not bus.verify().is_sound, (place, bits)
