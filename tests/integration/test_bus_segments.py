"""The bus over many files: rotation loses nothing, and readers and followers walk through it without noticing."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from conductor_git import durable
from conductor_git.bus.file import FileBus
from conductor_git.bus.segments.listing import closed_segments
from conductor_git.bus.watching.stop import Stop
from conductor_git.errors import BusDamaged, BusMoved, UnknownCursor
from conductor_git.frames.decoder import decode
from conductor_git.frames.frame import encode
from conductor_git.message import Message, id_key
from tests.integration.buses import FACT, NOON, numbered, python

SMALL = 2048
ROTATING = """
import sys
from pathlib import Path
from conductor_git.bus.file import FileBus
from conductor_git.message import Message
bus, name = FileBus(Path(sys.argv[1]), seconds=60, segment_bytes=int(sys.argv[4])), sys.argv[2]
for number in range(int(sys.argv[3])):
    body = f"{name} {number}\\n---\\n" + "x" * (number % 7 * 30)
    print(bus.append(Message(type="PROGRESS", body=body, task_id=name)))
"""


@pytest.fixture
def small(bus: FileBus) -> FileBus:
    return FileBus(bus.path, segment_bytes=SMALL)


def filled(bus: FileBus, count: int) -> list[Message]:
    for number in range(count):
        bus.append(FACT._replace(body=f"message {number}", task_id=f"task-{number % 3}"))
    return list(bus.read())


def test_a_full_file_is_closed_under_the_name_of_its_first_message_and_nothing_is_dropped(small: FileBus) -> None:
    told = [small.append(FACT._replace(body=f"message {number}")) for number in range(50)]
    closed = closed_segments(small.path)

    assert [message.msg_id for message in small.read()] == told
    assert [message.body for message in small.read()] == [f"message {number}" for number in range(50)]
    assert len(closed) > 3
    for segment in closed:
        assert segment.path.name == f"MESSAGE-BUS.{segment.first_id}.md"
        assert segment.path.read_text().startswith(f"---\nmsg_id: {segment.first_id}\n")
        assert segment.path.stat().st_size <= SMALL
    assert small.verify().is_sound
    assert small.verify().segments == len(closed) + 1


def test_rotation_under_eight_writers_loses_nothing(bus: FileBus) -> None:
    writers = [python(ROTATING, bus.path, f"writer-{number}", 100, 4096) for number in range(8)]
    acknowledged = [writer.communicate() for writer in writers]
    assert [said for _, said in acknowledged if said] == []

    messages = list(bus.read())
    ids = [message.msg_id for message in messages]

    assert ids == sorted({*ids})
    assert len(ids) == 800
    for number, (out, _) in enumerate(acknowledged):
        mine = [message for message in messages if message.task_id == f"writer-{number}"]
        assert [message.msg_id for message in mine] == out.split()
        assert [message.body.split("\n")[0] for message in mine] == [f"writer-{number} {place}" for place in range(100)]
    assert len(closed_segments(bus.path)) > 20
    assert bus.verify().is_sound


def test_a_follower_walks_through_rotation_and_sees_each_message_once(bus: FileBus) -> None:
    with closing(bus.follow()) as followed:
        writers = [python(ROTATING, bus.path, f"writer-{number}", 60, 1500) for number in range(3)]
        seen = [message.msg_id for message in islice(followed, 180)]
    for writer in writers:
        writer.communicate()

    assert seen == [message.msg_id for message in bus.read()]
    assert len(closed_segments(bus.path)) > 5


def test_what_is_written_and_closed_while_a_reader_is_busy_with_a_message_is_read_too(small: FileBus) -> None:
    told = [small.append(numbered(number)) for number in range(3)]
    reading = small.read(since=told[0])
    with Stop(60) as stop, closing(small.follow(since=told[0], stop=stop)) as following:
        busy = [next(reading), next(following)]
        told += [small.append(numbered(number)) for number in range(3, 40)]

        assert len(closed_segments(small.path)) > 2
        assert {message.msg_id for message in busy} == {told[1]}
        assert [message.msg_id for message in reading] == told[2:]
        assert [message.msg_id for message in islice(following, len(told) - 2)] == told[2:]


def test_every_cursor_in_every_segment_gives_what_follows_it(small: FileBus) -> None:
    messages = filled(small, 60)

    for place, message in enumerate(messages):
        assert list(small.read(since=message.msg_id)) == messages[place + 1 :]
        assert small.get(message.msg_id) == message
    assert list(small.read(since=messages[3].msg_id, limit=30)) == messages[4:34]


def test_a_follower_can_set_out_from_a_closed_segment(small: FileBus) -> None:
    messages = filled(small, 60)
    with Stop() as stop, closing(small.follow(messages[5].msg_id, task_id="task-1", stop=stop)) as followed:
        wanted = [message for message in messages[6:] if message.task_id == "task-1"]
        assert list(islice(followed, len(wanted))) == wanted
        new = small.append(FACT._replace(task_id="task-1"))
        assert next(followed).msg_id == new


@pytest.mark.parametrize("n", [1, 7, 30, 1000])
def test_the_last_messages_are_found_across_segments(small: FileBus, n: int) -> None:
    messages = filled(small, 60)

    assert small.tail(n) == messages[-n:]
    assert small.tail(n, task_id="task-2") == [m for m in messages if m.task_id == "task-2"][-n:]
    assert small.tail(n, types=("STATE",)) == []
    assert small.tail(n, types=("FACT",), task_id="task-0") == [m for m in messages if m.task_id == "task-0"][-n:]


def test_an_unknown_cursor_between_segments_is_an_error(small: FileBus) -> None:
    messages = filled(small, 30)
    other = messages[10].msg_id[:-4] + "9999"

    for cursor in (other, numbered(0).msg_id, "LEGACY-000000000003"):
        with pytest.raises(UnknownCursor):
            small.read(since=cursor)


def test_ids_go_on_above_those_of_the_closed_segment_when_the_clock_went_back(
    small: FileBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = filled(small, 3)
    FileBus(small.path, segment_bytes=1).append(FACT)
    small.path.unlink()
    monkeypatch.setattr("time.time_ns", lambda: NOON - 10**18)

    assert id_key(small.append(FACT)) > id_key(before[-1].msg_id)


def test_a_torn_tail_goes_to_the_quarantine_before_its_file_is_closed(small: FileBus) -> None:
    first = small.append(FACT)
    with small.path.open("ab") as file:
        file.write(b"---\nmsg_id: MSG-2026")
    second = FileBus(small.path, segment_bytes=1).append(FACT)

    (closed,) = closed_segments(small.path)
    assert closed.path.read_bytes().endswith(b"\n\n")
    assert [message.msg_id for message in small.read()] == [first, second]
    assert [path.read_bytes() for path in (small.path.parent / "quarantine").iterdir()] == [b"---\nmsg_id: MSG-2026"]


def test_a_closed_segment_is_on_the_disk_before_it_gets_its_name(
    small: FileBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.append(FACT)
    happened: list[str] = []
    flush, rename = durable.flush, durable.rename

    def watched_flush(fd: int) -> None:
        happened.append("flush")
        flush(fd)

    def watched_rename(path: Path, new: Path) -> None:
        happened.append("rename")
        rename(path, new)

    monkeypatch.setattr(durable, "flush", watched_flush)
    monkeypatch.setattr(durable, "rename", watched_rename)
    FileBus(small.path, segment_bytes=1).append(FACT)

    assert happened == ["flush", "rename", "flush"]


def test_a_failed_flush_of_a_full_file_halts_the_bus_and_renames_nothing(
    small: FileBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.append(FACT)

    def broken(_: int) -> None:
        raise OSError(5, os.strerror(5))

    with monkeypatch.context() as patch:
        patch.setattr(durable, "flush", broken)
        with pytest.raises(BusDamaged):
            FileBus(small.path, segment_bytes=1).append(FACT)

    assert closed_segments(small.path) == []
    with pytest.raises(BusDamaged, match="takes no messages"):
        small.append(FACT)


def test_a_file_without_any_id_of_ours_goes_on_growing(bus: FileBus) -> None:
    bus.path.parent.mkdir()
    bus.path.write_text("---\nmsg_id: theirs-1\ntype: INFO\n---\ntext\n\n")
    tiny = FileBus(bus.path, segment_bytes=1)

    tiny.append(FACT)
    assert closed_segments(bus.path) == []
    tiny.append(FACT)
    assert len(closed_segments(bus.path)) == 1
    assert next(message.msg_id for message in bus.read()) == "theirs-1"


def test_the_cursor_of_a_legacy_line_stays_what_it_is_when_its_file_is_closed(bus: FileBus) -> None:
    bus.path.parent.mkdir()
    line = "[2026-02-11 20:12:34] PROGRESS: half way\n"
    bus.path.write_text(line)
    tiny = FileBus(bus.path, segment_bytes=1)
    tiny.append(FACT)
    tiny.append(FACT)
    with bus.path.open("a") as file:
        file.write(line)
    tiny.append(FACT)
    messages = list(bus.read())

    assert len({message.msg_id for message in messages}) == 5
    for place, message in enumerate(messages):
        assert list(bus.read(since=message.msg_id)) == messages[place + 1 :]
    assert bus.tail(4) == messages[1:]


def test_verify_names_the_segment_that_is_damaged_and_the_place_in_it(small: FileBus) -> None:
    filled(small, 40)
    second = closed_segments(small.path)[1].path
    data = bytearray(second.read_bytes())
    place = data.index(b"message ")
    data[place] ^= 1
    second.write_bytes(data)
    last = closed_segments(small.path)[-1].path
    last.write_bytes(last.read_bytes()[:-10])

    report = small.verify()

    assert (report.damaged, report.messages, report.is_sound) == (2, 38, False)
    assert [spot.path for spot in report.damage] == [second, last]
    assert report.damage[0].damage.offset <= place < report.damage[0].damage.offset + report.damage[0].damage.length


def test_adopted_messages_keep_their_ids_over_many_segments_and_later_ones_lie_above(small: FileBus) -> None:
    messages = [numbered(number, "x" * (number % 5 * 100)) for number in range(300)]

    assert small.adopt(iter(messages)) == 300
    assert list(small.read()) == messages
    assert id_key(small.append(FACT)) > messages[-1].msg_id
    assert small.verify().is_sound


def test_a_bus_that_was_handed_over_sends_writers_and_followers_on(small: FileBus) -> None:
    first = small.append(FACT)
    taken: list[Message] = []
    with closing(small.follow()) as followed:
        assert next(followed).msg_id == first
        small.hand_over("sqlite:/elsewhere", lambda: taken.extend(small.read()))
        with pytest.raises(BusMoved) as moved:
            next(followed)

    assert [message.msg_id for message in taken] == [first]
    assert moved.value.facts["url"] == "sqlite:/elsewhere"
    for writer in (small, FileBus(small.path)):
        with pytest.raises(BusMoved, match="moved to sqlite:/elsewhere"):
            writer.append(FACT)
    assert [message.msg_id for message in small.read()] == [first]


def test_a_long_history_is_searched_for_one_task_without_decoding_it(
    bus: FileBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.path.parent.mkdir()
    rare = numbered(5)._replace(task_id="rare")
    bus.path.write_bytes(b"".join(encode(rare if n == 5 else numbered(n, "x" * 200)) for n in range(20_000)))
    decoded: list[int] = []

    def counted(window: bytes, base: int, *, at_end: bool, before: Callable[[], int]) -> object:
        decoded.append(len(window))
        return decode(window, base, at_end=at_end, before=before)

    monkeypatch.setattr("conductor_git.bus.segments.tail.decode", counted)

    assert bus.tail(1, task_id="rare") == [rare]
    assert len(decoded) == 1


@pytest.mark.parametrize(
    "zeros", [slice(-100, None), slice(-600, -300), slice(-700, None)], ids=["end", "middle", "all"]
)
def test_a_tail_whose_size_came_to_the_disk_without_its_bytes_goes_to_the_quarantine(
    bus: FileBus, zeros: slice
) -> None:
    """What a power cut leaves of a message that was never acknowledged."""
    first = bus.append(FACT)
    bus.append(FACT._replace(body="x" * 690))
    data = bytearray(bus.path.read_bytes())
    data[zeros] = bytes(len(data[zeros]))
    bus.path.write_bytes(data)
    before = bus.verify()

    second = bus.append(FACT._replace(body="acknowledged after the cut"))

    assert (before.is_sound, before.messages, before.torn) == (True, 1, data.index(b"---\nmsg_id", 10))
    assert [(message.msg_id, message.recovered) for message in bus.read()] == [(first, False), (second, False)]
    assert bus.verify().is_sound
    (kept,) = (bus.path.parent / "quarantine").iterdir()
    assert kept.read_bytes() == data[before.torn :]


def test_damage_at_the_end_that_no_power_cut_leaves_stays_and_is_told(bus: FileBus) -> None:
    bus.append(FACT)
    bus.append(FACT._replace(body="this was acknowledged"))
    bus.path.write_bytes(bus.path.read_bytes().replace(b"acknowledged", b"acknowlegded"))

    bus.append(FACT)

    assert bus.verify().damaged == 1
    assert b"acknowlegded" in bus.path.read_bytes()


def test_adopting_out_of_order_is_refused_and_names_the_id(small: FileBus) -> None:
    from conductor_git.errors import BadInput

    messages = [numbered(number) for number in (0, 1, 2, 5, 4, 6)]
    with pytest.raises(BadInput, match="is not above") as refused:
        small.adopt(iter(messages))

    assert refused.value.facts["msg_id"] == messages[4].msg_id
    assert list(small.read()) == messages[:4]
