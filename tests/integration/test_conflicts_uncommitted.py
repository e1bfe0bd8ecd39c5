"""conflicts: uncommitted work counts, nothing of a worker's is touched or obeyed, and what cannot be read is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conductor_git.foresight.snapshot import LARGEST
from tests import kit
from tests.integration.foreseen import committed, foresee, notes, pairs, shell, worker
from tests.kit import tasks

HOSTILE_CONFIG = "fsmonitor hooksPath sshCommand pager editor askPass alternateRefsCommand".split()


def git_dir(place: Path) -> Path:
    return Path(kit.git(place, "rev-parse", "--absolute-git-dir"))


def two(repository: Path) -> tuple[Path, Path]:
    """Two workers whose committed and whose uncommitted work collides, each in a file of its own."""
    places = tasks.spawn(repository, "one"), tasks.spawn(repository, "two")
    for place in places:
        committed(place, f"echo {place.name} >committed")
        shell(place, f"echo {place.name} >loose")
    return places


BOTH = {("one", "two"): ["committed", "loose"]}
COMMITTED = {("one", "two"): ["committed"]}


def test_untracked_changed_deleted_and_staged_work_counts_and_ignored_files_do_not(repository: Path) -> None:
    one, two_ = tasks.spawn(repository, "one"), tasks.spawn(repository, "two")
    shell(one, "echo 1 >new; echo 1 >README.md; rm run.sh; echo 1 >staged; git add staged; echo 1 >a.log")
    shell(two_, "echo 2 >new; echo 2 >README.md; echo 2 >>run.sh; echo 2 >staged; echo 2 >a.log")

    found = foresee(repository)

    assert pairs(found) == {("one", "two"): ["README.md", "new", "run.sh", "staged"]}
    assert found["collisions"][0]["kinds"] == ["contents", "modify/delete"]


def test_only_a_collision_that_needs_uncommitted_work_is_called_uncommitted(repository: Path) -> None:
    for task_id in ("one", "two"):
        shell(worker(repository, task_id, f"echo {task_id} >x"), "echo harmless >$PPID.txt")

    (met,) = foresee(repository)["collisions"]

    assert (met["files"], met["uncommitted"]) == (["x"], False)


def test_what_was_staged_and_is_gone_from_the_disk_does_not_count(repository: Path) -> None:
    one = tasks.spawn(repository, "one")
    shell(one, "echo 1 >x; git add x; rm x")
    worker(repository, "two", "echo 2 >x")

    assert pairs(foresee(repository)) == {}


def test_a_submodule_that_was_moved_on_counts_and_a_repository_inside_does_not(repository: Path) -> None:
    one, other = tasks.spawn(repository, "one"), tasks.spawn(repository, "two")
    for place in (one, other):
        shell(place, f"git init -q lib; git -C lib commit -q --allow-empty -m {place.name}")
        shell(place, f"git init -q inner; git -C inner commit -q --allow-empty -m {place.name}")
        shell(place, "git update-index --add --cacheinfo 160000,$(git -C lib rev-parse HEAD),lib")
        shell(place, f"git -C lib commit -q --allow-empty -m 'more {place.name}'")

    found = foresee(repository)

    assert pairs(found) == {("one", "two"): ["lib"]}


def test_the_index_and_the_worktree_of_a_worker_are_as_they_were_to_the_byte(repository: Path) -> None:
    places = two(repository)
    shell(places[0], "echo more >>committed; git add committed; touch README.md; echo n >intent; git add -N intent")
    index = git_dir(places[0]) / "index"
    before = index.read_bytes(), index.stat().st_mtime_ns, kit.snapshot(places[0])
    objects = sorted(path for path in (repository / ".git" / "objects").rglob("*"))

    foresee(repository)

    assert (index.read_bytes(), index.stat().st_mtime_ns, kit.snapshot(places[0])) == before
    assert sorted((repository / ".git" / "objects").rglob("*")) == objects
    assert list((repository / ".git" / "conductor" / "integration.git" / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        ("rm -r $WORK", "its worktree is gone"),
        ("mv $WORK $WORK.moved; ln -s $WORK.moved $WORK", "its worktree is gone"),
        ("rm $DIR/gitdir", "not registered"),
        ("touch $DIR/conductor-removal", "half removed"),
        ("mkdir $DIR/rebase-merge", "a rebase is under way"),
        ("touch $DIR/MERGE_HEAD", "a merge is under way"),
        ("touch $DIR/index.lock", "git is at work in it"),
        ("rm $DIR/index", "its index is missing"),
        ("echo broken >$DIR/index", "git could not read its worktree"),
        ("rm $DIR/index; mkfifo $DIR/index", "its index is missing"),
        ("git -C $WORK checkout -q --detach", "its HEAD is not on its branch"),
        ("rm $DIR/HEAD; mkfifo $DIR/HEAD", "its HEAD is not on its branch"),
    ],
)
def test_a_worktree_that_cannot_be_read_falls_back_to_the_branch_and_says_why(
    repository: Path, break_it: str, says: str
) -> None:
    one, _ = two(repository)
    shell(repository, f"DIR={git_dir(one)}; WORK={one}; {break_it}")

    found = foresee(repository)

    assert pairs(found) == COMMITTED
    assert says in notes(found)["one"]
    assert notes(found)["one"].startswith("only what it committed was looked at: ")
    assert "two" not in notes(found)


def test_paths_in_conflict_without_a_merge_under_way_fall_back_too(repository: Path) -> None:
    one, _ = two(repository)
    shell(one, "git stash push -q -- committed; echo other >run.sh; git stash push -q; echo third >run.sh")
    shell(one, "git commit -q --all -m third; git stash pop -q || true; echo 1 >loose")
    assert kit.git(one, "ls-files", "--unmerged")

    found = foresee(repository)

    assert pairs(found) == COMMITTED
    assert "paths in conflict" in notes(found)["one"]


def test_a_file_too_large_to_read_at_every_check_is_left_out_and_named(repository: Path) -> None:
    for place in two(repository):
        with (place / "core").open("wb") as file:
            file.truncate(LARGEST + 1)
            file.write(place.name.encode())

    found = foresee(repository)

    assert pairs(found) == BOTH
    assert notes(found) == dict.fromkeys(("one", "two"), "left out, over 8 MiB: core")


def test_nothing_that_a_worker_configured_runs(repository: Path, tmp_path: Path) -> None:
    one, other = two(repository)
    marker = tmp_path / "marker"
    trap = tmp_path / "trap.sh"
    trap.write_text(f'#!/bin/sh\necho "$0 $*" >>{marker}\ncat\n')
    trap.chmod(0o755)
    for key in HOSTILE_CONFIG:
        kit.git(one, "config", f"core.{key}", str(trap.parent if key == "hooksPath" else trap))
    for name in ("post-index-change", "reference-transaction", "post-checkout"):
        (trap.parent / name).symlink_to(trap)
    for key in ("filter.t.clean", "filter.t.smudge", "filter.t.process", "merge.t.driver", "diff.t.textconv"):
        kit.git(one, "config", key, str(trap))
    kit.git(one, "config", "diff.external", str(trap))
    for place in (one, other):
        (place / ".gitattributes").write_text("* filter=t merge=t diff=t\n")
        (place / "inner").mkdir()
        kit.git(place / "inner", "init", "-q")
        kit.git(place / "inner", "-c", "core.fsmonitor=false", "commit", "-q", "--allow-empty", "-m", "x")
        kit.git(place / "inner", "config", "core.fsmonitor", str(trap))
    head = kit.git(one / "inner", "-c", "core.fsmonitor=false", "rev-parse", "HEAD")
    kit.git(one, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "update-index", "--add",
            "--cacheinfo", f"160000,{head},inner")  # fmt: skip
    (one / "inner" / "dirty").write_text("dirty\n")
    marker.unlink(missing_ok=True)

    found = foresee(repository)

    assert pairs(found) == BOTH
    assert not marker.exists(), marker.read_text()


def test_a_filter_that_was_there_when_the_worker_was_spawned_is_obeyed(repository: Path) -> None:
    kit.git(repository, "config", "filter.upper.clean", "tr a-z A-Z")
    committed(repository, "echo '*.txt filter=upper' >.gitattributes")
    shell(tasks.spawn(repository, "one"), "echo word >x.txt")
    worker(repository, "two", "echo WORD >x.txt")

    assert pairs(foresee(repository)) == {}


def test_a_git_file_that_leads_elsewhere_is_not_followed(repository: Path, tmp_path: Path) -> None:
    one, _ = two(repository)
    elsewhere = kit.make_repository(tmp_path / "elsewhere")
    (one / ".git").write_text(f"gitdir: {elsewhere / '.git'}\n")

    assert pairs(foresee(repository)) == BOTH


def test_it_answers_from_inside_a_worktree_with_a_polluted_environment(repository: Path) -> None:
    one, _ = two(repository)
    environment = {"GIT_DIR": "/nonexistent", "GIT_INDEX_FILE": os.devnull, "GIT_WORK_TREE": "/"}

    done = kit.conductor("conflicts", "--json", cwd=one, env=environment)

    assert pairs(done.document) == BOTH
