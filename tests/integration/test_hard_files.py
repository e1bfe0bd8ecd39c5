"""Files that are hard: with LFS, many, differing in case alone, and repositories inside the worktree."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from conductor_git.ground.case import clashes
from tests import kit
from tests.integration.hard import (
    POINTER,
    STAND_IN,
    conducted,
    handed_in,
    lands,
    spawned,
    taken_back,
    whole_way,
    with_lfs,
)
from tests.integration.traces import traces
from tests.kit import tasks
from tests.kit.counted import git_calls


@pytest.fixture(params=["a stand-in", pytest.param("git-lfs", marks=kit.requires("git-lfs"))])
def lfs(request: pytest.FixtureRequest, repository: Path, tmp_path: Path) -> Path:
    program = "git-lfs"
    if request.param != program:
        script = tmp_path / "git-lfs-stand-in"
        script.write_text(STAND_IN)
        script.chmod(0o755)
        program = shlex.quote(str(script))
    return with_lfs(repository, program)


def without_logs(repository: Path) -> dict[str, object]:
    """What a refusal may not change; git-lfs itself writes a log of what it could not do."""
    return {name: found for name, found in traces(repository).items() if not name.startswith("lfs/")}


def test_pointers_of_lfs_are_left_as_they_are_and_what_a_worker_adds_lands(lfs: Path) -> None:
    worktree = spawned(lfs, "prices")
    assert (worktree / "assets/old.bin").read_text().startswith(POINTER)

    tasks.commit(worktree, {"assets/new.bin": b"\0new content\n"})
    handed_in(lfs, worktree, "prices")
    lands(lfs, worktree, "prices")

    assert (lfs / "assets/new.bin").read_bytes() == b"\0new content\n"
    assert (lfs / "assets/old.bin").read_bytes() == b"\0old content\n"
    assert kit.git(lfs, "show", "HEAD:assets/new.bin").startswith(POINTER)
    assert kit.git(lfs, "status", "--porcelain") == ""


def test_with_lfs_asked_for_the_contents_are_there_also_after_a_reset_and_a_restore(lfs: Path) -> None:
    tasks.commit(lfs, {".conductor.yaml": "lfs: true\n"})
    whole_way(lfs)
    taken_back(lfs)

    assert (lfs.parent / "acme.worktrees/idea/assets/old.bin").read_bytes() == b"\0old content\n"


def test_content_that_cannot_be_had_ends_the_spawn_with_nothing_made_and_needs_none_where_pointers_do(
    lfs: Path,
) -> None:
    conducted("spawn", "first", cwd=lfs)
    for path in sorted((lfs / ".git/lfs/objects").rglob("*")):
        if path.is_file():
            path.unlink()
    conducted("spawn", "pointers", cwd=lfs)
    tasks.write(lfs, {".conductor.yaml": "lfs: true\n"})
    before = without_logs(lfs)

    tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=lfs), "GIT_FAILED", 1)

    assert without_logs(lfs) == before


def test_the_number_of_processes_of_a_checkout_is_gits_own_setting_for_that_one_command(repository: Path) -> None:
    tasks.commit(
        repository, {".conductor.yaml": "checkout: {workers: 2}\n"} | {f"many/{n}.txt": "x\n" for n in range(200)}
    )
    before = (repository / ".git/config").read_text()
    log = repository.parent / "trace"
    done = kit.conductor("spawn", "prices", "--json", cwd=repository, env={"GIT_TRACE": str(log)})

    assert done.code == 0, done
    assert len(list((Path(done.document["task"]["worktree"]) / "many").iterdir())) == 200
    assert log.read_text().count("checkout--worker") >= 2
    assert (repository / ".git/config").read_text() == before


# --- names that differ in case alone


def test_paths_that_this_file_system_could_not_tell_apart_are_refused_before_anything_is_made(
    repository: Path,
) -> None:
    tasks.commit(repository, {"src/Prices.py": "OTHER = 1\n"})
    kit.git(repository, "config", "core.ignorecase", "true")
    before = traces(repository)

    error = tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=repository), "UNSAFE_PATH", 1)

    assert error["clashes"] == [["src/Prices.py", "src/prices.py"]]
    assert traces(repository) == before
    kit.git(repository, "config", "core.ignorecase", "false")
    whole_way(repository)


def test_a_landing_that_would_bring_such_a_path_is_refused_and_moves_nothing(repository: Path) -> None:
    kit.git(repository, "config", "core.ignorecase", "true")
    worktree = spawned(repository, "prices")
    kit.git(
        worktree,
        "update-index",
        "--add",
        "--cacheinfo",
        f"100644,{kit.git(worktree, 'rev-parse', 'HEAD:run.sh')},SRC/x",
    )
    kit.git(worktree, "commit", "--quiet", "-m", "On a system that tells them apart")
    kit.git(worktree, "-c", "core.ignorecase=false", "checkout", "--quiet", "--", "SRC/x")
    handed_in(repository, worktree, "prices")
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "prices"), "UNSAFE_PATH", 1)

    assert error["clashes"] == [["SRC", "src"]]
    assert kit.snapshot(repository) == before


def test_directories_that_differ_in_case_are_a_clash_too() -> None:
    assert clashes(["Lib/a", "lib/b", "src/x", "src/y"]) == [("Lib", "lib")]
    assert clashes(["src/a", "src/b", "srcs/a"]) == []


def test_two_tasks_cannot_differ_in_case_alone(repository: Path) -> None:
    spawned(repository, "prices")
    before = traces(repository)

    tasks.refused(kit.conductor("spawn", "Prices", "--json", cwd=repository), "BAD_TASK_ID", 2)

    assert traces(repository) == before


# --- repositories inside the worktree


@pytest.mark.parametrize("where", ["nested", "build/deps/nested"])
def test_a_repository_inside_the_worktree_is_never_lost_with_it(repository: Path, where: str) -> None:
    worktree = spawned(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    handed_in(repository, worktree, "prices")
    nested = kit.make_repository(worktree / where)

    document = tasks.landed(tasks.merge(repository, "prices"))

    assert "repository of its own" in document["cleanup"]["kept_because"]
    assert (nested / "README.md").is_file()
    kit.git(nested, "fsck")


def test_in_a_repository_inside_the_worktree_the_worker_is_the_worker(repository: Path) -> None:
    worktree = spawned(repository, "prices")
    nested = kit.make_repository(worktree / "nested")

    assert conducted("ctx", cwd=nested / "src")["context"]["task_id"] == "prices"
    assert tasks.refused(kit.conductor("done", "--json", cwd=nested), "DIRTY_WORKTREE", 10)["files"] == ["nested/"]


def test_a_project_inside_a_checkout_of_another_is_its_own(repository: Path) -> None:
    inner = kit.make_repository(repository / "inner")
    before = kit.git(repository, "for-each-ref")

    whole_way(inner)

    assert kit.git(repository, "for-each-ref") == before
    assert not (repository / ".git/conductor").exists()
    assert not os.path.lexists(inner.parent / "inner.worktrees/prices")
    assert git_calls(repository.parent, inner, "status")
