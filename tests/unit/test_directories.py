"""Looking into directories in which others are at work."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from conductor_git import directories

PATTERNS = ["*", ".*", "*.lock", "worktrees", "worktrees/*", "worktrees/*/HEAD", "*/*", "gone/*", "worktrees/a/HEAD/*"]


@pytest.fixture
def common(tmp_path: Path) -> Path:
    for name in ("worktrees/a/HEAD", "worktrees/b/index", "worktrees/c/HEAD", ".hidden", "index.lock", "refs/x/y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "worktrees" / "d").symlink_to(tmp_path / "refs")
    return tmp_path


@pytest.mark.parametrize("pattern", PATTERNS)
def test_in_a_quiet_directory_it_finds_what_pathlib_finds(common: Path, pattern: str) -> None:
    assert directories.matching(common, pattern) == sorted(common.glob(pattern))


def test_all_that_is_below_is_told_and_no_link_is_followed(common: Path) -> None:
    assert sorted(directories.below(common)) == sorted(common.rglob("*"))
    assert list(directories.below(common / "index.lock")) == list(directories.below(common / "gone")) == []


def test_what_goes_while_one_looks_has_nothing_in_it(common: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.listdir

    def removing(path: Path) -> list[str]:
        names = real(path)
        shutil.rmtree(common / "worktrees" / "a", ignore_errors=True)
        return names

    monkeypatch.setattr(os, "listdir", removing)
    assert directories.matching(common, "worktrees/*/*") == [
        common / "worktrees" / name for name in ("b/index", "c/HEAD", "d/x")
    ]


def test_what_goes_in_the_middle_of_a_walk_ends_nothing(common: Path) -> None:
    walk = directories.below(common / "worktrees")
    first = next(walk)
    shutil.rmtree(common / "worktrees")

    rest = list(walk)
    assert {first, *rest} == {common / "worktrees" / name for name in "abcd"}
    assert list(directories.statuses(rest)) == []


@pytest.mark.parametrize(
    "look", [lambda path: directories.matching(path, "*"), lambda path: [*directories.below(path)]]
)
def test_a_disk_that_does_not_answer_is_not_an_empty_directory(
    common: Path, monkeypatch: pytest.MonkeyPatch, look: object
) -> None:
    def failing(path: object) -> list[str]:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(os, "listdir", failing)
    monkeypatch.setattr(os, "scandir", failing)
    assert callable(look)
    with pytest.raises(OSError, match="Input/output error"):
        look(common)
