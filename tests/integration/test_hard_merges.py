"""Merges that are hard for git: each has one outcome at `merge`, names the very paths and how to resolve it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks

OLD = "PRICES = {\n    'apple': 3,\n    'pear': 4,\n}\n"
LONG = "".join(f"line {number}\n" for number in range(40))
STRATEGIES = ["merge", "squash", "rebase"]
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12\n"
GITLINKS = [f"{digit * 40}" for digit in "123"]

Edit = Callable[[Path], None]


def commit_index(place: Path, also: tasks.Files | None, *names: str) -> None:
    tasks.write(place, also or {})
    if also or names:
        kit.git(place, "add", "--", *(also or {}), *names)
    kit.git(place, "commit", "--quiet", "-m", "Work on it")


def files(**contents: str | bytes | None) -> Edit:
    named = {name.replace("__", "/").replace("_", "."): content for name, content in contents.items()}
    return lambda place: commit_index(place, named)


def moves(*pairs: tuple[str, str], then: tasks.Files | None = None) -> Edit:
    def edit(place: Path) -> None:
        for old, new in pairs:
            (place / new).parent.mkdir(parents=True, exist_ok=True)
            kit.git(place, "mv", old, new)
        commit_index(place, then)

    return edit


def link(name: str, to: str) -> Edit:
    def edit(place: Path) -> None:
        (place / name).unlink(missing_ok=True)
        (place / name).symlink_to(to)
        commit_index(place, {}, name)

    return edit


def executable(name: str, content: str) -> Edit:
    def edit(place: Path) -> None:
        tasks.write(place, {name: content})
        (place / name).chmod(0o755)
        commit_index(place, {}, name)

    return edit


def gitlink(name: str, commit: str, *, also: tasks.Files | None = None) -> Edit:
    def edit(place: Path) -> None:
        kit.git(place, "update-index", "--add", "--cacheinfo", f"160000,{commit},{name}")
        (place / name).mkdir(exist_ok=True)
        commit_index(place, also)

    return edit


@dataclass(frozen=True)
class Clash:
    """What the target has before the spawn, what each side does then, and the paths in conflict."""

    mine: Edit
    theirs: Edit
    paths: tuple[str, ...]
    before: Edit | None = None


CLASHES = {
    "both add, with other modes": Clash(
        files(new_sh="echo\n"), executable("new.sh", "echo\n"), ("new.sh",)
    ),
    "link and file": Clash(link("README.md", "run.sh"), files(README_md="# Acme\n\nMore.\n"), ("README.md",)),
    "two links": Clash(link("new", "mine"), link("new", "theirs"), ("new",)),
    "file and directory": Clash(files(new="mine\n"), files(new__inside="theirs\n"), ("new",)),
    "moved to two places": Clash(
        moves(("long.txt", "mine.txt")), moves(("long.txt", "theirs.txt")), ("long.txt", "mine.txt", "theirs.txt"),
        before=files(long_txt=LONG),
    ),
    "two moved to one place": Clash(
        moves(("long.txt", "both.txt")), moves(("other.txt", "both.txt")), ("both.txt",),
        before=files(long_txt=LONG, other_txt=LONG.replace("line", "row")),
    ),
    "moved and deleted": Clash(
        moves(("long.txt", "mine.txt")), files(long_txt=None), ("mine.txt",), before=files(long_txt=LONG)
    ),
    "a directory moved under a new file": Clash(
        moves(("lib", "src/lib")), files(lib__new_txt="new\n"), ("src/lib/new.txt",),
        before=files(lib__a_txt=LONG, lib__b_txt=LONG.replace("line", "row")),
    ),
    "binary": Clash(
        files(logo_png=b"\0mine"), files(logo_png=b"\0theirs"), ("logo.png",), before=files(logo_png=b"\0old")
    ),
    "LFS pointers": Clash(
        files(logo_png=POINTER.format("b" * 64)), files(logo_png=POINTER.format("c" * 64)), ("logo.png",),
        before=files(logo_png=POINTER.format("a" * 64), _gitattributes="*.png filter=lfs diff=lfs merge=lfs -text\n"),
    ),
    "submodule at two commits": Clash(
        gitlink("lib", GITLINKS[1]), gitlink("lib", GITLINKS[2]), ("lib",), before=gitlink("lib", GITLINKS[0])
    ),
    "submodule and file": Clash(gitlink("lib", GITLINKS[0]), files(lib="theirs\n"), ("lib",)),
    "line ends": Clash(
        files(a_txt=LONG.replace("\n", "\r\n")), files(a_txt=LONG.replace("7", "seven")), ("a.txt",),
        before=files(a_txt=LONG),
    ),
}  # fmt: skip


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", CLASHES)
def test_a_clash_names_its_paths_moves_nothing_and_can_be_resolved_as_told(
    repository: Path, name: str, strategy: str
) -> None:
    clash = CLASHES[name]
    if clash.before:
        clash.before(repository)
    worktree = tasks.spawn(repository, "prices")
    clash.theirs(worktree)
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    clash.mine(repository)
    before, there = kit.snapshot(repository), kit.snapshot(worktree)

    error = tasks.refused(tasks.merge(repository, "prices", "--strategy", strategy), "CONFLICT", 13)

    assert error["files"] == list(clash.paths)
    assert kit.snapshot(repository) == before
    assert kit.snapshot(worktree) == there
    run = tasks.record(repository, "prices")
    assert (run.state, run.approved_commit) == ("WORKING", None)
    assert run.landing is not None
    assert run.landing.files == clash.paths
    resolve(repository, worktree)
    tasks.approve(repository, "prices")
    tasks.landed(tasks.merge(repository, "prices", "--strategy", strategy))


def resolve(repository: Path, worktree: Path) -> None:
    """Do what the bounce says, in a shell; where files are to be edited, take the worker's side of everything."""
    (told,) = tasks.told(repository, "BOUNCED", "prices")
    for command in (line.strip() for line in told.splitlines() if line.startswith("    ")):
        if command.startswith("#"):
            settle(worktree)
            continue
        done = subprocess.run(command, shell=True, cwd=worktree, capture_output=True, check=False)
        assert done.returncode in (0, 1), (command, done)
    assert tasks.record(repository, "prices").state == "IN_REVIEW"


