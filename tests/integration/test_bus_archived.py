"""Archiving closed segments under the feet of readers: each message comes once, in order, and nothing looks damaged."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import islice

import pytest

from conductor_git import durable
from conductor_git.bus.file import FileBus
from conductor_git.bus.findings import Findings
from conductor_git.bus.segments.archived import archived_path
from conductor_git.bus.segments.listing import Segment, closed_segments
from conductor_git.bus.watching.stop import Stop
from conductor_git.errors import BusDamaged, UnknownCursor
from conductor_git.message import Message
from conductor_git.workflow.leftovers.archive import pack_file
from tests.integration.buses import FACT, numbered, python

READING = """
import sys
from pathlib import Path
from conductor_git.bus.file import FileBus
bus = FileBus(Path(sys.argv[1]))
print("ready", flush=True)
for _ in sys.stdin:
    list(bus.read())
    report = bus.verify()
    bus.tail(1000)
    print(report.is_sound, flush=True)
"""


@pytest.fixture
def small(bus: FileBus) -> FileBus:
    return FileBus(bus.path, segment_bytes=2048)


def posted(bus: FileBus, count: int = 50) -> list[str]:
    return [bus.append(FACT._replace(body=f"message {number}")) for number in range(count)]


def archive(segments: Sequence[Segment]) -> None:
    """As gc does it, the oldest first."""
    for segment in segments:
        pack_file(segment.path, archived_path(segment.path))
        durable.remove(segment.path)


def ids(messages: Sequence[Message]) -> list[str]:
    return [message.msg_id for message in messages]


def test_a_reader_under_way_reads_on_through_what_was_archived(small: FileBus) -> None:
    told = posted(small)
    with closing(small.read()) as reader:
        first = next(reader)
        archive(closed_segments(small.path)[:-1])
        told += posted(small, 20)

        assert ids([first, *reader]) == told


def test_a_follower_whose_file_was_closed_and_archived_since_loses_nothing(small: FileBus) -> None:
    told, stop, tales = posted(small, 3), Stop(), list[str]()
    with closing(small.follow(stop=stop, tell=tales.append)) as follower:
        seen = list(islice(follower, 2))
        told += posted(small)
        archive(closed_segments(small.path)[:-1])
        seen += islice(follower, len(told) - 2)

    assert ids(seen) == told
    assert tales == []


def test_a_cursor_in_the_archive_gives_what_follows_it(small: FileBus) -> None:
    told = posted(small)
    archive(closed_segments(small.path)[:-1])

    for number in (0, 7, 20, 49):
        assert ids(list(small.read(since=told[number]))) == told[number + 1 :]
        assert small.get(told[number]).body == f"message {number}"
    stop = Stop()
    with closing(small.follow(since=told[2], stop=stop)) as follower:
        assert ids(list(islice(follower, len(told) - 3))) == told[3:]


def test_a_cursor_that_the_archive_does_not_hold_is_unknown(small: FileBus) -> None:
    told = posted(small)
    archived = closed_segments(small.path)[:-1]
    archive(archived)
    for one in (f"{told[3]}-0", numbered(0).msg_id, "OTHER-1"):
        with pytest.raises(UnknownCursor):
            list(small.read(since=one))
    archived_path(archived[0].path).unlink()

    with pytest.raises(UnknownCursor):
        list(small.read(since=told[0]))


def test_an_archive_that_cannot_be_unpacked_is_named_and_nothing_is_passed_over(small: FileBus) -> None:
    told = posted(small)
    second = closed_segments(small.path)[1]
    with closing(small.read()) as reader:
        next(reader)
        archive(closed_segments(small.path)[:-1])
        packed = archived_path(second.path)
        packed.write_bytes(packed.read_bytes()[:-20])

        with pytest.raises(BusDamaged, match=packed.name) as refused:
            list(reader)
    assert refused.value.hint == f"gzip -t {packed}"
    assert ids(small.tail(1)) == told[-1:]


def test_the_cursor_of_a_legacy_line_stays_what_it_is_when_older_segments_are_archived(small: FileBus) -> None:
    posted(small)
    with small.path.open("a") as file:
        file.write("[2026-11-21 10:00:00] FACT: by hand\n\n")
    posted(small, 1)
    (legacy,) = [message for message in small.read() if message.body == "by hand"]

    archive(closed_segments(small.path)[:-1])

    assert next(message.msg_id for message in small.tail(2)) == legacy.msg_id
    assert legacy in list(small.read())
    assert len(list(small.read(since=legacy.msg_id))) == 1


def test_verify_finds_nothing_wrong_where_segments_are_archived_under_its_feet(
    small: FileBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, settle = posted(small), Findings.message

    def message(self: Findings, message: Message) -> None:
        archive(closed_segments(small.path)[:-1])
        settle(self, message)

    monkeypatch.setattr(Findings, "message", message)
    report = small.verify()

    assert report.is_sound
    assert report.messages == len(told)


def test_readers_in_other_processes_find_nothing_wrong_while_segments_go(small: FileBus) -> None:
    told = posted(small, 150)
    reader = python(READING, small.path)
    assert reader.stdin is not None
    assert reader.stdout is not None
    reader.stdin.write("go\n" * 30)
    reader.stdin.flush()
    assert reader.stdout.readline() == "ready\n"
    archive(closed_segments(small.path)[:-1])

    said, trouble = reader.communicate()

    assert (said.split(), trouble) == (["True"] * 30, "")
    assert ids(list(small.read(since=told[0]))) == told[1:]
