"""What every backend refuses, by name and with the next step, and that a refusal leaves the disk as it was."""

from __future__ import annotations

import os
import re
import subprocess
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from conductor_git.bus.base import Bus
from conductor_git.bus.watching.stop import Stop
from conductor_git.errors import BadInput, BusDamaged, LockTimeout, StateUnwritable, TooLarge
from conductor_git.message import Message, Parent
from tests import kit
from tests.conformance.backends import FACT, bus_at, program

NOBODY: Final = 65_534
USES: Final[dict[str, Callable[[Bus], object]]] = {
    "append": lambda bus: bus.append(FACT),
    "adopt": lambda bus: bus.adopt([FACT._replace(msg_id="their-1", ts="2026-11-20T10:15:02Z")]),
    "read": lambda bus: list(bus.read()),
    "since": lambda bus: bus.read(since="their-1"),
    "get": lambda bus: bus.get("their-1"),
    "tail": lambda bus: bus.tail(3),
    "follow": lambda bus: followed(bus, 0.2),
    "verify": lambda bus: bus.verify(),
    "acknowledge": lambda bus: bus.acknowledge("anna", "their-1"),
    "hand over": lambda bus: bus.hand_over("file:/elsewhere", lambda: None),
}
"""Everything that can be done with a bus that somebody else's file lies in the place of."""
HOLDER: Final = {
    "file": "import portalocker\nheld = open(path, 'ab'); portalocker.lock(held, portalocker.LOCK_EX)\n",
    "sqlite": "import sqlite3\nheld = sqlite3.connect(path, isolation_level=None); held.execute('BEGIN IMMEDIATE')\n",
}
"""How another program holds the lock of a bus."""


def followed(bus: Bus, seconds: float) -> list[Message]:
    with Stop(seconds) as stop:
        return list(bus.follow(stop=stop))


def path_of(bus: Bus) -> Path:
    return Path(bus.url.partition(":")[2])


def on_disk(top: Path) -> dict[str, tuple[object, ...]]:
    """Every name below `top`, what it is, and the bytes of each regular file."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(top.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path.relative_to(top))] = (oct(status.st_mode), status.st_ino, content)
    return found


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Nobody, not even root, can change `path`; the test is skipped where the file system has no such flag."""
    if subprocess.run(["chattr", "+i", path], check=False, capture_output=True).returncode:
        pytest.skip(f"chattr +i does not work on {path}")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", path], check=True)


@pytest.mark.parametrize("kind", ["directory", "link", "dangling link", "pipe", "socket"])
@pytest.mark.parametrize("use", USES)
def test_what_is_no_regular_file_is_refused_and_left_alone(bus: Bus, tmp_path: Path, kind: str, use: str) -> None:
    path = path_of(bus)
    path.parent.mkdir()
    (tmp_path / "precious").write_bytes(b"mine")
    put_in_place(path, kind, tmp_path)
    before = on_disk(tmp_path)

    with pytest.raises(BusDamaged, match="not a regular file") as refused:
        USES[use](bus)

    assert refused.value.hint == f"ls -ld {path}"
    assert refused.value.facts["path"] == str(path)
    assert on_disk(tmp_path) == before


def put_in_place(path: Path, kind: str, top: Path) -> None:
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, 0o140_600)
    else:
        path.symlink_to(top / ("precious" if kind == "link" else "made-by-us"))


@pytest.mark.parametrize(
    "message",
    [
        FACT._replace(type="fact"),
        FACT._replace(type=""),
        FACT._replace(type="FACT\nmsg_id: MSG-1"),
        FACT._replace(type="TYPÉ"),
        FACT._replace(body="a\0b"),
        FACT._replace(body="\ud800"),
        FACT._replace(task_id="fix\0"),
        FACT._replace(task_id="\udcff"),
        FACT._replace(run_id="\udcff"),
        FACT._replace(meta={"key": "\0"}),
        FACT._replace(meta={"": "value"}),
        FACT._replace(meta={"k" * 129: "value"}),
        FACT._replace(meta={"key": "\udcff"}),
        FACT._replace(parents=(Parent("MSG-\0"),)),
        FACT._replace(attachment_path="a\0b"),
        FACT._replace(extra={"msg_id": "MSG-1"}),
        FACT._replace(extra={"crc": "0"}),
        FACT._replace(extra={"deep": [[[[[[["x"]]]]]]]}),
    ],
)
def test_a_message_that_no_frame_can_hold_is_refused_before_anything_is_written(
    bus: Bus, tmp_path: Path, message: Message
) -> None:
    with pytest.raises(BadInput) as refused:
        bus.append(message)
    assert refused.value.hint
    assert on_disk(tmp_path) == {}

    bus.append(FACT)
    before = on_disk(tmp_path)
    with pytest.raises(BadInput):
        bus.append(message)
    with pytest.raises(BadInput):
        bus.adopt([message._replace(msg_id="their-1", ts="2026-11-20T10:15:02Z")])
    assert on_disk(tmp_path) == before