def settle(worktree: Path) -> None:
    """Take the worker's side of every path in conflict: git's own in a merge, the other one in a rebase."""
    own = "3" if Path(kit.git(worktree, "rev-parse", "--git-path", "rebase-merge")).is_dir() else "2"
    rows = [row.split("\t") for row in kit.git(worktree, "ls-files", "--unmerged", "-z").split("\0") if row]
    stages = {(facts.split(" ")[2], path): facts.split(" ") for facts, path in rows}
    for path in {path for _, path in stages}:
        if (own, path) in stages:
            mode, blob, _ = stages[own, path]
            kit.git(worktree, "update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}")
            kit.git(worktree, "checkout-index", "--force", "--", path)
        else:
            kit.git(worktree, "rm", "--quiet", "--force", "--", path)


def handed_in(repository: Path, worktree: Path) -> None:
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    assert kit.git(worktree, "status", "--porcelain") == ""


def lands(repository: Path, strategy: str = "merge") -> None:
    """`merge prices` lands; what the target has then is what the worker's side and its own come to together."""
    tasks.landed(tasks.merge(repository, "prices", "--strategy", strategy))
    assert kit.git(repository, "status", "--porcelain") == ""
    kit.git(repository, "fsck", "--no-dangling")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_mode_and_a_content_that_change_on_two_sides_both_land(repository: Path, strategy: str) -> None:
    worktree = tasks.spawn(repository, "prices")
    executable("src/main.py", (repository / "src/main.py").read_text())(worktree)
    handed_in(repository, worktree)
    tasks.commit(repository, {"src/main.py": "print('other')\n"})

    lands(repository, strategy)

    assert os.access(repository / "src/main.py", os.X_OK)
    assert (repository / "src/main.py").read_text() == "print('other')\n"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_file_that_moves_on_one_side_and_changes_on_the_other_lands_as_both(repository: Path, strategy: str) -> None:
    tasks.commit(repository, {"long.txt": LONG})
    worktree = tasks.spawn(repository, "prices")
    moves(("long.txt", "docs/long.txt"))(worktree)
    handed_in(repository, worktree)
    tasks.commit(repository, {"long.txt": LONG.replace("line 7\n", "seven\n")})

    lands(repository, strategy)

    assert (repository / "docs/long.txt").read_text() == LONG.replace("line 7\n", "seven\n")
    assert not (repository / "long.txt").exists()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_new_submodule_and_a_moved_one_land_as_commits_to_be_fetched(repository: Path, strategy: str) -> None:
    gitlink("lib", GITLINKS[0])(repository)
    worktree = tasks.spawn(repository, "prices")
    gitlink("lib", GITLINKS[1])(worktree)
    modules = '[submodule "new"]\n\tpath = new\n\turl = --upload-pack=touch evil\n'
    gitlink("new", GITLINKS[2], also={".gitmodules": modules})(worktree)
    handed_in(repository, worktree)
    tasks.commit(repository, {"README.md": "# Acme\n"})

    tasks.landed(tasks.merge(repository, "prices", "--strategy", strategy))

    links = [line.split()[2] for line in kit.git(repository, "ls-tree", "main", "lib", "new").splitlines()]
    assert links == GITLINKS[1:]
    assert not list(repository.rglob("evil"))


