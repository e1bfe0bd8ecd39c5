"""`diff` with the comments of reviewers: below their lines for people, as data for programs, not in a plain patch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import kit
from tests.docs.terminal import Terminal
from tests.kit import tasks

LONG = "".join(f"line {number}\n" for number in range(1, 101))


@pytest.fixture
def worktree(repository: Path) -> Path:
    """`prices` in review: a line changed in the middle of a long file that is renamed too, and a new file."""
    tasks.commit(repository, {"docs/long.txt": LONG})
    place = tasks.spawn(repository, "prices")
    (place / "docs" / "long.txt").rename(place / "docs" / "longer.txt")
    changed = LONG.replace("line 50\n", "line fifty\n")
    tasks.commit(place, {"docs/longer.txt": changed, "src/new.py": "NEW = 1\n"})
    kit.git(place, "rm", "--quiet", "docs/long.txt")
    kit.git(place, "commit", "--quiet", "--amend", "--no-edit")
    tasks.hand_in(repository, "prices")
    return place


def ask(repository: Path, *comments: str, reviewer: str = "ada") -> None:
    words = [word for comment in comments for word in ("--comment", comment)]
    done = kit.conductor("request-changes", "prices", "--as", reviewer, *words, cwd=repository)
    assert done.code == 0, done


def shown(repository: Path, *options: str) -> list[str]:
    done = kit.conductor("diff", "prices", *options, cwd=repository)
    assert done.code == 0, done
    return done.out.splitlines()


def after(lines: list[str], line: str) -> str:
    return lines[lines.index(line) + 1]


@pytest.mark.usefixtures("worktree")
def test_a_comment_stands_below_its_line(repository: Path) -> None:
    ask(repository, "docs/longer.txt:50:why in words?\nand not in digits", "docs/longer.txt:49:fine", "src/new.py:1:?")

    lines = shown(repository, "--comments")

    assert after(lines, "+line fifty") == "│ ada: why in words?"
    assert after(lines, "│ ada: why in words?") == "│   and not in digits"
    assert after(lines, " line 49") == "│ ada: fine"
    assert after(lines, "+NEW = 1") == "│ ada: ?"


@pytest.mark.usefixtures("worktree")
def test_a_comment_on_a_line_as_it_was_stands_below_that_one(repository: Path) -> None:
    said = ("--comment-old", "docs/long.txt:50:this was better", "--comment-old", "docs/long.txt:51:and this")
    assert kit.conductor("request-changes", "prices", "--as", "ada", *said, cwd=repository).code == 0

    lines = shown(repository, "--comments")

    assert after(lines, "-line 50") == "│ ada: this was better"
    assert after(lines, " line 51") == "│ ada: and this"


@pytest.mark.usefixtures("worktree")
def test_a_comment_outside_the_hunks_stands_at_the_end_of_its_file(repository: Path) -> None:
    ask(repository, "docs/longer.txt:3:and here?")

    lines = shown(repository, "--comments")

    assert after(lines, "│ docs/longer.txt:3, ada: and here?") == "diff --git a/src/new.py b/src/new.py"


@pytest.mark.usefixtures("worktree")
def test_a_comment_on_a_file_that_the_diff_does_not_show_follows_it(repository: Path) -> None:
    ask(repository, "run.sh:2:this calls it too")

    assert shown(repository, "--comments")[-3:] == [
        "",
        "comments on files that this diff does not show",
        "│ run.sh:2, ada: this calls it too",
    ]


def test_comments_on_an_earlier_commit_are_listed_apart(repository: Path, worktree: Path) -> None:
    ask(repository, "src/new.py:1:too short")
    earlier = kit.git(worktree, "rev-parse", "HEAD")
    tasks.commit(worktree, {"src/new.py": "NEWER = 1\n"})
    tasks.hand_in(repository, "prices")
    ask(repository, "src/new.py:1:good", reviewer="bob")

    lines = shown(repository, "--comments")

    assert after(lines, "+NEWER = 1") == "│ bob: good"
    assert lines[-2:] == ["comments on earlier commits", f"│ src/new.py:1 at {earlier[:10]}, ada: too short"]


@pytest.mark.usefixtures("worktree")
def test_a_patch_in_a_pipe_is_gits_to_the_byte(repository: Path) -> None:
    before = shown(repository)
    ask(repository, "src/new.py:1:too short")

    assert shown(repository) == shown(repository, "--no-comments") == before
    assert "\n".join(before) == kit.git(repository, "diff", "main...worker/prices")
    patch = kit.conductor("diff", "prices", cwd=repository).out
    kit.git(repository, "apply", "--check", stdin=patch)


def test_a_person_at_a_terminal_sees_the_comments_unless_asked_not_to(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    place = tasks.spawn(terminal.cwd, "prices")
    tasks.commit(place, {"src/new.py": "NEW = 1\n"})
    tasks.hand_in(terminal.cwd, "prices")
    ask(terminal.cwd, "src/new.py:1:\x1b[2Jtoo\x07 short")

    assert "│ ada: \ufffd[2Jtoo\ufffd short" in terminal.run("conductor-git diff prices")
    assert [line for line in terminal.run("conductor-git diff prices --no-comments") if "│" in line] == []
    assert [line for line in terminal.run("conductor-git diff prices --stat") if "│" in line] == []


def test_a_program_gets_them_as_data_and_the_patch_as_it_is(repository: Path, worktree: Path) -> None:
    plain = kit.conductor("diff", "prices", "--json", cwd=repository).document
    ask(repository, "src/new.py:1:too short")
    head = kit.git(worktree, "rev-parse", "HEAD")

    found = kit.conductor("diff", "prices", "--json", cwd=repository).document

    assert plain["comments"] == []
    assert found["diff"] == plain["diff"]
    assert found["comments"] == [
        {
            "number": 1,
            "reviewer": "ada",
            "verdict": "request_changes",
            "commit": head,
            "path": "src/new.py",
            "side": "new",
            "line": 1,
            "body": "too short",
            "outdated": False,
        }
    ]


@pytest.mark.usefixtures("worktree")
@pytest.mark.parametrize("setting", ["diff.noprefix=true", "diff.mnemonicPrefix=true", "diff.srcPrefix=x/"])
def test_no_setting_of_the_user_moves_a_comment_away(repository: Path, setting: str) -> None:
    key, _, value = setting.partition("=")
    kit.git(repository, "config", "--global", key, value)
    ask(repository, "docs/longer.txt:50:why in words?")

    assert after(shown(repository, "--comments"), "+line fifty") == "│ ada: why in words?"


@pytest.mark.usefixtures("worktree")
@pytest.mark.parametrize("form", ["--stat", "--name-only"])
def test_comments_have_no_place_in_another_form(repository: Path, form: str) -> None:
    done = kit.conductor("diff", "prices", "--comments", form, "--json", cwd=repository)

    tasks.refused(done, "BAD_INPUT", 2)


@pytest.mark.usefixtures("worktree")
def test_what_a_landed_task_was_told_stays_with_its_diff(repository: Path) -> None:
    ask(repository, "src/new.py:1:too short")
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    tasks.landed(tasks.merge(repository, "prices"))

    assert after(shown(repository, "--comments"), "+NEW = 1") == "│ ada: too short"


def test_a_name_that_is_no_text_is_found_all_the_same(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")
    name = os.fsdecode(b"caf\xe9.txt")
    tasks.commit(place, {name: "one\n", "how to.md": "two\n", 'a"b.md': "three\n"})
    tasks.hand_in(repository, "prices")
    ask(repository, "how to.md:1:second", 'a"b.md:1:third')

    lines = shown(repository, "--comments")

    assert after(lines, "+two") == "│ ada: second"
    assert after(lines, "+three") == "│ ada: third"


@pytest.mark.usefixtures("worktree")
def test_the_plain_way_in_knows_the_option(repository: Path) -> None:
    ask(repository, "src/new.py:1:too short")
    program = "import sys; from conductor_git.cli.main import run; run(sys.argv[1:]); assert 'typer' not in sys.modules"

    done = subprocess.run(
        [sys.executable, "-c", program, "diff", "prices", "--comments"],
        cwd=repository,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "│ ada: too short" in done.stdout.decode()
