"""A bus carried over to another backend: nothing lost, nothing twice, order kept, whoever writes or dies meanwhile."""

from __future__ import annotations

import errno
import os
import signal
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

from conductor_git.bus.attachments.attach import attach
from conductor_git.bus.attachments.stored import checked
from conductor_git.bus.base import Bus
from conductor_git.bus.copy import copy
from conductor_git.bus.file import FileBus
from conductor_git.errors import BadInput, BusDamaged, BusMoved
from conductor_git.message import Message, Parent, timestamp
from tests import kit
from tests.conformance.backends import FACT, bus_at, program, url_in

WAYS: Final = [("file", "sqlite"), ("sqlite", "file"), ("file", "file"), ("sqlite", "sqlite")]
NOON: Final = 1_795_174_502_123_456_789
WRITER: Final = """
from conductor_git.errors import BusMoved
name, number, first, left = sys.argv[2], 0, bus.url, 50
while left:
    try:
        print(bus.append(Message(type="PROGRESS", body=f"{name} {number}", task_id=name)), flush=True)
        number += 1
        left -= bus.url != first
    except BusMoved as moved:
        bus = open_bus(parse_address(moved.facts["url"]), seconds=60)
print(bus.url)
"""
"""Writes until it was sent on and has written 50 messages there."""
COPIER: Final = """
import os, signal
from conductor_git.bus.copy import copy
source, target, move, die_at = sys.argv[1:5]
events = 0
def count(event, _):
    global events
    if event in ("open", "sqlite3.connect", "os.rename", "os.truncate"):
        events += 1
        if events == int(die_at):
            os.kill(os.getpid(), signal.SIGKILL)
target = open_bus(parse_address(target), seconds=60)
import conductor_git.bus.file, conductor_git.bus.sqlite
sys.addaudithook(count)
copy(bus, target, move=move == "move")
print(events)
"""
"""Copies, and is killed at the given one of the moments at which it opens, connects, renames or cuts a file."""


@pytest.fixture(params=WAYS, ids="-to-".join)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def source(tmp_path: Path, way: tuple[str, str]) -> Bus:
    return bus_at(url_in(tmp_path / "here", way[0]))


@pytest.fixture
def target(tmp_path: Path, way: tuple[str, str]) -> Bus:
    return bus_at(url_in(tmp_path / "there", way[1]))


def filled(bus: Bus, count: int = 30) -> list[Message]:
    """Messages of every kind: answers, other tools' ids and keys, bodies that look like frames or are large."""
    last = ""
    for number in range(count):
        parents = (Parent(last, "answers"), Parent("elsewhere-1")) if last else ()
        body = (f"{number}", "---\nmsg_id: x\n---\n\\---\n", "ünï\r\n", "x" * 100_000, "")[number % 5]
        meta = {"revision": str(number), "empty": ""} if number % 3 else {}
        extra = {"links": ["https://example.org"], "priority": None} if number % 4 else {}
        last = bus.append(FACT._replace(body=body, parents=parents, meta=meta, extra=extra))
    bus.adopt([FACT._replace(msg_id=f"other tool {number}", ts=timestamp(NOON)) for number in range(3)])
    bus.append(FACT)
    return list(bus.read())


@pytest.mark.parametrize("move", [False, True], ids=["copied", "moved"])
def test_every_message_comes_along_as_it_was(source: Bus, target: Bus, move: bool) -> None:
    messages = filled(source)

    copied = copy(source, target, move=move)

    assert list(target.read()) == list(source.read()) == messages
    assert (copied.messages, copied.added, copied.damaged, copied.recovered) == (34, 34, 0, 0)
    assert copied.halted is None
    for message in messages[::7]:
        assert target.get(message.msg_id) == message
        assert list(target.read(since=message.msg_id)) == messages[messages.index(message) + 1 :]
    assert target.append(FACT) > messages[-1].msg_id
    assert target.verify().is_sound


def test_a_copy_leaves_the_source_as_it_is_and_takes_only_what_is_new_the_next_time(source: Bus, target: Bus) -> None:
    messages = filled(source)
    copy(source, target, move=False)
    later = [source.append(FACT) for _ in range(2)]

    again = copy(source, target, move=False)

    assert (again.messages, again.added) == (36, 2)
    assert [message.msg_id for message in target.read()] == [*(message.msg_id for message in messages), *later]
    assert copy(source, target, move=False).added == 0


def test_a_move_sends_writers_on_and_can_be_asked_for_twice(tmp_path: Path, source: Bus, target: Bus) -> None:
    messages = filled(source)
    copy(source, target, move=True)

    with pytest.raises(BusMoved) as moved:
        source.append(FACT)
    later = target.append(FACT)

    assert moved.value.facts["url"] == target.url
    assert list(source.read()) == messages
    again = copy(source, target, move=True)
    assert (again.messages, again.added) == (34, 0)
    assert list(target.read())[-1].msg_id == later
    with pytest.raises(BusMoved):
        copy(source, bus_at(url_in(tmp_path / "third", "file")), move=True)
    assert not (tmp_path / "third").exists()


