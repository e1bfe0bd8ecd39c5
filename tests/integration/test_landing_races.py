"""What happens while a landing is on its way: the target moves, the branch moves, the reviewer has the last word."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks
from tests.kit.interposed import happened, interpose

OLD = "PRICES = {\n    'apple': 3,\n    'pear': 4,\n}\n"
DEAR_APPLES = OLD.replace("3", "30")
DEAR_PEARS = "# Fruit\n\n" + OLD


def gate(repository: Path, script: str) -> None:
    """Let the target's config have one gate, which runs `script`."""
    quoted = "'" + script.replace("'", "''") + "'"
    tasks.commit(repository, {".conductor.yaml": f"gates:\n  - name: meanwhile\n    run: {quoted}\n"}, "Have a gate")


def once(tmp_path: Path, script: str) -> str:
    """A shell command that runs `script` the first time only."""
    flag = shlex.quote(str(tmp_path / "once"))
    return f"[ -e {flag} ] || {{ : > {flag}; {script}; }}"


def committing(checkout: Path, tmp_path: Path, files: dict[str, str]) -> str:
    """A shell script that commits `files` in `checkout` as another person would."""
    source = tmp_path / "their files"
    tasks.write(source, files)
    return f"cp -R {shlex.quote(str(source))}/. {shlex.quote(str(checkout))} && " + " && ".join(
        f"git -C {shlex.quote(str(checkout))} {command}" for command in ("add --all", "commit --quiet -m theirs")
    )


def test_a_target_that_moved_during_the_gates_is_merged_and_gated_again(repository: Path, tmp_path: Path) -> None:
    gate(repository, once(tmp_path, committing(repository, tmp_path, {"src/other.py": "OTHER = 1\n"})))
    tasks.approved(repository, "prices", {"src/prices.py": DEAR_APPLES})

    landed = tasks.landed(tasks.merge(repository, "prices", "--trust"))

    assert (repository / "src/other.py").read_text() == "OTHER = 1\n"
    assert (repository / "src/prices.py").read_text() == DEAR_APPLES
    assert first_parents(repository)[:2] == ["Land prices: prices", "theirs"]
    assert len(tasks.told(repository, "GATE", "prices")) == 2
    assert kit.git(repository, "rev-parse", "main") == landed["task"]["merge_commit"]
    assert kit.git(repository, "status", "--porcelain") == ""


def first_parents(repository: Path) -> list[str]:
    return kit.git(repository, "log", "--first-parent", "--format=%s", "main").splitlines()


def move_main(checkout: Path) -> str:
    return f" && git -C {shlex.quote(str(checkout))} update-ref refs/heads/main HEAD"


def test_their_commit_to_the_same_file_is_merged_and_not_taken_for_a_dirty_file(
    repository: Path, tmp_path: Path
) -> None:
    gate(repository, once(tmp_path, committing(repository, tmp_path, {"src/prices.py": DEAR_PEARS})))
    tasks.approved(repository, "prices", {"src/prices.py": DEAR_APPLES})

    tasks.landed(tasks.merge(repository, "prices", "--trust"))

    assert (repository / "src/prices.py").read_text() == DEAR_PEARS.replace("3", "30")


def test_their_commit_that_conflicts_makes_it_a_conflict_and_stays(repository: Path, tmp_path: Path) -> None:
    gate(repository, once(tmp_path, committing(repository, tmp_path, {"src/prices.py": OLD.replace("3", "33")})))
    tasks.approved(repository, "prices", {"src/prices.py": DEAR_APPLES})

    error = tasks.refused(tasks.merge(repository, "prices", "--trust"), "CONFLICT", 13)

    assert error["files"] == ["src/prices.py"]
    assert kit.git(repository, "log", "-1", "--format=%s", "main") == "theirs"
    assert (repository / "src/prices.py").read_text() == OLD.replace("3", "33")


