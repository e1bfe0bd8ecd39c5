"""The bus in a SQLite database: what no other backend has to promise, or promises otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from contextlib import closing, suppress
from pathlib import Path

import pytest

from conductor_git import durable
from conductor_git.bus.sqlite import SqliteBus
from conductor_git.bus.watching.stop import Stop
from conductor_git.errors import BadInput, BusDamaged, StateUnwritable, UnknownCursor
from conductor_git.message import Message
from tests import kit
from tests.integration.buses import FACT, NOON, beside, numbered, opened, python

WRITER = """
import sys
from pathlib import Path
from conductor_git.bus.sqlite import SqliteBus
from conductor_git.message import Message
bus = SqliteBus(Path(sys.argv[1]), seconds=60)
for number in range(int(sys.argv[2])):
    print(bus.append(Message(type="PROGRESS", body=f"{number}" + "x" * int(sys.argv[3]))), flush=True)
"""


@pytest.fixture
def bus(tmp_path: Path) -> SqliteBus:
    return SqliteBus(tmp_path / "conductor" / "bus.sqlite")


def injected(fault: str, *arguments: object) -> list[str]:
    """What a writer acknowledged to whom the kernel did `fault`."""
    command = ["strace", "-f", "-o", os.devnull, "-e", f"inject={fault}", sys.executable, "-c", WRITER]
    return subprocess.run([*command, *map(str, arguments)], check=False, capture_output=True, text=True).stdout.split()


def test_an_id_is_greater_than_every_id_of_ours_even_when_the_clock_went_back(
    bus: SqliteBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bus.append(FACT)
    bus.adopt(
        [FACT._replace(msg_id="zz-their-own"), FACT._replace(msg_id="MSG-20261320-101502-123456789-PID04242-0001")]
    )
    monkeypatch.setattr(time, "time_ns", lambda: NOON - 10**18)
    later = [SqliteBus(bus.path).append(FACT), bus.append(FACT)]

    assert [first, *later] == sorted({first, *later})


@pytest.mark.parametrize("msg_id", ["", "a: b", 'a "b"', "a #b", "a\ntype: LANDED", "\udcff", " a", "- a"])
def test_an_id_that_would_be_read_back_as_another_is_not_adopted(bus: SqliteBus, msg_id: str) -> None:
    with suppress(BadInput):
        bus.adopt([FACT._replace(msg_id=msg_id, ts="2026-11-20T10:15:02Z")])

    assert [message.msg_id for message in bus.read()] in ([], [msg_id])
    assert bus.verify().is_sound


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE message SET frame = replace(frame, 'many', 'more') WHERE place = 2", "checksum"),
        ("UPDATE message SET frame = substr(frame, 1, 60) WHERE place = 2", "ends early"),
        ("UPDATE message SET frame = (SELECT frame FROM message WHERE place = 1) WHERE place = 2", "its row names"),
        ("UPDATE message SET type = 'LANDED' WHERE place = 2", "its row names"),
        ("UPDATE message SET task_id = NULL WHERE place = 2", "its row names"),
        ("UPDATE message SET frame = 17 WHERE place = 2", "ends early"),
        ("UPDATE message SET frame = frame || frame WHERE place = 2", "its row names"),
    ],
)
def test_a_row_that_was_changed_is_passed_over_and_named_by_verify(bus: SqliteBus, change: str, reason: str) -> None:
    messages = [numbered(number) for number in range(3)]
    bus.adopt(messages)
    with opened(bus) as db:
        db.execute(change)
        length = db.execute("SELECT length(CAST(frame AS BLOB)) FROM message WHERE place = 2").fetchone()[0]

    report = bus.verify()

    assert list(bus.read()) == bus.tail(3) == [messages[0], messages[2]]
    assert (report.messages, report.damaged, report.is_sound) == (2, 1, False)
    place = report.damage[0].damage
    assert (report.damage[0].path, place.offset, place.length) == (bus.path, 2, length)
    assert reason in report.damage[0].damage.reason
    with pytest.raises(UnknownCursor):
        bus.get(messages[1].msg_id)


def test_ids_out_of_order_and_broken_pages_are_named_by_verify(bus: SqliteBus) -> None:
    bus.adopt([numbered(number, "x" * 3000) for number in range(50)])
    with opened(bus) as db:
        db.execute("UPDATE message SET place = 99 WHERE place = 1")
    assert bus.verify().disordered == (numbered(0).msg_id,)

    data = bytearray(bus.path.read_bytes())
    data[5 * 4096 : -4096] = b"\xff" * (len(data) - 6 * 4096)
    bus.path.write_bytes(data)
    report = bus.verify()

    assert report.damaged
    assert not report.is_sound
    assert report.damage[0].path == bus.path


def test_a_full_disk_costs_the_message_alone(bus: SqliteBus) -> None:
    bus.append(FACT)
    limited = """
import resource, signal, sys
from pathlib import Path
from conductor_git.bus.sqlite import SqliteBus
from conductor_git.errors import StateUnwritable
from conductor_git.message import Message
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    SqliteBus(Path(sys.argv[1])).append(Message(type="FACT", body="x" * 200_000))
except StateUnwritable as refused:
    print(refused.message)
