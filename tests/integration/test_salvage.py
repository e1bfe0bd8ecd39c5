"""Salvage: what a removal would drop comes back byte for byte, or the removal is refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks

Restored = dict[str, tuple[str, bytes]]
"""Path → git's mode and the raw bytes."""


def land_over(repository: Path, task_id: str) -> str:
    """Land the task, whose worktree holds more than its commit; returns the salvage ref that this wrote."""
    tasks.landed(tasks.merge(repository, task_id))
    assert not Path(tasks.record(repository, task_id).worktree).exists()
    return salvage_ref(repository, task_id)


def salvage_ref(repository: Path, task_id: str) -> str:
    (ref,) = kit.git(
        repository, "for-each-ref", "--format=%(refname)", f"refs/conductor/salvage/{task_id}/"
    ).splitlines()
    return ref


def tree(repository: Path, commit: str) -> Restored:
    """Every file of `commit` as it is stored, with no filter on the way."""
    listing = kit.git(repository, "ls-tree", "-r", "-z", commit).split("\0")
    found = {}
    for line in filter(None, listing):
        meta, name = line.split("\t", 1)
        mode, _, blob = meta.split()
        found[name] = (mode, raw(repository, blob))
    return found


def raw(repository: Path, blob: str) -> bytes:
    return subprocess.run(["git", "cat-file", "blob", blob], cwd=repository, capture_output=True, check=True).stdout


@pytest.fixture
def worktree(repository: Path) -> Path:
    """The worktree of the approved task `prices`."""
    return tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})


def test_changed_untracked_and_small_ignored_files_come_back_with_bytes_and_modes(
    repository: Path, worktree: Path
) -> None:
    tasks.write(worktree, {"src/prices.py": b"\0\xff half\r\nand half\n", "notes/idea.txt": "idea", "x.log": "log\n"})
    (worktree / "notes/idea.txt").chmod(0o755)
    (worktree / "link").symlink_to("../no where")
    (worktree / "run.sh").unlink()

    kept = tree(repository, land_over(repository, "prices"))

    assert kept["src/prices.py"] == ("100644", b"\0\xff half\r\nand half\n")
    assert kept["notes/idea.txt"] == ("100755", b"idea")
    assert kept["x.log"] == ("100644", b"log\n")
    assert kept["link"] == ("120000", b"../no where")
    assert "run.sh" not in kept
    assert kept["src/new.py"] == ("100644", b"NEW = 1\n")


def test_the_worker_that_lost_nothing_gets_no_salvage(repository: Path, worktree: Path) -> None:
    tasks.landed(tasks.merge(repository, "prices"))

    assert not worktree.exists()
    assert kit.git(repository, "for-each-ref", "refs/conductor/") == ""


def test_the_salvage_is_told_on_the_bus(repository: Path, worktree: Path) -> None:
    tasks.write(worktree, {"notes.txt": "idea\n"})

    ref = land_over(repository, "prices")

    (fact,) = tasks.told(repository, "FACT", "prices")
    assert ref in fact


def test_line_ends_that_attributes_would_convert_come_back_as_they_were(repository: Path) -> None:
    tasks.commit(repository, {".gitattributes": "* text=auto\n*.bat eol=crlf\n"})
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    files = {"dos.txt": b"one\r\ntwo\r\n", "mixed.txt": b"one\r\ntwo\nthree\r", "run.bat": b"only\nlf\n"}
    tasks.write(worktree, {**files, "src/prices.py": b"PRICES = {}\r\n"})

    kept = tree(repository, land_over(repository, "prices"))

    assert {name: kept[name][1] for name in files} == files
    assert kept["src/prices.py"][1] == b"PRICES = {}\r\n"


def test_line_ends_alone_are_kept_although_git_calls_the_file_unchanged(repository: Path) -> None:
    tasks.commit(repository, {".gitattributes": "* text=auto\n"})
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    as_dos = (worktree / "src/main.py").read_bytes().replace(b"\n", b"\r\n")
    tasks.write(worktree, {"src/main.py": as_dos, "notes.txt": "a reason for a salvage\n"})

    kept = tree(repository, land_over(repository, "prices"))

    assert kept["src/main.py"][1] == as_dos