def test_a_target_that_moves_in_the_last_moment_is_seen_by_the_compare_and_swap(
    repository: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    kit.git(repository, "switch", "--quiet", "-c", "mine")
    kit.git(repository, "worktree", "add", "--quiet", "--detach", str(second), "main")
    tasks.approved(repository, "prices", {"src/prices.py": DEAR_APPLES}, target="main")
    theirs = committing(second, tmp_path, {"src/other.py": "OTHER = 1\n"}) + move_main(second)
    bin_ = tmp_path / "bin"
    env = interpose(bin_, "update-ref --no-deref -m conductor-git: land prices", before=scrubbed(theirs))

    tasks.landed(tasks.merge(repository, "prices", env=env))

    assert happened(bin_)
    assert first_parents(repository)[:2] == ["Land prices: prices", "theirs"]
    assert kit.git(repository, "show", "main:src/other.py") == "OTHER = 1"
    assert kit.git(repository, "show", "main:src/prices.py") + "\n" == DEAR_APPLES


def test_a_checked_out_target_that_moves_in_the_last_moment_keeps_its_files_whole(
    repository: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    kit.git(repository, "worktree", "add", "--quiet", "--detach", str(second), "main")
    tasks.approved(repository, "prices", {"src/prices.py": DEAR_APPLES, "src/new.py": "NEW = 1\n"})
    tasks.write(repository, {"README.md": "mine, unfinished\n"})
    theirs = committing(second, tmp_path, {"docs/other.md": "theirs\n"}) + move_main(second)
    bin_ = tmp_path / "bin"
    env = interpose(bin_, "update-ref -m conductor-git: land prices", before=scrubbed(theirs))

    tasks.landed(tasks.merge(repository, "prices", env=env))

    assert happened(bin_)
    assert first_parents(repository)[:2] == ["Land prices: prices", "theirs"]
    assert (repository / "README.md").read_text() == "mine, unfinished\n"
    assert (repository / "src/prices.py").read_text() == DEAR_APPLES
    assert not (repository / ".git" / "index.lock").exists()
    # Their `update-ref` went behind the back of this checkout, which does not get their file by ours.
    assert kit.git(repository, "status", "--porcelain").splitlines() == [" M README.md", "D  docs/other.md"]


def scrubbed(script: str) -> str:
    """`script` without the variables that point git at our repositories: another person has none of them."""
    return f"( unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY; {script} ) </dev/null"


def test_a_commit_after_the_approval_does_not_land_and_goes_to_review(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/prices.py": DEAR_APPLES})
    approved = tasks.record(repository, "prices").approved_commit
    later = tasks.commit(worktree, {"src/evil.py": "EVIL = 1\n"})
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "prices"), "SUPERSEDED", 16)

    assert (error["approved_commit"], error["head_commit"]) == (approved, later)
    assert kit.snapshot(repository) == before
    run = tasks.record(repository, "prices")
    assert (run.state, run.head_commit, run.approved_commit) == ("IN_REVIEW", later, None)
    tasks.refused(tasks.merge(repository, "prices"), "ILLEGAL_TRANSITION", 12)


@pytest.mark.parametrize(
    "rewrite",
    [("commit", "--quiet", "--amend", "-m", "amended"), ("reset", "--quiet", "--hard", "main")],
    ids=["amended", "reset"],
)
def test_a_rewritten_branch_does_not_land_as_approved(repository: Path, rewrite: tuple[str, ...]) -> None:
    worktree = tasks.approved(repository, "prices", {"src/prices.py": DEAR_APPLES})
    kit.git(worktree, *rewrite)

    tasks.refused(tasks.merge(repository, "prices"), "SUPERSEDED", 16)

    assert (repository / "src/prices.py").read_text() == OLD


def test_the_new_commit_lands_once_it_is_approved_itself(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/prices.py": DEAR_APPLES})
    later = tasks.commit(worktree, {"src/more.py": "MORE = 1\n"})
    tasks.merge(repository, "prices")
    tasks.approve(repository, "prices")

    landed = tasks.landed(tasks.merge(repository, "prices"))

    assert landed["task"]["approved_commit"] == later
    assert (repository / "src/more.py").exists()


def test_a_commit_made_while_the_landing_runs_stays_off_the_target_and_on_its_branch(
    repository: Path, tmp_path: Path
) -> None:
    worktree = repository.parent / "acme.worktrees" / "prices"
    gate(repository, once(tmp_path, committing(worktree, tmp_path, {"src/late.py": "LATE = 1\n"})))
    tasks.approved(repository, "prices", {"src/prices.py": DEAR_APPLES})

    landed = tasks.landed(tasks.merge(repository, "prices", "--trust"))

    assert landed["files"] == ["src/prices.py"]
    assert not (repository / "src/late.py").exists()
    assert kit.git(repository, "show", "worker/prices:src/late.py") == "LATE = 1"


def test_what_is_on_the_target_already_is_its_own_outcome(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": DEAR_APPLES})
    kit.git(repository, "merge", "--quiet", "--ff-only", "worker/prices")
    before = kit.snapshot(repository)

    landed = tasks.landed(tasks.merge(repository, "prices"), "ALREADY_LANDED")

    assert kit.snapshot(repository) == before
    assert landed["task"]["merge_commit"] == before.tip


@pytest.mark.parametrize("strategy", ["squash", "rebase"])
def test_the_same_change_made_by_hand_is_already_landed_and_makes_no_empty_commit(
    repository: Path, strategy: str
) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": DEAR_APPLES})
    tasks.commit(repository, {"src/prices.py": DEAR_APPLES}, "the same by hand")
    before = kit.git(repository, "rev-parse", "main")

    tasks.landed(tasks.merge(repository, "prices", "--strategy", strategy), "ALREADY_LANDED")

    assert kit.git(repository, "rev-parse", "main") == before


def test_landing_twice_lands_once(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": DEAR_APPLES})
    first = tasks.landed(tasks.merge(repository, "prices"))

    second = tasks.landed(tasks.merge(repository, "prices"), "ALREADY_LANDED")

    assert second["task"]["merge_commit"] == first["task"]["merge_commit"]
    assert kit.git(repository, "rev-parse", "main") == first["task"]["merge_commit"]


def test_a_target_that_was_deleted_is_told_and_nothing_is_lost(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/prices.py": DEAR_APPLES})
    kit.git(repository, "switch", "--quiet", "-c", "mine")
    kit.git(repository, "branch", "--quiet", "-D", "main")

    tasks.refused(tasks.merge(repository, "prices"), "BASE_NOT_FOUND", 18)

    assert worktree.is_dir()
    assert tasks.record(repository, "prices").state == "APPROVED"
    assert kit.git(repository, "branch", "--list", "main") == ""
