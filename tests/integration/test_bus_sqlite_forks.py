"""A process forks while it uses a bus in a SQLite database, whose connections must not go along."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

import pytest

from conductor_git.bus.sqlite import SqliteBus
from conductor_git.bus.watching.stop import Stop
from conductor_git.errors import BusMoved, ConductorError
from tests.integration.buses import FACT


@pytest.fixture
def bus(tmp_path: Path) -> SqliteBus:
    return SqliteBus(tmp_path / "conductor" / "bus.sqlite")


def test_a_process_forks_while_its_threads_write_and_follow_and_child_and_parent_go_on(bus: SqliteBus) -> None:
    last = bus.append(FACT)
    followed: list[str] = []
    with Stop() as stop:
        follower = threading.Thread(
            target=lambda: followed.extend(message.msg_id for message in islice(bus.follow(last, stop=stop), 120))
        )
        writers = [threading.Thread(target=lambda: [bus.append(FACT) for _ in range(25)]) for _ in range(4)]
        for thread in (follower, *writers):
            thread.start()
        children = [code for _ in range(4) for code in forked(bus)]
        for thread in (*writers, follower):
            thread.join()

    assert children == [0] * 4
    ids = [message.msg_id for message in bus.read(since=last)]
    assert followed == ids == sorted(set(ids))
    assert len(ids) == 120
    assert bus.verify().is_sound


def forked(bus: SqliteBus) -> Iterator[int]:
    """The exit code of a child that appends five messages."""
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if all(bus.append(FACT) for _ in range(5)) else 2
        finally:
            os._exit(code)
    yield os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for what the child has open")
def test_the_connection_of_a_follower_does_not_go_through_a_fork_and_it_goes_on(bus: SqliteBus) -> None:
    bus.append(FACT)
    with closing(bus.follow()) as messages:
        next(messages)
        assert any("bus.sqlite-wal" in name for name in descriptors())
        child = os.fork()
        if not child:
            os._exit(any("bus.sqlite" in name for name in descriptors()))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

        written = bus.append(FACT)
        assert next(messages).msg_id == written


def descriptors() -> list[str]:
    """What this process has open (Linux)."""
    found = []
    for name in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists them
            found.append(str(name.readlink()))
    return found


def test_a_child_forked_in_the_middle_of_a_transaction_is_refused(bus: SqliteBus) -> None:
    def rest() -> None:
        child = os.fork()
        if not child:
            code = 1
            with suppress(BaseException):
                try:
                    bus.append(FACT)
                except BusMoved:
                    code = 2
                except ConductorError as refused:
                    code = 0 if "was forked in" in refused.message else 3
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    bus.append(FACT)
    bus.hand_over("file:/elsewhere", rest)
    assert bus.halt.moved_to == "file:/elsewhere"
