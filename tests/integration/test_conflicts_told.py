"""conflicts: each new collision is one message on the bus, however often and by how many it is looked for."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from conductor_git.foresight import told
from conductor_git.foresight.told import Told
from conductor_git.project import open_project
from tests import kit
from tests.integration.foreseen import committed, foresee, issues, pairs, shell, worker
from tests.kit import tasks


def one_and_two(repository: Path) -> tuple[Path, Path]:
    return worker(repository, "one", "echo 1 >x"), worker(repository, "two", "echo 2 >x")


def test_a_new_collision_is_told_once_to_the_one_that_would_come_second(repository: Path) -> None:
    one_and_two(repository)

    for _ in range(3):
        foresee(repository)

    (message,) = open_project(repository).bus.tail(10, types=("ISSUE",))
    assert (message.task_id, message.body) == ("two", "two: would conflict with one in x")
    assert message.meta == {"event": "collision", "other": "one", "files": json.dumps(["x"]), "kind": "contents"}


def test_a_collision_with_the_target_is_told_too(repository: Path) -> None:
    worker(repository, "one", "echo 1 >x")
    committed(repository, "echo main >x")

    foresee(repository)
    foresee(repository)

    (message,) = open_project(repository).bus.tail(10, types=("ISSUE",))
    assert (message.task_id, message.meta["target"]) == ("one", "main")
    assert message.body == "one: would conflict with its target main in x"


def test_a_collision_that_has_gone_and_comes_back_is_told_again(repository: Path) -> None:
    one, _ = one_and_two(repository)
    foresee(repository)
    committed(one, "git rm -q x")
    assert pairs(foresee(repository)) == {}
    shell(one, "echo 1 >x")

    foresee(repository)

    assert issues(repository) == [
        "two: would conflict with one in x",
        "two: would conflict with one in x (not committed yet)",
    ]


def test_more_files_in_a_collision_that_was_told_are_no_news(repository: Path) -> None:
    places = one_and_two(repository)
    foresee(repository)
    for place in places:
        committed(place, f"echo {place.name} >y")

    assert pairs(foresee(repository)) == {("one", "two"): ["x", "y"]}
    assert len(issues(repository)) == 1


def test_a_moment_in_which_a_worktree_cannot_be_read_ends_no_collision(repository: Path) -> None:
    one, two = tasks.spawn(repository, "one"), tasks.spawn(repository, "two")
    for place in (one, two):
        shell(place, f"echo {place.name} >x")
    foresee(repository)
    busy = Path(kit.git(one, "rev-parse", "--absolute-git-dir")) / "index.lock"
    busy.touch()
    assert pairs(foresee(repository)) == {}
    busy.unlink()

    assert pairs(foresee(repository)) == {("one", "two"): ["x"]}
    assert len(issues(repository)) == 1


def test_five_checks_at_once_tell_each_collision_once(repository: Path) -> None:
    for number in range(5):
        worker(repository, f"w{number}", f"echo {number} >x")
    committed(repository, "echo main >x")
    command = [str(kit.console_script()), "conflicts", "--json"]

    checks = [subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE) for _ in range(5)]
    documents = [json.loads(check.communicate()[0]) for check in checks]

    assert [check.returncode for check in checks] == [0] * 5
    assert all(document == documents[0] for document in documents)
    assert len(documents[0]["collisions"]) == 10
    assert sorted(issues(repository)) == sorted({*issues(repository)})
    assert len(issues(repository)) == 15


def test_a_check_that_was_overtaken_looks_again_before_it_tells(repository: Path) -> None:
    _, two = one_and_two(repository)
    layout = open_project(repository).layout
    with told.alone(layout):
        check = subprocess.Popen([str(kit.console_script()), "conflicts"], cwd=repository, stdout=subprocess.PIPE)
        kit.until((layout.foresight / "answers").exists)  # it has looked, and waits for us
        committed(two, "git rm -q x")
        told.write(layout, Told(1))  # another check told the collision, and later saw it gone

    assert check.communicate()[0] == b""
    assert issues(repository) == []


def test_status_tells_nobody(repository: Path) -> None:
    one_and_two(repository)

    kit.conductor("status", cwd=repository)

    assert issues(repository) == []


def test_a_damaged_record_of_what_was_told_is_begun_anew(repository: Path) -> None:
    one_and_two(repository)
    foresee(repository)
    record = repository / ".git" / "conductor" / "foresight" / "told.json"
    record.write_text('{"turn": 1')

    foresee(repository)
    foresee(repository)

    assert len(issues(repository)) == 2


def test_the_order_puts_the_ready_and_the_harmless_first_and_respects_needs(repository: Path) -> None:
    tasks.approved(repository, "ready", {"x": "ready\n"})
    worker(repository, "harmless", "echo a >a")
    worker(repository, "rival", "echo rival >x; echo rival >y")
    worker(repository, "late", "echo late >z")
    worker(repository, "third", "echo third >y", needs=("late",))

    done = kit.conductor("conflicts", cwd=repository)

    assert "suggested landing order: harmless, late, ready, rival, third" in done.err
