"""A system call of an append fails, or the disk is full: what was acknowledged is on the bus, and the bus goes on."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest

from conductor_git.bus.address import open_bus, parse_address
from conductor_git.bus.halt import Halt
from tests import kit
from tests.faults.bus_findings import AFTER, false_acknowledgements, findings
from tests.faults.bus_scenes import FILE, SCENES, SQLITE, Theatre, in_memory, some, theatre
from tests.faults.failing import Ended, Point, Stage

ERRORS: Final = ("EIO", "ENOSPC", "ENOLCK")
QUICK: Final = 12
"""So many points of each scene stand for all of them where there are only seconds."""

FILLER: Final = """
import resource, signal, sys
from hashlib import sha256
from conductor_git.bus.address import open_bus, parse_address
from conductor_git.bus.halt import Halt
from conductor_git.errors import StateUnwritable
from conductor_git.message import Message
url, size, quota = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
bus = open_bus(parse_address(url))
if quota:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (quota, resource.RLIM_INFINITY))
while True:
    body = f"{size} bytes ü " + "x" * size
    try:
        print(bus.append(Message(type="FACT", body=body)), sha256(body.encode()).hexdigest(), flush=True)
    except StateUnwritable as refused:
        print("refused", refused.hint, flush=True)
        break
    size = size * 7 % 60_000 + 200
"""


@pytest.fixture(params=SCENES)
def played(request: pytest.FixtureRequest) -> Iterator[Theatre]:
    with in_memory() as place:
        yield theatre(SCENES[request.param], place)


@kit.requires("strace")
def test_no_call_that_changes_something_fails_into_a_false_acknowledgement(
    played: Theatre, record_property: Callable[[str, object], None]
) -> None:
    chosen = [point for point in played.points if point.is_change][:QUICK]

    wrong = tried(played, zip(chosen, cycle(ERRORS), strict=False), record_property)

    assert not wrong, "\n".join(wrong)


@kit.requires("strace")
@pytest.mark.faults
@pytest.mark.parametrize("error", ERRORS)
def test_no_call_at_all_fails_into_a_false_acknowledgement(
    played: Theatre, error: str, record_property: Callable[[str, object], None]
) -> None:
    wrong = tried(played, zip(played.points, cycle([error]), strict=False), record_property)

    assert not wrong, "\n".join(wrong)


@kit.requires("strace")
@pytest.mark.parametrize("url", [FILE, SQLITE], ids=["file", "sqlite"])
def test_a_halted_bus_takes_no_message_whatever_call_fails(
    url: str, record_property: Callable[[str, object], None]
) -> None:
    with in_memory() as place:
        stage = Stage(place, url, halted)
        stage.built()
        points = [point for point in stage.points(acknowledged=0) if ".halted" in point.line]
        taken = {str(point): run.said for point in points if _took(run := stage.failing(point, "EIO"))}

    record_property("faults injected", len(points))
    assert points
    assert not taken


def halted(url: str) -> None:
    some(url)
    Halt(parse_address(url).path).flush_failed(OSError(errno.EIO, os.strerror(errno.EIO)))


def _took(run: Ended) -> bool:
    return any(line.startswith("MSG-") for line in run.said)


def tried(
    played: Theatre, points: Iterable[tuple[Point, str]], record_property: Callable[[str, object], None]
) -> list[str]:
    """What is wrong after each of the faults by itself."""
    wrong: list[str] = []
    count = unfounded = 0
    for point, error in points:
        run = played.stage.failing(point, error)
        assert run.injected, f"{point} was not reached: {run}"
        false = false_acknowledgements(played.stage, run)
        found = [*false, *findings(played.stage, run, played.before)]
        wrong += [f"{error} at {point}\n    " + "\n    ".join(map(str, [*found, run.said, run.err]))] if found else []
        count, unfounded = count + 1, unfounded + len(false)
    record_property("faults injected", count)
    record_property("false acknowledgements", unfounded)
    return wrong


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB, so small that the kernel refuses a write in the middle."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.faults
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("url", [FILE, SQLITE], ids=["file", "sqlite"])
@pytest.mark.parametrize("size", [200, 4321, 50_000])
def test_a_full_disk_costs_nothing_that_was_acknowledged(small_disk: Path, url: str, size: int) -> None:
    (small_disk / "ballast").write_bytes(b"x" * 300_000)
    bus = url.format(small_disk / "conductor")
    told = filled(bus, size, quota=0)

    holds_exactly(bus, told)
    (small_disk / "ballast").unlink()
    goes_on(bus, told)


@pytest.mark.parametrize("url", [FILE, SQLITE], ids=["file", "sqlite"])
@pytest.mark.parametrize("size", [200, 4321, 50_000])
def test_a_file_that_may_grow_no_further_costs_nothing_that_was_acknowledged(
    tmp_path: Path, url: str, size: int
) -> None:
    bus = url.format(tmp_path / "conductor")
    told = filled(bus, size, quota=600_123)

    holds_exactly(bus, told)
    goes_on(bus, told)


def filled(url: str, size: int, quota: int) -> dict[str, str]:
    """Append until there is no room: the ids that were acknowledged, with the digests of their bodies."""
    command = [sys.executable, "-c", FILLER, url, str(size), str(quota)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    *told, refused = (line.split(" ", 1) for line in done.stdout.splitlines())
    assert (done.returncode, done.stderr, refused[0]) == (0, "", "refused")
    assert len(told) > 2
    return dict(told)


def holds_exactly(url: str, told: dict[str, str]) -> None:
    bus = open_bus(parse_address(url))
    assert {message.msg_id: sha256(message.body.encode()).hexdigest() for message in bus.read()} == told
    report = bus.verify()
    assert report.is_sound
    assert report.torn is None


def goes_on(url: str, told: dict[str, str]) -> None:
    bus = open_bus(parse_address(url))
    last = bus.append(AFTER)
    assert [message.msg_id for message in bus.read()] == [*told, last]
    assert bus.verify().is_sound
