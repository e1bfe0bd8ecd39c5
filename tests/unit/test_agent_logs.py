"""The logs that agents write by themselves: what is left of them, to the byte, and that no part of a secret is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_git import sparse
from conductor_git.errors import UnsafePath
from conductor_git.masking import MASK, REACH
from conductor_git.outputlog import OutputLog
from conductor_git.runner import logs

BLOCK = 4096
LIMIT = 32 * BLOCK
SECRET = "hunter2-hunter3-hunter4"
KEY = "ghp" + "_0123456789abcdefghijABCDEFGHIJ012345"
_NOTE = re.compile(rb"\n\[\.\.\. (\d+) bytes left out \.\.\.\]\n")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_BYTES", LIMIT)
    monkeypatch.setattr(logs, "_LIVE_BYTES", 2 * LIMIT)
    monkeypatch.setattr(logs, "_CHUNK", BLOCK)
    monkeypatch.setenv("HOUSE_KEY", SECRET)


def numbered(size: int) -> bytes:
    """Lines that tell where they stand."""
    return b"".join(b"%015d\n" % place for place in range(0, size, 16))[:size]


def sealed(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    logs.seal(path)
    return path.read_bytes()


@pytest.mark.parametrize("more", [-1, 0, 1, 5000, 10 * LIMIT])
def test_of_a_sealed_log_every_byte_of_head_and_end_is_there_and_the_rest_is_counted(tmp_path: Path, more: int) -> None:
    data = numbered(LIMIT + more)

    log = sealed(tmp_path / "log", data)

    note = b"\n[... %d bytes left out ...]\n" % more
    assert log == (data if more <= 0 else data[: LIMIT // 2] + note + data[-LIMIT // 2 :])


@pytest.mark.parametrize("size", [2 * LIMIT - 1, 2 * LIMIT])
def test_a_log_that_is_not_too_large_is_not_touched_while_it_is_written(tmp_path: Path, size: int) -> None:
    path = tmp_path / "log"
    path.write_bytes(numbered(size))
    before = path.stat()

    logs.bound(path)

    assert (path.read_bytes(), path.stat().st_blocks) == (numbered(size), before.st_blocks)


@pytest.mark.parametrize("more", [1, 1000, BLOCK, 3 * LIMIT + 77])
def test_of_a_bounded_log_head_and_end_are_there_to_the_byte_and_the_disk_of_the_rest_is_free(
    tmp_path: Path, more: int
) -> None:
    path, data = tmp_path / "log", numbered(2 * LIMIT + more)
    path.write_bytes(data)
    os.sync()

    logs.bound(path)

    left = path.read_bytes()
    half = LIMIT // 2
    assert left == data[:half] + bytes(len(data) - LIMIT) + data[-half:]
    assert path.stat().st_blocks * 512 <= LIMIT + 4 * BLOCK


def test_a_writer_of_a_bounded_log_goes_on_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("ab", buffering=0) as writer:
        writer.write(numbered(3 * LIMIT))
        logs.bound(path)
        writer.write(b"and on\n")

    assert path.stat().st_size == 3 * LIMIT + 7
    assert path.read_bytes().endswith(b"%015d\nand on\n" % (3 * LIMIT - 16))


@pytest.mark.parametrize("more", [1, 1000, 3 * LIMIT + 77])
def test_a_log_that_was_bounded_and_then_sealed_counts_all_that_is_missing(tmp_path: Path, more: int) -> None:
    path, data = tmp_path / "log", numbered(2 * LIMIT + more)
    path.write_bytes(data)
    logs.bound(path)

    logs.seal(path)

    log = path.read_bytes()
    (left_out,) = _NOTE.findall(log)
    head, tail = _NOTE.sub(b"\0", log).split(b"\0")
    assert data.startswith(head)
    assert data.endswith(tail)
    assert int(left_out) == len(data) - len(head) - len(tail)
    half = LIMIT // 2
    assert (half - 256 <= len(head) <= half, half - REACH - BLOCK <= len(tail) <= half) == (True, True)


@example(0, "H")
@given(st.integers(0, 400), st.sampled_from(["H", "T"]))
def test_no_part_of_a_secret_is_left_at_the_edges_of_what_was_freed(
    tmp_path_factory: pytest.TempPathFactory, before: int, edge: str
) -> None:
    size = 4 * LIMIT
    place = (LIMIT // 2 if edge == "H" else size - LIMIT // 2) - before
    data = bytearray(b"." * size)
    for secret in (SECRET, KEY):
        data[place : place + len(secret)] = secret.encode()
        place += len(secret) + 1
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes(data)
    logs.bound(path)

    logs.seal(path)

    log = path.read_bytes()
    for secret in (SECRET, KEY):
        assert [part for part in parts_of(secret) if part in log] == []


def parts_of(secret: str) -> Iterator[bytes]:
    return (secret[n : n + 8].encode() for n in range(len(secret) - 7))


@given(st.lists(st.tuples(st.sampled_from("wg"), st.integers(1, 3 * REACH)), max_size=12), st.integers(0, 4 * REACH))
def test_gaps_wherever_they_are_leave_a_beginning_an_end_and_the_right_number(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], half: int
) -> None:
    whole, path = bytearray(), tmp_path_factory.mktemp("log") / "log"
    with OutputLog(path, 2 * half) as log:
        for step, size in steps:
            if step == "w":
                piece = numbered(len(whole) + size)[len(whole) :]
                log.write(piece)
                whole += piece
            else:
                log.skip(size)
                whole += bytes(size)

    left = path.read_bytes()
    counts = _NOTE.findall(left)
    head, _, tail = _NOTE.sub(b"\0", left).partition(b"\0")
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert len(whole) == len(head) + len(tail) + sum(map(int, counts))
    assert bool(counts) == (head != whole)


@pytest.mark.parametrize("secret", [SECRET, KEY, f"Bearer {KEY[4:]}"], ids=["ours", "of a known format", "bearer"])
@pytest.mark.parametrize("small", [True, False], ids=["a small log", "a large log"])
def test_a_secret_in_a_log_is_masked_for_good(tmp_path: Path, secret: str, small: bool) -> None:
    data = b"before\n" + f"it is {secret} you know\n".encode() + (b"" if small else numbered(LIMIT // 2))

    log = sealed(tmp_path / "log", data)

    assert log.count(MASK.encode()) == 1
    assert [part for part in parts_of(secret.removeprefix("Bearer ")) if part in log] == []


def test_a_small_log_without_secrets_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xff\0 nothing to see\n")
    before = path.stat()

    logs.seal(path)

    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_that_is_nearly_all_hole_is_sealed_at_once_and_says_how_much_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first\n")
    os.truncate(path, 1 << 40)

    logs.seal(path)

    log = path.read_bytes()
    assert log.startswith(b"first\n")
    assert re.search(rb"\[\.\.\. 109951\d{7} bytes left out \.\.\.\]", log)
    assert len(log) < LIMIT


def test_a_log_that_is_a_link_or_is_not_there_is_left_alone(tmp_path: Path) -> None:
    other, link = tmp_path / "other", tmp_path / "log"
    other.write_bytes(SECRET.encode() + b"." * 3 * LIMIT)
    link.symlink_to(other)

    logs.bound(link)
    with pytest.raises(UnsafePath):
        logs.seal(link)
    logs.bound(tmp_path / "none")
    logs.seal(tmp_path / "none")

    assert other.read_bytes() == SECRET.encode() + b"." * 3 * LIMIT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "other"]


def test_holes_are_told_apart_from_data(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10 * BLOCK)
    sparse.punch(path, 3 * BLOCK, 4 * BLOCK)

    with path.open("rb") as file:
        found = list(sparse.parts(file.fileno(), 10 * BLOCK))

    assert found == [(0, 3 * BLOCK), (7 * BLOCK, 10 * BLOCK)]
    assert path.read_bytes() == b"x" * 3 * BLOCK + bytes(4 * BLOCK) + b"x" * 3 * BLOCK


def test_a_file_without_holes_is_one_part_and_an_empty_one_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for size, parts in ((0, []), (5, [(0, 5)])):
        path.write_bytes(b"x" * size)
        with path.open("rb") as file:
            assert list(sparse.parts(file.fileno(), size)) == parts


def test_a_hole_cannot_be_made_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * BLOCK)
    (tmp_path / "link").symlink_to(tmp_path / "file")

    with pytest.raises(OSError, match="link"):
        sparse.punch(tmp_path / "link", 0, BLOCK)

    assert (tmp_path / "file").read_bytes() == b"x" * BLOCK
