"""Questions to real histories: tips, containment, how far apart, how much changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git.gitcmd import Git
from conductor_git.history import apart, branches, changed_counts, is_contained, objects, tip_of, tips_of, tree_of
from conductor_git.names import CommitId
from tests import kit
from tests.kit import tasks


@pytest.fixture
def forked(repository: Path) -> Path:
    """main with two commits more, `side` with one, `old` behind both, `lone` with no history in common."""
    kit.git(repository, "branch", "old", "main~1")
    kit.git(repository, "checkout", "--quiet", "-b", "side")
    tasks.commit(repository, {"side.txt": "1\n", "odd\nname \u00e9.txt": "1\n"})
    kit.git(repository, "checkout", "--quiet", "main")
    tasks.commit(repository, {"one.txt": "1\n"})
    tasks.commit(repository, {"two.txt": "2\n"})
    empty = kit.git(repository, "commit-tree", "-m", "lone", kit.git(repository, "mktree"))
    kit.git(repository, "update-ref", "refs/heads/lone", empty)
    return repository


def commit(repository: Path, revision: str) -> CommitId:
    return CommitId(kit.git(repository, "rev-parse", revision))


def test_a_tip_is_a_commit_or_nothing(forked: Path) -> None:
    git = Git(forked)
    kit.git(forked, "tag", "-a", "v1", "-m", "one", "old")
    kit.git(forked, "update-ref", "refs/heads/blob", "main:one.txt", ok=(0, 128))

    assert tip_of(git, "refs/heads/side") == commit(forked, "side")
    assert tip_of(git, "refs/tags/v1") == commit(forked, "old"), "a tag stands for its commit"
    assert tip_of(git, "refs/heads/nobody") is None
    assert tip_of(git, "refs/heads/--upload-pack=x") is None


def test_what_is_contained(forked: Path) -> None:
    git = Git(forked)
    old, main, side, lone = (commit(forked, name) for name in ("old", "main", "side", "lone"))

    assert is_contained(git, old, main)
    assert is_contained(git, main, main)
    assert not is_contained(git, main, old)
    assert not is_contained(git, side, main)
    assert not is_contained(git, lone, main)


@pytest.mark.parametrize(
    "pairs",
    [
        [("side", "main")],
        [("main", "side")],
        [("main", "main")],
        [("old", "main")],
        [("lone", "main")],
        [("side", "main"), ("old", "main"), ("old", "side"), ("lone", "side"), ("main", "old")],
        [],
    ],
)
def test_ahead_and_behind_are_what_git_counts(forked: Path, pairs: list[tuple[str, str]]) -> None:
    ids = [(commit(forked, one), commit(forked, other)) for one, other in pairs]

    found = apart(Git(forked), ids)

    expected = {}
    for one, other in ids:
        counts = kit.git(forked, "rev-list", "--count", "--left-right", f"{one}...{other}").split("\t")
        expected[one, other] = (int(counts[0]), int(counts[1]))
    assert found == expected


def test_ahead_and_behind_of_branches_that_were_merged_both_ways(forked: Path) -> None:
    kit.git(forked, "merge", "--quiet", "--no-ff", "-m", "there", "side")
    kit.git(forked, "checkout", "--quiet", "side")
    tasks.commit(forked, {"more.txt": "more\n"})
    kit.git(forked, "merge", "--quiet", "--no-ff", "-m", "back", "main")
    pair = (commit(forked, "side"), commit(forked, "main"))

    assert apart(Git(forked), [pair]) == {pair: (2, 0)}


def test_tips_of_the_refs_that_exist(forked: Path) -> None:
    found = tips_of(Git(forked), ["refs/heads/side", "refs/heads/main", "refs/heads/nobody"])

    assert found == {"refs/heads/side": commit(forked, "side"), "refs/heads/main": commit(forked, "main")}
    assert tips_of(Git(forked), []) == {}


def test_all_branches_and_the_one_that_head_is_on(forked: Path) -> None:
    names = ("main", "side", "old", "lone")
    assert branches(Git(forked)).tips == {name: commit(forked, name) for name in names}
    assert branches(Git(forked)).current == "main"

    kit.git(forked, "checkout", "--quiet", "--detach")
    assert branches(Git(forked)).current is None


def test_changed_paths_are_counted_whatever_their_names(forked: Path) -> None:
    main, side, old, lone = (commit(forked, name) for name in ("main", "side", "old", "lone"))
    pairs = [(main, side), (old, main), (side, main), (main, main), (lone, main), (main, main)]

    found = changed_counts(Git(forked), pairs)

    assert found == {
        (old, new): len(kit.git(forked, "diff", "--name-only", "--no-renames", "-z", old, new).split("\0")) - 1
        for old, new in pairs
    }
    assert changed_counts(Git(forked), []) == {}


def test_objects_are_told_by_what_their_ids_say(forked: Path) -> None:
    git, main = Git(forked), commit(forked, "main")
    kit.git(forked, "replace", "main", "old")

    found, blob, gone, empty = objects(git, main, f"{main}:one.txt", f"{main}:no such file", f"{main}:")

    assert found is not None
    assert found.name == main
    assert tree_of(found) == kit.git(forked, "--no-replace-objects", "rev-parse", f"{main}^{{tree}}")
    assert blob is not None
    assert (blob.kind, blob.data) == ("blob", b"1\n")
    assert gone is None
    assert empty is not None
    assert empty.kind == "tree"
