"""Delivery to a reader with a name: what it did not acknowledge it reads again, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conductor_git import durable
from conductor_git.bus.base import Bus
from conductor_git.bus.file import FileBus
from conductor_git.bus.readers import Readers, parse_reader
from conductor_git.errors import BadInput, BusDamaged, UnknownCursor
from tests import kit
from tests.conformance.backends import BACKENDS, FACT, bus_at, program, url_in

WORKER = """
name, acts = sys.argv[2], int(sys.argv[3])
for message in bus.read(since=bus.acknowledged(name)):
    print("read", message.msg_id, flush=True)
    if not acts:
        sys.stdin.read()
    bus.acknowledge(name, message.msg_id)
    print("acted", message.msg_id, flush=True)
    acts -= 1
"""
"""Reads on from its cursor, acts so many times, and then reads one more that it never comes to act on."""


@pytest.fixture(params=BACKENDS)
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> Bus:
    return bus_at(url_in(tmp_path / "conductor", str(request.param)))


@pytest.fixture
def readers(tmp_path: Path) -> Readers:
    return Readers(tmp_path / "MESSAGE-BUS.md")


def directory(readers: Readers, tmp_path: Path) -> Path:
    readers.advance("anybody", "MSG-1", is_after)
    return tmp_path / "MESSAGE-BUS.md.readers"


def is_after(one: str, other: str) -> bool:
    return one > other


def killed(bus: Bus, name: str, acts: int) -> list[str]:
    """What a worker said that was killed with a message read and not acted on."""
    worker = program(WORKER, bus.url, name, acts)
    assert worker.stdout is not None
    said = [worker.stdout.readline().rstrip() for _ in range(2 * acts + 1)]
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    return said


def test_a_worker_that_dies_between_reading_and_acting_reads_again(bus: Bus) -> None:
    ids = [bus.append(FACT) for _ in range(8)]

    acted: list[str] = []
    for acts in (0, 3, 0, 2, 0):
        *before, last = killed(bus, "fix-login", acts)
        acted += [line.removeprefix("acted ") for line in before if line.startswith("acted ")]
        assert last == f"read {ids[len(acted)]}"
        assert bus.acknowledged("fix-login") == (acted[-1] if acted else None)
    whole, _ = program(WORKER, bus.url, "fix-login", 100).communicate()
    acted += [line.removeprefix("acted ") for line in whole.splitlines() if line.startswith("acted ")]

    assert acted == ids
    assert program(WORKER, bus.url, "fix-login", 100).communicate()[0] == ""


def test_readers_do_not_know_of_each_other(bus: Bus) -> None:
    ids = [bus.append(FACT) for _ in range(3)]
    bus.acknowledge("first", ids[1])

    assert bus.acknowledged("second") is None
    assert bus.acknowledged("First") is None
    assert bus.acknowledged("first") == ids[1]


def test_a_cursor_never_goes_back(bus: Bus) -> None:
    ids = [bus.append(FACT) for _ in range(3)]

    assert bus.acknowledge("fix-login", ids[1]) == ids[1]
    assert bus.acknowledge("fix-login", ids[0]) == ids[1]
    assert bus.acknowledged("fix-login") == ids[1]
    assert bus.acknowledge("fix-login", ids[2]) == ids[2]


def test_eight_processes_that_acknowledge_at_once_end_at_the_last_message(bus: Bus) -> None:
    ids = [bus.append(FACT) for _ in range(40)]
    text = "for msg_id in sys.argv[2:]: print(bus.acknowledge('fix-login', msg_id), flush=True)"
    workers = [program(text, bus.url, *ids[number::8]) for number in range(8)]

    for worker in workers:
        out, err = worker.communicate()
        assert err == ""
        assert out.split() == sorted(out.split())
    assert bus.acknowledged("fix-login") == ids[-1]


def test_an_unknown_message_is_not_acknowledged(bus: Bus) -> None:
    known = bus.append(FACT)
    bus.acknowledge("fix-login", known)

    with pytest.raises(UnknownCursor):
        bus.acknowledge("fix-login", known[:-1])
    assert bus.acknowledged("fix-login") == known


BAD_NAMES = ["", ".x", "../x", "a/b", "a..b", "x.lock", "X.LOCK", "-x", "a b", "ü", "x\n", "x" * 65, "a\0b"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_what_is_no_name_of_a_reader_is_refused_and_makes_nothing(bus: Bus, name: str, tmp_path: Path) -> None:
    msg_id = bus.append(FACT)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(BadInput):
        bus.acknowledge(name, msg_id)
    with pytest.raises(BadInput):
        bus.acknowledged(name)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["a", "9", "Anna", "anna@host", "fix-login", "a.b_c+d", "x" * 64, "LOCK"])
def test_names_of_people_workers_and_machines_are_readers(readers: Readers, name: str) -> None:
    assert parse_reader(name) == name
    assert readers.advance(name, "MSG-1", is_after) == "MSG-1"
    assert readers.all() == {name: "MSG-1"}


def test_two_names_that_differ_in_case_share_no_file_where_case_is_folded(readers: Readers, tmp_path: Path) -> None:
    for number, name in enumerate(("anna", "Anna", "aNNa", "ANNA")):
        readers.advance(name, f"MSG-{number}", is_after)

    names = [path.name.lower() for path in directory(readers, tmp_path).iterdir()]
    assert len(names) == len(set(names)) == 6
    assert readers.all() == {"ANNA": "MSG-3", "Anna": "MSG-1", "aNNa": "MSG-2", "anna": "MSG-0", "anybody": "MSG-1"}


PLANTED: dict[str, Callable[[Path], object]] = {
    "a link": lambda path: path.symlink_to(path.with_name("anybody")),
    "a link to nothing": lambda path: path.symlink_to("made-by-us"),
    "a directory": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a megabyte": lambda path: path.write_bytes(b"x" * 1_000_000),
    "nothing": lambda path: path.write_bytes(b""),
    "an empty line": lambda path: path.write_bytes(b"\n"),
    "half a line": lambda path: path.write_bytes(b"MSG-1"),
    "two lines": lambda path: path.write_bytes(b"MSG-1\nMSG-2\n"),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\n"),
    "a terminal escape": lambda path: path.write_bytes(b"\x1b[2J\n"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_no_cursor_is_told_and_neither_followed_nor_replaced(
    readers: Readers, tmp_path: Path, planted: str
) -> None:
    place = directory(readers, tmp_path)
    PLANTED[planted](place / "fix-login")
    before = os.lstat(place / "fix-login")

    for use in (
        lambda: readers.get("fix-login"),
        lambda: readers.advance("fix-login", "MSG-9", is_after),
        readers.all,
    ):
        with pytest.raises(BusDamaged, match="not a reader's cursor"):
            use()
    after = os.lstat(place / "fix-login")
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert readers.get("anybody") == "MSG-1"
    assert not (place / "made-by-us").exists()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_directory_of_cursors_that_is_none_is_refused(readers: Readers, tmp_path: Path, kind: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    place = tmp_path / "MESSAGE-BUS.md.readers"
    if kind == "link":
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.write_bytes(b"")

    with pytest.raises(BusDamaged):
        readers.get("fix-login")
    with pytest.raises(BusDamaged):
        readers.advance("fix-login", "MSG-1", is_after)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("msg_id", ["", "two\nlines", "x" * 2000, "\x1b[2J", "\udcff"])
def test_an_id_that_no_file_could_give_back_is_no_cursor(readers: Readers, msg_id: str) -> None:
    with pytest.raises(BadInput):
        readers.advance("fix-login", msg_id, is_after)
    assert readers.get("fix-login") is None


def test_one_that_is_killed_while_it_acknowledges_leaves_the_old_cursor_or_the_new(
    readers: Readers, tmp_path: Path
) -> None:
    place = directory(readers, tmp_path)
    text = """
