"""Writing to the file bus among real processes: nothing lost, nothing torn, nothing acknowledged in vain."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import portalocker
import pytest

from conductor_git import durable
from conductor_git.bus.file import FileBus
from conductor_git.errors import BusDamaged, StateUnwritable
from conductor_git.frames.frame import encode
from tests.integration.buses import FACT, NOON, WRITER, numbered, python


def test_an_id_is_greater_than_the_last_one_even_when_the_clock_went_back(
    bus: FileBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bus.append(FACT)
    monkeypatch.setattr(time, "time_ns", lambda: NOON - 10**18)
    later = [FileBus(bus.path).append(FACT), bus.append(FACT), bus.append(FACT)]

    assert [first, *later] == sorted({first, *later})
    assert [message.msg_id for message in bus.read(since=first)] == later


@pytest.mark.parametrize("known", [False, True], ids=["a new process", "the same process"])
def test_a_torn_tail_at_any_byte_goes_to_the_quarantine_and_costs_nobody_else(bus: FileBus, known: bool) -> None:
    bus.append(FACT)
    whole = bus.path.read_bytes()
    last = encode(numbered(10**9)._replace(meta={"a": "b"}))
    for size in range(1, len(last)):
        bus.path.write_bytes(whole + last[:size])
        before = [message.body for message in bus.read()]
        writer = bus if known else FileBus(bus.path)

        writer.append(FACT._replace(body="after"))

        assert before == [FACT.body]
        assert [message.body for message in bus.read()] == [FACT.body, "after"]
        assert bus.verify().is_sound
        kept = list((bus.path.parent / "quarantine").iterdir())
        assert [path.read_bytes() for path in kept] == [last[:size]]
        kept[0].unlink()


def test_a_writer_that_is_killed_while_it_writes_costs_nothing_that_was_acknowledged(bus: FileBus) -> None:
    big = WRITER.replace('"x" * (number % 7 * 300)', '"x" * 200_000')
    acknowledged: list[str] = []
    for attempt in range(12):
        writer = python(big, bus.path, "victim", 10_000)
        assert writer.stdout is not None
        acknowledged += [writer.stdout.readline().strip() for _ in range(attempt % 3 + 1)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.communicate()[0].split()
    FileBus(bus.path).append(FACT)

    stored = {message.msg_id for message in bus.read()}
    report = bus.verify()

    assert set(acknowledged) <= stored
    assert report.is_sound
    assert report.torn is None


def test_a_full_disk_costs_the_message_alone_and_the_torn_part_is_gone(bus: FileBus) -> None:
    bus.append(FACT)
    limited = """
import resource, signal, sys
from pathlib import Path
from conductor_git.bus.file import FileBus
from conductor_git.errors import StateUnwritable
from conductor_git.message import Message
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, resource.RLIM_INFINITY))
try:
    FileBus(path).append(Message(type="FACT", body="x" * 1000))
except StateUnwritable as refused:
    print(refused.message)
"""
    before = bus.path.read_bytes()

    said, _ = python(limited, bus.path).communicate()

    assert "could not be written: File too large" in said
    assert bus.path.read_bytes() == before
    bus.append(FACT)
    assert len(list(bus.read())) == 2


def test_a_failed_flush_is_reported_once_and_then_every_writer_is_refused(
    bus: FileBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.append(FACT)

    def broken(_fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(durable, "flush", broken)
        with pytest.raises(BusDamaged, match="Input/output error"):
            bus.append(FACT)
    before = bus.path.read_bytes()

    for writer in (bus, FileBus(bus.path)):
        with pytest.raises(BusDamaged, match="takes no messages") as refused:
            writer.append(FACT)
        assert refused.value.hint == "conductor-git bus verify"
    assert bus.path.read_bytes() == before
    assert "Input/output error" in (bus.verify().halted or "")
    assert not bus.verify().is_sound

    bus.halt.lift()
    bus.append(FACT)
    assert bus.verify().is_sound


def test_a_failed_flush_stays_refused_in_its_process_where_no_marker_could_be_written(
    bus: FileBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.append(FACT)

    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(durable, "flush", broken)
        patch.setattr(os, "fsync", broken)
        with pytest.raises(BusDamaged):
            bus.append(FACT)

    with pytest.raises(BusDamaged, match="takes no messages"):
        bus.append(FACT)


@pytest.mark.parametrize("call", ["open", "fstat", "lstat", "pread", "write", "ftruncate", "fsync", "fdatasync"])
def test_no_message_is_acknowledged_when_any_call_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real: Callable[..., object] = getattr(os, call)
    for failing in range(1, 8):
        bus = FileBus(tmp_path / f"{failing}" / "bus.md")
        bus.append(FACT)
        bus.path.write_bytes(bus.path.read_bytes() + b"---\nmsg_id: torn")
        calls = iter(range(1, 100))

        def injected(
            *arguments: object, _calls: Iterator[int] = calls, _failing: int = failing, **named: object
        ) -> object:
            if next(_calls) == _failing:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(*arguments, **named)

        acknowledged = None
        with monkeypatch.context() as patch:
            patch.setattr(os, call, injected)
            with suppress(StateUnwritable, BusDamaged):
                acknowledged = FileBus(bus.path).append(FACT._replace(body="second"))
        happened = next(calls) > failing

        assert happened == (acknowledged is None)
        if acknowledged is not None:
            assert [message.msg_id for message in bus.read()][-1] == acknowledged


def test_the_name_of_a_new_bus_is_durable_before_its_first_message(
    bus: FileBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []
    directory, data = durable.flush_directory, durable.flush

    def watched_directory(path: Path) -> None:
        if path == bus.path.parent:
            seen.append(("directory", bus.path.stat().st_size))
        directory(path)

    def watched_data(fd: int) -> None:
        seen.append(("data", os.fstat(fd).st_size))
        data(fd)

    monkeypatch.setattr(durable, "flush_directory", watched_directory)
    monkeypatch.setattr(durable, "flush", watched_data)
    bus.append(FACT)
    size = bus.path.stat().st_size
    bus.append(FACT)

    assert seen == [("directory", 0), ("data", size), ("data", bus.path.stat().st_size)]


def test_the_flush_comes_after_the_unlock_so_that_waiting_writers_share_it(
    bus: FileBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    free: list[bool] = []

    def watched(_fd: int) -> None:
        fd = os.open(bus.path, os.O_RDWR)
        with durable.flocked(fd, seconds=0, path=bus.path):
            free.append(True)
        os.close(fd)

    monkeypatch.setattr(durable, "flush", watched)
    bus.append(FACT)

    assert free == [True]


def test_another_tool_that_locks_with_portalocker_waits_for_our_writer(
    bus: FileBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.append(FACT)
    refused: list[bool] = []
    real = os.write

    def watched(fd: int, data: bytes) -> int:
        with bus.path.open("ab") as other, pytest.raises(portalocker.AlreadyLocked):
            portalocker.lock(other, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        refused.append(True)
        return real(fd, data)

    monkeypatch.setattr(os, "write", watched)
    bus.append(FACT)

    assert refused == [True]


def test_a_bus_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StateUnwritable, match="file is no directory, and one has to be there"):
        FileBus(tmp_path / "file" / "bus.md").append(FACT)
