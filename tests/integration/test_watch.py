"""Waiting for a file to change: every change by another process wakes, nothing else does, and waiting costs nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conductor_git.bus.watching import looks
from conductor_git.bus.watching.stop import Stop
from conductor_git.bus.watching.tell import unheard
from conductor_git.bus.watching.watch import Watch
from tests import kit

ROUNDS = r"""
import sys, threading
from pathlib import Path
from conductor_git.bus.watching.stop import Stop
from conductor_git.bus.watching.watch import Watch
path, stop = Path(sys.argv[1]), Stop()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
with Watch(path, lambda said: print(said, file=sys.stderr, flush=True)) as watch:
    while not stop.is_set:
        watch.arm()
        sys.stdout.write(f"{path.stat().st_size if path.exists() else 'none'}\n")
        sys.stdout.flush()
        watch.wait(stop)
"""
"""A line for each round of a follower: how large the file is, or `none`. It ends with its standard input."""
ASLEEP = "}], 2, -1"
"""How strace's log ends while its process sleeps on two descriptors and no time."""
linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


class Rounds:
    """A process that looks at a file each time it is woken; `traced` is the strace that runs it."""

    def __init__(self, path: Path, *traced: str, program: str = ROUNDS) -> None:
        pipe = subprocess.PIPE
        command = [*traced, sys.executable, "-c", program, str(path)]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def saw(self, wanted: object) -> None:
        """Come back when it has seen the file so; one that is not woken never does, and the test hangs."""
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline()) != f"{wanted}\n":
            assert line, self.process.communicate()

    def ended(self) -> list[str]:
        """What it told, once it has ended."""
        return self.process.communicate()[1].splitlines()


def refusing(call: str, error: str) -> list[str]:
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}"]


@contextmanager
def rounds(path: Path, means: str) -> Iterator[Rounds]:
    started = Rounds(path, *(refusing("inotify_init1", "EMFILE") if means == "looks" else []))
    try:
        yield started
    finally:
        started.ended()


def append(path: Path, text: str = "678") -> None:
    subprocess.run(["/bin/sh", "-c", f"printf {text} >>{path}"], check=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "conductor").mkdir()
    path = tmp_path / "conductor" / "bus.md"
    path.write_bytes(b"12345")
    return path