def test_a_filter_has_no_hand_in_what_is_kept(repository: Path) -> None:
    tasks.commit(repository, {".gitattributes": "*.secret filter=hide\n"})
    kit.git(repository, "config", "filter.hide.clean", "tr a-z A-Z")
    kit.git(repository, "config", "filter.hide.smudge", "tr A-Z a-z")
    kit.git(repository, "config", "filter.hide.required", "true")
    worktree = tasks.approved(repository, "prices", {"key.secret": "open sesame\n"})
    tasks.write(worktree, {"key.secret": "Open Sesame, Changed\n", "other.secret": "New One\n"})

    kept = tree(repository, land_over(repository, "prices"))

    assert kept["key.secret"][1] == b"Open Sesame, Changed\n"
    assert kept["other.secret"][1] == b"New One\n"
    assert raw(repository, "main:key.secret") == b"OPEN SESAME\n"


def test_a_file_that_a_filter_wrote_is_no_work_to_keep(repository: Path) -> None:
    tasks.commit(repository, {".gitattributes": "*.secret filter=hide\n", "key.secret": "X\n"})
    kit.git(repository, "config", "filter.hide.clean", "tr a-z A-Z")
    kit.git(repository, "config", "filter.hide.smudge", "tr A-Z a-z")
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    assert (worktree / "key.secret").read_text() == "x\n"
    (worktree / "key.secret").touch()

    tasks.landed(tasks.merge(repository, "prices"))

    assert kit.git(repository, "for-each-ref", "refs/conductor/") == ""


def test_what_was_staged_and_then_changed_again_is_kept_twice(repository: Path, worktree: Path) -> None:
    tasks.write(worktree, {"src/prices.py": "staged = 1\n"})
    kit.git(worktree, "add", "src/prices.py")
    tasks.write(worktree, {"src/prices.py": "on_disk = 2\n"})

    ref = land_over(repository, "prices")

    assert tree(repository, ref)["src/prices.py"][1] == b"on_disk = 2\n"
    assert tree(repository, f"{ref}^2")["src/prices.py"][1] == b"staged = 1\n"


def test_what_only_the_index_holds_is_kept(repository: Path, worktree: Path) -> None:
    original = (worktree / "src/prices.py").read_bytes()
    tasks.write(worktree, {"src/prices.py": "staged = 1\n"})
    kit.git(worktree, "add", "src/prices.py")
    tasks.write(worktree, {"src/prices.py": original})

    ref = land_over(repository, "prices")

    assert tree(repository, f"{ref}^2")["src/prices.py"][1] == b"staged = 1\n"


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_that_git_was_told_to_overlook_is_kept(repository: Path, worktree: Path, flag: str) -> None:
    kit.git(worktree, "update-index", flag, "src/prices.py")
    tasks.write(worktree, {"src/prices.py": "PRICES = 'mine'\n"})

    kept = tree(repository, land_over(repository, "prices"))

    assert kept["src/prices.py"][1] == b"PRICES = 'mine'\n"


@pytest.mark.parametrize(
    "name",
    [
        "two\nlines",
        "ends with a return\r",
        " spaces ",
        "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
        os.fsdecode(b"no text \xe9\xff"),
        "-rf",
        ":(top)magic",
        '"quoted"',
        "back\\slash",
        "sub dir/tab\there",
    ],
)
def test_any_name_comes_back(repository: Path, worktree: Path, name: str) -> None:
    tasks.write(worktree, {name: b"mine\n"})

    kept = tree(repository, land_over(repository, "prices"))

    assert kept[name] == ("100644", b"mine\n")


def test_a_file_in_the_place_of_a_directory_comes_back_as_the_file(repository: Path, worktree: Path) -> None:
    (worktree / "docs/how to run.md").unlink()
    (worktree / "docs").rmdir()
    tasks.write(worktree, {"docs": "a file now\n"})
    (worktree / "README.md").unlink()
    tasks.write(worktree, {"README.md/part one": "a directory now\n"})

    kept = tree(repository, land_over(repository, "prices"))

    assert kept["docs"][1] == b"a file now\n"
    assert kept["README.md/part one"][1] == b"a directory now\n"
    assert {name for name in kept if name.startswith(("docs/", "README"))} == {"README.md/part one"}