def test_a_bus_that_moved_comes_back_with_what_was_posted_meanwhile(source: Bus, target: Bus) -> None:
    filled(source)
    copy(source, target, move=True)
    later = target.append(FACT)

    copied = copy(target, source, move=True)

    assert (copied.messages, copied.added) == (35, 1)
    assert list(source.read())[-1].msg_id == later
    source.append(FACT)
    with pytest.raises(BusMoved):
        target.append(FACT)


def test_no_bus_is_moved_to_where_no_message_is_taken(tmp_path: Path, source: Bus, target: Bus) -> None:
    filled(source)
    copy(target, bus_at(url_in(tmp_path / "third", "file")), move=True)

    with pytest.raises(BadInput, match="takes no messages"):
        copy(source, target, move=True)

    assert list(target.read()) == []
    source.append(FACT)


def test_an_empty_bus_moves_as_well(source: Bus, target: Bus) -> None:
    assert copy(source, target, move=True).messages == 0

    with pytest.raises(BusMoved):
        source.append(FACT)
    target.append(FACT)


@pytest.mark.parametrize("move", [False, True], ids=["copy", "move"])
def test_a_target_with_other_messages_is_refused_and_nothing_is_changed(source: Bus, target: Bus, move: bool) -> None:
    messages = filled(source)
    target.adopt(messages[:4])
    target.append(FACT)
    before = list(target.read())

    with pytest.raises(BadInput, match="other messages") as refused:
        copy(source, target, move=move)

    assert refused.value.facts["msg_id"] == messages[3].msg_id
    assert list(target.read()) == before
    source.append(FACT)


@pytest.mark.parametrize("move", [False, True], ids=["copy", "move"])
def test_a_target_that_has_more_than_the_source_is_refused(source: Bus, target: Bus, move: bool) -> None:
    filled(source)
    copy(source, target, move=False)
    target.append(FACT)
    before = list(target.read())

    with pytest.raises(BadInput, match="other messages"):
        copy(source, target, move=move)

    assert list(target.read()) == before
    source.append(FACT)


def test_a_bus_is_not_copied_onto_itself(tmp_path: Path, way: tuple[str, str], source: Bus) -> None:
    filled(source)
    (tmp_path / "alias").symlink_to(tmp_path / "here")

    for same in ("here", "alias"):
        with pytest.raises(BadInput, match="the bus itself"):
            copy(source, bus_at(url_in(tmp_path / same, way[0])), move=True)
    source.append(FACT)


def test_readers_go_on_at_the_target_where_they_were(source: Bus, target: Bus) -> None:
    messages = filled(source)
    source.acknowledge("fix-login", messages[5].msg_id)
    source.acknowledge("Fix-Login", messages[9].msg_id)
    source.acknowledge("other@host", "other tool 1")

    copied = copy(source, target, move=True)

    assert (copied.readers, copied.readers_left) == (3, ())
    assert target.acknowledged("fix-login") == messages[5].msg_id
    assert target.acknowledged("Fix-Login") == messages[9].msg_id
    assert target.acknowledged("other@host") == "other tool 1"
    target.acknowledge("fix-login", messages[8].msg_id)
    assert copy(source, target, move=True).readers == 3
    assert target.acknowledged("fix-login") == messages[8].msg_id


def test_writers_that_go_on_at_the_target_lose_nothing_and_say_nothing_twice(source: Bus, target: Bus) -> None:
    writers = [program(WRITER, source.url, f"writer-{number}") for number in range(4)]
    kit.until(lambda: len(list(source.read())) > 100)

    copied = copy(source, target, move=True)
    acknowledged = [writer.communicate() for writer in writers]

    assert [said for _, said in acknowledged if said] == []
    messages = list(target.read())
    ids = [message.msg_id for message in messages]
    assert ids == sorted(set(ids))
    assert 100 < copied.messages <= len(ids) - 200
    assert [message.msg_id for message in source.read()] == ids[: copied.messages]
    for number, (out, _) in enumerate(acknowledged):
        *mine, end = out.split()
        assert end == target.url
        assert [message.msg_id for message in messages if message.task_id == f"writer-{number}"] == mine
        bodies = [message.body for message in messages if message.task_id == f"writer-{number}"]
        assert bodies == [f"writer-{number} {place}" for place in range(len(mine))]
    assert len(ids) == sum(len(out.split()) - 1 for out, _ in acknowledged)


def copier(source: Bus, target: Bus, move: str, die_at: int) -> tuple[int, str]:
    done = program(COPIER, source.url, target.url, move, die_at)
    out, err = done.communicate()
    assert done.returncode in (0, -signal.SIGKILL), err
    return done.returncode, out


