"""A bus under a crowd: nothing acknowledged is lost, nothing is seen twice, whoever is killed."""

from __future__ import annotations

import os
import select
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from conductor_git.bus.file import FileBus
from conductor_git.message import Message, id_key
from tests import kit
from tests.soak.crowd import Crowd, body_of, line_of

WRITERS, FOLLOWERS = 8, 4
SECONDS = float(os.environ.get("CONDUCTOR_SOAK_SECONDS", "600"))
"""How long the long form takes; read here, since no test sees such a variable."""


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_bus_under_a_crowd_for_minutes_loses_and_repeats_nothing(tmp_path: Path) -> None:
    soak(tmp_path, seconds=SECONDS, kill_every=1, rotate_every=2)


def test_a_bus_under_a_crowd_for_seconds_loses_and_repeats_nothing(tmp_path: Path) -> None:
    soak(tmp_path, seconds=5, kill_every=0.3, rotate_every=0.5)


def soak(place: Path, seconds: float, kill_every: float, rotate_every: float) -> None:
    """Let a crowd work for so long, and then look at what is there."""
    with Crowd(place, WRITERS, FOLLOWERS) as crowd:
        start = time.monotonic()
        every = {crowd.kill_one: kill_every, crowd.rotate: rotate_every}
        due = dict(every)
        while (at := min(due.values())) < seconds:
            select.select([], [], [], max(0.0, start + at - time.monotonic()))
            act = min(due, key=lambda one: due[one])
            act()
            due[act] = max(due[act] + every[act], time.monotonic() - start)
        crowd.end_writers()
        last = FileBus(crowd.path).append(Message(type="FACT", body="That was all."))
        kit.until(lambda: all(last in end_of(notes) for notes in crowd.seen()), seconds=600)
        crowd.end_followers()
        check(crowd, last)


def end_of(file: Path) -> str:
    with file.open("rb") as notes:
        notes.seek(max(file.stat().st_size - 200, 0))
        return notes.read().decode()


def check(crowd: Crowd, last: str) -> None:
    messages, stored = whole(crowd.path, last)
    acknowledged = crowd.acknowledged()

    assert stored.keys() <= acknowledged.keys()
    for name, ids in acknowledged.items():
        assert stored[name][: len(ids)] == ids
        # A writer that was killed may have been on the way back from one more.
        assert len(stored[name]) - len(ids) <= (name in crowd.killed)
    for notes in crowd.seen():
        assert notes.read_text() == "".join(messages)
    assert crowd.said.read_text() == ""
    report = FileBus(crowd.path).verify()
    assert report.is_sound
    assert report.torn is None
    assert report.messages == len(messages)
    assert report.segments > crowd.rotations
    killed = len(crowd.killed)
    sys.stderr.write(f"{len(messages)} messages, {crowd.rotations} rotations, {killed} writers killed\n")


def whole(path: Path, last: str) -> tuple[list[str], dict[str, list[str]]]:
    """A line for each message, and the ids by writer: ids rise, bodies are whole, and each writer's are in order."""
    lines, stored, before = [], defaultdict[str, list[str]](list), ""
    for message in FileBus(path).read():
        assert id_key(message.msg_id) > before
        before = id_key(message.msg_id)
        lines.append(line_of(message))
        if message.msg_id != last:
            assert message.task_id
            assert message.body == body_of(message.task_id, len(stored[message.task_id]))
            stored[message.task_id].append(message.msg_id)
    return lines, stored