"""
    said, errors = python(limited, bus.path).communicate()

    assert f"{bus.path} could not be written" in said, errors
    bus.append(FACT)
    assert [message.body for message in bus.read()] == [FACT.body, FACT.body]
    assert bus.verify().is_sound


@kit.requires("strace")
@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
def test_no_flush_that_fails_is_acknowledged_or_tried_again(tmp_path: Path, call: str) -> None:
    for k in range(1, 7):
        bus = SqliteBus(tmp_path / str(k) / "bus.sqlite")
        first = bus.append(FACT)
        said = injected(f"{call}:error=EIO:when={k}", bus.path, 2, 10)
        reason = bus.verify().halted

        assert {first, *said} <= {message.msg_id for message in bus.read()}
        assert (reason is None) == (len(said) == 2)
        if reason:
            with pytest.raises(BusDamaged, match="takes no messages"):
                bus.append(FACT)


@kit.requires("strace")
def test_each_message_is_flushed_before_it_is_acknowledged(tmp_path: Path) -> None:
    acknowledged = set()
    for k in range(1, 6):
        bus = SqliteBus(tmp_path / str(k) / "bus.sqlite")
        bus.append(FACT)
        with opened(bus):
            bus.append(FACT)  # the first one in a log has names to flush, too
            acknowledged.add(len(injected(f"fdatasync:error=EIO:when={k}", bus.path, 2, 10)))

    # SQLite has other flushes too, of a directory that is on disk already; when one of those fails, both are stored.
    assert acknowledged == {0, 1, 2}


@kit.requires("strace")
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync", "fsync", "rename", "unlink", "ftruncate", "mkdir"])
def test_a_writer_that_is_killed_at_any_call_leaves_a_bus_that_goes_on(tmp_path: Path, call: str) -> None:
    for k in range(1, 12):
        bus = SqliteBus(tmp_path / str(k) / "bus.sqlite")
        said = injected(f"{call}:signal=KILL:when={k}", bus.path, 2, 10)
        assert set(said) <= {message.msg_id for message in bus.read()}
        last = bus.append(FACT)
        ids = [message.msg_id for message in bus.read()]

        assert ids == sorted(ids)
        assert ids[-1] == last
        assert bus.verify().is_sound
        if len(said) == 2 and k > 1:
            break


def test_the_names_of_database_and_log_are_durable_before_the_first_message_in_either(
    bus: SqliteBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, int]] = []
    real = durable.flush_directory

    def watched(path: Path) -> None:
        log = beside(bus, "-wal")
        if path == bus.path.parent and log.exists():
            seen.append((bus.path.exists(), log.stat().st_size))
        real(path)

    monkeypatch.setattr(durable, "flush_directory", watched)
    bus.append(FACT)
    assert seen == [(True, 0)]
    with opened(bus):
        bus.append(FACT)
        bus.append(FACT)
    assert seen == [(True, 0)] * 2


def test_a_reader_that_rests_keeps_no_log_growing_and_memory_is_flat(bus: SqliteBus) -> None:
    bus.adopt(numbered(number, "x" * 5_000) for number in range(4_000))
    tracemalloc.start()
    assert sum(1 for _ in bus.read()) == 4_000
    assert sum(1 for _ in bus.read(types=("FACT", "ERROR"), task_id="fix-login")) == 4_000
    bus.verify()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000

    with closing(bus.read()) as reading, closing(bus.follow()) as following, opened(bus) as db:
        next(reading)
        next(following)
        bus.append(FACT)
        assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        assert not beside(bus, "-wal").stat().st_size


@kit.requires("strace")
def test_a_follower_gets_a_message_whose_flush_takes_longer_than_its_look(bus: SqliteBus) -> None:
    last = bus.append(FACT)
    with opened(bus), closing(bus.follow(last)) as messages, Stop(60) as stop:
        found: list[Message] = []
        thread = threading.Thread(target=lambda: found.append(next(bus.follow(last, stop=stop))))
        thread.start()
        said = injected("fdatasync:delay_enter=300000", bus.path, 1, 10)
        thread.join()
        assert [message.msg_id for message in found] == said
        assert next(messages).msg_id == said[0]


def test_a_follower_goes_on_where_the_database_is_replaced_by_hand(bus: SqliteBus) -> None:
    told: list[str] = []
    bus.append(FACT)
    with closing(bus.follow(tell=told.append)) as messages:
        next(messages)
        other = SqliteBus(bus.path.with_name("other.sqlite"))
        written = other.append(FACT._replace(body="new"))
        for end in ("-wal", "-shm"):
            beside(bus, end).unlink(missing_ok=True)
        bus.path.unlink()
        other.path.rename(bus.path)
        assert next(messages).msg_id == written
    assert "replaced by hand" in told[0]


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for what another process has open")
def test_a_signal_ends_a_writer_that_waits_for_the_lock(bus: SqliteBus) -> None:
    bus.append(FACT)
    with opened(bus) as db:
        db.execute("BEGIN IMMEDIATE")
        waiting = python(WRITER.replace("for number", "print('waiting', flush=True)\nfor number", 1), bus.path, 1, 1)
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "waiting\n"
        kit.until(lambda: any("-shm" in name for name in descriptors(waiting.pid)))
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate()

    assert "KeyboardInterrupt" in said
    assert len(list(bus.read())) == 1


def descriptors(pid: int) -> list[str]:
    """What a process has open (Linux)."""
    return [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]


def test_a_directory_that_cannot_be_flushed_halts_the_bus(bus: SqliteBus, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> None:
        raise OSError(5, "Input/output error")

    bus.append(FACT)
    with monkeypatch.context() as patch:
        patch.setattr(durable, "flush_directory", broken)
        with pytest.raises((BusDamaged, StateUnwritable)):
            bus.append(FACT)

    with pytest.raises(BusDamaged, match="takes no messages"):
        bus.append(FACT)
    bus.halt.lift()
    bus.append(FACT)
    assert len(list(bus.read())) == 2
