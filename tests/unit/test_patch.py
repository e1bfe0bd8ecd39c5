"""Patches as git prints them: every line is found where git says it is, whatever is in the files and in their names."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conductor_git.patch import Part, parts
from tests import kit

LINES: Final = st.lists(
    st.sampled_from(
        ["a", "b", "c", "", " ", "-- a/x", "++ b/x", "@@ -1 +1 @@", "diff --git a/x b/x", "\\ No newline", "\r", "é"]
    ),
    max_size=30,
)
CONTENT: Final = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"]))
NAMES: Final = st.text(st.sampled_from([*"ab é\"\\\t\n'", "\udcff", "\x1b", "→"]), min_size=1, max_size=6).filter(
    lambda name: name.strip("\t\n ") == name
)
TREES: Final = st.dictionaries(NAMES, CONTENT, max_size=4)
FORMS: Final = st.sampled_from(
    [
        (),
        ("--color=always",),
        ("-U0",),
        ("--color=always", "--color-moved", "-U1"),
        ("-c", "diff.suppressBlankEmpty=true"),
    ]
)


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        kit.git(Path(place), "init", "--quiet", "--bare")
        yield Path(place)


def tree(scratch: Path, files: dict[str, str]) -> str:
    """A tree of `files` without directories, as git stores it."""
    rows = []
    for name, text in files.items():
        blob = kit.git(scratch, "hash-object", "-w", "--stdin", stdin=text)
        rows.append(f"100644 blob {blob}\t{name}\0")
    return kit.git(scratch, "mktree", "-z", stdin="".join(rows))


def compared(scratch: Path, old: dict[str, str], new: dict[str, str], form: tuple[str, ...] = ()) -> str:
    config = form if "-c" in form else ()
    how = () if config else form
    trees = (tree(scratch, old), tree(scratch, new))
    return kit.git(scratch, *config, "diff", "--find-renames", *how, *trees)


def lines_of(text: str) -> list[str]:
    found = text.split("\n")
    return found if found[-1] else found[:-1]


def bare(text: str) -> str:
    """A line without the colours that git gives it; none of the contents above has one of its own."""
    for code in ("\x1b[m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[1;35m", "\x1b[1;36m", "\x1b[1;34m",
                 "\x1b[1;33m", "\x1b[41m", "\x1b[2m", "\x1b[3m"):  # fmt: skip
        text = text.replace(code, "")
    return text


def check(part: Part, old: dict[str, str], new: dict[str, str]) -> None:
    assert part.old_path is None or part.old_path in old, part
    assert part.new_path is None or part.new_path in new, part
    before = lines_of(old[part.old_path]) if part.old_path is not None else []
    after = lines_of(new[part.new_path]) if part.new_path is not None else []
    for line in part.lines:
        said = bare(line.text)[1:]
        if line.old is not None:
            assert before[line.old - 1] == said
        if line.new is not None:
            assert after[line.new - 1] == said
    gone = {number for number, _ in enumerate(before, 1)} - {line.old for line in part.lines}
    came = {number for number, _ in enumerate(after, 1)} - {line.new for line in part.lines}
    assert [before[number - 1] for number in sorted(gone)] == [after[number - 1] for number in sorted(came)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TREES, TREES, FORMS)
@example({"a": "a\n"}, {"a": "a"}, ())
@example({"a": "a"}, {"a": "b"}, ())
@example({"a b": "a\n"}, {"a b": "b\n"}, ())
@example({"é": "a\n" * 9}, {"è": "a\n" * 9 + "b\n"}, ("--color=always",))
@example({"a": "-- a/x\n"}, {"a": "++ b/x\n"}, ())
@example({"a": "a\n\nb\n"}, {"a": "a\n\nc\n"}, ("-c", "diff.suppressBlankEmpty=true"))
def test_every_line_is_where_git_says(
    scratch: Path, old: dict[str, str], new: dict[str, str], form: tuple[str, ...]
) -> None:
    text = compared(scratch, old, new, form)
    found = list(parts(text)) if text else []

    assert "\n".join(line.text for part in found for line in part.lines) == text
    for part in found:
        check(part, old, new)
    touched = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    assert {name for part in found for name in (part.old_path, part.new_path) if name is not None} == touched


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, NAMES, st.booleans())
def test_the_paths_of_a_rename_are_told_also_where_nothing_else_changed(
    scratch: Path, old: str, new: str, is_edited: bool
) -> None:
    before = "".join(f"line {number}\n" for number in range(20))
    text = compared(scratch, {old: before}, {new: before + "more\n" * is_edited})

    assert [(part.old_path, part.new_path) for part in parts(text)] == ([(old, new)] if old != new or is_edited else [])


@pytest.mark.parametrize("name", ["a", "a b", 'a"b', "é", "a b/a b"])
def test_a_file_without_hunks_has_its_path(tmp_path: Path, name: str) -> None:
    place = kit.make_repository(tmp_path / "acme")
    file = place / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"\0\1" * 9)
    kit.git(place, "add", "--all")
    kit.git(place, "commit", "--quiet", "-m", "Binary")
    file.write_bytes(b"\0\2" * 9)
    (place / "run.sh").chmod(0o644)
    (place / "empty").touch()
    kit.git(place, "add", "--all")

    found = list(parts(kit.git(place, "diff", "--cached")))

    assert {(part.old_path, part.new_path) for part in found} == {(name, name), ("run.sh", "run.sh"), (None, "empty")}
    assert os.linesep.join(part.lines[0].text for part in found).count("diff --git") == 3


def test_nothing_is_no_part() -> None:
    assert list(parts("")) == []
