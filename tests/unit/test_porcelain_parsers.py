"""What git prints for machines, parsed without a repository; and the same once more from a real git."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git.gitcmd import Git, GitDone
from conductor_git.history import Object, counted, parse_objects
from conductor_git.landing.mergetree import gains_markers
from conductor_git.names import CommitId
from conductor_git.worktree import Worktree, parse_list, worktrees
from tests import kit

ID = CommitId("a" * 40)


def test_a_list_of_worktrees() -> None:
    fields = (
        f"worktree /x/acme\0HEAD {ID}\0branch refs/heads/main\0\0"
        f"worktree /x/with space\nand newline\0HEAD {ID}\0detached\0\0"
        "worktree /x/bare.git\0bare\0\0"
        f"worktree /x/gone\0HEAD {ID}\0branch refs/heads/worker/a\0locked by me\0prunable gitdir file is gone\0\0"
    ).split("\0")[:-1]

    assert parse_list(fields) == (
        Worktree(Path("/x/acme"), ID, "refs/heads/main"),
        Worktree(Path("/x/with space\nand newline"), ID, None),
        Worktree(Path("/x/bare.git"), None, None, is_bare=True),
        Worktree(Path("/x/gone"), ID, "refs/heads/worker/a", prunable="gitdir file is gone"),
    )


@pytest.mark.parametrize("fields", [[], [""], ["HEAD abc", "branch refs/heads/x"], ["nonsense", "", ""]])
def test_a_list_without_a_worktree_is_empty(fields: list[str]) -> None:
    assert parse_list(fields) == ()


def test_the_list_of_a_real_repository(repository: Path) -> None:
    odd = repository.parent / "odd \u00e9\nname"
    kit.git(repository, "worktree", "add", "--quiet", "-b", "odd", str(odd))
    kit.git(repository, "worktree", "add", "--quiet", "--detach", str(repository.parent / "away"))
    (repository.parent / "away" / ".git").unlink()
    tip = CommitId(kit.git(repository, "rev-parse", "HEAD"))

    main, *others = worktrees(Git(repository))

    assert main == Worktree(repository, tip, "refs/heads/main")
    assert {(found.path, found.branch_ref, found.prunable is not None) for found in others} == {
        (odd, "refs/heads/odd", False),
        (repository.parent / "away", None, True),
    }


@pytest.mark.parametrize(
    ("out", "text", "lines", "fields"),
    [
        (b"", "", [], []),
        (b"\n", "", [""], []),
        (b"a\nb\n", "a\nb", ["a", "b"], []),
        (b"a\0b\0", "a\0b\0", ["a\0b\0"], ["a", "b"]),
        (b"caf\xe9\0", "caf\udce9\0", ["caf\udce9\0"], ["caf\udce9"]),
    ],
)
def test_output_as_text_lines_and_fields(out: bytes, text: str, lines: list[str], fields: list[str]) -> None:
    done = GitDone(0, out, b"")

    assert (done.text, done.lines, done.fields) == (text, lines, fields)


def test_objects_of_a_batch() -> None:
    output = b"aa commit 9\ntree x\n\n\n\nmain:no such file missing\nbb blob 0\n\ncc blob 15\ncc blob 3\nxyz\n\n"

    assert parse_objects(output, 4) == (
        Object("aa", "commit", b"tree x\n\n\n"),
        None,
        Object("bb", "blob", b""),
        Object("cc", "blob", b"cc blob 3\nxyz\n\n"[:15]),
    )


def test_objects_that_git_did_not_tell_of_are_none() -> None:
    assert parse_objects(b"", 2) == (None, None)
    assert parse_objects(b"x ambiguous\n", 1) == (None,)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", []),
        ("\x01", [0]),
        ("\x01\n\na\nb", [2]),
        ("\x01\n\n\x01\n\na\n\x01", [0, 1, 0]),
    ],
)
def test_paths_are_counted_between_breaks(text: str, counts: list[int]) -> None:
    assert counted(text) == counts


OPEN, BASE, MIDDLE, CLOSE = "<" * 7, "|" * 7, "=" * 7, ">" * 7
CONFLICT = f"a\n{OPEN} ours\nb\n{MIDDLE}\nc\n{CLOSE} theirs\n".encode()


@pytest.mark.parametrize(
    ("before", "after", "gains"),
    [
        (b"", CONFLICT, True),
        (b"a\n", CONFLICT.replace(b"\n", b"\r\n"), True),
        (CONFLICT, CONFLICT, False),
        (CONFLICT, CONFLICT * 2, True),
        (CONFLICT * 2, CONFLICT, False),
        (b"", CONFLICT.replace(b"c\n", f"{BASE} base\nb\n{MIDDLE}\nc\n".encode()), True),
        (b"", f"a\n{MIDDLE}\nb\n{CLOSE} theirs\n".encode(), True),
        (b"", f"{OPEN} ours\na\n{MIDDLE}\nb\n".encode(), True),
        (b"", f"{BASE} base\nb\n{MIDDLE}\n".encode(), True),
        (b"", f"{OPEN} ours\n{CLOSE} theirs\n".encode(), True),
        (b"", f"{BASE} only one\n".encode(), False),
        (b"", f"Heading\n{MIDDLE}\n".encode(), False),
        (b"", f"{OPEN} only one\n".encode(), False),
        (b"", f"{CLOSE} only one\n".encode(), False),
        (b"", b"  " + CONFLICT.replace(b"\n", b"\n  "), False),
        (b"", b"", False),
    ],
)
def test_conflict_markers_count_when_a_file_gains_two_kinds(before: bytes, after: bytes, gains: bool) -> None:
    assert gains_markers(before, after) is gains