def test_an_ignored_file_over_the_limit_is_listed_and_the_small_one_beside_it_kept(
    repository: Path, worktree: Path
) -> None:
    tasks.write(worktree, {"build/huge.bin": b"\0" * (1024 * 1024 + 1), "build/small.bin": b"\1\2"})

    ref = land_over(repository, "prices")

    kept = tree(repository, ref)
    assert kept["build/small.bin"][1] == b"\1\2"
    assert "build/huge.bin" not in kept
    assert "not kept: build/huge.bin" in kit.git(repository, "show", "-s", "--format=%B", ref)
    (fact,) = tasks.told(repository, "FACT", "prices")
    assert "build/huge.bin" in fact


def test_a_large_file_that_is_only_untracked_is_kept_whole(repository: Path, worktree: Path) -> None:
    content = os.urandom(1024) * 2048
    tasks.write(worktree, {"video.raw": content})

    kept = tree(repository, land_over(repository, "prices"))

    assert kept["video.raw"][1] == content


def test_commits_on_a_detached_head_are_kept(repository: Path, worktree: Path) -> None:
    kit.git(worktree, "switch", "--quiet", "--detach")
    loose = tasks.commit(worktree, {"loose.txt": "on no branch\n"})

    ref = land_over(repository, "prices")

    kit.git(repository, "merge-base", "--is-ancestor", loose, ref)


def test_a_merge_left_in_conflict_is_kept_as_it_lies_there(repository: Path, worktree: Path) -> None:
    kit.git(worktree, "branch", "other", "main")
    kit.git(worktree, "switch", "--quiet", "other")
    tasks.commit(worktree, {"src/new.py": "NEW = 2\n"})
    kit.git(worktree, "merge", "worker/prices", ok=(1,))
    in_conflict = (worktree / "src/new.py").read_bytes()

    kept = tree(repository, land_over(repository, "prices"))

    assert kept["src/new.py"][1] == in_conflict
    assert b"<" * 7 in in_conflict


@pytest.mark.parametrize("place", ["nested", "build/nested"], ids=["untracked", "ignored"])
def test_a_repository_inside_the_worktree_keeps_the_worktree_in_place(
    repository: Path, worktree: Path, place: str
) -> None:
    inner = kit.make_repository(worktree / place)
    tasks.write(worktree, {"notes.txt": "idea\n"})
    head = kit.git(inner, "rev-parse", "HEAD")

    landed = tasks.landed(tasks.merge(repository, "prices"))

    assert landed["cleanup"]["worktree_removed"] is False
    assert str(worktree / place) in landed["cleanup"]["kept_because"]
    assert kit.git(inner, "rev-parse", "HEAD") == head
    assert (worktree / "notes.txt").read_text() == "idea\n"
    assert kit.git(repository, "rev-parse", "worker/prices") == landed["task"]["head_commit"]


def test_a_nested_repository_is_seen_behind_any_amount_of_ignored_files(repository: Path, worktree: Path) -> None:
    for number in range(65):
        tasks.write(worktree, {f"build/{number:02d}.bin": b"\0" * (1024 * 1024)})
    inner = kit.make_repository(worktree / "build" / "nested")

    tasks.landed(tasks.merge(repository, "prices"))

    assert kit.git(inner, "log", "-1", "--format=%s") == "Describe how to run it"


def test_work_in_a_submodule_is_kept_in_its_own_repository(repository: Path, tmp_path: Path) -> None:
    library = kit.make_repository(tmp_path / "library")
    kit.git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    kit.git(repository, "commit", "--quiet", "-m", "Use the library")
    worktree = tasks.spawn(repository, "prices")
    kit.git(worktree, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    tasks.write(worktree, {"lib/README.md": "work in the library\n", "notes.txt": "idea\n"})

    tasks.landed(tasks.merge(repository, "prices"))

    assert not worktree.exists()
    (home,) = (repository / ".git/conductor/submodules/prices").glob("*/lib")
    for place, name, text in ((home, "README.md", "work in the library"), (repository, "notes.txt", "idea")):
        ref = kit.git(place, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage")
        assert kit.git(place, "show", f"{ref}:{name}") == text
