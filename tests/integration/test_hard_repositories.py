"""Repositories that are hard for git or for us: each works the whole way, or is refused before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import kit
from tests.integration.hard import conducted, handed_in, lands, spawned, taken_back, whole_way
from tests.integration.traces import traces
from tests.kit import tasks


def shallow(repository: Path) -> Path:
    place = repository.with_name("shallow")
    kit.git(repository, "clone", "--quiet", "--depth=1", repository.as_uri(), str(place))
    return place


def shared(repository: Path) -> Path:
    place = repository.with_name("shared")
    kit.git(repository, "clone", "--quiet", "--shared", str(repository), str(place))
    return place


def with_worktree_config(repository: Path) -> Path:
    kit.git(repository, "config", "extensions.worktreeConfig", "true")
    kit.git(repository, "config", "--worktree", "user.name", "Main Person")
    return repository


def bare_beside(repository: Path) -> Path:
    bare = repository.with_name("shop.git")
    kit.git(repository, "clone", "--quiet", "--bare", str(repository), str(bare))
    kit.git(bare, "worktree", "add", "--quiet", "../shop-main", "main")
    return repository.with_name("shop-main")


def bare_hidden(repository: Path) -> Path:
    home = repository.with_name("shop")
    kit.git(repository, "clone", "--quiet", "--bare", str(repository), str(home / ".git"))
    kit.git(home, "worktree", "add", "--quiet", "main", "main")
    return home / "main"


def bare_itself(repository: Path) -> Path:
    bare_beside(repository)
    return repository.with_name("shop.git")


KINDS = {
    "shallow": shallow,
    "alternates": shared,
    "worktree config": with_worktree_config,
    "bare, beside": bare_beside,
    "bare, hidden": bare_hidden,
    "bare, from within": bare_itself,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_goes_the_whole_way(repository: Path, kind: str) -> None:
    place = KINDS[kind](repository)
    before = kit.git(place, "rev-list", "--count", "main")

    whole_way(place)

    kit.git(place, "fsck", "--no-dangling")
    assert int(kit.git(place, "rev-list", "--count", "main")) == int(before) + 4
    assert kit.git(place, "show", "main:src/new.py") == "NEW = 1"


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_task_had_not_committed_comes_back(repository: Path, kind: str) -> None:
    taken_back(KINDS[kind](repository))


def test_a_shallow_history_may_be_fetched_whole_while_a_task_runs(repository: Path) -> None:
    place = shallow(repository)
    worktree = spawned(place, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    handed_in(place, worktree, "prices")

    kit.git(place, "fetch", "--quiet", "--unshallow")
    lands(place, worktree, "prices")

    assert kit.git(place, "rev-list", "--count", "main") == "5"


@pytest.mark.parametrize("kind", ["shallow", "alternates", "bare, hidden"])
def test_a_conflict_is_told_and_a_gate_runs_in_there(repository: Path, kind: str) -> None:
    config = "gates:\n  - {name: look, run: test -f src/new.py && git log -1 --format=%s}\n"
    tasks.commit(repository, {".conductor.yaml": config})
    place = KINDS[kind](repository)
    worktree, clashing = spawned(place, "prices"), spawned(place, "clashing")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.commit(clashing, {"src/new.py": "NEW = 2\n"})

    found = kit.conductor("conflicts", "--json", cwd=place).out
    handed_in(place, worktree, "prices")
    conducted("config", "trust", cwd=place)
    lands(place, worktree, "prices")

    assert "src/new.py" in found
    conducted("done", cwd=clashing)
    conducted("approve", "clashing", "--as", "ada", cwd=place)
    error = tasks.refused(tasks.merge(place, "clashing"), "CONFLICT", 13)
    assert error["files"] == ["src/new.py"]


@pytest.mark.parametrize("kind", ["bare, hidden", "bare, from within"])
def test_the_config_of_a_bare_repository_is_the_committed_one_and_its_agents_do_not_escape(
    repository: Path, kind: str
) -> None:
    tasks.commit(repository, {".conductor.yaml": "branch: shop/{task_id}\n"})
    place = KINDS[kind](repository)
    script = "echo NEW=1 > src/new.py && git add src && git commit --quiet -m Work && conductor-git done"

    assert kit.conductor("spawn", "prices", "--", "sh", "-c", script, cwd=place).code == 0
    assert kit.conductor("wait", "prices", "--until", "review", "--timeout", "60s", cwd=place).code == 0

    assert tasks.record(place, "prices").branch == "shop/prices"
    assert tasks.record(place, "prices").project_id == "shop"
    assert not any("ESCAPE" in told for told in tasks.told(place, "ERROR", "prices"))
    conducted("approve", "prices", "--as", "ada", cwd=place)
    kit.until(lambda: tasks.record(place, "prices").attempts[-1].ended_at is not None)
    tasks.landed(tasks.merge(place, "prices"))


# --- sparse checkouts


def sparse(repository: Path) -> Path:
    tasks.commit(repository, {".conductor.yaml": "sparse: [src]\n", "big/data.txt": "large\n", "big/deep/a.txt": "a\n"})
    return repository


def test_a_sparse_worktree_has_its_directories_only_and_what_it_lacks_is_not_taken_for_deleted(
    repository: Path,
) -> None:
    place = sparse(repository)
    before = kit.snapshot(place)
    worktree = spawned(place, "prices")
    names = {path.name for path in worktree.iterdir()}

    assert {"src", "README.md"} < names
    assert names.isdisjoint({"big", "docs"})
    assert kit.snapshot(place) == before
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    handed_in(place, worktree, "prices")
    assert conducted("show", "prices", cwd=place)["task"]["head_commit"] == kit.git(worktree, "rev-parse", "HEAD")
    lands(place, worktree, "prices")
    assert kit.git(place, "diff", "--name-only", "HEAD~1", "HEAD") == "src/new.py"
    assert kit.git(place, "for-each-ref", "refs/conductor/salvage") == ""
    assert kit.git(place, "status", "--porcelain") == ""


def test_a_file_written_outside_of_the_sparse_directories_is_work_like_any_other(repository: Path) -> None:
    place = sparse(repository)
    worktree = spawned(place, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.write(worktree, {"big/data.txt": "mine\n"})

    error = tasks.refused(kit.conductor("done", "--json", cwd=worktree), "DIRTY_WORKTREE", 10)
    assert error["files"] == ["big/data.txt"]
    conducted("done", "--wip", cwd=worktree)
    conducted("approve", "prices", "--as", "ada", cwd=place)
    lands(place, worktree, "prices")

    assert (place / "big/data.txt").read_text() == "mine\n"
    assert (place / "big/deep/a.txt").read_text() == "a\n"


def test_a_file_written_outside_of_the_sparse_directories_is_foreseen_to_collide(repository: Path) -> None:
    place = sparse(repository)
    for task_id in ("prices", "search"):
        tasks.write(spawned(place, task_id), {"big/data.txt": f"{task_id}\n"})

    (met,) = kit.conductor("conflicts", "--json", cwd=place).document["collisions"]

    assert (met["tasks"], met["files"]) == (["prices", "search"], ["big/data.txt"])


def test_unsaved_work_of_a_sparse_worktree_comes_back_and_nothing_else_changes(repository: Path) -> None:
    place = sparse(repository)
    taken_back(place)

    tracked = kit.git(place.parent / "acme.worktrees/idea", "ls-files")
    assert "big/data.txt" in tracked


def test_a_sparse_directory_that_is_none_is_refused_before_anything_is_made(repository: Path) -> None:
    for wrong in ("srcs", "README.md"):
        tasks.commit(repository, {".conductor.yaml": f"sparse: [{wrong}]\n"})
        before = traces(repository)

        error = tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=repository), "BAD_CONFIG", 1)

        assert wrong in error["message"]
        assert traces(repository) == before


def test_a_repository_that_is_sparse_itself_goes_the_whole_way(repository: Path) -> None:
    kit.git(repository, "sparse-checkout", "set", "--cone", "src")

    whole_way(repository)
    worktree = spawned(repository, "elsewhere")
    tasks.write(worktree, {"docs/new.md": "NEW = 1\n"})
    conducted("done", "--wip", cwd=worktree)
    conducted("approve", "elsewhere", "--as", "ada", cwd=repository)
    lands(repository, worktree, "elsewhere")

    assert kit.git(repository, "status", "--porcelain") == ""
    assert not (repository / "docs").exists()
    assert kit.git(repository, "show", "main:docs/new.md") == "NEW = 1"


def test_sparse_worktrees_leave_a_bare_repository_and_its_worktrees_as_they_are(repository: Path) -> None:
    tasks.commit(repository, {".conductor.yaml": "sparse: [src]\n"})
    place = bare_hidden(repository)

    worktree = spawned(place, "look")
    whole_way(place)

    assert not (worktree / "docs").exists()
    assert (place / "docs").is_dir()
    assert kit.git(place, "status", "--porcelain") == ""
    assert kit.git(place.parent / ".git", "rev-parse", "--is-bare-repository") == "true"
