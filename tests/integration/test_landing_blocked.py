"""BLOCKED: the target's checkout is in the way, so nothing moves, nothing is touched, and the task stays APPROVED."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks

OLD = "PRICES = {\n    'apple': 3,\n    'pear': 4,\n}\n"
NEW = OLD.replace("3", "30")


def require_blocked(repository: Path, files: list[str], *, message: str = "") -> None:
    """`merge prices` is BLOCKED by `files`, and everything is as it was: ref, checkout, record, worktree, branch."""
    before = kit.snapshot(repository)
    approved = tasks.record(repository, "prices").approved_commit

    error = tasks.refused(tasks.merge(repository, "prices"), "BLOCKED", 15)

    assert error["outcome"] == "BLOCKED"
    assert error["files"] == files
    assert message in error["message"]
    assert kit.snapshot(repository) == before
    run = tasks.record(repository, "prices")
    assert (run.state, run.approved_commit, run.merge_commit) == ("APPROVED", approved, None)
    assert run.landing is not None
    assert (run.landing.outcome, list(run.landing.files), run.landing.merge_commit) == ("BLOCKED", files, None)
    assert Path(run.worktree).is_dir()
    assert kit.git(repository, "rev-parse", "worker/prices") == approved
    assert tasks.told(repository, "LANDED", "prices") == []


def test_a_changed_file_that_the_landing_changes_blocks_it_until_it_is_out_of_the_way(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    tasks.write(repository, {"src/prices.py": OLD + "# mine\n", "README.md": "mine too\n"})

    require_blocked(repository, ["src/prices.py"])

    kit.git(repository, "checkout", "--", "src/prices.py")
    tasks.landed(tasks.merge(repository, "prices"))
    assert (repository / "src/prices.py").read_text() == NEW
    assert (repository / "README.md").read_text() == "mine too\n"


def test_the_same_change_made_by_hand_blocks_as_well(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    tasks.write(repository, {"src/prices.py": NEW})

    require_blocked(repository, ["src/prices.py"])


def test_a_staged_change_blocks(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    tasks.write(repository, {"src/prices.py": OLD + "# mine\n"})
    kit.git(repository, "add", "src/prices.py")

    require_blocked(repository, ["src/prices.py"])


def test_a_change_that_only_the_index_holds_blocks(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    tasks.write(repository, {"src/prices.py": OLD + "# mine\n"})
    kit.git(repository, "add", "src/prices.py")
    tasks.write(repository, {"src/prices.py": OLD})

    require_blocked(repository, ["src/prices.py"])


def test_a_file_deleted_by_hand_that_the_landing_changes_blocks(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    (repository / "src/prices.py").unlink()

    require_blocked(repository, ["src/prices.py"])


def test_a_changed_file_that_the_landing_deletes_blocks(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": None})
    tasks.write(repository, {"src/prices.py": OLD + "# mine\n"})

    require_blocked(repository, ["src/prices.py"])


@pytest.mark.parametrize(
    ("mine", "landing"),
    [
        ("docs/new.md", "docs/new.md"),
        ("plan.log", "plan.log"),
        ("new", "new/inside.md"),
        ("new/inside.md", "new"),
        ("two\nlines", "two\nlines"),
        ("-rf", "-rf"),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}.md", "caf\N{LATIN SMALL LETTER E WITH ACUTE}.md"),
    ],
    ids=[
        "untracked",
        "ignored",
        "a file where a directory goes",
        "a directory where a file goes",
        "newline",
        "dash",
        "accent",
    ],
)
def test_a_file_that_git_does_not_track_blocks_and_is_not_overwritten(
    repository: Path, mine: str, landing: str
) -> None:
    tasks.approved(repository, "prices", {landing: "from the worker\n"})
    tasks.write(repository, {mine: "a person's\n"})

    require_blocked(repository, [landing])

    assert (repository / mine).read_text() == "a person's\n"


def test_a_link_where_the_landing_has_a_directory_blocks_and_is_not_followed(repository: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    tasks.approved(repository, "prices", {"new/inside.md": "from the worker\n"})
    (repository / "new").symlink_to(outside)

    require_blocked(repository, ["new/inside.md"])

    assert list(outside.iterdir()) == []


def test_git_at_work_in_the_checkout_blocks(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    lock = repository / ".git" / "index.lock"
    lock.write_bytes(b"of a git command that is at work")

    require_blocked(repository, [], message="index.lock")

    assert lock.read_bytes() == b"of a git command that is at work"


def test_a_target_that_is_checked_out_twice_blocks(repository: Path, tmp_path: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    second = tmp_path / "second"
    kit.git(repository, "worktree", "add", "--quiet", "--force", str(second), "main")
    there = kit.snapshot(second)

    require_blocked(repository, [], message=str(second))

    assert kit.snapshot(second) == there


def test_a_rebase_of_the_target_under_way_blocks_and_can_be_finished(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    kit.git(repository, "branch", "base", "main")
    tasks.commit(repository, {"README.md": "mine\n"})
    kit.git(repository, "checkout", "--quiet", "base")
    tasks.commit(repository, {"README.md": "theirs\n"})
    kit.git(repository, "checkout", "--quiet", "main")
    kit.git(repository, "rebase", "base", ok=(1,))

    require_blocked(repository, [], message="a rebase of main")

    tasks.write(repository, {"README.md": "both\n"})
    kit.git(repository, "add", "README.md")
    kit.git(repository, "-c", "core.editor=true", "rebase", "--continue")
    tasks.landed(tasks.merge(repository, "prices"))
    assert (repository / "README.md").read_text() == "both\n"
    assert (repository / "src/prices.py").read_text() == NEW


def test_a_merge_of_the_persons_own_under_way_in_the_target_is_left_to_be_finished(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    kit.git(repository, "switch", "--quiet", "-c", "other")
    tasks.commit(repository, {"README.md": "theirs\n"})
    kit.git(repository, "switch", "--quiet", "main")
    tasks.commit(repository, {"README.md": "mine\n"})
    kit.git(repository, "merge", "other", ok=(1,))

    require_blocked(repository, [], message="a merge is under way")


def test_a_blocked_landing_tells_a_person_what_to_do(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    tasks.write(repository, {"src/prices.py": OLD + "# mine\n"})

    told = kit.conductor("merge", "prices", cwd=repository)

    assert told.code == 15
    assert told.out == ""
    assert "src/prices.py" in told.err
    assert "nothing was moved" in told.err
    assert f"git -C {repository} status" in told.err


def test_a_target_that_moves_at_every_try_is_blocked_and_not_tried_for_ever(repository: Path) -> None:
    restless = f"git -C {repository} commit --quiet --allow-empty -m restless"
    tasks.commit(repository, {".conductor.yaml": f'gates:\n  - name: restless\n    run: "{restless}"\n'})
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    before = kit.git(repository, "rev-parse", "main")

    error = tasks.refused(tasks.merge(repository, "prices", "--trust"), "BLOCKED", 15)

    assert error["files"] == []
    subjects = kit.git(repository, "log", "--format=%s", f"{before}..main").splitlines()
    assert set(subjects) == {"restless"}
    assert tasks.record(repository, "prices").state == "APPROVED"
