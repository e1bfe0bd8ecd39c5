"""done: what is not committed is refused by name, and nothing done is an answer of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks


def done(worktree: Path, *options: str) -> kit.Completed:
    return kit.conductor("done", "--json", *options, cwd=worktree)


def test_done_with_a_changed_file_is_refused_and_names_it(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    committed = tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.write(worktree, {"src/prices.py": "PRICES = {}\n"})
    before = kit.snapshot(worktree)

    error = tasks.refused(done(worktree), "DIRTY_WORKTREE", 10)

    assert error["files"] == ["src/prices.py"]
    assert error["task_id"] == "prices"
    assert kit.snapshot(worktree) == before
    assert tasks.record(repository, "prices").state == "WORKING"
    assert kit.git(repository, "rev-parse", "worker/prices") == committed


@pytest.mark.parametrize(
    ("prepare", "files"),
    [
        (("add", "docs/new.md"), ["docs/new.md"]),
        (("rm", "--quiet", "run.sh"), ["docs/new.md", "run.sh"]),
        (("rm", "--quiet", "--cached", "run.sh"), ["docs/new.md", "run.sh"]),
        (("update-index", "--chmod=-x", "run.sh"), ["docs/new.md", "run.sh"]),
        (("status",), ["docs/new.md"]),
    ],
    ids=["staged", "deleted", "taken out of the index", "another mode in the index", "untracked"],
)
def test_everything_that_is_not_in_the_commit_counts_as_uncommitted(
    repository: Path, prepare: tuple[str, ...], files: list[str]
) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.write(worktree, {"docs/new.md": "new\n"})
    kit.git(worktree, *prepare)

    error = tasks.refused(done(worktree), "DIRTY_WORKTREE", 10)

    assert error["files"] == files


def test_names_that_git_would_quote_are_listed_as_they_are(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    names = ["-rf", "a b", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "two\nlines", 'with"quote']
    tasks.write(worktree, dict.fromkeys(names, "x\n"))

    error = tasks.refused(done(worktree), "DIRTY_WORKTREE", 10)

    assert sorted(error["files"]) == sorted(names)


def test_a_name_that_is_no_text_is_refused_like_any_other(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    name = os.fsdecode(b"caf\xe9.txt")
    tasks.write(worktree, {name: "x\n"})

    refusal = kit.conductor("done", "--json", cwd=worktree, env={"PYTHONIOENCODING": "utf-8:strict"})

    error = tasks.refused(refusal, "DIRTY_WORKTREE", 10)
    assert len(error["files"]) == 1
    assert (worktree / name).read_text() == "x\n"


def test_ignored_files_and_the_context_file_do_not_make_a_worktree_dirty(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    commit = tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.write(worktree, {"debug.log": "noise\n", "build/out.bin": b"\0\1"})

    handed_in = done(worktree)

    assert handed_in.code == 0, handed_in.err
    assert (worktree / ".worker-ctx.json").is_file()
    assert handed_in.document["task"]["state"] == "IN_REVIEW"
    assert handed_in.document["task"]["head_commit"] == commit


def test_done_without_a_commit_is_its_own_outcome_and_not_a_review(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")

    error = tasks.refused(done(worktree), "NOTHING_TO_REVIEW", 11)

    assert error["branch"] == "worker/prices"
    run = tasks.record(repository, "prices")
    assert (run.state, run.head_commit) == ("WORKING", None)


def test_commits_that_came_from_the_target_are_nothing_to_review(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(repository, {"README.md": "# Acme\n\nA better shop.\n"})
    kit.git(worktree, "merge", "--quiet", "--ff-only", "main")

    tasks.refused(done(worktree), "NOTHING_TO_REVIEW", 11)

    assert tasks.record(repository, "prices").state == "WORKING"


def test_done_wip_commits_what_is_there_and_says_so_in_the_message(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices", prompt="Raise the prices")
    tasks.write(worktree, {"src/new.py": "NEW = 1\n", "src/prices.py": "PRICES = {}\n"})

    handed_in = done(worktree, "--wip")

    assert handed_in.code == 0, handed_in.err
    head = handed_in.document["task"]["head_commit"]
    assert kit.git(worktree, "show", "-s", "--format=%s", head) == "wip: Raise the prices"
    assert kit.git(worktree, "show", "--format=", "--name-only", head).split() == ["src/new.py", "src/prices.py"]
    assert kit.git(worktree, "status", "--porcelain") == ""


def test_a_failing_hook_is_a_refusal_with_its_words_and_not_nothing_to_commit(repository: Path) -> None:
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'line 3 is too long' >&2\nexit 1\n")
    hook.chmod(0o755)
    worktree = tasks.spawn(repository, "prices")
    tasks.write(worktree, {"src/new.py": "NEW = 1\n"})

    error = tasks.refused(done(worktree, "--wip"), "HOOK_REFUSED", 1)

    assert "line 3 is too long" in error["message"]
    assert (worktree / "src/new.py").read_text() == "NEW = 1\n"
    assert tasks.record(repository, "prices").state == "WORKING"


@pytest.mark.parametrize(
    ("command", "what"),
    [(("merge", "main"), "a merge"), (("rebase", "main"), "a rebase"), (("checkout", "main~1"), "")],
)
def test_done_in_the_middle_of_something_is_refused(repository: Path, command: tuple[str, ...], what: str) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/prices.py": "PRICES = {'apple': 5}\n"})
    tasks.commit(repository, {"src/prices.py": "PRICES = {'apple': 9}\n"})
    kit.git(worktree, *command, ok=(0, 1))

    error = tasks.refused(done(worktree), "WORKTREE_BUSY", 1)

    assert error.get("under_way", "") == what
    assert tasks.record(repository, "prices").state == "WORKING"


def test_a_file_cleaned_by_a_filter_of_the_repository_is_not_taken_for_a_change(repository: Path) -> None:
    tasks.commit(repository, {".gitattributes": "*.secret filter=hide\n"})
    kit.git(repository, "config", "filter.hide.clean", "tr a-z A-Z")
    kit.git(repository, "config", "filter.hide.smudge", "tr A-Z a-z")
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"key.secret": "open sesame\n"})

    handed_in = done(worktree)

    assert handed_in.code == 0, handed_in.out


def test_a_change_hidden_from_git_status_is_still_uncommitted(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    kit.git(worktree, "update-index", "--assume-unchanged", "src/prices.py")
    tasks.write(worktree, {"src/prices.py": "PRICES = {}\n"})

    error = tasks.refused(done(worktree), "DIRTY_WORKTREE", 10)

    assert error["files"] == ["src/prices.py"]
