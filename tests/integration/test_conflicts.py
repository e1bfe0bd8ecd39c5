"""conflicts: every way in which two workers can collide is foreseen, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conductor_git.names import TaskId
from conductor_git.project import open_project
from tests import kit
from tests.integration.foreseen import (
    brute_force,
    committed,
    foresee,
    notes,
    pairs,
    shell,
    targets,
    worker,
)
from tests.kit import tasks

SUBMODULE = "mkdir lib && git update-index --add --cacheinfo 160000,{},lib"
COLLISIONS = {
    "content": ("echo a >src/main.py", "echo b >src/main.py", ["src/main.py"]),
    "rename/rename of one file": ("git mv run.sh a.sh", "git mv run.sh b.sh", ["a.sh", "b.sh", "run.sh"]),
    "rename/rename to one name": (
        "git mv run.sh x && echo a >>x",
        "git mv README.md x && echo b >>x",
        ["x"],
    ),
    "rename and change": ("git mv src/prices.py src/p.py && sed -i.o s/3/5/ src/p.py && rm src/p.py.o",
                          "sed -i.o s/3/6/ src/prices.py && rm src/prices.py.o", ["src/p.py"]),
    "a renamed directory and a new file in it": ("git mv src lib", "echo b >src/new.py", ["lib/new.py"]),
    "modify/delete": ("echo a >>README.md", "git rm -q README.md", ["README.md"]),
    "add/add": ("echo a >new", "echo b >new", ["new"]),
    "mode against mode": ("echo a >new && chmod +x new", "echo a >new", ["new"]),
    "symlink against file": ("ln -s a new", "echo b >new", ["new"]),
    "symlink against symlink": ("ln -s a new", "ln -s b new", ["new"]),
    "file against directory": ("echo a >x", "mkdir x && echo b >x/b", ["x"]),
    "changed file against directory": (
        "echo a >>run.sh",
        "git rm -q run.sh && mkdir run.sh && echo >run.sh/b",
        ["run.sh"],
    ),
    "binary": (r"printf 'a\000a' >logo.png", r"printf 'b\000b' >logo.png", ["logo.png"]),
    "submodule pointers": (SUBMODULE.format("1" * 40), SUBMODULE.format("2" * 40), ["lib"]),
    "a name with a line end and odd bytes": (
        r"""echo a >"$(printf 'n\nw\377')" """,
        r"""echo b >"$(printf 'n\nw\377')" """,
        ["n\nw\udcff"],
    ),
}  # fmt: skip
HARMLESS = {
    "different files": ("echo a >a", "echo b >b"),
    "different lines of one file": ("sed -i.o s/3/5/ src/prices.py && rm src/*.o", "echo '# end' >>src/prices.py"),
    "the same change": ("echo same >run.sh", "echo same >run.sh"),
    "a file and a directory whose names only begin alike": ("echo a >x", "mkdir xy && echo b >xy/b"),
    "both delete": ("git rm -q run.sh", "git rm -q run.sh"),
    "no change at all": (":", "echo b >run.sh"),
}


def commit_kept(place: Path, script: str) -> None:
    """Commit what `script` put into the index or the files (a submodule pointer has no files to add)."""
    add = "" if "--cacheinfo" in script else "git add --all"
    shell(place, f"{script}\n{add}\ngit commit --quiet --allow-empty -m 'Work on it'")


@pytest.mark.parametrize("name", COLLISIONS)
def test_a_collision_of_committed_work_is_foreseen(repository: Path, name: str) -> None:
    one, other, files = COLLISIONS[name]
    for task_id, script in (("one", one), ("other", other)):
        commit_kept(tasks.spawn(repository, task_id), script)

    found = foresee(repository)

    assert pairs(found) == {("one", "other"): files}
    assert pairs(found) == brute_force(repository, ids(repository))
    assert (targets(found), notes(found)) == ({}, {})
    assert found["collisions"][0]["uncommitted"] is False


@pytest.mark.parametrize("name", [name for name in COLLISIONS if "submodule" not in name])
def test_a_collision_of_uncommitted_work_is_foreseen(repository: Path, name: str) -> None:
    one, other, files = COLLISIONS[name]
    for task_id, script in (("one", one), ("other", other)):
        shell(tasks.spawn(repository, task_id), script)

    found = foresee(repository)

    assert pairs(found) == {("one", "other"): files}
    assert found["collisions"][0]["uncommitted"] is True
    assert notes(found) == {}


def test_on_a_terminal_the_table_has_its_colours_and_a_file_name_has_none(repository: Path) -> None:
    name = "src/\x1b[31mred\n.py"
    for task_id in ("one", "other"):
        tasks.commit(tasks.spawn(repository, task_id), {name: f"{task_id}\n"})

    head, row, *_ = kit.on_a_terminal(repository, "conflicts").splitlines()

    assert head == "\x1b[2mTASK  WITH   FILES\x1b[0m"
    assert row == "one   other  src/\N{REPLACEMENT CHARACTER}[31mred .py"


@pytest.mark.parametrize("name", HARMLESS)
def test_what_merges_is_no_collision(repository: Path, name: str) -> None:
    one, other = HARMLESS[name]
    committed(tasks.spawn(repository, "one"), one)
    shell(tasks.spawn(repository, "other"), other)

    done = kit.conductor("conflicts", cwd=repository)

    assert (done.code, done.out) == (0, "")
    assert "no collision among 2 live workers" in done.err


def ids(repository: Path) -> dict[str, str]:
    return {task_id: kit.git(repository, "rev-parse", f"worker/{task_id}") for task_id in ("one", "other")}


def test_a_worker_that_would_conflict_with_its_target_is_told_apart(repository: Path) -> None:
    worker(repository, "one", "echo a >run.sh")
    worker(repository, "fine", "echo a >fine")
    committed(repository, "echo main >run.sh")

    found = foresee(repository)

    assert (pairs(found), targets(found)) == ({}, {"one": ["run.sh"]})
    assert found["order"] == ["fine", "one"]


def test_what_the_target_brought_to_the_younger_of_two_is_not_their_collision(repository: Path) -> None:
    old = worker(repository, "old", "echo old >run.sh; echo old >both")
    committed(repository, "echo main >run.sh")
    worker(repository, "young", "echo young >both")

    found = foresee(repository)

    assert pairs(found) == {("old", "young"): ["both"]}
    assert targets(found) == {"old": ["run.sh"]}
    committed(old, "git rm -q both")
    assert pairs(foresee(repository)) == {}


def test_two_that_changed_what_the_target_changed_between_their_starts_collide(repository: Path) -> None:
    worker(repository, "old", "git mv src/prices.py src/p.py && sed -i.o s/3/5/ src/p.py && rm src/*.o")
    committed(repository, "echo '# main' >>src/prices.py")
    worker(repository, "young", "sed -i.o s/3/6/ src/prices.py && rm src/*.o")

    assert pairs(foresee(repository)) == {("old", "young"): ["src/p.py"]}


def test_a_worker_that_merged_its_target_is_compared_by_what_is_its_own(repository: Path) -> None:
    merged = worker(repository, "merged", "echo a >a")
    committed(repository, "echo main >run.sh")
    shell(merged, "git merge --quiet --no-edit main")
    worker(repository, "other", "echo b >run.sh; echo b >a")

    assert pairs(foresee(repository)) == {("merged", "other"): ["a"]}


def test_criss_cross_histories_are_merged_as_git_merges_them(repository: Path) -> None:
    one = worker(repository, "one", "echo one >x; echo same >y")
    two = worker(repository, "two", "echo two >z")
    first, second = (kit.git(place, "rev-parse", "HEAD") for place in (one, two))
    shell(one, f"git merge --quiet --no-edit {second}; echo 1 >>x; echo 1 >>z; git commit --quiet --all -m more")
    shell(two, f"git merge --quiet --no-edit {first}; echo 2 >>x; git commit --quiet --all -m more")
    assert len(kit.git(repository, "merge-base", "--all", "worker/one", "worker/two").split()) == 2

    assert pairs(foresee(repository)) == {("one", "two"): ["x"]}


def test_a_worker_that_starts_from_anothers_branch_does_not_collide_with_it(repository: Path) -> None:
    worker(repository, "first", "echo first >run.sh")
    worker(repository, "second", "echo second >run.sh", base="worker/first", target="main")

    assert pairs(foresee(repository)) == {}


def test_workers_for_different_targets_collide_in_what_is_their_own(repository: Path) -> None:
    kit.git(repository, "branch", "release")
    shell(repository, "git switch --quiet release; echo release >run.sh; git commit --quiet --all -m release")
    shell(repository, "git switch --quiet main; echo main >run.sh; git commit --quiet --all -m main")
    worker(repository, "here", "echo here >both; echo '# here' >>run.sh", target="main")
    worker(repository, "there", "echo there >both; echo '# there' >>run.sh", target="release", base="release")

    found = foresee(repository)

    assert pairs(found) == {("here", "there"): ["both"]}  # run.sh: their targets conflict there without them
    assert targets(found) == {}


def test_ended_tasks_collide_with_nobody(repository: Path) -> None:
    worker(repository, "one", "echo a >x")
    worker(repository, "two", "echo b >x")
    kit.conductor("cancel", "two", cwd=repository)

    assert pairs(foresee(repository)) == {}
    assert "two is no live worker" in kit.conductor("conflicts", "two", cwd=repository).err


def test_a_reviewers_task_collides_with_nobody(repository: Path) -> None:
    worker(repository, "one", "echo a >x")
    worker(repository, "reviewer", "echo b >x")
    one, reviewer = TaskId("one"), TaskId("reviewer")
    open_project(repository).runs.update(reviewer, lambda run: replace(run, review_of=one))

    found = foresee(repository)

    assert (pairs(found), found["order"]) == ({}, ["one"])


def test_a_task_can_be_asked_for_by_itself(repository: Path) -> None:
    for task_id, file in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")):
        worker(repository, task_id, f"echo {task_id} >{file}")

    done = kit.conductor("conflicts", "d", cwd=repository)

    assert done.out.splitlines() == ["TASK  WITH  FILES", "d     c     y"]
    tasks.refused(kit.conductor("conflicts", "nobody", "--json", cwd=repository), "NOT_FOUND", 18)


def test_a_branch_or_target_that_is_gone_is_said_and_stops_nobody(repository: Path) -> None:
    kit.git(repository, "branch", "release")
    worker(repository, "homeless", "echo a >x", target="release", base="release")
    for task_id in ("one", "two"):
        worker(repository, task_id, f"echo {task_id} >x")
    gone = worker(repository, "gone")
    kit.git(repository, "branch", "-D", "release")
    shell(gone, "git switch --quiet --detach; git branch -q -D worker/gone")

    found = foresee(repository)

    assert pairs(found) == {("one", "two"): ["x"]}
    said = {"gone": "its branch worker/gone is gone", "homeless": "its target release is gone"}
    assert notes(found) == said


def test_a_branch_without_common_history_is_said_and_stops_nobody(repository: Path) -> None:
    stranger = worker(repository, "stranger")
    for task_id in ("one", "two"):
        worker(repository, task_id, f"echo {task_id} >x")
    shell(stranger, "git checkout -q --orphan o; git commit -q -m o; git branch -f worker/stranger o")
    shell(stranger, "git switch -q worker/stranger; echo >x")

    found = foresee(repository)

    assert pairs(found) == {("one", "two"): ["x"]}
    assert "no history in common" in notes(found)["stranger"]
