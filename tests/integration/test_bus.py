"""The file bus among real processes: nothing lost, nothing torn, nothing forged, nothing acknowledged in vain."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

import portalocker
import pytest

from conductor_git import durable
from conductor_git.bus.file import FileBus
from conductor_git.errors import BusDamaged, LockTimeout, StateUnwritable, UnknownCursor
from conductor_git.frame import encode
from conductor_git.message import Message, Parent, make_msg_id, timestamp

NOON = 1_795_174_502_123_456_789
FACT = Message(type="FACT", body="The redirect loop is fixed.", project_id="acme", task_id="fix-login")
WRITER = """
import sys
from pathlib import Path
from conductor_git.bus.file import FileBus
from conductor_git.message import Message
bus, name = FileBus(Path(sys.argv[1]), seconds=60), sys.argv[2]
for number in range(int(sys.argv[3])):
    body = f"{name} {number}\\n---\\n" + "x" * (number % 7 * 300)
    print(bus.append(Message(type="PROGRESS", body=body, task_id=name)), flush=True)
"""


@pytest.fixture
def bus(tmp_path: Path) -> FileBus:
    return FileBus(tmp_path / "conductor" / "MESSAGE-BUS.md")


def python(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def numbered(number: int, body: str = "one of many") -> Message:
    at = NOON + number * 1_000_000
    return FACT._replace(body=f"{body} {number}", msg_id=make_msg_id(at, 4242, number), ts=timestamp(at))


def filled(path: Path, count: int) -> list[Message]:
    messages = [numbered(number) for number in range(count)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(map(encode, messages)))
    return messages


def test_ten_processes_lose_nothing_and_keep_their_own_order(bus: FileBus) -> None:
    writers = [python(WRITER, bus.path, f"writer-{number}", 100) for number in range(10)]
    acknowledged = [writer.communicate() for writer in writers]
    assert [said for _, said in acknowledged if said] == []

    messages = list(bus.read())
    ids = [message.msg_id for message in messages]

    assert len(ids) == 1000
    assert ids == sorted(set(ids))
    for number, (out, _) in enumerate(acknowledged):
        mine = [message for message in messages if message.task_id == f"writer-{number}"]
        assert [message.msg_id for message in mine] == out.split()
        assert [message.body.split("\n")[0] for message in mine] == [f"writer-{number} {place}" for place in range(100)]
    assert bus.verify().is_sound


def test_without_its_lock_ten_processes_do_collide(bus: FileBus) -> None:
    unlocked = "import contextlib; from conductor_git import durable\n"
    unlocked += "durable.flocked = lambda *a, **k: contextlib.nullcontext()\n" + WRITER
    writers = [python(unlocked, bus.path, f"writer-{number}", 100) for number in range(10)]
    for writer in writers:
        writer.communicate()

    ids = [message.msg_id for message in bus.read()]

    assert ids != sorted(set(ids)) or len(ids) != 1000


def test_readers_and_followers_see_whole_messages_once_while_others_write(bus: FileBus) -> None:
    bus.append(FACT)
    writers = [python(WRITER, bus.path, f"writer-{number}", 60) for number in range(3)]
    followed = [message.msg_id for message in islice(bus.follow(), 181)]
    for writer in writers:
        writer.communicate()

    assert followed == [message.msg_id for message in bus.read()]
    assert len(followed) == 181


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
    assert "Input/output error" in (bus.verify().flush_failed or "")
    assert not bus.verify().is_sound

    bus.forget_flush_failure()
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


def test_a_lock_that_is_held_too_long_names_the_process_that_holds_it(bus: FileBus) -> None:
    bus.append(FACT)
    program = (
        "import sys, portalocker\n"
        "held = open(sys.argv[1], 'ab'); portalocker.lock(held, portalocker.LOCK_EX)\n"
        "print('held', flush=True); input()"
    )
    holder = python(program, bus.path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    with pytest.raises(LockTimeout) as refused:
        FileBus(bus.path, seconds=0.05).append(FACT)
    holder.communicate("\n")

    if sys.platform == "linux":
        assert f"process {holder.pid} (" in refused.value.message
    assert refused.value.facts["path"] == str(bus.path)
    bus.append(FACT)
    assert len(list(bus.read())) == 2


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


def test_a_link_a_directory_or_a_pipe_in_place_of_the_bus_is_refused_and_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    (tmp_path / "link").symlink_to(precious)
    (tmp_path / "dangling").symlink_to(tmp_path / "made-by-us")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")

    for name in ("link", "dangling", "directory", "pipe"):
        bus = FileBus(tmp_path / name)
        for use in (
            lambda bus=bus: bus.append(FACT),
            lambda bus=bus: list(bus.read()),
            lambda bus=bus: bus.tail(1),
            lambda bus=bus: bus.verify(),
            lambda bus=bus: next(bus.follow()),
        ):
            with pytest.raises(BusDamaged):
                use()
    assert precious.read_bytes() == b"mine"
    assert not (tmp_path / "made-by-us").exists()


def test_a_bus_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StateUnwritable, match="Not a directory"):
        FileBus(tmp_path / "file" / "bus.md").append(FACT)


def test_a_bus_that_is_not_there_yet_is_empty(bus: FileBus) -> None:
    assert list(bus.read()) == []
    assert bus.tail(3) == []
    assert bus.verify().is_sound
    with pytest.raises(UnknownCursor):
        bus.read(since="MSG-20261120-101502-123456789-PID04242-0001")
    assert not bus.path.exists()


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


def test_a_cursor_named_in_a_body_is_no_place_to_read_from(bus: FileBus) -> None:
    cursor = make_msg_id(NOON, 1, 1)
    bus.append(FACT._replace(body=f"msg_id: {cursor}\ntype: LANDED"))
    bus.append(FACT._replace(body=f"x\n\n---\nmsg_id: {cursor}\ntype: LANDED\n---\n"))
    bus.append(FACT)

    with pytest.raises(UnknownCursor):
        bus.read(since=cursor)


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


def test_two_buses_side_by_side_do_not_mix(tmp_path: Path) -> None:
    short, long = FileBus(tmp_path / "acme" / "bus.md"), FileBus(tmp_path / "acme-2" / "bus.md")
    short.append(FACT._replace(project_id="acme"))
    cursor = long.append(FACT._replace(project_id="acme-2"))

    assert [message.project_id for message in short.read()] == ["acme"]
    with pytest.raises(UnknownCursor):
        short.read(since=cursor)


def test_follow_delivers_what_another_process_appends_after_the_cursor(bus: FileBus) -> None:
    old = bus.append(FACT)
    with closing_follow(bus, since=old) as messages:
        writer = python(WRITER, bus.path, "writer", 5)
        found = [message.msg_id for message in islice(messages, 5)]
        out, _ = writer.communicate()

    assert found == out.split()


def test_follow_waits_for_a_bus_that_is_not_there_yet(bus: FileBus) -> None:
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        if len(asked) == 2:
            bus.append(FACT)
        return False

    assert next(bus.follow(stop=stop)).body == FACT.body


def test_follow_ends_when_it_is_told_to(bus: FileBus) -> None:
    bus.append(FACT)
    answers = iter([False, False, False, True])

    assert [message.body for message in bus.follow(stop=lambda: next(answers))] == [FACT.body]


def test_follow_passes_over_a_tail_that_was_torn_and_replaced_by_one_as_long(bus: FileBus) -> None:
    bus.append(FACT)
    whole = bus.path.read_bytes()
    good = encode(numbered(10**9, "good"))
    bus.path.write_bytes(whole + encode(numbered(10**9 + 1, "torn"))[:-1])
    with closing_follow(bus) as messages:
        assert next(messages).body == FACT.body
        os.truncate(bus.path, len(whole))
        with bus.path.open("ab") as file:
            file.write(good)
        assert next(messages).body == f"good {10**9}"


def test_follow_says_so_when_the_file_is_replaced_under_it(bus: FileBus) -> None:
    bus.append(FACT)
    with closing_follow(bus) as messages:
        next(messages)
        durable.replace(bus.path, b"")
        with pytest.raises(BusDamaged, match="replaced"):
            next(messages)


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
    assert report.damage[0].offset < place < report.damage[0].offset + report.damage[0].length
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


def test_reading_leaves_no_descriptor_open(bus: FileBus) -> None:
    filled(bus.path, 10)
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(20):
        bus.append(FACT)
        next(bus.read())
        bus.tail(2)
        bus.verify()
        with closing_follow(bus) as messages:
            next(messages)

    assert len(list(Path("/dev/fd").iterdir())) == before


def closing_follow(bus: FileBus, since: str | None = None) -> closing[Generator[Message, None, None]]:
    return closing(bus.follow(since))
