"""The disk itself: a cut takes what was not flushed and nothing else, so that the tests beside this one can fail."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import kit
from tests.powercut.disk import Disk, powered_disk


def write(path: Path, data: bytes, *, flush: bool) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        if flush:
            os.fsync(file.fileno())


def flush_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def test_a_cut_takes_data_that_nobody_flushed(disk: Disk) -> None:
    write(disk.root / "kept", b"flushed", flush=True)
    write(disk.root / "kept", b"not flushed", flush=False)
    write(disk.root / "lost", b"not flushed", flush=False)

    disk.cut()
    disk.restore()

    assert not (disk.root / "lost").exists()
    assert (disk.root / "kept").read_bytes() != b"not flushed"


def test_a_cut_leaves_what_was_flushed(disk: Disk) -> None:
    write(disk.root / "kept", b"flushed", flush=True)
    flush_directory(disk.root)

    disk.cut()
    disk.restore()

    assert (disk.root / "kept").read_bytes() == b"flushed"


def test_a_cut_takes_a_rename_whose_directory_nobody_flushed(disk: Disk) -> None:
    """What run records would lose without the flush of their directory: the acknowledged revision."""
    write(disk.root / "record", b"old", flush=True)
    flush_directory(disk.root)
    write(disk.root / "new", b"new", flush=True)
    (disk.root / "new").replace(disk.root / "record")

    disk.cut()
    disk.restore()

    assert (disk.root / "record").read_bytes() == b"old"


def test_a_cut_takes_the_content_of_a_renamed_file_that_nobody_flushed(disk: Disk) -> None:
    """The empty file after a crash: the name was flushed with its directory, the data never."""
    write(disk.root / "new", b"new", flush=False)
    (disk.root / "new").replace(disk.root / "record")
    flush_directory(disk.root)

    disk.cut()
    disk.restore()

    assert (disk.root / "record").read_bytes() == b""


def test_after_a_cut_every_write_fails_until_the_power_is_back(disk: Disk) -> None:
    refused = pytest.raises(OSError, match=os.strerror(errno.EIO))
    with (disk.root / "open").open("wb", buffering=0) as file:
        disk.cut()
        with refused:
            file.write(b"late")
        with refused:
            os.fsync(file.fileno())
        with refused:
            (disk.root / "late").touch()

    disk.restore()
    (disk.root / "again").touch()


HOLD = """
import sys
from tests.powercut.disk import powered_disk
with powered_disk() as disk:
    held = (disk.root / "held").open("wb")
    print(disk.image.parent, flush=True)
    sys.stdin.readline()
"""


def holder() -> subprocess.Popen[str]:
    """A process with a disk of its own, on which it has a file open."""
    top = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=top, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def place_of(process: subprocess.Popen[str]) -> Path:
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


def is_in_use(place: Path) -> bool:
    """Whether a mount or a loop device of the disk in `place` is there still."""
    loops = subprocess.run(["losetup", "--list", "--noheadings"], capture_output=True, text=True, check=True).stdout
    return str(place) in loops + Path("/proc/self/mountinfo").read_text()


def test_the_disk_of_a_test_that_was_killed_is_cleared_away_by_the_next(disk: Disk) -> None:
    with holder() as process:
        place = place_of(process)
        process.kill()
    assert is_in_use(place)

    with powered_disk():
        assert not place.exists()

    kit.until(lambda: not is_in_use(place))
    assert disk.root.is_dir(), "the disk of a living test is left alone"


@pytest.mark.usefixtures("disk")
def test_a_disk_is_let_go_while_a_file_is_open_there() -> None:
    with holder() as process:
        place = place_of(process)
        assert is_in_use(place)
        process.communicate("leave\n")

    assert process.returncode == 0
    assert not place.exists()
    kit.until(lambda: not is_in_use(place))