@pytest.mark.parametrize(
    "message",
    [
        FACT._replace(meta={"key": "x" * (64 << 10)}),
        FACT._replace(meta={f"key-{number}": "é" * 90 for number in range(400)}),
        FACT._replace(parents=tuple(Parent(f"MSG-{number}") for number in range(5000))),
        FACT._replace(body="x" * ((256 << 10) + 1)),
        FACT._replace(body="é" * (129 << 10)),
    ],
    ids=["one value", "many values", "many parents", "a body", "a body in bytes"],
)
def test_a_message_over_the_limits_is_refused_with_the_limit(bus: Bus, tmp_path: Path, message: Message) -> None:
    bus.append(FACT)
    before = on_disk(tmp_path)

    with pytest.raises(TooLarge) as refused:
        bus.append(message)

    assert refused.value.facts["limit"] in (64 << 10, 256 << 10)
    assert "--attach" in refused.value.hint
    assert on_disk(tmp_path) == before


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a\0b", "\udcff", "x" * 65, "-x", "a\nb"])
def test_a_name_that_no_reader_can_have_is_refused(bus: Bus, tmp_path: Path, name: str) -> None:
    cursor = bus.append(FACT)
    before = on_disk(tmp_path)

    with pytest.raises(BadInput):
        bus.acknowledge(name, cursor)
    with pytest.raises(BadInput):
        bus.acknowledged(name)
    assert on_disk(tmp_path) == before


@pytest.mark.parametrize("seconds", [0, 0.3])
def test_a_lock_that_is_held_too_long_is_told_with_file_limit_and_holder(
    bus: Bus, url: str, backend: str, seconds: float
) -> None:
    known = bus.append(FACT)
    path = path_of(bus)
    text = f"path = sys.argv[2]\n{HOLDER[backend]}print('held', flush=True); input()"
    holder = program(text, url, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    late = bus_at(url, seconds)
    for use in ("append", "hand over"):
        with pytest.raises(LockTimeout, match=re.escape(f"{path} was still locked after {seconds:g} s")) as refused:
            USES[use](late)
        assert (refused.value.facts["path"], refused.value.facts["seconds"]) == (str(path), seconds)
        assert refused.value.hint == f"lsof {path}"
        assert f"process {holder.pid} (" in refused.value.facts["holder"]
        assert f"process {holder.pid} (" in refused.value.message
    assert [message.msg_id for message in late.read()] == [known]
    holder.communicate("\n")

    assert [message.msg_id for message in bus.read()] == [known]
    bus.append(FACT)
    assert bus.verify().messages == 2


def test_a_writer_gets_the_lock_as_soon_as_it_is_free(bus: Bus, url: str, backend: str) -> None:
    bus.append(FACT)
    text = f"path = sys.argv[2]\n{HOLDER[backend]}print('held', flush=True); input()"
    holder = program(text, url, path_of(bus))
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    writer = program("sys.stdin.readline(); print(bus.append(Message('FACT', 'late')))", url)
    assert writer.stdin is not None
    writer.stdin.write("\n")
    writer.stdin.flush()
    holder.communicate("\n")
    said = writer.communicate()[0].split()

    assert [message.msg_id for message in bus.read()][1:] == said


@kit.requires("chattr")
def test_a_bus_that_nobody_may_write_to_is_still_read_and_says_so_to_writers(bus: Bus, tmp_path: Path) -> None:
    known = bus.append(FACT)
    before = on_disk(tmp_path)
    with immutable(path_of(bus)):
        with pytest.raises(StateUnwritable) as refused:
            bus.append(FACT)
        assert refused.value.facts["path"] == str(path_of(bus))
        assert "ls -ld" in refused.value.hint
        assert [message.msg_id for message in bus.read()] == [known]
        assert bus.verify().is_sound

    # What SQLite's readers share may lie beside it now.
    assert before.items() <= on_disk(tmp_path).items()
    bus.append(FACT)
    assert bus.verify().messages == 2


@kit.requires("chattr")
def test_a_directory_that_nobody_may_write_to_is_told_and_nothing_is_made(bus: Bus, tmp_path: Path) -> None:
    path_of(bus).parent.mkdir()
    with immutable(path_of(bus).parent):
        with pytest.raises(StateUnwritable):
            bus.append(FACT)
        assert list(bus.read()) == []
    with immutable(tmp_path), pytest.raises(StateUnwritable):
        bus_at(bus.url.replace("conductor", "elsewhere")).append(FACT)

    assert on_disk(tmp_path).keys() == {"conductor"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody")
def test_one_who_may_only_read_reads_and_follows_and_is_refused_to_write(bus: Bus, tmp_path: Path) -> None:
    bus.append(FACT)
    for directory in (path_of(bus).parent, *path_of(bus).parent.parents):
        if directory.stat().st_uid == os.getuid() and directory != Path("/"):
            directory.chmod(directory.stat().st_mode | 0o055)
    before = on_disk(tmp_path)

    assert in_a_child(lambda: as_nobody(bus)) == 0
    assert on_disk(tmp_path) == before


def as_nobody(bus: Bus) -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    assert [message.body for message in bus.read()] == [FACT.body]
    assert [message.body for message in followed(bus, 0.2)] == [FACT.body]
    assert bus.verify().is_sound
    for use in ("append", "hand over"):
        with pytest.raises(StateUnwritable):
            USES[use](bus)


def in_a_child(act: Callable[[], None]) -> int:
    """The exit code of a forked process that does `act`: 0 where it raised nothing."""
    child = os.fork()
    if not child:
        code = 1
        try:
            act()
            code = 0
        except BaseException:  # noqa: BLE001 - the test that waits for this process shows it
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_file_where_a_directory_should_be_is_told(tmp_path: Path, backend: str) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    bus = bus_at(f"{backend}:{tmp_path}/file/bus")

    with pytest.raises(StateUnwritable, match="file is no directory, and one has to be there"):
        bus.append(FACT)
    assert on_disk(tmp_path).keys() == {"file"}