import os, signal, sys
from pathlib import Path
from conductor_git import durable
from conductor_git.bus.readers import Readers
setattr(sys.modules[sys.argv[2]], sys.argv[3], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
Readers(Path(sys.argv[1])).advance("anybody", "MSG-2", lambda one, other: one > other)
"""
    for module, call, left in (
        ("os", "fsync", "MSG-1"),
        ("os", "replace", "MSG-1"),
        ("conductor_git.durable", "flush_directory", "MSG-2"),
    ):
        done = subprocess.run([sys.executable, "-c", text, tmp_path / "MESSAGE-BUS.md", module, call], check=False)
        assert done.returncode == -signal.SIGKILL
        assert readers.get("anybody") == left
    readers.advance("anybody", "MSG-3", is_after)

    assert sorted(path.name for path in place.iterdir()) == [".lock", "anybody"]


def test_the_name_of_a_new_directory_is_flushed_before_the_first_cursor_is_acknowledged(
    readers: Readers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "MESSAGE-BUS.md.readers").mkdir()  # by a neighbour that has not come to its flush
    flushed: list[Path] = []
    real = durable.flush_directory

    def watched(path: Path) -> None:
        flushed.append(path)
        real(path)

    monkeypatch.setattr(durable, "flush_directory", watched)
    readers.advance("fix-login", "MSG-1", is_after)

    assert flushed == [tmp_path, tmp_path / "MESSAGE-BUS.md.readers"]


def test_acknowledging_waits_while_another_process_does(tmp_path: Path) -> None:
    bus = FileBus(tmp_path / "MESSAGE-BUS.md")
    ids = [bus.append(FACT) for _ in range(2)]
    bus.acknowledge("fix-login", ids[0])
    lock = tmp_path / "MESSAGE-BUS.md.readers" / ".lock"

    with durable.lock(lock):
        waiting = program("print(bus.acknowledge('fix-login', sys.argv[2]))", bus.url, ids[1])
        kit.until(lambda: any(link.resolve() == lock for link in Path(f"/proc/{waiting.pid}/fd").iterdir()))
        assert bus.acknowledged("fix-login") == ids[0]
    assert waiting.communicate()[0].strip() == ids[1]
