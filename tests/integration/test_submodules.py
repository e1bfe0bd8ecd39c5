"""Submodules: in the new worktree where the repository has them, and nothing in them is lost with the worktree."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git.errors import GitFailed
from conductor_git.ground.submodules import resolved
from conductor_git.project import open_project
from conductor_git.workflow import refill
from tests import kit
from tests.integration.hard import conducted, handed_in, lands, spawned, taken_back, whole_way
from tests.integration.traces import traces
from tests.kit import tasks
from tests.kit.interposed import KILL_CALLER, happened, interpose

NEW: tasks.Files = {"src/new.py": "NEW = 1\n"}


@pytest.fixture
def upstream(tmp_path: Path, home: Path) -> Path:
    """What the submodule comes from, which has a submodule itself."""
    kit.git(home, "config", "--global", "protocol.file.allow", "always")
    inner = kit.make_repository(tmp_path / "inner")
    library = kit.make_repository(tmp_path / "library")
    kit.git(library, "submodule", "--quiet", "add", str(inner), "inner")
    kit.git(library, "commit", "--quiet", "-m", "Add the inner one")
    return library


@pytest.fixture
def place(repository: Path, upstream: Path, home: Path) -> Path:
    """A repository with its submodule `lib` checked out; from here on git lets no submodule come from a path."""
    kit.git(repository, "submodule", "--quiet", "add", str(upstream), "lib")
    kit.git(repository, "submodule", "--quiet", "update", "--init", "--recursive")
    kit.git(repository, "commit", "--quiet", "-m", "Add the library")
    kit.git(home, "config", "--global", "--unset", "protocol.file.allow")
    return repository


def kept(place: Path, task_id: str) -> list[Path]:
    """The repositories of `lib` that removed worktrees of the task left, oldest first."""
    return sorted(path / "lib" for path in open_project(place).layout.submodules(task_id).glob("*"))  # type: ignore[arg-type]


def test_a_submodule_that_the_repository_has_is_in_the_new_worktree_without_a_network(
    place: Path, upstream: Path
) -> None:
    before = kit.snapshot(place), (place / ".git/config").read_text()
    upstream.rename(upstream.with_name("away"))

    worktree = spawned(place, "prices")

    assert (worktree / "lib/src/prices.py").read_bytes() == (place / "lib/src/prices.py").read_bytes()
    assert (worktree / "lib/inner/README.md").is_file()
    assert kit.git(worktree / "lib", "config", "remote.origin.url") == str(upstream)
    assert (kit.snapshot(place), (place / ".git/config").read_text()) == before


def test_tasks_go_the_whole_way_and_nothing_is_left_of_their_submodules(place: Path) -> None:
    whole_way(place)

    assert kept(place, "prices") == []
    assert kit.git(place, "worktree", "list").count("\n") == 0
    taken_back(place)


def test_a_changed_submodule_lands_and_its_commit_is_kept(place: Path) -> None:
    worktree = spawned(place, "prices")
    commit = tasks.commit(worktree / "lib", NEW)
    error = tasks.refused(kit.conductor("done", "--json", cwd=worktree), "DIRTY_WORKTREE", 10)
    assert error["files"] == ["lib"]
    kit.git(worktree, "commit", "--quiet", "-am", "Take the new library")
    handed_in(place, worktree, "prices")

    lands(place, worktree, "prices")

    (home,) = kept(place, "prices")
    assert kit.git(place, "rev-parse", "HEAD:lib") == commit
    kit.git(place / "lib", "fetch", "--quiet", str(home), "refs/*:refs/kept/*")
    kit.git(place, "submodule", "--quiet", "update")
    assert (place / "lib/src/new.py").is_file()
    assert any(str(home.parent) in told for told in tasks.told(place, "FACT", "prices"))


def test_work_in_a_submodule_that_nobody_committed_is_salvaged_in_its_own_repository(place: Path) -> None:
    worktree = spawned(place, "prices")
    tasks.commit(worktree, NEW)
    handed_in(place, worktree, "prices")
    tasks.write(worktree / "lib", {"README.md": "mine\n", "idea.txt": "idea\n", "debug.log": "ignored\n"})
    tasks.write(worktree / "lib/inner", {"deep.txt": "deep\n"})

    lands(place, worktree, "prices")

    (home,) = kept(place, "prices")
    (ref,) = kit.git(home, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage").splitlines()
    assert kit.git(home, "show", f"{ref}:README.md") == "mine"
    assert kit.git(home, "show", f"{ref}:idea.txt") == "idea"
    assert kit.git(home, "show", f"{ref}:debug.log") == "ignored"
    inner = home / "modules/inner"
    (ref,) = kit.git(inner, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage").splitlines()
    assert kit.git(inner, "show", f"{ref}:deep.txt") == "deep"


def test_a_stash_and_a_commit_on_no_branch_in_a_submodule_are_kept(place: Path) -> None:
    worktree = spawned(place, "prices")
    tasks.commit(worktree, NEW)
    lost = tasks.commit(worktree / "lib", {"lost.txt": "lost\n"})
    kit.git(worktree / "lib", "checkout", "--quiet", "HEAD~1")
    handed_in(place, worktree, "prices")

    lands(place, worktree, "prices")

    (home,) = kept(place, "prices")
    assert kit.git(home, "show", f"{lost}:lost.txt") == "lost"


@pytest.mark.parametrize("unsaved", [False, True])
def test_a_kill_once_the_repositories_are_put_away_is_gone_on_from(place: Path, tmp_path: Path, unsaved: bool) -> None:
    worktree = spawned(place, "prices")
    commit = tasks.commit(worktree / "lib", NEW)
    kit.git(worktree, "commit", "--quiet", "-am", "Take the new library")
    handed_in(place, worktree, "prices")
    if unsaved:
        tasks.write(worktree, {"idea.txt": "idea\n"})
        tasks.write(worktree / "lib", {"deep.txt": "deep\n"})
    environment = interpose(tmp_path / "moment", "worktree remove", before=f"{KILL_CALLER}; exit 1")
    tasks.merge(place, "prices", env=environment)
    assert happened(tmp_path / "moment")
    assert worktree.exists()

    tasks.landed(tasks.merge(place, "prices"), "ALREADY_LANDED")

    (home,) = kept(place, "prices")
    assert not worktree.exists()
    assert kit.git(home, "rev-parse", "refs/conductor/head") == commit
    refs = kit.git(place, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage").splitlines()
    assert any(kit.git(place, "show", f"{ref}:idea.txt") == "idea" for ref in refs) is unsaved
    inside = kit.git(home, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage").splitlines()
    assert [kit.git(home, "show", f"{ref}:deep.txt") for ref in inside] == ["deep"] * unsaved
    assert kit.conductor("doctor", "--json", cwd=place).document["findings"] == []


def test_a_reset_salvages_what_is_in_a_submodule_and_puts_it_back_to_its_commit(place: Path) -> None:
    worktree = spawned(place, "prices")
    tasks.write(worktree / "lib", {"README.md": "mine\n"})
    conducted("cancel", "prices", cwd=place)

    conducted("retry", "prices", "--reset", cwd=place)

    assert kit.git(worktree, "status", "--porcelain", "--ignore-submodules=none") == ""
    (home,) = kept(place, "prices")
    (ref,) = kit.git(home, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage").splitlines()
    assert kit.git(home, "show", f"{ref}:README.md") == "mine"


def test_the_config_says_whether_submodules_are_checked_out(place: Path, home: Path) -> None:
    tasks.commit(place, {".conductor.yaml": "submodules: false\n"})
    assert not (spawned(place, "without") / "lib/README.md").exists()

    kit.git(home, "config", "--global", "protocol.file.allow", "always")
    tasks.commit(place, {".conductor.yaml": "submodules: true\n"})
    fresh = place.with_name("fresh")
    kit.git(place, "clone", "--quiet", str(place), str(fresh))
    assert not (fresh / ".git/modules").exists()
    whole_way(fresh)
    assert (spawned(fresh, "again") / "lib/inner/README.md").is_file()


def test_a_submodule_that_cannot_be_had_ends_the_spawn_and_leaves_nothing(place: Path, upstream: Path) -> None:
    tasks.commit(place, {".conductor.yaml": "submodules: true\n"})
    fresh = place.with_name("fresh")
    kit.git(place, "clone", "--quiet", str(place), str(fresh))
    upstream.rename(upstream.with_name("away"))
    done = kit.conductor("spawn", "prices", "--json", cwd=fresh)  # the first one of all: it writes info/exclude too
    before = traces(fresh)

    error = tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=fresh), "GIT_FAILED", 1)

    assert done.code == 1
    assert error["submodule"] == "lib"
    assert "[submodule" not in (fresh / ".git/config").read_text()
    assert traces(fresh) == before


def test_a_repository_that_is_no_submodule_of_gits_making_refuses_the_removal(place: Path) -> None:
    worktree = spawned(place, "prices")
    tasks.commit(worktree, NEW)
    handed_in(place, worktree, "prices")
    kit.make_repository(worktree / "nested")

    tasks.landed(tasks.merge(place, "prices"))

    assert (worktree / "nested/.git").is_dir()
    assert (worktree / "lib/README.md").is_file()


def test_a_poisoned_repository_of_a_submodule_is_not_cloned_from(place: Path, tmp_path: Path) -> None:
    """A partial clone fetches what it lacks with the programs that its config names, and workers can write it."""
    evil = tmp_path / "evil"
    config = place / ".git/modules/lib/config"
    for key, value in {"promisor": "true", "partialCloneFilter": "blob:none", "uploadpack": f"touch {evil};"}.items():
        kit.git(place, "config", "--file", str(config), f"remote.origin.{key}", value)

    worktree = spawned(place, "prices")

    assert not (worktree / "lib/README.md").exists()
    assert not evil.exists()


def test_a_program_for_remotes_that_came_since_refuses_a_spawn_with_submodules(place: Path, tmp_path: Path) -> None:
    spawned(place, "first")
    kit.git(place, "config", "core.sshCommand", f"touch {tmp_path / 'evil'}")
    before = traces(place)

    tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=place), "GIT_CONFIG_CHANGED", 1)

    assert traces(place) == before


@pytest.mark.parametrize(
    ("address", "base", "means"),
    [
        ("https://host/lib.git", "https://host/acme.git", "https://host/lib.git"),
        ("../lib.git", "https://host/group/acme.git", "https://host/group/lib.git"),
        ("../../lib.git", "https://host/group/acme.git/", "https://host/lib.git"),
        ("./lib", "/srv/acme", "/srv/acme/lib"),
        ("../lib", "git@host:acme", "git@host:lib"),
        ("../lib", "git@host:group/acme", "git@host:group/lib"),
    ],
)
def test_an_address_is_relative_to_where_the_repository_came_from(address: str, base: str, means: str) -> None:
    assert resolved(address, base) == means


def test_a_pool_does_not_try_again_what_submodules_keep_it_from(place: Path) -> None:
    tasks.commit(place, {".conductor.yaml": "version: 1\npool: {size: 1}\n"})
    project = open_project(place)
    log = project.layout.pool_log
    with pytest.raises(GitFailed, match="has submodules"):
        refill.refill(project)
    log.write_text("what the one before said\n")
    head = place / ".git/modules/lib/HEAD"
    head.rename(head.with_name("away"))  # what is made now has none

    with pytest.raises(GitFailed, match="has submodules"):
        refill.refill(project)

    assert log.read_text() == ""
    assert list(place.parent.glob("*.worktrees/.*")) == []