@pytest.mark.parametrize("move", ["copy", "move"])
def test_one_that_is_killed_at_any_moment_is_finished_by_the_next(
    tmp_path: Path, way: tuple[str, str], move: str
) -> None:
    def pair(name: object) -> tuple[Bus, Bus]:
        here, there = (bus_at(url_in(tmp_path / f"{name}{side}", backend)) for side, backend in enumerate(way))
        for message in filled(here, 12)[::6]:
            here.acknowledge(f"reader-{message.msg_id[-4:]}".replace(" ", "-"), message.msg_id)
        return here, there

    moments = int(copier(*pair("whole"), move, 0)[1])
    assert moments > 10
    for moment in range(1 + WAYS.index(way), moments + 1, max(1, moments // 4)):
        source, target = pair(moment)
        messages, readers = list(source.read()), source.readers()
        assert copier(source, target, move, moment)[0] == -signal.SIGKILL
        assert list(target.read()) == messages[: len(list(target.read()))]

        copied = copy(source, target, move=move == "move")

        assert list(target.read()) == messages
        assert copied.messages == len(messages)
        assert target.readers() == readers
        assert target.verify().is_sound
        if move == "move":
            with pytest.raises(BusMoved):
                source.append(FACT)
        target.append(FACT)


class Forgetful(FileBus):
    """A file system that loses what was written to it: every message but the first three."""

    def adopt(self, messages: Iterable[Message]) -> int:
        return super().adopt(list(messages)[:3])


class Garbling(FileBus):
    def adopt(self, messages: Iterable[Message]) -> int:
        return super().adopt([message._replace(body=message.body.upper()) for message in messages])


@pytest.mark.parametrize("kind", [Forgetful, Garbling])
def test_a_target_that_does_not_give_back_what_it_took_is_no_success(tmp_path: Path, kind: type[FileBus]) -> None:
    source = bus_at(url_in(tmp_path, "sqlite"))
    for word in "abcdef":
        source.append(FACT._replace(body=word))

    for move in (False, True):
        with pytest.raises(BusDamaged, match="does not give back"):
            copy(source, kind(tmp_path / f"{move}.md"), move=move)
    source.append(FACT)


@pytest.mark.parametrize("backend", ["file", "sqlite"])
def test_damage_is_told_and_what_was_found_past_it_stays_marked(tmp_path: Path, backend: str) -> None:
    source = FileBus(tmp_path / "damaged.md")
    for word in ("first", "second", "third"):
        source.append(FACT._replace(body=word))
    source.path.write_bytes(source.path.read_bytes().replace(b"second", b"SECOND"))
    target = bus_at(url_in(tmp_path, backend))

    copied = copy(source, target, move=True)

    assert (copied.messages, copied.damaged, copied.recovered) == (2, 1, 1)
    assert [(message.body, message.recovered) for message in target.read()] == [("first", False), ("third", True)]


def test_a_bus_that_a_failed_flush_halted_can_be_copied_elsewhere_and_is_not_moved(source: Bus, target: Bus) -> None:
    messages = filled(source)
    source.halt.flush_failed(OSError(errno.EIO, os.strerror(errno.EIO)))

    with pytest.raises(BusDamaged, match="Input/output error"):
        copy(source, target, move=True)
    assert list(target.read()) == []
    copied = copy(source, target, move=False)

    assert list(target.read()) == messages
    assert "Input/output error" in str(copied.halted)


def test_attachments_come_along_to_another_directory(tmp_path: Path, source: Bus, target: Bus) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    report, lost = tmp_path / "report.txt", tmp_path / "lost.txt"
    report.write_text("all green\n")
    lost.write_text("gone\n")
    both = [attach(path, here) for path in (report, lost)]
    for attached in both:
        source.append(
            FACT._replace(attachment_path=attached.attachment_path, extra={"attachment": dict(attached.facts)})
        )
    (here / both[1].attachment_path).unlink()
    report.rename(tmp_path / "other-name.txt")
    attach(tmp_path / "other-name.txt", there)

    assert copy(source, target, move=True).attachments_left == 1

    kept, missing = target.read()
    assert checked(there, kept).read_text() == "all green\n"
    assert missing.body == FACT.body


def test_memory_does_not_grow_with_the_bus(source: Bus, target: Bus) -> None:
    for _ in range(60):
        source.append(FACT._replace(body="y" * 250_000))

    tracemalloc.start()
    copied = copy(source, target, move=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert copied.messages == 60
    assert peak < 10_000_000


def test_a_bus_in_segments_comes_along_whole(tmp_path: Path) -> None:
    source = FileBus(tmp_path / "MESSAGE-BUS.md", segment_bytes=20_000)
    messages = filled(source)
    target = FileBus(tmp_path / "copy" / "MESSAGE-BUS.md", segment_bytes=50_000)

    assert len(list(tmp_path.glob("MESSAGE-BUS.MSG-*"))) > 3
    assert copy(source, target, move=True).messages == len(messages)
    assert list(target.read()) == messages