@pytest.fixture(params=[pytest.param(means, marks=[kit.requires("strace"), linux]) for means in ("inotify", "looks")])
def means(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_each_append_of_another_process_wakes(file: Path, means: str) -> None:
    with rounds(file, means) as follower:
        follower.saw(5)
        for count in range(1, 20):
            append(file)
            follower.saw(5 + 3 * count)


def test_renaming_cutting_replacing_and_removing_wake_and_so_does_what_follows_them(file: Path, means: str) -> None:
    with rounds(file, means) as follower:
        follower.saw(5)
        file.rename(file.with_name("bus.MSG-1.md"))
        follower.saw("none")
        append(file, "abcdefgh")
        follower.saw(8)
        os.truncate(file, 2)
        follower.saw(2)
        other = file.with_name("other")
        other.write_bytes(b"seventeen letters")
        other.replace(file)
        follower.saw(17)
        append(file)
        follower.saw(20)
        file.unlink()
        follower.saw("none")
        append(file)
        follower.saw(3)


def test_a_file_is_met_whose_directories_come_later_and_go_and_come_again(tmp_path: Path, means: str) -> None:
    top, path = tmp_path / "a", tmp_path / "a" / "b" / "c" / "bus.md"
    with rounds(path, means) as follower:
        follower.saw("none")
        path.parent.mkdir(parents=True)
        append(path)
        follower.saw(3)
        top.rename(tmp_path / "elsewhere")
        follower.saw("none")
        top.mkdir()
        (tmp_path / "elsewhere" / "b").rename(top / "b")
        follower.saw(3)
        shutil.rmtree(top)
        follower.saw("none")
        path.parent.mkdir(parents=True)
        append(path, "again")
        follower.saw(5)


@linux
@kit.requires("strace")
def test_a_directory_that_comes_just_before_its_name_is_watched_is_not_missed(tmp_path: Path) -> None:
    path, log = tmp_path / "a" / "b" / "bus.md", tmp_path / "calls"
    missing = len(tmp_path.parts)  # the first directories that are looked for are there
    slow = f"inject=inotify_add_watch:delay_exit=500000:when={missing}"
    follower = Rounds(path, "strace", "-qq", "-o", str(log), "-e", "trace=inotify_add_watch", "-e", slow)
    kit.until(lambda: log.exists() and "ENOENT" in log.read_text())

    path.parent.mkdir(parents=True)
    follower.saw("none")
    append(path)

    follower.saw(3)
    follower.ended()


CHANGES: dict[str, Callable[[Path], object]] = {
    "append": append,
    "cut": lambda path: os.truncate(path, 0),
    "remove": lambda path: path.unlink(),
    "rename": lambda path: path.rename(path.with_name("closed")),
    "replace": lambda path: path.with_name("new").replace(path),
    "rename the directory": lambda path: path.parent.rename(path.parent.with_name("moved")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_after_arming_ends_the_wait_that_comes_after_it(file: Path, change: str) -> None:
    file.with_name("new").write_bytes(b"new")
    with Watch(file, unheard) as watch:
        watch.arm()
        CHANGES[change](file)
        watch.wait(None)


def test_other_files_and_what_happened_before_arming_wake_nobody(file: Path) -> None:
    closed, other = file.with_name("bus.MSG-1.md"), file.with_name("bus.md.lock")
    with Watch(file, unheard) as watch:
        watch.arm()
        file.rename(closed)
        append(file)
        watch.arm()
        append(closed)
        append(other)
        other.rename(file.parent.parent / "bus.md")
        with Stop(seconds=0.1) as stop:
            watch.wait(stop)

            assert stop.is_set


@linux
@kit.requires("strace")
def test_waiting_is_one_system_call_whatever_is_written_to_files_beside(file: Path, tmp_path: Path) -> None:
    log, other = tmp_path / "calls", file.with_name("other.md")
    append(other)
    follower = Rounds(file, "strace", "-qq", "-o", str(log))
    follower.saw(5)
    kit.until(lambda: log.read_text().endswith(ASLEEP))

    for _ in range(20):
        append(other)
    append(file)
    follower.saw(8)
    follower.ended()

    calls = log.read_text().splitlines()
    first, second = (number for number, call in enumerate(calls) if call.startswith("write(1, "))
    woken = calls[first + 1 : second]
    assert [call.partition("(")[0] for call in woken[:4]] == ["poll", "ioctl", "read", "ioctl"]
    assert woken[2].endswith(" = 16"), "more than the one event of the file that was meant"
    assert not any(call.startswith("poll(") for call in woken[1:])


@linux
def test_rotation_leaves_no_watch_behind(file: Path) -> None:
    def watches() -> int:
        told = subprocess.run(["/bin/sh", "-c", f"cat /proc/{os.getpid()}/fdinfo/*"], capture_output=True, check=False)
        return told.stdout.count(b"inotify wd:")

    before = watches()
    with Watch(file, unheard) as watch:
        watch.arm()
        armed = watches()
        for number in range(10):
            file.rename(file.with_name(f"bus.{number}.md"))
            file.write_bytes(b"")
            watch.arm()

            assert watches() == armed > before
    assert watches() == before


@linux
def test_the_kernel_losing_count_of_changes_ends_the_wait(file: Path) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    with Watch(file, unheard) as watch:
        watch.arm()
        for _ in range(limit // 2 + 1):
            file.with_name("a").touch()
            file.with_name("a").unlink()
        append(file)
        watch.wait(None)
        watch.arm()
        append(file)
        watch.wait(None)


@pytest.mark.parametrize("means", [lambda path: Watch(path, unheard), looks.Looks], ids=["inotify", "looks"])
def test_a_wait_ends_with_its_stop_by_a_thread_a_signal_or_a_time(
    file: Path, means: Callable[[Path], Watch | looks.Looks]
) -> None:
    watch = means(file)
    watch.arm()
    with Stop() as stop:
        threading.Timer(0.05, stop.set).start()
        watch.wait(stop)
        assert stop.is_set
    with Stop() as stop:
        before = signal.signal(signal.SIGALRM, lambda *_: stop.set())
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        watch.wait(stop)
        signal.signal(signal.SIGALRM, before)
        assert stop.is_set
    with Stop(seconds=0.05) as stop:
        watch.wait(stop)
        assert stop.is_set
        watch.wait(stop)
    watch.close()


@linux
@kit.requires("strace")
@pytest.mark.parametrize(
    ("call", "error", "why"),
    [
        ("inotify_init1", "EMFILE", "refused to watch it (Too many open files)"),
        ("inotify_init1", "ENOSYS", "refused to watch it (Function not implemented)"),
        ("inotify_add_watch", "ENOSPC", "refused to watch it (No space left on device)"),
    ],
)
def test_where_the_kernel_refuses_it_looks_and_says_so_once(file: Path, call: str, error: str, why: str) -> None:
    follower = Rounds(file, *refusing(call, error))
    follower.saw(5)
    for count in range(1, 4):
        append(file)
        follower.saw(5 + 3 * count)

    said = follower.ended()

    assert said == [f"{file} is looked at every 50 ms, since the kernel {why}; messages come a little later."]


def test_without_the_package_it_looks_and_says_so_once(file: Path) -> None:
    follower = Rounds(file, program=f"import sys\nsys.modules['inotify_simple'] = None\n{ROUNDS}")
    follower.saw(5)
    append(file)
    follower.saw(8)

    (said,) = follower.ended()

    assert ("inotify_simple is not installed" in said) == (sys.platform == "linux")


@linux
def test_on_a_file_system_that_other_machines_write_to_it_looks_and_says_so(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = file.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(looks, "MOUNTS", mounts)
    for kind, expected in {"nfs4": 1, "fuse.sshfs": 1, "9p": 1, "ext4": 0, "fuseblk": 0}.items():
        mounts.write_text(
            f"21 1 0:999 / /proc rw - nfs4 proc rw\n36 35 {number} / /a\\040- rw shared:1 - {kind} box:/a rw\n"
        )
        said: list[str] = []
        with Watch(file.parent / "not" / "there" / "bus.md", said.append) as watch:
            watch.arm()

        assert len(said) == expected
        assert all(f"write to its file system ({kind})" in one for one in said)


def test_a_file_that_goes_while_its_file_system_is_asked_for_is_watched_all_the_same(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.lstat

    def going(path: str | os.PathLike[str]) -> os.stat_result:
        found = real(path)
        if path == file:
            monkeypatch.setattr(os, "lstat", real)
            file.unlink()
        return found

    monkeypatch.setattr(os, "lstat", going)
    with Watch(file, unheard) as watch:
        assert not file.exists()
        watch.arm()
        append(file)
        stop = Stop(60)
        watch.wait(stop)

    assert not stop.is_set
