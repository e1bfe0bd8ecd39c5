"""The bounded log: its head as it comes, its tail at the end, and no secret in it, wherever one is cut."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_git.masking import MASK, mask_bytes, seam
from conductor_git.outputlog import OutputLog

SECRET = "hunter2-hunter3-hunter4"
KEY = "ghp" + "_0123456789abcdefghijABCDEFGHIJ012345"
PEM = "-----BEGIN-----\nMIIEvQIBADANBgkqhkiG\nAgEAAoIBAQC7\n-----END-----"
PIECES = ("x", "\n", " ", "a longer word ", f"{SECRET}\n", SECRET, f" {KEY} ", f" Bearer {KEY} ", PEM)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def written(path: Path, pieces: list[bytes], limit: int = 1 << 20, secrets: tuple[str, ...] = (SECRET, PEM)) -> bytes:
    with OutputLog(path, limit, secrets) as log:
        for piece in pieces:
            log.write(piece)
    return path.read_bytes()


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[start:end] for start, end in pairwise(places)]


@given(TEXTS, st.lists(st.integers(0, 10_000), max_size=30))
def test_wherever_the_output_is_cut_into_writes_the_log_is_the_masked_whole(
    tmp_path_factory: pytest.TempPathFactory, text: str, at: list[int]
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"

    assert written(path, cut(text.encode(), at)) == mask_bytes(text.encode(), (SECRET, PEM))


@given(TEXTS, st.lists(st.integers(0, 10_000), max_size=30), st.integers(0, 200))
def test_no_part_of_a_secret_is_left_where_head_and_tail_are_cut(
    tmp_path_factory: pytest.TempPathFactory, text: str, at: list[int], limit: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"

    log = written(path, cut(text.encode(), at), limit)

    for secret in (SECRET, KEY, PEM):
        assert [part for part in (secret[n : n + 8] for n in range(len(secret) - 7)) if part.encode() in log] == []


@example("x\nyzz", [], 1)
@given(st.text("xy\n", max_size=700), st.lists(st.integers(0, 10_000), max_size=10), st.integers(0, 300))
def test_the_log_is_the_first_and_the_last_half_of_its_limit_and_the_number_of_bytes_between(
    tmp_path_factory: pytest.TempPathFactory, text: str, at: list[int], half: int
) -> None:
    path, data = tmp_path_factory.mktemp("log") / "log", text.encode()

    log = written(path, cut(data, at), 2 * half, secrets=())

    left_out = len(data) - 2 * half
    note = b"\n[... %d bytes left out ...]\n" % left_out
    assert log == (data if left_out <= 0 else data[:half] + note + data[len(data) - half :])


def test_a_secret_across_the_cut_of_a_tail_that_dropped_much_is_not_left_in_half(tmp_path: Path) -> None:
    limit = 4096
    for before in range(2000, 2080):
        pieces = [b"h" * 3000, b"y\n" * 50_000 + SECRET.encode() + b"t" * before]

        log = written(tmp_path / "log", pieces, limit)

        assert log.endswith(b"t" * min(before, limit // 2))
        assert b"hunter" not in log


def test_a_whole_line_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    with OutputLog(tmp_path / "log", 1000, (SECRET,)) as log:
        log.write(b"first\nsecond")
        assert (tmp_path / "log").read_bytes() == b"first\n"
        log.write(b" half\n")
        assert (tmp_path / "log").read_bytes() == b"first\nsecond half\n"


def test_a_line_without_an_end_is_held_back_for_no_more_than_a_key_needs(tmp_path: Path) -> None:
    with OutputLog(tmp_path / "log", 1 << 20) as log:
        log.write(b"x" * 10_000)

        assert (tmp_path / "log").stat().st_size == 10_000 - 256


def test_a_key_of_endless_length_is_one_mask(tmp_path: Path) -> None:
    pieces = [b"key=", KEY.encode(), *[b"A" * 500] * 10, b" end\n"]

    assert written(tmp_path / "log", pieces) == f"key={MASK} end\n".encode()


@pytest.mark.parametrize("token", ["Bearer\n", "Bearer \n "])
def test_a_bearer_token_on_the_next_line_and_in_the_next_write_is_masked(tmp_path: Path, token: str) -> None:
    pieces = [token.encode(), b"abc.DEF-123_456~789\n"]

    assert written(tmp_path / "log", pieces, secrets=()) == f"{token}{MASK}\n".encode()


def test_bytes_that_are_no_text_come_through(tmp_path: Path) -> None:
    data = bytes(range(256)) * 20

    assert written(tmp_path / "log", [data]) == data


def test_a_seam_lies_around_the_secret_that_the_place_is_in() -> None:
    data = f"before {SECRET} after".encode()
    start, end = data.index(b"hunter"), data.index(b" after")

    assert seam(data, start + 3, (SECRET,)) == (start, end)
    assert seam(data, start, (SECRET,)) == (start, start)
    assert seam(data, end, (SECRET,)) == (end, end)
    assert seam(data, start + 3) == (start + 3, start + 3)
