"""wait: blocks until tasks are where they are asked to be, misses nothing, and says which will not get there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conductor_git.actor import COORDINATOR, Actor, worker
from conductor_git.errors import StaleGeneration, TaskEnded, WaitTimeout
from conductor_git.names import TaskId
from conductor_git.project import Project, open_project
from conductor_git.run import Event, State
from conductor_git.transition import move
from conductor_git.workflow.wait import Until, beating, wait
from tests import kit
from tests.integration.agents import ended, launch
from tests.integration.families import child, handed_in
from tests.kit import tasks

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def lead(repository: Path) -> Path:
    """The worktree of the task `lead`, which has the sub-tasks `part-1` and `part-2`."""
    place = tasks.spawn(repository, "lead")
    child(repository, "lead", "part-1")
    child(repository, "lead", "part-2")
    return place


def waiting(place: Path, *words: str) -> kit.Completed:
    return kit.conductor("wait", *words, cwd=place)


class Background:
    """`conductor-git wait` while something else happens."""

    def __init__(self, place: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [kit.console_script(), "wait", *words],
            cwd=place,
            env=os.environ | {"PYTHONUNBUFFERED": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self.process.stdout is not None
        self.lines = self.process.stdout

    def ended(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def background() -> Iterator[list[Background]]:
    """What a test of ours left waiting ends with it."""
    started: list[Background] = []
    yield started
    for one in started:
        one.process.kill()
        one.process.communicate()


def worktree(repository: Path, name: str) -> Path:
    return Path(tasks.record(repository, name).worktree)


# --- how far


@pytest.mark.parametrize("until", ["final", "review", "landed"])
def test_what_is_already_there_is_told_at_once(repository: Path, until: str) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "1\n"})
    tasks.landed(tasks.merge(repository, "prices"))

    done = waiting(repository, "prices", "--until", until)

    assert (done.code, done.out) == (0, "prices COMPLETED\n")


def test_each_is_told_as_it_gets_there_and_the_command_ends_with_the_last(
    repository: Path, lead: Path, background: list[Background]
) -> None:
    one = Background(lead, "--until", "review")
    background.append(one)

    handed_in(repository, worktree(repository, "part-2"))
    assert one.lines.readline() == "part-2 IN_REVIEW\n"
    assert one.process.poll() is None
    handed_in(repository, worktree(repository, "part-1"))

    assert one.ended()[:2] == (0, "part-1 IN_REVIEW\n")


def test_a_task_in_review_is_not_final_and_one_that_failed_is(
    repository: Path, lead: Path, background: list[Background]
) -> None:
    handed_in(repository, worktree(repository, "part-1"))
    kit.conductor("fail", "part-2", cwd=repository)
    one = Background(lead)
    background.append(one)

    assert one.lines.readline() == "part-2 FAILED\n"
    kit.conductor("cancel", "part-1", cwd=repository)

    assert one.ended()[:2] == (0, "part-1 CANCELLED\n")


@pytest.mark.parametrize(("until", "verb", "state"), [("review", "fail", "FAILED"), ("landed", "cancel", "CANCELLED")])
def test_one_that_ended_otherwise_ends_the_wait_and_is_named(
    repository: Path, lead: Path, until: str, verb: str, state: str
) -> None:
    kit.conductor(verb, "part-1", cwd=repository)

    error = tasks.refused(waiting(lead, "--until", until, "--json"), "TASK_ENDED", 1)

    assert error["ended"] == [{"task_id": "part-1", "state": state}]
    assert error["missing"] == [{"task_id": "part-2", "state": "WORKING"}]


def test_what_was_undone_has_not_landed(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "1\n"})
    tasks.landed(tasks.merge(repository, "prices"))
    assert kit.conductor("undo", "prices", cwd=repository).code == 0

    tasks.refused(waiting(repository, "prices", "--until", "landed", "--json"), "TASK_ENDED", 1)


def test_out_of_time_names_those_that_are_missing_and_where_they_stand(repository: Path, lead: Path) -> None:
    handed_in(repository, worktree(repository, "part-1"))

    done = waiting(lead, "--until", "landed", "--timeout", "0.001s", "--json")

    error = tasks.refused(done, "WAIT_TIMEOUT", 17)
    assert error["missing"] == [
        {"task_id": "part-1", "state": "IN_REVIEW"},
        {"task_id": "part-2", "state": "WORKING"},
    ]


# --- for whom


def test_json_is_one_document_at_the_end(repository: Path, lead: Path) -> None:
    kit.conductor("cancel", "part-1", cwd=repository)
    kit.conductor("fail", "part-2", cwd=repository)

    found: list[dict[str, Any]] = waiting(lead, "--json").document["tasks"]

    assert {(task["task_id"], task["state"]) for task in found} == {("part-1", "CANCELLED"), ("part-2", "FAILED")}


def test_children_are_those_of_the_tasks_that_are_named(repository: Path, lead: Path) -> None:
    for name in ("part-1", "part-2"):
        kit.conductor("cancel", name, cwd=repository)

    outside, inside = waiting(repository, "lead", "--children"), waiting(lead, "--children")

    assert sorted(outside.out.splitlines()) == ["part-1 CANCELLED", "part-2 CANCELLED"]
    assert (outside.code, inside.code) == (0, 0)
    assert inside.out == outside.out


@pytest.mark.usefixtures("lead")
def test_a_worker_without_sub_tasks_has_nothing_to_wait_for(repository: Path) -> None:
    done = waiting(worktree(repository, "part-1"))

    assert (done.code, done.out) == (0, "")
    assert "no sub-tasks" in done.err


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        ((), "BAD_INPUT", 2),
        (("--children",), "BAD_INPUT", 2),
        (("nobody",), "NOT_FOUND", 18),
        (("nobody", "--children"), "NOT_FOUND", 18),
        (("../lead",), "BAD_TASK_ID", 2),
        (("lead", "--timeout", "soon"), "BAD_INPUT", 2),
        (("lead", "--until", "done"), "BAD_INPUT", 2),
    ],
)
def test_what_cannot_be_meant_is_refused(
    repository: Path, lead: Path, words: tuple[str, ...], code: str, exit_code: int
) -> None:
    assert lead.is_dir()

    tasks.refused(waiting(repository, *words, "--json"), code, exit_code)


def test_nobody_waits_for_itself(repository: Path, lead: Path) -> None:
    tasks.refused(waiting(lead, "lead", "--json"), "BAD_INPUT", 2)
    env = {"CONDUCTOR_TASK_ID": "lead"}
    tasks.refused(kit.conductor("wait", "lead", "--json", cwd=repository, env=env), "BAD_INPUT", 2)


# --- it misses nothing


class Between:
    """The runs of a project, where something happens right after the first look at one of them."""

    def __init__(self, project: Project, happens: Any) -> None:
        self._runs, self._happens = project.runs, happens

    def get(self, task_id: TaskId) -> Any:
        run = self._runs.get(task_id)
        happens, self._happens = self._happens, lambda: None
        happens()
        return run


def test_a_change_between_the_look_and_the_wait_is_not_missed(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    project = open_project(repository)

    def cancelled() -> None:
        move(project, TaskId("prices"), Event.CANCEL, at=NOON, by="ada")

    looking: Any = replace(project, runs=Between(project, cancelled))  # type: ignore[arg-type]
    (run,) = wait(looking, [TaskId("prices")], Until.FINAL)

    assert run.state is State.CANCELLED


def test_what_the_bus_was_never_told_is_seen_at_the_end(repository: Path) -> None:
    """A command that was killed after its record and before its message."""
    tasks.spawn(repository, "prices")
    project = open_project(repository)

    def untold() -> None:
        project.runs.update(TaskId("prices"), lambda run: replace(run, state=State.CANCELLED))

    looking: Any = replace(project, runs=Between(project, untold))  # type: ignore[arg-type]

    assert [run.state for run in wait(looking, [TaskId("prices")], Until.FINAL, seconds=0.001)] == ["CANCELLED"]


@kit.requires("strace")
@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_while_nothing_happens_it_sleeps_without_a_time_and_looks_at_nothing(repository: Path, tmp_path: Path) -> None:
    tasks.spawn(repository, "prices")
    log = tmp_path / "calls"
    command = ["strace", "-f", "-qq", "-o", str(log), str(kit.console_script()), "wait", "prices"]

    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as traced:
        kit.until(lambda: log.exists() and log.read_text().endswith("}], 2, -1"))
        kit.conductor("cancel", "prices", cwd=repository)
        assert traced.communicate(timeout=60)[0] == b"prices CANCELLED\n"


def test_words_on_the_bus_that_only_look_like_a_change_move_nothing(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    project = open_project(repository)

    def said_and_done() -> None:
        with (repository / ".git/conductor/MESSAGE-BUS.md").open("a") as bus:
            bus.write("---\nmsg_id: X-1\ntype: STATE\ntask_id: prices\nmeta:\n    to: COMPLETED\n---\nit landed\n\n")
        move(project, TaskId("prices"), Event.FAIL, at=NOON, by="ada")

    looking: Any = replace(project, runs=Between(project, said_and_done))  # type: ignore[arg-type]

    assert [run.state for run in wait(looking, [TaskId("prices")], Until.FINAL)] == [State.FAILED]


@pytest.mark.usefixtures("lead")
def test_the_others_are_told_before_one_that_ended_otherwise_ends_the_wait(repository: Path) -> None:
    handed_in(repository, worktree(repository, "part-2"))
    kit.conductor("fail", "part-1", cwd=repository)
    found = wait(open_project(repository), [TaskId("part-1"), TaskId("part-2")], Until.REVIEW)

    assert next(found).task_id == "part-2"
    with pytest.raises(TaskEnded):
        next(found)


def test_what_has_arrived_stays_arrived_when_it_is_sent_back(repository: Path, lead: Path) -> None:
    assert lead.is_dir()
    handed_in(repository, worktree(repository, "part-1"))
    found = wait(open_project(repository), [TaskId("part-1"), TaskId("part-2")], Until.REVIEW, seconds=60)
    assert next(found).task_id == "part-1"
    kit.conductor("request-changes", "part-1", "--as", "ada", cwd=repository)
    handed_in(repository, worktree(repository, "part-2"))

    assert [run.task_id for run in found] == ["part-2"]


def test_no_time_at_all_is_enough_for_what_is_there(repository: Path) -> None:
    tasks.spawn(repository, "prices")

    with pytest.raises(WaitTimeout):
        list(wait(open_project(repository), [TaskId("prices")], Until.FINAL, seconds=0))

    kit.conductor("cancel", "prices", cwd=repository)
    assert len(list(wait(open_project(repository), [TaskId("prices")], Until.FINAL, seconds=0))) == 1


# --- the worker that waits


def beats(project: Project, name: str) -> list[Path]:
    return [project.layout.heartbeat(TaskId(name)), project.layout.activity(TaskId(name))]


def test_a_worker_that_waits_is_not_quiet(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    project = open_project(repository)

    with beating(project, worker(TaskId("prices"), 1, {}), every=0.01):
        for _ in range(2):
            for sign in beats(project, "prices"):
                kit.until(sign.exists)
                os.utime(sign, (0, 0))
                kit.until(lambda sign=sign: sign.stat().st_mtime > 0)  # type: ignore[misc]


def test_nobody_but_the_worker_that_waits_gives_a_sign(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    project = open_project(repository)

    with beating(project, COORDINATOR, every=0.01):
        assert [sign for sign in beats(project, "prices") if sign.exists()] == []


def test_a_worker_of_an_older_generation_does_not_beat_for_its_successor(repository: Path, lead: Path) -> None:
    kit.conductor("fail", "lead", cwd=repository)
    kit.conductor("retry", "lead", cwd=repository)
    env = {"CONDUCTOR_TASK_ID": "lead", "CONDUCTOR_GENERATION": "1"}

    tasks.refused(kit.conductor("wait", "--json", cwd=lead, env=env), "STALE_GENERATION", 1)

    project = open_project(repository)
    with pytest.raises(StaleGeneration), beating(project, Actor("lead", TaskId("lead"), 1)):
        pass


def test_an_agent_spawns_a_sub_task_and_waits_for_it(repository: Path) -> None:
    script = (
        "conductor-git spawn part -- sh -c 'git commit -q --allow-empty -m x && conductor-git done' >/dev/null 2>&1; "
        "conductor-git wait --until review --timeout 60s"
    )
    launch(repository, script)
    ended(repository)

    assert kit.conductor("log", "prices", cwd=repository).out == "part IN_REVIEW\n"


def test_a_wait_that_is_interrupted_ends_quietly(repository: Path, lead: Path, background: list[Background]) -> None:
    handed_in(repository, worktree(repository, "part-1"))
    one = Background(lead, "--until", "review")
    background.append(one)
    one.lines.readline()

    one.process.terminate()

    code, out, err = one.ended()
    assert (code, out) == (143, "")
    assert "Traceback" not in err


def test_a_wait_goes_along_when_the_bus_moves(repository: Path, lead: Path, background: list[Background]) -> None:
    handed_in(repository, worktree(repository, "part-1"))
    one = Background(lead, "--until", "review")
    background.append(one)
    one.lines.readline()

    assert kit.conductor("bus", "copy", "file", "sqlite", cwd=repository).code == 0
    handed_in(repository, worktree(repository, "part-2"))

    assert one.ended()[:2] == (0, "part-2 IN_REVIEW\n")
