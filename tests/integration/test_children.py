"""Sub-tasks: what a worker spawns knows its parent, there are so many and no more, and they live on their own."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from conductor_git.actor import COORDINATOR
from conductor_git.names import TaskId, parse_task_id
from conductor_git.process import stragglers
from conductor_git.project import open_project
from conductor_git.run import Run, utcnow
from conductor_git.settings import project_config
from conductor_git.workflow import spawn as spawning
from conductor_git.workflow.spawning import order as ordering
from tests import kit
from tests.integration.agents import WAIT, ended, launch
from tests.integration.families import by_hand, child, handed_in, limit
from tests.integration.traces import traces
from tests.kit import tasks


@pytest.fixture
def lead(repository: Path) -> Path:
    """The worktree of the task `lead`, which is WORKING."""
    return tasks.spawn(repository, "lead")


def spawned(done: kit.Completed) -> Run:
    assert done.code == 0, done
    task = done.document["task"]
    return tasks.record(Path(task["worktree"]), task["task_id"])


def task_ids(repository: Path) -> set[str]:
    return set(open_project(repository).runs.task_ids())


# --- whose it is


@pytest.mark.parametrize("place", [".", "src"])
def test_what_a_worker_spawns_in_its_worktree_is_a_sub_task_of_its_own(lead: Path, place: str) -> None:
    run = spawned(by_hand(lead / place, "part"))

    assert (run.parent_task_id, run.history[0].by, run.plan) == ("lead", "lead", None)


@pytest.mark.usefixtures("lead")
def test_what_a_worker_spawns_elsewhere_is_known_by_its_environment(repository: Path) -> None:
    other = tasks.spawn(repository, "other")
    env = {"CONDUCTOR_TASK_ID": "lead", "CONDUCTOR_PROJECT_ID": "acme"}

    assert spawned(by_hand(repository, "part-1", env=env)).parent_task_id == "lead"
    assert spawned(by_hand(other, "part-2", env=env)).parent_task_id == "lead"


@pytest.mark.usefixtures("lead")
@pytest.mark.parametrize(
    "env", [{}, {"CONDUCTOR_TASK_ID": "nobody"}, {"CONDUCTOR_TASK_ID": "lead", "CONDUCTOR_PROJECT_ID": "elsewhere"}]
)
def test_what_the_coordinator_spawns_has_no_parent(repository: Path, env: dict[str, str]) -> None:
    assert spawned(by_hand(repository, "part", env=env)).parent_task_id is None


def test_a_sub_task_is_of_no_plan(repository: Path, lead: Path) -> None:
    open_project(repository).runs.update(parse_task_id("lead"), lambda run: replace(run, plan="night"))

    assert spawned(by_hand(lead, "part")).plan is None


def test_a_sub_task_lands_where_its_parent_does_and_starts_from_there(repository: Path) -> None:
    kit.git(repository, "branch", "release", "HEAD~1")
    lead = tasks.spawn(repository, "lead", target="release")
    tasks.commit(lead, {"src/lead.py": "1\n"})

    run, other = spawned(by_hand(lead, "part")), spawned(by_hand(lead, "other", "--target", "main"))

    assert (run.target, run.base_commit) == ("release", kit.git(repository, "rev-parse", "release"))
    assert (other.target, other.base_commit) == ("main", kit.git(repository, "rev-parse", "main"))


def test_a_dry_run_names_the_parent_and_makes_nothing(repository: Path, lead: Path) -> None:
    before = traces(repository)

    done = by_hand(lead, "part", "--dry-run")

    assert done.document["plan"]["parent_task_id"] == "lead"
    assert traces(repository) == before


# --- how many, and how deep


def test_one_more_than_a_worker_may_have_is_refused_and_leaves_nothing(repository: Path, lead: Path) -> None:
    limit(repository, children=2)
    child(repository, "lead", "part-1")
    assert by_hand(lead, "part-2").code == 0
    before = traces(repository)

    for options in ((), ("--dry-run",)):
        error = tasks.refused(by_hand(lead, "part-3", *options), "FAMILY_LIMIT", 1)
        assert (error["parent_task_id"], error["limit"]) == ("lead", "limits.children")

    assert traces(repository) == before
    assert by_hand(repository, "part-3").code == 0, "the coordinator is not bounded by it"


def test_sub_tasks_that_have_ended_count_so_that_a_loop_ends(repository: Path, lead: Path) -> None:
    limit(repository, children=1)
    child(repository, "lead", "part-1")
    kit.conductor("cancel", "part-1", cwd=repository)

    tasks.refused(by_hand(lead, "part-2"), "FAMILY_LIMIT", 1)


def test_a_parent_that_is_tried_again_may_spawn_as_many_again(repository: Path, lead: Path) -> None:
    limit(repository, children=1)
    child(repository, "lead", "part-1")
    kit.conductor("fail", "lead", cwd=repository)
    kit.conductor("retry", "lead", cwd=repository)

    assert by_hand(lead, "part-2").code == 0
    tasks.refused(by_hand(lead, "part-3"), "FAMILY_LIMIT", 1)


@pytest.mark.usefixtures("lead")
def test_a_clock_that_goes_back_lets_nobody_spawn_more(repository: Path) -> None:
    limit(repository, children=1)
    project = open_project(repository)
    order = ordering.Order(TaskId("part-1"), parent_task_id=TaskId("lead"))
    plan = ordering.plan(project, order, project_config(project))
    spawning.spawn(project, plan, by=COORDINATOR, at=utcnow() - timedelta(days=1))

    assert tasks.record(repository, "part-1").created_at >= tasks.record(repository, "lead").created_at
    tasks.refused(by_hand(Path(tasks.record(repository, "lead").worktree), "part-2"), "FAMILY_LIMIT", 1)


def test_a_spawn_that_is_refused_takes_no_place(repository: Path, lead: Path) -> None:
    limit(repository, children=1)
    (lead.parent / "part-1").mkdir()
    tasks.refused(by_hand(lead, "part-1"), "PATH_EXISTS", 1)

    assert by_hand(lead, "part-2").code == 0


def test_a_sub_task_whose_record_is_damaged_still_counts(repository: Path, lead: Path) -> None:
    limit(repository, children=1)
    child(repository, "lead", "part-1")
    record = repository / ".git/conductor/tasks/part-1/run-info.yaml"
    record.write_text(record.read_text() + "history: [\n")

    tasks.refused(by_hand(lead, "part-2"), "FAMILY_LIMIT", 1)


@pytest.mark.parametrize("deepest", [0, 1, 2])
def test_no_sub_task_stands_deeper_than_allowed(repository: Path, lead: Path, deepest: int) -> None:
    limit(repository, depth=deepest)
    place = lead
    for level in range(deepest):
        place = Path(spawned(by_hand(place, f"level-{level + 1}")).worktree)
    before = traces(repository)

    error = tasks.refused(by_hand(place, "too-deep"), "FAMILY_LIMIT", 1)

    assert error["limit"] == "limits.depth"
    assert traces(repository) == before


def test_a_worker_does_not_raise_its_own_limit(repository: Path, lead: Path) -> None:
    limit(repository, children=0)
    tasks.commit(lead, {".conductor.yaml": "version: 1\nlimits: {children: 100}\n"})
    env = {"CONDUCTOR_LIMITS_CHILDREN": "100", "CONDUCTOR_RUN_ID": "its-attempt"}

    tasks.refused(by_hand(lead, "part", env=env), "FAMILY_LIMIT", 1)


def test_sub_tasks_that_are_spawned_at_once_are_no_more_than_allowed(repository: Path, lead: Path) -> None:
    limit(repository, children=2)
    command = [str(kit.console_script()), "spawn", "--json"]
    spawns = [
        subprocess.Popen([*command, f"part-{number}"], cwd=lead, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for number in range(5)
    ]

    answers = [json.loads(process.communicate()[0]) for process in spawns]

    codes = sorted(answer["error"]["code"] if "error" in answer else "" for answer in answers)
    assert codes == ["", "", "FAMILY_LIMIT", "FAMILY_LIMIT", "FAMILY_LIMIT"]
    made = {answer["task"]["task_id"] for answer in answers if "task" in answer}
    assert task_ids(repository) == {"lead", *made}
    assert {path.name for path in lead.parent.iterdir()} == {"lead", *made}
    branches = kit.git(repository, "for-each-ref", "--format=%(refname:short)", "refs/heads/worker").split()
    assert set(branches) == {f"worker/{name}" for name in ("lead", *made)}


# --- who may not


def test_a_reviewers_task_spawns_nothing(repository: Path, lead: Path) -> None:
    handed_in(repository, lead)
    place = Path(spawned(by_hand(repository, "critic", "--review", "lead")).worktree)
    before = traces(repository)

    assert tasks.refused(by_hand(place, "part"), "FAMILY_LIMIT", 1)["limit"] == "review_of"
    tasks.refused(by_hand(place, "other-critic", "--review", "lead"), "FAMILY_LIMIT", 1)

    assert traces(repository) == before


def test_a_reviewers_task_that_a_worker_spawns_is_bounded_as_any_other(repository: Path, lead: Path) -> None:
    limit(repository, depth=1)
    other = tasks.spawn(repository, "other")
    handed_in(repository, other)
    part = child(repository, "lead", "part")

    tasks.refused(by_hand(part, "critic", "--review", "other"), "FAMILY_LIMIT", 1)
    assert spawned(by_hand(lead, "critic", "--review", "other")).parent_task_id == "lead"


@pytest.mark.parametrize("verb", ["cancel", "fail"])
def test_a_task_that_has_ended_spawns_nothing(repository: Path, lead: Path, verb: str) -> None:
    kit.conductor(verb, "lead", cwd=repository)
    before = traces(repository)

    tasks.refused(by_hand(lead, "part"), "ILLEGAL_TRANSITION", 12)

    assert traces(repository) == before


def test_a_worker_of_an_older_generation_spawns_nothing(repository: Path, lead: Path) -> None:
    kit.conductor("fail", "lead", cwd=repository)
    kit.conductor("retry", "lead", cwd=repository)
    before = traces(repository)

    env = {"CONDUCTOR_TASK_ID": "lead", "CONDUCTOR_GENERATION": "1"}
    tasks.refused(by_hand(lead, "part", env=env), "STALE_GENERATION", 1)

    assert traces(repository) == before


# --- what is seen of it


def test_status_shows_sub_tasks_below_their_parent(repository: Path, lead: Path) -> None:
    child(repository, "lead", "a-part")
    child(repository, "a-part", "a-leaf")
    tasks.spawn(repository, "other")

    _, *lines = kit.conductor("status", cwd=lead).out.splitlines()
    rows = kit.conductor("status", "--json", cwd=lead).document["tasks"]

    assert [line.partition("  W")[0].rstrip() for line in lines] == ["lead", "  a-part", "    a-leaf", "other"]
    assert {row["task_id"]: row["parent_task_id"] for row in rows} == {
        "lead": None,
        "a-part": "lead",
        "a-leaf": "a-part",
        "other": None,
    }


def test_a_sub_task_whose_parent_has_ended_stands_at_the_top_and_names_it(repository: Path, lead: Path) -> None:
    child(repository, "lead", "part")

    told = kit.conductor("cancel", "lead", cwd=repository).err

    assert "part (WORKING)" in told
    assert "conductor-git cancel part" in told
    _, line = kit.conductor("status", cwd=lead).out.splitlines()
    assert line.startswith("part ")
    assert "of lead" in line
    assert tasks.record(repository, "part").state == "WORKING"


def test_show_tells_the_parent_and_the_sub_tasks(repository: Path, lead: Path) -> None:
    child(repository, "lead", "part-1")
    child(repository, "lead", "part-2")
    kit.conductor("cancel", "part-2", cwd=repository)

    above, below = (kit.conductor("show", name, cwd=lead) for name in ("lead", "part-1"))
    document = kit.conductor("show", "lead", "--json", cwd=lead).document

    assert "sub-tasks     part-1 WORKING, part-2 CANCELLED" in above.out.splitlines()
    assert "sub-task of   lead" in below.out.splitlines()
    assert document["task"]["parent_task_id"] is None
    assert document["children"] == [
        {"task_id": "part-1", "state": "WORKING"},
        {"task_id": "part-2", "state": "CANCELLED"},
    ]


# --- they live on their own


def test_the_agent_of_a_sub_task_goes_on_after_that_of_its_parent_has_ended(repository: Path) -> None:
    launch(repository, f"conductor-git spawn part -- sh -c '{WAIT}'")
    attempt = ended(repository)

    part = tasks.record(repository, "part").attempts[-1]
    assert (attempt.exit_code, part.ended_at) == (0, None)
    assert part.pid is not None
    assert os.getsid(part.pid) != attempt.pgid
    assert stragglers(attempt.run_id) == (), "nothing of the sub-task carries the mark of what its parent leaves behind"
    assert kit.conductor("stop", "part", "--json", cwd=repository).document["stopped"] is True