def test_a_criss_cross_history_with_two_merge_bases_lands(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    theirs = tasks.commit(worktree, {"theirs.txt": LONG})
    mine = tasks.commit(repository, {"mine.txt": LONG})
    kit.git(worktree, "merge", "--quiet", "--no-edit", mine)
    kit.git(repository, "merge", "--quiet", "--no-edit", theirs)
    assert len(kit.git(repository, "merge-base", "--all", "main", "worker/prices").splitlines()) == 2
    tasks.commit(worktree, {"mine.txt": LONG.replace("line 3\n", "three\n")})
    tasks.commit(repository, {"theirs.txt": LONG.replace("line 30\n", "thirty\n")})
    handed_in(repository, worktree)

    lands(repository)

    assert (repository / "mine.txt").read_text() == LONG.replace("line 3\n", "three\n")
    assert (repository / "theirs.txt").read_text() == LONG.replace("line 30\n", "thirty\n")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_branch_with_an_octopus_on_it_lands_whole(repository: Path, strategy: str) -> None:
    for name in ("one", "two"):
        kit.git(repository, "branch", name)
    worktree = tasks.spawn(repository, "prices")
    for name in ("one", "two"):
        kit.git(worktree, "checkout", "--quiet", name)
        tasks.commit(worktree, {f"{name}.txt": f"{name}\n"})
    kit.git(worktree, "checkout", "--quiet", "worker/prices")
    tasks.commit(worktree, {"three.txt": "three\n"})
    kit.git(worktree, "merge", "--quiet", "--no-edit", "one", "two")
    assert len(kit.git(worktree, "rev-list", "--parents", "-1", "HEAD").split()) == 4
    handed_in(repository, worktree)
    tasks.commit(repository, {"README.md": "# Acme\n"})

    lands(repository, strategy)

    assert {f"{name}.txt" for name in ("one", "two", "three")} <= {file.name for file in repository.iterdir()}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_history_that_has_nothing_in_common_is_a_conflict_of_its_own(repository: Path, strategy: str) -> None:
    worktree = tasks.spawn(repository, "prices")
    kit.git(worktree, "checkout", "--quiet", "--orphan", "fresh")
    kit.git(worktree, "commit", "--quiet", "-m", "A start of its own")
    kit.git(worktree, "branch", "--force", "worker/prices", "fresh")
    kit.git(worktree, "switch", "--quiet", "worker/prices")
    handed_in(repository, worktree)
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "prices", "--strategy", strategy), "CONFLICT", 13)

    assert "no history in common" in error["message"]
    assert error["files"] == []
    assert kit.snapshot(repository) == before
    assert tasks.record(repository, "prices").state == "WORKING"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_work_that_the_target_has_by_other_commits_is_on_it_already(repository: Path, strategy: str) -> None:
    worktree = tasks.spawn(repository, "prices")
    commit = tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    handed_in(repository, worktree)
    tasks.commit(repository, {"README.md": "# Acme\n"})
    kit.git(repository, "cherry-pick", commit)
    before = kit.git(repository, "rev-parse", "main")

    outcome = "LANDED" if strategy == "merge" else "ALREADY_LANDED"
    tasks.landed(tasks.merge(repository, "prices", "--strategy", strategy), outcome)

    assert kit.git(repository, "diff", before, "main") == ""
    contained = kit.git(repository, "rev-list", "--count", f"{before}..main")
    assert contained == ("2" if strategy == "merge" else "0")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_branch_that_deletes_everything_lands_as_nothing(repository: Path, strategy: str) -> None:
    worktree = tasks.spawn(repository, "prices")
    kit.git(worktree, "rm", "--quiet", "-r", ".")
    kit.git(worktree, "commit", "--quiet", "-m", "Start over")
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    tasks.write(repository, {"mine.txt": "a person's\n"})

    tasks.landed(tasks.merge(repository, "prices", "--strategy", strategy))

    assert kit.git(repository, "ls-tree", "-r", "main") == ""
    assert [file.name for file in repository.iterdir() if file.name != ".git"] == ["mine.txt"]
