"""The review page's view of patches that git made: every kind of change, and as much of a long one as is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git.patch import parts
from conductor_git.server.pages.changes import MOST_LINES, File, Gap, Line, Sources, file_of
from conductor_git.server.pages.code import coloured
from tests import kit
from tests.kit import tasks


@pytest.fixture
def place(tmp_path: Path) -> Path:
    kit.git(tmp_path, "init", "--quiet")
    return tmp_path


def shown(place: Path, before: tasks.Files, after: tasks.Files, *, whole: bool = False) -> list[File]:
    """The page's files of a commit with `after` on one with `before`."""
    tasks.commit(place, before)
    base = kit.git(place, "rev-parse", "HEAD")
    tasks.commit(place, after)
    return _files(place, base, before, after, whole=whole)


def _files(place: Path, base: str, before: tasks.Files, after: tasks.Files, *, whole: bool = False) -> list[File]:
    text = kit.git(place, "diff", "--find-renames", base, "HEAD") + "\n"
    found = []
    for number, part in enumerate(parts(text), 1):
        old, new = (_lines(side, path) for side, path in ((before, part.old_path), (after, part.new_path)))
        found.append(file_of(number, part, Sources(old, new), mark="mark", whole=whole))
    return found


def _lines(side: tasks.Files, path: str | None) -> tuple[tuple[tuple[str, str], ...], ...] | None:
    text = side.get(path or "")
    return coloured(path or "", text) if isinstance(text, str) else None


def told(file: File) -> list[tuple[str, str]]:
    return [(line.kind, line.code.striptags()) for hunk in file.hunks for line in hunk.lines]


def test_a_renamed_file_shows_both_names_and_only_what_changed_in_it(place: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(30))
    (file,) = shown(place, {"old.txt": text}, {"old.txt": None, "new.txt": text.replace("line 15", "other")})
    assert (file.kind, file.old_path, file.path) == ("renamed", "old.txt", "new.txt")
    assert any(note.startswith("similarity index") for note in file.notes)
    assert (file.added, file.removed) == (1, 1)


def test_a_file_that_is_only_renamed_has_no_lines(place: Path) -> None:
    (file,) = shown(place, {"old.txt": "as it was\n"}, {"old.txt": None, "new.txt": "as it was\n"})
    assert (file.kind, file.hunks, file.added, file.removed) == ("renamed", (), 0, 0)
    assert file.notes == ("similarity index 100%",)


def test_a_binary_file_says_that_it_is_one(place: Path) -> None:
    (file,) = shown(place, {"logo.png": b"\0one"}, {"logo.png": b"\0two"})
    assert (file.kind, file.path, file.hunks) == ("changed", "logo.png", ())
    assert file.notes == ("Binary files a/logo.png and b/logo.png differ",)


def test_a_carriage_return_is_seen_where_it_comes_or_goes_and_nowhere_else(place: Path) -> None:
    (file,) = shown(place, {"a.py": "x = 1\r\ny = 2\r\nz = 3\n"}, {"a.py": "x = 1\r\ny = 2\nz = 3\r\n"})
    assert told(file) == [
        ("same", "x = 1"),
        ("del", "y = 2␍"),
        ("del", "z = 3"),
        ("add", "y = 2"),
        ("add", "z = 3␍"),
    ]
    assert all("\r" not in line.code for hunk in file.hunks for line in hunk.lines)
    assert all('class="t-n"' in line.code for hunk in file.hunks for line in hunk.lines), "and the colours stay"
    assert "<mark>" in file.hunks[0].lines[1].code


@pytest.mark.parametrize(("before", "after"), [("a\nb", "a\nb\n"), ("a\nb\n", "a\nb")])
def test_a_line_without_a_newline_at_its_end_says_so(place: Path, before: str, after: str) -> None:
    (file,) = shown(place, {"a.txt": before}, {"a.txt": after})
    said = [(line.kind, line.is_unended) for line in file.hunks[0].lines]
    assert said == [("same", False), ("del", not before.endswith("\n")), ("add", not after.endswith("\n"))]


def test_a_file_name_that_is_no_text_is_told_with_marks_in_the_place_of_its_odd_bytes(place: Path) -> None:
    (file,) = shown(place, {"other": "x\n"}, {'na\udcefme "x"\t\n': "text\n"})
    assert (file.kind, file.path) == ("added", 'na\ufffdme "x"\t\n')
    file.path.encode()


def test_bytes_that_are_no_text_are_told_in_lines_too(place: Path) -> None:
    (file,) = shown(place, {"a.txt": b"caf\xe9\n"}, {"a.txt": b"caf\xe8\n"})
    assert told(file) == [("del", "caf\ufffd"), ("add", "caf\ufffd")]


def test_a_mode_that_changes_is_said(place: Path) -> None:
    tasks.commit(place, {"run.sh": "#!/bin/sh\n"})
    (place / "run.sh").chmod(0o755)
    kit.git(place, "commit", "--quiet", "-am", "Run it")
    (file,) = _files(place, "HEAD^", {}, {})
    assert (file.kind, file.notes, file.hunks) == ("changed", ("old mode 100644", "new mode 100755"), ())


def test_empty_files_come_and_go(place: Path) -> None:
    files = shown(place, {"other": "x\n"}, {"new": "", "other": ""})
    assert [(file.path, file.kind, file.added, file.removed) for file in files] == [
        ("new", "added", 0, 0),
        ("other", "changed", 0, 1),
    ]
    (file,) = shown(place, {}, {"new": None})
    assert (file.path, file.kind, file.hunks) == ("new", "deleted", ())


@pytest.mark.parametrize("number", [MOST_LINES, 10_000])
def test_a_long_change_is_counted_and_shown_only_once_it_is_asked_for(place: Path, number: int) -> None:
    before, after = ("".join(f"{word} {at}\n" for at in range(number)) for word in ("old", "new"))
    (file,) = shown(place, {"long.txt": before}, {"long.txt": after})
    assert (file.is_held_back, file.hunks, file.added, file.removed) == (True, (), number, number)
    (file,) = _files(place, "HEAD^", {"long.txt": before}, {"long.txt": after}, whole=True)
    assert not file.is_held_back
    assert sum(len(hunk.lines) for hunk in file.hunks) == 2 * number
    assert not any("<mark>" in line.code for hunk in file.hunks for line in hunk.lines), "so many are not compared"


def test_what_is_folded_is_said_before_between_and_after_the_hunks(place: Path) -> None:
    before = "".join(f"{number}\n" for number in range(1, 61))
    after = before.replace("20\n", "twenty\nand one\n").replace("40\n", "forty\n")
    (file,) = shown(place, {"a.txt": before}, {"a.txt": after})
    assert [hunk.before for hunk in file.hunks] == [Gap(1, 1, 16), Gap(24, 25, 13)]
    assert file.after == Gap(44, 45, 17)


def test_side_by_side_what_went_stands_against_what_came(place: Path) -> None:
    (file,) = shown(place, {"a.txt": "one\ntwo\nthree\nend\n"}, {"a.txt": "1\n2\nend\nmore\n"})

    def code(line: Line | None) -> str | None:
        return line.code.striptags() if line else None

    assert [(code(left), code(right)) for left, right in file.hunks[0].pairs] == [
        ("one", "1"),
        ("two", "2"),
        ("three", None),
        ("end", "end"),
        (None, "more"),
    ]
