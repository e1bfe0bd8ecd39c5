"""Run records: fifty writers, kills and full disks cost no update, and one bad record costs no other task."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conductor_git.errors import StateUnwritable
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.store.files import FileRuns
from tests import kit
from tests.integration import disks
from tests.integration.disks import as_root, fill, make_read_only, make_writable
from tests.integration.traces import traces
from tests.kit import tasks

WRITERS = 50

ADD_ONE = """
import sys
from dataclasses import replace
from pathlib import Path
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.store.files import FileRuns

runs = FileRuns(Layout(Path(sys.argv[1])), lock_seconds=120)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    run = runs.update(TaskId("prices"), lambda run: replace(run, generation=run.generation + 1))
    print(run.generation, flush=True)
"""


def writer(repository: Path, times: int) -> subprocess.Popen[str]:
    """A process that adds one to the task's generation `times` times, once a line comes, and prints what it stored."""
    return subprocess.Popen(
        [sys.executable, "-c", ADD_ONE, repository / ".git", str(times)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def working(repository: Path) -> Path:
    """The repository, with the task `prices` in state WORKING."""
    tasks.spawn(repository, "prices")
    return repository


def runs_of(repository: Path) -> FileRuns:
    return FileRuns(Layout(repository / ".git"))


def test_fifty_writers_that_each_add_one_end_fifty_higher(working: Path) -> None:
    before = tasks.record(working, "prices")
    writers = [writer(working, 1) for _ in range(WRITERS)]

    stored = [int(process.communicate("go\n")[0]) for process in writers_started(writers)]

    after = tasks.record(working, "prices")
    assert after.generation == before.generation + WRITERS
    assert after.revision == before.revision + WRITERS
    assert sorted(stored) == list(range(before.generation + 1, after.generation + 1))


def writers_started(writers: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    """Let all of them go before the first one is waited for."""
    for process in writers:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return writers


def test_a_writer_that_is_killed_costs_nothing_that_it_was_told_is_stored(working: Path) -> None:
    acknowledged = tasks.record(working, "prices").generation
    for count in range(1, 9):
        with writer(working, 10_000) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            told = [int(process.stdout.readline()) for _ in range(count)]
            process.kill()
            told += [int(line) for line in process.stdout if line.endswith("\n")]
        acknowledged = max(acknowledged, *told)

        stored = tasks.record(working, "prices").generation
        assert stored in {acknowledged, acknowledged + 1}, "the one more was stored, and killed before it was told"
        acknowledged = stored

    assert runs_of(working).update(TaskId("prices"), lambda run: replace(run, title="goes on")).title == "goes on"


def test_readers_see_whole_records_while_they_are_replaced(working: Path) -> None:
    seen = [tasks.record(working, "prices").generation]
    with writer(working, 300) as process:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        while process.poll() is None:
            seen.append(runs_of(working).get(TaskId("prices")).generation)

    assert seen == sorted(seen)
    assert runs_of(working).get(TaskId("prices")).generation == seen[0] + 300


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP])
def test_a_writer_that_ends_while_it_holds_the_lock_frees_it(working: Path, signum: signal.Signals) -> None:
    """SIGSTOP is the counter-trial: a holder that lives keeps its lock, and the others say who has it."""
    program = ADD_ONE.replace(
        "lambda run: replace", "lambda run: print('in', flush=True) or sys.stdin.readline() and replace"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, working / ".git", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "in\n"
    process.send_signal(signum)
    before = tasks.record(working, "prices").generation
    if signum == signal.SIGKILL:
        process.wait()
        after = runs_of(working).update(TaskId("prices"), lambda run: replace(run, generation=run.generation + 1))
        assert after.generation == before + 1
    else:
        late = FileRuns(Layout(working / ".git"), lock_seconds=0.2)
        with pytest.raises(Exception, match=f"process {process.pid}"):
            late.update(TaskId("prices"), lambda run: replace(run, generation=run.generation + 1))
        assert tasks.record(working, "prices").generation == before
    process.kill()
    process.communicate()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disks.small(tmp_path) as mounted:
        yield mounted


@as_root
def test_an_update_on_a_full_disk_is_refused_and_the_old_record_stays(small_disk: Path) -> None:
    working = kit.make_repository(small_disk / "acme")
    tasks.spawn(working, "prices")
    folder = working / ".git" / "conductor" / "tasks" / "prices"
    filler = fill(small_disk)
    before = files_of(folder)

    with pytest.raises(StateUnwritable, match="No space left"):
        runs_of(working).update(TaskId("prices"), lambda run: replace(run, title="lost"))

    assert files_of(folder) == before
    filler.unlink()
    assert runs_of(working).update(TaskId("prices"), lambda run: replace(run, title="kept")).title == "kept"


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


LONG = "more than the last page of the bus has room for " * 100
CHANGING = {
    "spawn": ("spawn", "other"),
    "start": ("start", "fresh"),
    "done": ("done", "prices"),
    "cancel": ("cancel", "prices"),
    "fail": ("fail", "prices"),
    "heartbeat --note": ("heartbeat", "prices", "--note", LONG),
    "bus post": ("bus", "post", LONG),
    "approve": ("approve", "reviewed"),
    "request-changes": ("request-changes", "reviewed", "-m", "no"),
    "merge": ("merge", "approved"),
    "retry": ("retry", "failed"),
}


@pytest.fixture
def busy_disk(small_disk: Path) -> Path:
    """A repository on a disk of its own, with a task for every command of CHANGING."""
    repository = kit.make_repository(small_disk / "acme")
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    kit.conductor("spawn", "fresh", cwd=repository)
    tasks.commit(tasks.spawn(repository, "reviewed"), {"src/reviewed.py": "1\n"})
    tasks.hand_in(repository, "reviewed")
    tasks.approved(repository, "approved", {"src/approved.py": "1\n"})
    tasks.spawn(repository, "failed")
    kit.conductor("fail", "failed", cwd=repository)
    return repository


@as_root
@pytest.mark.parametrize("how", [fill, make_read_only])
def test_every_command_that_changes_something_says_that_it_could_not(
    busy_disk: Path, how: Callable[[Path], object]
) -> None:
    how(busy_disk.parent)
    before = traces(busy_disk)

    for name, command in CHANGING.items():
        done = kit.conductor(*command, "--json", cwd=busy_disk)

        assert done.code == 1, (name, done)
        assert done.document["error"]["code"] in {"STATE_UNWRITABLE", "GIT_FAILED"}, name
        assert done.document["error"]["hint"], name
        now = traces(busy_disk)
        changed = {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
        beats = {f"conductor/tasks/prices/{each}" for each in ("heartbeat", "activity")}
        assert changed <= beats, name  # a beat takes no room, and it was one
    assert kit.conductor("status", "--json", cwd=busy_disk).code == 0
    assert kit.conductor("show", "prices", "--json", cwd=busy_disk).code == 0
    assert kit.conductor("bus", "read", "--json", cwd=busy_disk).code == 0


@as_root
@pytest.mark.parametrize("how", [fill, make_read_only])
def test_once_there_is_room_again_every_command_goes_on(busy_disk: Path, how: Callable[[Path], object]) -> None:
    how(busy_disk.parent)
    for command in CHANGING.values():
        assert kit.conductor(*command, cwd=busy_disk).code == 1
    make_writable(busy_disk.parent)
    (busy_disk.parent / "filler").unlink(missing_ok=True)

    for name in ("spawn", "start", "done", "heartbeat --note", "bus post", "approve", "merge", "retry"):
        done = kit.conductor(*CHANGING[name], "--json", cwd=busy_disk)
        assert done.code == 0, (name, done)

    assert kit.git(busy_disk, "fsck", "--strict") == ""
    assert kit.conductor("bus", "verify", cwd=busy_disk).code == 0


@as_root
def test_a_change_that_the_bus_could_not_be_told_is_told_by_the_next_command(working: Path) -> None:
    bus = working / ".git" / "conductor" / "MESSAGE-BUS.md"
    subprocess.run(["mount", "--bind", bus, bus], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", bus], check=True)
        error = tasks.refused(kit.conductor("cancel", "prices", "--json", cwd=working), "STATE_UNWRITABLE", 1)
        assert error["state"] == "CANCELLED"
        assert kit.conductor("status", cwd=working).code == 0
    finally:
        subprocess.run(["umount", bus], check=True)
    assert not any("CANCELLED" in body for body in tasks.told(working, "STATE", "prices"))

    assert kit.conductor("status", cwd=working).code == 0

    assert tasks.record(working, "prices").state == "CANCELLED"
    assert len([body for body in tasks.told(working, "STATE", "prices") if "CANCELLED" in body]) == 1
    assert list((working / ".git" / "conductor" / "journal").iterdir()) == []


@kit.requires("strace")
def test_a_record_is_flushed_then_renamed_then_its_directory_is_flushed_before_success(working: Path) -> None:
    trace = working.parent / "trace"
    calls = "trace=fsync,fdatasync,rename,renameat,renameat2,write"

    subprocess.run(
        ["strace", "-f", "-y", "-s", "4096", "-e", calls, "-o", trace, kit.console_script(), "cancel", "prices"],
        cwd=working,
        capture_output=True,
        check=True,
    )

    lines = trace.read_text(errors="replace").split("\n")
    folder = re.escape(str(working / ".git" / "conductor" / "tasks" / "prices"))
    wanted = [
        rf"fsync\(\d+<{folder}/\.run-info\.yaml\.[^/>]*\.tmp>\)\s*= 0",
        r"rename\w*\(.*/run-info\.yaml\"\)\s*= 0",
        rf"fsync\(\d+<{folder}>\)\s*= 0",
        r"fdatasync\(\d+<[^>]*MESSAGE-BUS\.md>\)\s*= 0",
        r"write\(1<.*CANCELLED",
    ]
    found = [next((number for number, line in enumerate(lines) if re.search(text, line)), None) for text in wanted]
    assert None not in found, dict(zip(wanted, found, strict=True))
    assert found == sorted(found, key=int), found  # type: ignore[arg-type]
