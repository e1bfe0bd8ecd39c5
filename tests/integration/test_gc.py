"""gc: only what is over its retention and needed by nobody goes, by compare-and-swap, and is told with its id."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conductor_git import durable
from conductor_git.layout import Layout
from tests import kit
from tests.integration.traces import traces
from tests.kit import tasks
from tests.kit.interposed import happened, interpose

NOW = datetime.now(UTC)


def salvage_ref(repository: Path, task_id: str, days: float, commit: str = "main") -> str:
    """A salvage ref of `task_id` on `commit`, made so many days ago."""
    at = (NOW - timedelta(days=days)).strftime("%Y%m%dT%H%M%S%fZ")
    ref = f"refs/conductor/salvage/{task_id}/{at}"
    kit.git(repository, "update-ref", ref, commit)
    return ref


def gc(repository: Path, *options: str, **more: Any) -> Any:
    how = [] if "--dry-run" in options else ["--yes"]
    done = kit.conductor("gc", "--json", *how, *options, cwd=repository, **more)
    assert done.code == 0, done
    return done.document


def refs(repository: Path) -> set[str]:
    return set(kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/conductor/").splitlines())


@pytest.fixture
def landed(repository: Path) -> Path:
    """The repository with the landed task `prices`."""
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.landed(tasks.merge(repository, "prices"))
    return repository


def test_what_is_over_the_retention_goes_and_what_is_younger_stays(landed: Path) -> None:
    loose = kit.git(landed, "commit-tree", "-m", "loose", "main^{tree}")
    old, young = salvage_ref(landed, "prices", 31, loose), salvage_ref(landed, "prices", 29)

    planned = gc(landed, "--dry-run")
    assert refs(landed) == {old, young}
    done = gc(landed)

    assert [(one["name"], one["commit"], one["removed"]) for one in planned["leftovers"]] == [(old, loose, False)]
    assert [(one["name"], one["commit"], one["removed"]) for one in done["leftovers"]] == [(old, loose, True)]
    assert refs(landed) == {young}
    kit.git(landed, *done["leftovers"][0]["back"].split(" ")[1:])
    assert refs(landed) == {old, young}


def test_the_ids_are_told_on_the_bus(landed: Path) -> None:
    loose = kit.git(landed, "commit-tree", "-m", "loose", "main^{tree}")
    old = salvage_ref(landed, "prices", 31, loose)

    gc(landed)

    assert f"git update-ref {old} {loose}\n" in kit.conductor("bus", "read", "--type", "FACT", cwd=landed).out


def test_the_retention_is_that_of_the_option_and_else_of_the_config(landed: Path) -> None:
    ref = salvage_ref(landed, "prices", 2)

    assert gc(landed, "--dry-run")["leftovers"] == []
    assert [one["name"] for one in gc(landed, "--dry-run", "--keep", "1d")["leftovers"]] == [ref]
    tasks.commit(landed, {".conductor.yaml": "salvage: {keep: 36h}\n"})
    assert [one["name"] for one in gc(landed, "--dry-run")["leftovers"]] == [ref]
    assert gc(landed, "--dry-run", "--keep", "3d")["leftovers"] == []
    done = kit.conductor("gc", "--keep", "long", "--json", cwd=landed)
    tasks.refused(done, "BAD_INPUT", 2)


def test_a_dry_run_changes_nothing(landed: Path) -> None:
    salvage_ref(landed, "prices", 31)
    before = traces(landed)

    gc(landed, "--dry-run")

    assert traces(landed) == before


@pytest.mark.parametrize("end", ["", "cancel", "fail"])
def test_the_only_holder_of_a_commit_of_a_task_that_can_go_on_stays(repository: Path, end: str) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "prices")
    head = kit.git(worktree, "rev-parse", "HEAD")
    if end:
        assert kit.conductor(end, "prices", cwd=repository).code == 0
    kit.git(repository, "worktree", "remove", "--force", str(worktree))
    ref = salvage_ref(repository, "prices", 31, head)
    assert [one["name"] for one in gc(repository, "--dry-run")["leftovers"]] == [ref]

    kit.git(repository, "branch", "--quiet", "-D", "worker/prices")
    done = gc(repository)

    assert (done["leftovers"], [one["name"] for one in done["held"]]) == ([], [ref])
    assert refs(repository) == {ref}


def test_a_task_whose_record_cannot_be_read_keeps_its_salvage(landed: Path) -> None:
    ref, other = salvage_ref(landed, "prices", 31), salvage_ref(landed, "other", 31)
    Layout(landed / ".git").tasks.joinpath("prices", "run-info.yaml").write_text("version: [\n")

    gc(landed)

    assert refs(landed) == {ref}
    assert other not in refs(landed)


def test_a_ref_that_moved_since_it_was_looked_at_stays(landed: Path, tmp_path: Path) -> None:
    ref = salvage_ref(landed, "prices", 31)
    env = interpose(tmp_path / "bin", "update-ref --no-deref -d", before=f'"$REAL_GIT" update-ref {ref} main~1')

    done = gc(landed, env=env)

    assert happened(tmp_path / "bin")
    assert [one["removed"] for one in done["leftovers"]] == [False]
    assert kit.git(landed, "rev-parse", ref) == kit.git(landed, "rev-parse", "main~1")


def test_a_salvage_of_a_task_that_a_command_is_at_work_on_stays(landed: Path) -> None:
    ref = salvage_ref(landed, "prices", 31)

    with durable.lock(Layout(landed / ".git").locks / "tasks" / "prices"):
        done = gc(landed)

    assert [one["removed"] for one in done["leftovers"]] == [False]
    assert refs(landed) == {ref}


def test_a_ref_by_another_name_is_nobodys_we_know(landed: Path) -> None:
    kit.git(landed, "update-ref", "refs/conductor/salvage/prices/mine", "main")

    assert gc(landed, "--keep", "1s")["held"] == []
    assert refs(landed) == {"refs/conductor/salvage/prices/mine"}


def gated(repository: Path) -> Path:
    tasks.commit(
        repository, {".conductor.yaml": "salvage: {keep: 1s}\ngates:\n  - {name: look, run: test -f src/new.py}\n"}
    )
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.landed(tasks.merge(repository, "prices"))
    return Layout(repository / ".git").state_dir / "landings"


def named(found: Any, kind: str) -> list[str]:
    return [one["name"] for one in found["leftovers"] if one["kind"] == kind]


def after_a_second(repository: Path, wanted: Callable[[Any], bool]) -> None:
    """Times of change cannot be written, so they are waited for; the config says a second."""
    kit.until(lambda: wanted(gc(repository, "--dry-run")))


def test_logs_that_a_record_names_stay_and_others_go(repository: Path) -> None:
    folder = gated(repository)
    before = {path.name for path in folder.iterdir()}
    (folder / ("0" * 40)).mkdir()
    (folder / ("0" * 40) / "01-look.log").write_text("nobody names me\n")
    assert gc(repository, "--keep", "1d")["leftovers"] == []

    after_a_second(repository, lambda found: bool(named(found, "logs")))
    done = gc(repository)

    assert named(done, "logs") == ["0" * 40]
    assert {path.name for path in folder.iterdir()} == before


def test_logs_of_a_join_that_a_record_names_stay(repository: Path, tmp_path: Path) -> None:
    config = "salvage: {keep: 1s}\npush: origin\ngates:\n  - {name: look, run: test -f src/prices.py}\n"
    tasks.commit(repository, {".conductor.yaml": config})
    kit.git(repository, "clone", "--quiet", "--bare", str(repository), str(tmp_path / "remote.git"))
    kit.git(repository, "clone", "--quiet", str(tmp_path / "remote.git"), str(tmp_path / "colleague"))
    kit.git(repository, "remote", "add", "origin", str(tmp_path / "remote.git"))
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    tasks.commit(tmp_path / "colleague", {"theirs.txt": "theirs\n"})
    kit.git(tmp_path / "colleague", "push", "--quiet", "origin", "main")
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.landed(tasks.merge(repository, "prices"))
    joined = tasks.record(repository, "prices").join
    assert joined is not None
    folder = Layout(repository / ".git").state_dir / "landings"
    before = {path.name for path in folder.iterdir()}
    (folder / ("0" * 40)).mkdir()

    after_a_second(repository, lambda found: bool(named(found, "logs")))
    done = gc(repository)

    assert named(done, "logs") == ["0" * 40]
    assert joined.landing_id in before == {path.name for path in folder.iterdir()}


def test_the_quarantine_is_emptied_after_the_retention(landed: Path) -> None:
    quarantine = Layout(landed / ".git").quarantine
    tasks.write(quarantine, {"MESSAGE-BUS.md.0.1.torn": "torn\n"})
    os.utime(quarantine / "MESSAGE-BUS.md.0.1.torn", (0, 0))
    assert gc(landed)["leftovers"] == []  # it was moved there just now, however old it is

    tasks.commit(landed, {".conductor.yaml": "salvage: {keep: 1s}\n"})
    after_a_second(landed, lambda found: bool(named(found, "quarantine")))
    gc(landed)

    assert list(quarantine.iterdir()) == []


def test_the_scratch_of_a_killed_command_goes_and_that_of_a_living_one_stays(landed: Path) -> None:
    scratch = Layout(landed / ".git").integration / "scratch"
    (scratch / "killed").mkdir(parents=True)
    (scratch / "killed" / "held").touch()

    with durable.lock(scratch / "alive" / "held"):
        done = gc(landed)
        assert (scratch / "alive").is_dir()

    assert [(one["kind"], one["name"]) for one in done["leftovers"]] == [("scratch", "killed")]
    assert not (scratch / "killed").exists()


# git's own gc


def objects_are_there(repository: Path, task_id: str) -> None:
    run = tasks.record(repository, task_id)
    for commit in (run.base_commit, run.head_commit, run.approved_commit, run.merge_commit):
        if commit:
            kit.git(repository, "cat-file", "-e", f"{commit}^{{commit}}")


def swept(repository: Path, task_id: str) -> None:
    """git's own gc, told to keep nothing that it thinks is not needed; reflogs stay as by default."""
    kit.git(repository, "gc", "--quiet", "--prune=now")
    objects_are_there(repository, task_id)
    assert kit.git(repository, "fsck", "--no-dangling", "--no-progress") == ""


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_at_no_stage_of_a_task_does_git_drop_what_it_still_needs(repository: Path, strategy: str) -> None:
    worktree = tasks.spawn(repository, "prices")
    swept(repository, "prices")
    tasks.write(worktree, {"staged.txt": "staged\n"})
    kit.git(worktree, "add", "staged.txt")
    swept(repository, "prices")
    assert kit.git(worktree, "show", ":staged.txt") == "staged"
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n", "staged.txt": "staged\n"})
    tasks.hand_in(repository, "prices")
    swept(repository, "prices")
    kit.git(worktree, "commit", "--quiet", "--amend", "-m", "Said better")
    swept(repository, "prices")
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    tasks.commit(repository, {"README.md": "# Acme\n"})
    swept(repository, "prices")
    tasks.write(worktree, {"idea.txt": "idea\n"})
    tasks.landed(tasks.merge(repository, "prices", "--strategy", strategy))
    swept(repository, "prices")
    assert kit.conductor("restore", "prices", cwd=repository).code == 0
    assert (worktree / "idea.txt").read_text() == "idea\n"


def test_a_red_gate_and_a_sweep_keep_nobody_from_the_next_landing(repository: Path) -> None:
    tasks.commit(repository, {".conductor.yaml": "gates:\n  - {name: look, run: test -f src/good.py}\n"})
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.refused(tasks.merge(repository, "prices"), "GATE_FAILED", 14)
    swept(repository, "prices")

    tasks.commit(worktree, {"src/good.py": "GOOD = 1\n"})
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    tasks.landed(tasks.merge(repository, "prices"))

    swept(repository, "prices")


def test_what_a_reset_left_behind_outlives_a_sweep_without_reflogs(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    former = tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    kit.conductor("cancel", "prices", cwd=repository)
    assert kit.conductor("retry", "prices", "--reset", cwd=repository).code == 0
    kit.git(repository, "reflog", "expire", "--expire=now", "--all")

    swept(repository, "prices")

    kit.git(repository, "cat-file", "-e", former)
