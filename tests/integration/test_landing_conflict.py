"""CONFLICT: no side is ever picked, no marker ever lands, and the worker gets the commands that resolve it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks

OLD = "PRICES = {\n    'apple': 3,\n    'pear': 4,\n}\n"
MINE = OLD.replace("3", "33")
THEIRS = OLD.replace("3", "30")
OURS, PARTED, END = "<" * 7, "=" * 7, ">" * 7


@pytest.fixture
def conflict(repository: Path) -> Path:
    """The worktree of an approved task `prices` that conflicts with the target in src/prices.py."""
    worktree = tasks.approved(repository, "prices", {"src/prices.py": THEIRS, "src/new.py": "NEW = 1\n"})
    tasks.commit(repository, {"src/prices.py": MINE})
    return worktree


def test_a_conflict_names_the_files_and_sends_the_task_back_with_nothing_moved(
    repository: Path, conflict: Path
) -> None:
    before, there = kit.snapshot(repository), kit.snapshot(conflict)

    error = tasks.refused(tasks.merge(repository, "prices"), "CONFLICT", 13)

    assert error["files"] == ["src/prices.py"]
    assert (error["outcome"], error["task_id"]) == ("CONFLICT", "prices")
    assert kit.snapshot(repository) == before
    assert kit.snapshot(conflict) == there
    run = tasks.record(repository, "prices")
    assert (run.state, run.approved_commit, run.merge_commit) == ("WORKING", None, None)
    assert run.landing is not None
    assert (run.landing.outcome, run.landing.files) == ("CONFLICT", ("src/prices.py",))


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_the_bounce_tells_the_commands_and_they_work_and_the_task_lands(
    repository: Path, conflict: Path, strategy: str
) -> None:
    tasks.merge(repository, "prices", "--strategy", strategy)
    (told,) = tasks.told(repository, "BOUNCED", "prices")
    commands = [line.strip() for line in told.splitlines() if line.startswith("    ")]

    run_each(conflict, commands, resolve={"src/prices.py": OLD.replace("3", "36")})

    assert tasks.record(repository, "prices").state == "IN_REVIEW"
    tasks.approve(repository, "prices")
    tasks.landed(tasks.merge(repository, "prices", "--strategy", strategy))
    assert (repository / "src/prices.py").read_text() == OLD.replace("3", "36")
    assert (repository / "src/new.py").read_text() == "NEW = 1\n"


def run_each(worktree: Path, commands: list[str], *, resolve: tasks.Files) -> None:
    """Run what a message says in a shell, in a directory that is none of ours; at the comment, resolve."""
    for command in commands:
        if command.startswith("#"):
            tasks.write(worktree, resolve)
            continue
        assert command.startswith(("git ", "conductor-git ")), command
        done = subprocess.run(command, shell=True, cwd=worktree, capture_output=True, check=False)
        assert done.returncode in (0, 1), done
    assert kit.git(worktree, "status", "--porcelain") == ""


def test_the_commands_work_also_where_paths_have_spaces(tmp_path: Path) -> None:
    repository = kit.make_repository(tmp_path / "my shop $HOME")
    worktree = tasks.approved(repository, "prices", {"src/prices.py": THEIRS})
    tasks.commit(repository, {"src/prices.py": MINE})

    error = tasks.refused(tasks.merge(repository, "prices"), "CONFLICT", 13)

    (told,) = tasks.told(repository, "BOUNCED", "prices")
    assert error["hint"] in told
    commands = [line.strip() for line in told.splitlines() if line.startswith("    ")]
    run_each(worktree, commands, resolve={"src/prices.py": OLD})
    assert tasks.record(repository, "prices").state == "IN_REVIEW"


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
@pytest.mark.parametrize(
    ("mine", "theirs", "files"),
    [
        ({"src/prices.py": None}, {"src/prices.py": THEIRS}, ["src/prices.py"]),
        ({"src/prices.py": MINE}, {"src/prices.py": None}, ["src/prices.py"]),
        ({"new.bin": b"\0mine"}, {"new.bin": b"\0theirs"}, ["new.bin"]),
        ({"new.txt": "mine\n"}, {"new.txt": "theirs\n"}, ["new.txt"]),
    ],
    ids=["deleted here", "deleted there", "binary", "added twice"],
)
def test_no_kind_of_conflict_is_resolved_by_picking_a_side(
    repository: Path, mine: tasks.Files, theirs: tasks.Files, files: list[str], strategy: str
) -> None:
    tasks.approved(repository, "prices", theirs)
    tasks.commit(repository, mine)
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "prices", "--strategy", strategy), "CONFLICT", 13)

    assert error["files"] == files
    assert kit.snapshot(repository) == before


def test_a_merge_driver_that_a_branch_brings_picks_no_side_either(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": THEIRS, ".gitattributes": "*.py merge=union\n"})
    tasks.commit(repository, {"src/prices.py": MINE})

    tasks.refused(tasks.merge(repository, "prices"), "CONFLICT", 13)


@pytest.mark.parametrize(
    "name",
    ["two\nlines", "a b", "-rf", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", os.fsdecode(b"no text \xe9"), '"q"', "a: b"],
)
def test_a_conflict_in_a_file_of_any_name_is_told_and_recorded(repository: Path, name: str) -> None:
    tasks.approved(repository, "prices", {name: "theirs\n"})
    tasks.commit(repository, {name: "mine\n"})

    error = tasks.refused(tasks.merge(repository, "prices"), "CONFLICT", 13)

    assert len(error["files"]) == 1
    if name.isprintable() or "\n" in name:
        assert error["files"] == [name]
    assert tasks.record(repository, "prices").state == "WORKING"
    assert len(tasks.told(repository, "BOUNCED", "prices")) == 1
    assert kit.conductor("show", "prices", "--json", cwd=repository).code == 0


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_committed_conflict_markers_never_land(repository: Path, strategy: str) -> None:
    markers = f"a\n{OURS} HEAD\nmine\n{PARTED}\ntheirs\n{END} main\nz\n"
    tasks.approved(repository, "prices", {"src/prices.py": markers, "README.md": "fine\n"})
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "prices", "--strategy", strategy), "CONFLICT", 13)

    assert error["files"] == ["src/prices.py"]
    assert "conflict markers" in error["message"]
    assert kit.snapshot(repository) == before
    assert tasks.record(repository, "prices").state == "WORKING"


def test_markers_are_found_whatever_the_attributes_and_names_say(repository: Path) -> None:
    markers = f"{OURS} HEAD\r\nmine\r\n{PARTED}\r\ntheirs\r\n{END} main\r\n"
    attributes = "* -diff -text whitespace=-trailing-space conflict-marker-size=20\n"
    tasks.approved(repository, "prices", {"two\nlines: 1": markers, ".gitattributes": attributes})
    before = kit.git(repository, "rev-parse", "main")

    tasks.refused(tasks.merge(repository, "prices"), "CONFLICT", 13)

    assert kit.git(repository, "rev-parse", "main") == before


@pytest.mark.parametrize("line", [PARTED, OURS + " quoted", END], ids=["heading", "opening only", "closing only"])
def test_a_line_that_only_looks_like_a_marker_lands(repository: Path, line: str) -> None:
    tasks.approved(repository, "prices", {"docs/guide.rst": f"A shop.\n{line}\n\nText.  \n"})

    tasks.landed(tasks.merge(repository, "prices"))

    assert line in (repository / "docs/guide.rst").read_text()


@pytest.mark.parametrize("after", ["{0}\nMore.\n", "Gone.\n", "Moved.\n{0}{0}"], ids=["left", "removed", "moved"])
def test_markers_that_the_target_has_already_do_not_keep_other_work_from_landing(repository: Path, after: str) -> None:
    quoted = f"{OURS} HEAD\na\n{PARTED}\nb\n{END} main\n"
    tasks.commit(repository, {"docs/merging.md": quoted * 2})
    tasks.approved(repository, "prices", {"docs/merging.md": after.format(quoted)})

    tasks.landed(tasks.merge(repository, "prices"))

    assert (repository / "docs/merging.md").read_text() == after.format(quoted)


@pytest.mark.parametrize("name", [".worker-ctx.json", "src/.worker-ctx.json"])
def test_a_file_of_our_own_never_lands(repository: Path, name: str) -> None:
    tasks.approved(repository, "prices", {name: "{}\n", "src/new.py": "NEW = 1\n"})
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "prices"), "OWN_FILES", 1)

    assert error["files"] == [name]
    assert kit.snapshot(repository) == before
    assert tasks.record(repository, "prices").state == "APPROVED"


def test_add_all_in_the_worktree_does_not_take_our_file_along(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    assert (worktree / ".worker-ctx.json").is_file()
    tasks.write(worktree, {"src/new.py": "NEW = 1\n"})
    kit.git(worktree, "add", "-A")
    kit.git(worktree, "commit", "--quiet", "-m", "All of it")
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")

    landed = tasks.landed(tasks.merge(repository, "prices"))

    assert landed["files"] == ["src/new.py"]
