"""Reading the file bus: every cursor, every filter, damage told and passed over, followers that miss nothing."""

from __future__ import annotations

import os
import re
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from conductor_git import durable
from conductor_git.bus.file import FileBus
from conductor_git.bus.watching.stop import Stop
from conductor_git.errors import UnknownCursor
from conductor_git.frames.frame import encode
from conductor_git.message import Parent, make_msg_id
from tests.integration.buses import FACT, NOON, WRITER, filled, numbered, python


@pytest.mark.parametrize("count", [1, 2, 50, 3000])
def test_every_cursor_gives_what_follows_it(bus: FileBus, count: int) -> None:
    messages = filled(bus.path, count)
    places = {0, 1, count // 3, count // 2, count - 2, count - 1} & set(range(count))

    for place in places:
        assert list(bus.read(since=messages[place].msg_id)) == messages[place + 1 :]
    assert list(bus.read(since=messages[0].msg_id, limit=2)) == messages[1:3]
    assert list(bus.read(limit=0)) == []


def test_an_unknown_cursor_is_an_error_at_once_and_never_a_replay(bus: FileBus) -> None:
    messages = filled(bus.path, 500)
    between = make_msg_id(NOON + 250 * 1_000_000 + 1, 4242, 0)
    over_two_lines = f"{messages[7].msg_id}\nts: {messages[7].ts}"
    for cursor in (
        between,
        over_two_lines,
        messages[7].msg_id[:-1],
        "",
        "x",
        "LEGACY-000000000000",
        "MSG-\n---",
        "\udcff",
    ):
        with pytest.raises(UnknownCursor) as unknown:
            bus.read(since=cursor)
        assert unknown.value.facts["cursor"] == cursor
        with pytest.raises(UnknownCursor):
            bus.follow(since=cursor)


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The length of every `pread` from here on."""
    read: list[int] = []
    real = os.pread

    def counted(fd: int, size: int, offset: int) -> bytes:
        data = real(fd, size, offset)
        read.append(len(data))
        return data

    monkeypatch.setattr(os, "pread", counted)
    return read


def test_a_cursor_anywhere_and_the_last_messages_are_found_without_reading_the_file(
    bus: FileBus, bytes_read: list[int]
) -> None:
    messages = filled(bus.path, 20_000)
    assert bus.path.stat().st_size > 3_000_000
    # The first one in the second half is where a binary search looks first.
    middle = sum(
        1 for _ in re.finditer(b"^msg_id:", bus.path.read_bytes()[: bus.path.stat().st_size // 2], re.MULTILINE)
    )
    for place in (5, middle, 6_666, 10_000, 19_900, 19_999):
        bytes_read.clear()
        assert list(bus.read(since=messages[place].msg_id, limit=10)) == messages[place + 1 : place + 11]
        assert sum(bytes_read) < 300_000
    bytes_read.clear()
    assert bus.tail(500) == messages[-500:]
    assert sum(bytes_read) < 500_000
    bytes_read.clear()
    bus.append(FACT)
    assert sum(bytes_read) < 10_000


def test_cursors_of_a_file_that_other_tools_wrote_out_of_order_are_found(bus: FileBus) -> None:
    bus.path.parent.mkdir()
    bodies = [f"---\nmsg_id: MSG-{number * 7 % 31}\ntype: INFO\n---\nmessage {number}\n\n" for number in range(31)]
    bodies.insert(5, "[2026-02-11 20:12:34] PROGRESS: half way\n")
    bus.path.write_text("".join(bodies))
    messages = list(bus.read())

    assert len(messages) == 31
    for place, message in enumerate(messages):
        assert list(bus.read(since=message.msg_id)) == messages[place + 1 :]


def test_the_cursor_of_a_legacy_line_is_its_place(bus: FileBus) -> None:
    bus.path.parent.mkdir()
    bus.path.write_text("[2026-02-11 20:12:34] PROGRESS: half way\n[2026-02-11 20:12:35] FACT: done\n")
    new = bus.append(FACT)
    first, second, third = bus.read()

    assert list(bus.read(since=first.msg_id)) == [second, third]
    assert third.msg_id == new


@pytest.mark.parametrize("count", [0, 1, 9, 4000])
def test_tail_gives_the_last_ones_in_order(bus: FileBus, count: int) -> None:
    messages = filled(bus.path, count)

    for n in (1, 3, 5000):
        assert bus.tail(n) == messages[-n:]
    assert bus.tail(0) == []


def test_filters_compare_ids_whole(bus: FileBus) -> None:
    for task in ("fix", "fix-login", "fix-login.2", "fix-login"):
        for kind in ("FACT", "PROGRESS"):
            bus.append(FACT._replace(task_id=task, type=kind))

    def tasks(messages: object) -> list[str | None]:
        assert isinstance(messages, (list, Iterator))
        return [message.task_id for message in messages]

    assert tasks(bus.read(task_id="fix")) == ["fix", "fix"]
    assert tasks(bus.tail(9, task_id="fix-login", types=("FACT",))) == ["fix-login", "fix-login"]
    assert tasks(islice(bus.follow(task_id="fix-login.2", types={"FACT", "STATE"}), 1)) == ["fix-login.2"]
    assert tasks(bus.read(types=("STATE",))) == []
    assert len(list(bus.read(limit=3, types=("FACT",)))) == 3


def test_follow_delivers_what_another_process_appends_after_the_cursor(bus: FileBus) -> None:
    old = bus.append(FACT)
    with closing(bus.follow(since=old)) as messages:
        writer = python(WRITER, bus.path, "writer", 5)
        found = [message.msg_id for message in islice(messages, 5)]
        out, _ = writer.communicate()

    assert found == out.split()


def test_follow_waits_for_a_bus_that_is_not_there_yet(bus: FileBus) -> None:
    with closing(bus.follow()) as messages:
        writer = python(WRITER, bus.path, "writer", 1)

        assert next(messages).task_id == "writer"
        writer.communicate()


def test_follow_ends_when_it_is_told_to_and_when_its_time_is_over(bus: FileBus) -> None:
    bus.append(FACT)
    found = []
    with Stop() as stop:
        for message in bus.follow(stop=stop):
            found.append(message.body)
            stop.set()

    assert found == [FACT.body]
    with Stop(seconds=0.01) as soon:
        assert [message.body for message in bus.follow(stop=soon)] == [FACT.body]


def test_follow_passes_over_a_tail_that_was_torn_and_replaced_by_one_as_long(bus: FileBus) -> None:
    bus.append(FACT)
    whole = bus.path.read_bytes()
    good = encode(numbered(10**9, "good"))
    bus.path.write_bytes(whole + encode(numbered(10**9 + 1, "torn"))[:-1])
    with closing(bus.follow()) as messages:
        assert next(messages).body == FACT.body
        os.truncate(bus.path, len(whole))
        with bus.path.open("ab") as file:
            file.write(good)
        assert next(messages).body == f"good {10**9}"


@pytest.mark.parametrize("how", ["replaced", "cut", "cut and written anew", "removed"])
def test_follow_goes_on_with_what_is_new_when_the_file_is_changed_by_hand_and_says_so_once(
    bus: FileBus, how: str
) -> None:
    bus.append(FACT._replace(body="first"))
    bus.append(FACT._replace(body="second"))
    first = bus.path.read_bytes()[: bus.path.read_bytes().index(b"second")].rpartition(b"---\nmsg_id")[0]
    told: list[str] = []
    with closing(bus.follow(tell=told.append)) as messages:
        assert [next(messages).body, next(messages).body] == ["first", "second"]
        if how == "removed":
            bus.path.unlink()
        elif how == "replaced":
            durable.replace(bus.path, first)
        else:
            bus.path.write_bytes(first if how == "cut" else b"")
        bus.append(FACT._replace(body="third" if how == "cut" else "as long as what had been there before" * 9))
        assert next(messages).body.startswith("third" if how == "cut" else "as long")
        bus.append(FACT._replace(body="fourth"))
        assert next(messages).body == "fourth"

    assert len(told) == 1
    assert "by hand" in told[0]


def test_a_writer_that_waited_on_a_file_that_was_replaced_writes_to_the_new_one(
    bus: FileBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.append(FACT)
    real = durable.flocked
    waited: list[int] = []

    def replaced(fd: int, *, seconds: float, path: Path) -> object:
        if not waited:
            waited.append(1)
            durable.replace(path, b"")
        return real(fd, seconds=seconds, path=path)

    monkeypatch.setattr(durable, "flocked", replaced)
    written = bus.append(FACT._replace(body="new"))

    assert [message.msg_id for message in bus.read()] == [written]


def test_damage_in_the_middle_hides_one_message_and_verify_names_the_place(bus: FileBus) -> None:
    messages = filled(bus.path, 2000)
    data = bytearray(bus.path.read_bytes())
    place = data.index(b"one of many 1000")
    data[place] ^= 1
    bus.path.write_bytes(data)

    found = list(bus.read())
    report = bus.verify()

    assert [message._replace(recovered=False) for message in found] == messages[:1000] + messages[1001:]
    assert [message.msg_id for message in found if message.recovered] == [messages[1001].msg_id]
    assert (report.messages, report.recovered, report.damaged, report.torn) == (1999, 1, 1, None)
    (_, spot), *_ = report.damage
    assert spot.offset < place < spot.offset + spot.length
    assert not report.is_sound
    assert list(bus.read(since=messages[1001].msg_id)) == messages[1002:]
    with pytest.raises(UnknownCursor):
        bus.read(since=messages[1000].msg_id)


def test_a_writer_leaves_damage_where_it_is_and_goes_on_after_it(bus: FileBus) -> None:
    first = filled(bus.path, 2)[0]
    data = bus.path.read_bytes()
    bus.path.write_bytes(data.replace(b"many 1", b"many 9") + b"\0" * 5000)

    written = bus.append(FACT)

    assert [message.msg_id for message in bus.read()] == [first.msg_id, written]
    assert bus.path.read_bytes().startswith(data[:100])


def test_verify_tells_of_a_torn_tail_and_of_ids_out_of_order(bus: FileBus) -> None:
    bus.path.parent.mkdir()
    frames = encode(numbered(2)) + encode(numbered(1))
    bus.path.write_bytes(frames + b"---\nmsg_id: MSG")

    report = bus.verify()

    assert report.disordered == (numbered(1).msg_id,)
    assert report.torn == len(frames)


def test_our_message_after_one_of_another_tool_is_parted_by_an_empty_line(bus: FileBus) -> None:
    bus.path.parent.mkdir()
    bus.path.write_text("---\nmsg_id: MSG-20260211-143052-000123456-PID12345-0042\ntype: FACT\n---\ntheirs\n")

    ours = bus.append(FACT._replace(parents=(Parent("MSG-20260211-143052-000123456-PID12345-0042"),)))

    assert b"theirs\n\n" in bus.path.read_bytes()
    assert [message.body for message in bus.read()] == ["theirs", FACT.body]
    assert next(bus.read(since="MSG-20260211-143052-000123456-PID12345-0042")).msg_id == ours


def test_reading_a_large_bus_keeps_memory_flat(bus: FileBus) -> None:
    bus.path.parent.mkdir()
    bus.path.write_bytes(b"".join(encode(numbered(number, "x" * 5_000)) for number in range(4_000)))
    assert bus.path.stat().st_size > 20_000_000

    tracemalloc.start()
    count = sum(1 for _ in bus.read())
    bus.verify()
    bus.tail(10, task_id="nobody")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 4_000
    assert peak < 8_000_000
