"""durable: whole files that are old or new, locks that exclude, and reading that follows nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import portalocker
import pytest

from conductor_git import durable
from conductor_git.errors import LockTimeout, StateUnwritable, TooLarge, UnsafePath


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def no_space(_fd: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_replace_puts_the_new_bytes_in_place_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "run-info.yaml"
    durable.replace(path, b"old")
    durable.replace(path, b"new", mode=0o600)

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names_in(tmp_path) == ["run-info.yaml"]


def test_a_replace_whose_flush_fails_keeps_the_old_file_and_removes_its_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run-info.yaml"
    durable.replace(path, b"old")
    monkeypatch.setattr(os, "fsync", no_space)

    with pytest.raises(StateUnwritable) as refused:
        durable.replace(path, b"new")

    assert "No space left" in refused.value.message
    assert refused.value.facts["path"] == str(path)
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["run-info.yaml"]


def test_replace_flushes_the_file_before_the_rename_and_the_directory_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "record", []
    real = os.fsync

    def watched(fd: int) -> None:
        seen.append(("directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file", path.exists()))
        real(fd)

    monkeypatch.setattr(os, "fsync", watched)
    durable.replace(path, b"new")

    assert seen == [("file", False), ("directory", True)]


def test_replace_in_a_directory_that_is_missing_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(StateUnwritable, match="missing/record"):
        durable.replace(tmp_path / "missing" / "record", b"new")


def test_replace_never_writes_through_a_link_that_was_planted(tmp_path: Path) -> None:
    precious, path = tmp_path / "precious", tmp_path / "record"
    precious.write_bytes(b"mine")
    path.symlink_to(precious)

    durable.replace(path, b"new")

    assert precious.read_bytes() == b"mine"
    assert path.read_bytes() == b"new"
    assert not path.is_symlink()


def test_write_through_leaves_the_whole_file_and_no_temporary(tmp_path: Path) -> None:
    durable.write_through(tmp_path / "cache", b"x" * 100_000)

    assert (tmp_path / "cache").read_bytes() == b"x" * 100_000
    assert names_in(tmp_path) == ["cache"]


def test_make_directory_makes_all_parents_flushed_and_takes_one_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(durable, "flush_directory", flushed.append)

    durable.make_directory(tmp_path / "a" / "b")
    durable.make_directory(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()
    assert flushed == [tmp_path, tmp_path / "a"]


def test_make_directory_where_a_file_stands_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")

    with pytest.raises(StateUnwritable):
        durable.make_directory(tmp_path / "a")


def test_remove_removes_and_is_content_when_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "ticket").write_bytes(b"")

    durable.remove(tmp_path / "ticket")
    durable.remove(tmp_path / "ticket")

    assert names_in(tmp_path) == []


def test_sync_filesystem_takes_a_directory_and_reports_a_missing_one(tmp_path: Path) -> None:
    durable.sync_filesystem(tmp_path)

    with pytest.raises(FileNotFoundError):
        durable.sync_filesystem(tmp_path / "missing")


def test_read_regular_reads_up_to_its_limit_and_no_further(tmp_path: Path) -> None:
    path = tmp_path / "output.md"
    path.write_bytes(b"12345")

    assert durable.read_regular(path, 5) == b"12345"
    with pytest.raises(TooLarge):
        durable.read_regular(path, 4)


def test_read_regular_follows_no_link_and_waits_for_no_pipe(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"key")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "link", tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(UnsafePath):
            durable.read_regular(path, 100)
    with pytest.raises(FileNotFoundError):
        durable.read_regular(tmp_path / "missing", 100)


def test_a_lock_that_is_held_is_refused_with_its_holder_and_its_purpose(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "task"

    with (
        durable.lock(path, purpose="landing fix-login"),
        pytest.raises(LockTimeout) as refused,
        durable.lock(path, seconds=0.05),
    ):
        pass

    assert f"process {os.getpid()} (landing fix-login, since 2" in refused.value.facts["holder"]
    assert refused.value.facts["path"] == str(path)
    assert "rm" not in refused.value.hint.split()


def test_a_lock_is_free_after_its_block_and_its_file_stays_private(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with durable.lock(path):
        pass

    with durable.lock(path, seconds=0):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.exists()


def test_try_lock_yields_none_where_another_descriptor_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    with durable.try_lock(path) as taken, durable.try_lock(path) as second:
        assert taken is not None
        assert second is None
    with durable.try_lock(path) as again:
        assert again is not None


def test_whoever_looks_at_a_lock_makes_no_file_and_is_not_taken_for_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not durable.is_locked(path)
    assert not path.exists()
    with durable.lock(path):
        assert durable.is_locked(path)

    with path.open("rb") as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        assert not durable.is_locked(path)


def test_a_child_that_inherited_the_lock_keeps_it_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with durable.lock(path) as fd:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(fd,))

    with durable.try_lock(path) as taken:
        assert taken is None
    child.communicate(b"\n")
    with durable.try_lock(path) as taken:
        assert taken is not None


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import sys; from pathlib import Path; from conductor_git import durable\n"
        "with durable.lock(Path(sys.argv[1])): print('held', flush=True); input()"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    with durable.try_lock(path) as taken:
        assert taken is None

    child.kill()
    child.communicate()

    with durable.lock(path, seconds=0):
        pass


@pytest.mark.parametrize("ours_first", [True, False])
def test_flocked_and_portalocker_exclude_each_other(tmp_path: Path, ours_first: bool) -> None:
    path = tmp_path / "bus"
    first, second = (os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2))
    flags = portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
    if ours_first:
        with durable.flocked(first, seconds=0, path=path), pytest.raises(portalocker.AlreadyLocked):
            portalocker.lock(second, flags)
        portalocker.lock(second, flags)
    else:
        portalocker.lock(first, flags)
        with pytest.raises(LockTimeout), durable.flocked(second, seconds=0, path=path):
            pass
        portalocker.unlock(first)
        with durable.flocked(second, seconds=0, path=path):
            pass
    os.close(first)
    os.close(second)


def test_an_error_inside_flocked_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "bus"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    other = os.open(path, os.O_RDWR)

    with pytest.raises(ZeroDivisionError), durable.flocked(fd, seconds=0, path=path):
        raise ZeroDivisionError

    with durable.flocked(other, seconds=0, path=path):
        pass
    os.close(fd)
    os.close(other)
