"""What others wrote into the pool or its records: nothing goes that the pool did not make, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from conductor_git.errors import WorktreeBusy
from conductor_git.names import CommitId
from conductor_git.pool import fill
from conductor_git.pool.entry import State
from conductor_git.pool.place import can_be, may_be_removed
from conductor_git.project import open_project
from tests import kit
from tests.integration import pooled
from tests.integration.test_pool import spawned
from tests.kit import tasks

_COMMIT = CommitId("a" * 40)


@pytest.fixture
def acme(repository: Path) -> Path:
    return pooled.configured(repository, "pool: {size: 1}\n")


def claim(repository: Path, name: str, path: Path | str, state: State, **also: object) -> None:
    """Write a record as an agent that can write into the state directory would."""
    pool = repository / ".git/conductor/pool"
    pool.mkdir(exist_ok=True)
    entry: Mapping[str, object] = {
        "name": name,
        "path": str(path),
        "commit": kit.git(repository, "rev-parse", "main"),
        "index": [0, 0],
        "settings": [],
        **also,
    }
    (pool / f"{name}.{state}").write_text(json.dumps(entry))


def everywhere(repository: Path, name: str, path: Path | str) -> None:
    for number, state in enumerate(State):
        claim(repository, f"{name[:-1]}{number}", str(path).replace(name, f"{name[:-1]}{number}"), state)


def run_everything(repository: Path) -> None:
    """All that acts on records: a refill, a spawn, and a pool that is switched off."""
    pooled.refilled(repository)
    spawned(repository, "prices")
    pooled.quiet(repository)
    tasks.commit(repository, {".conductor.yaml": "version: 1\n"})
    kit.until(lambda: not pooled.refilled(repository))


def test_a_record_cannot_name_what_the_pool_would_not_have_made(acme: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    tasks.write(precious, {"thesis.txt": "years\n", "inner/thesis.txt": "years\n"})
    for number, _ in enumerate(State):
        (tmp_path / f".pool-0000000{number}").symlink_to(precious)
    pooled.refilled(acme)
    everywhere(acme, "pool-0000001x", precious)
    everywhere(acme, "pool-0000002x", acme)
    everywhere(acme, "pool-0000003x", acme.parent)
    everywhere(acme, "pool-0000004x", acme / ".git")
    everywhere(acme, "pool-0000005x", f"{tmp_path}/.pool-0000005x/../precious")
    everywhere(acme, "pool-0000000x", tmp_path / ".pool-0000000x" / "inner")
    everywhere(acme, "pool-0000006x", "relative/.pool-0000006x")

    run_everything(acme)

    assert (precious / "thesis.txt").read_text() == (precious / "inner/thesis.txt").read_text() == "years\n"
    assert (acme / "README.md").is_file()
    assert kit.git(acme, "fsck") == ""
    assert not [path for path in (acme / ".git/conductor/pool").iterdir() if path.suffix[1:] in set(State)]


def test_nor_a_repository_or_the_worktree_of_a_task(acme: Path) -> None:
    pooled.refilled(acme)
    works = [spawned(acme, f"prices.pool-0000000{number}") for number, _ in enumerate(State)]
    pooled.quiet(acme)
    clones = [acme.parent / f".pool-0000001{number}" for number, _ in enumerate(State)]
    for clone in clones:
        kit.git(acme, "clone", "--quiet", str(acme), str(clone))
        tasks.write(clone, {"mine.txt": "mine\n"})
    for work in works:
        tasks.write(work, {"mine.txt": "mine\n"})
    everywhere(acme, "pool-0000000x", works[0].parent / "prices.pool-0000000x")
    everywhere(acme, "pool-0000001x", acme.parent / ".pool-0000001x")

    run_everything(acme)

    for place in (*works, *clones):
        assert (place / "mine.txt").read_text() == "mine\n", place
        assert "mine.txt" in kit.git(place, "status", "--porcelain")


def test_nor_the_registration_of_a_task_whose_worktree_is_elsewhere_now(acme: Path) -> None:
    work = spawned(acme, "prices")
    git_dir = kit.git(work, "rev-parse", "--absolute-git-dir")
    aside = work.rename(work.with_name("unmounted"))
    name = "pool-00000001"
    claim(acme, name, acme.parent / f".{name}", State.TAKEN, to=str(work), git_dir=git_dir)

    pooled.refilled(acme)
    spawned(acme, "other")

    aside.rename(work)
    assert kit.git(work, "symbolic-ref", "HEAD") == "refs/heads/worker/prices"


@pytest.mark.parametrize(
    ("name", "path", "commit"),
    [
        ("pool-0000000g", "/x/.pool-0000000g", _COMMIT),
        ("../pool-00000000", "/x/.pool-00000000", _COMMIT),
        ("pool-00000000", "/x/pool-00000000", _COMMIT),
        ("pool-00000000", "x/.pool-00000000", _COMMIT),
        ("pool-00000000", "/x/.pool-00000000/", _COMMIT),
        ("pool-00000000", "/x/.pool-00000000/../..", _COMMIT),
        ("pool-00000000", "/x/.pool-00000001", _COMMIT),
        ("pool-00000000", "/x/.pool-00000000", CommitId("--exec=sh")),
    ],
)
def test_names_places_and_commits_are_what_the_pool_gives(name: str, path: str, commit: CommitId) -> None:
    assert can_be("pool-00000000", "/x/.pool-00000000/src", _COMMIT)
    assert can_be("pool-00000000", "/x/.pool-00000000", None)
    assert not can_be(name, path, commit)


def test_a_directory_around_the_main_checkout_is_not_removed(repository: Path) -> None:
    above = repository.parent / ".pool-00000000"
    above.mkdir()
    assert may_be_removed(open_project(repository).layout, "pool-00000000", above)

    moved = repository.rename(above / "acme")

    assert not may_be_removed(open_project(moved).layout, "pool-00000000", above)


def kept(repository: Path, name: str) -> str:
    return kit.git(repository, "for-each-ref", "--format=%(refname)", f"refs/conductor/salvage/{name}/")


def test_what_somebody_wrote_into_an_entry_is_kept_before_it_goes(acme: Path) -> None:
    (entry,) = pooled.refilled(acme)
    tasks.write(Path(entry.path), {"src/scribble.txt": "mine\n", "README.md": "mine too\n"})

    (later,) = pooled.refilled(acme)

    assert later.name != entry.name
    ref = kept(acme, entry.name)
    assert kit.git(acme, "show", f"{ref}:src/scribble.txt") == "mine"
    assert kit.git(acme, "show", f"{ref}:README.md") == "mine too"


def test_and_before_it_is_brought_to_the_target_or_the_pool_is_switched_off(acme: Path) -> None:
    (entry,) = pooled.refilled(acme)
    (Path(entry.path) / "README.md").write_text("edited in place\n")
    tasks.commit(acme, {"later.txt": "later\n"})
    (entry,) = pooled.refilled(acme)
    first = kept(acme, entry.name)
    assert kit.git(acme, "show", f"{first}:README.md") == "edited in place"
    assert kit.git(Path(entry.path), "status", "--porcelain") == ""
    (Path(entry.path) / "README.md").write_text("and again\n")
    tasks.commit(acme, {".conductor.yaml": "version: 1\n"})

    assert pooled.refilled(acme) == ()

    (second,) = set(kept(acme, entry.name).split()) - {first}
    assert kit.git(acme, "show", f"{second}:README.md") == "and again"
    assert pooled.leftovers(acme) == []


def test_an_untouched_entry_leaves_no_salvage(acme: Path) -> None:
    (entry,) = pooled.refilled(acme)
    tasks.commit(acme, {".conductor.yaml": "version: 1\n"})

    assert pooled.refilled(acme) == ()

    assert kept(acme, entry.name) == ""


def test_entries_of_another_template_go_and_come_where_the_config_says_now(acme: Path, tmp_path: Path) -> None:
    (entry,) = pooled.refilled(acme)
    config = f"version: 1\nworktrees: {tmp_path}/elsewhere/{{task_id}}/src\npool: {{size: 2}}\n"
    tasks.commit(acme, {".conductor.yaml": config})

    ready = pooled.refilled(acme)

    assert len(ready) == 2
    assert str(tmp_path / "elsewhere") in "".join(one.path for one in ready)
    assert kit.git(spawned(acme, "prices"), "status", "--porcelain") == ""
    pooled.quiet(acme)
    tasks.commit(acme, {".conductor.yaml": "version: 1\n"})
    assert pooled.refilled(acme) == ()
    assert not Path(entry.path).exists()
    assert list((tmp_path / "elsewhere").glob(".pool-*")) == []


def test_a_landed_worktree_that_is_written_meanwhile_is_not_put_by(acme: Path) -> None:
    worktree = spawned(acme, "prices")
    pooled.quiet(acme)
    layout = open_project(acme).layout
    git_dir = Path(kit.git(worktree, "rev-parse", "--absolute-git-dir"))

    def look() -> None:
        raise WorktreeBusy("written", hint="git status")

    with pytest.raises(WorktreeBusy):
        fill.retire(layout, worktree, git_dir, lambda name: worktree.parent / name, look)

    assert kit.git(worktree, "status", "--porcelain") == ""
    assert not list(layout.pool.glob("*.used"))
