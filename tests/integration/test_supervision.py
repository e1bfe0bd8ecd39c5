"""The supervisor: attempt after attempt, limits, waits, adoption, and an end that is always on record."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conductor_git.process import stragglers
from conductor_git.processtable import is_alive
from conductor_git.run import Attempt, Doing, End, ProcessId, Run
from tests import kit
from tests.integration.agents import WAIT, worktree
from tests.kit import tasks

BRISK = {"CONDUCTOR_LIMITS_BACKOFF": "0.02s", "CONDUCTOR_LIMITS_ATTEMPTS": "3"}
DONE = "echo $RANDOM$$ > new.txt; git add new.txt; git commit -qm new; conductor-git done"


@pytest.fixture
def repository(repository: Path) -> Iterator[Path]:
    """The usual one; what a test of ours left running ends with it."""
    yield repository
    project = repository / ".git" / "conductor" / "tasks"
    for task in project.iterdir() if project.exists() else ():
        kit.conductor("stop", task.name, cwd=repository)


def launch(repository: Path, script: str, *options: str, **limits: str) -> None:
    """Spawn `prices` with a shell script as its agent; `limits` as in the config."""
    settings = BRISK | {f"CONDUCTOR_LIMITS_{name.upper()}": value for name, value in limits.items()}
    done = kit.conductor("spawn", "prices", *options, "--", "sh", "-c", script, cwd=repository, env=settings)
    assert done.code == 0, done


def record(repository: Path) -> Run:
    return tasks.record(repository, "prices")


def reached(repository: Path, state: str) -> Run:
    """The task once it is in that state and nobody supervises it any more."""

    def look() -> Run | None:
        run = record(repository)
        return run if run.state == state and run.supervision is None else None

    return kit.until(look)  # type: ignore[return-value]


def supervisor(repository: Path) -> ProcessId:
    found = kit.until(lambda: record(repository).supervision)
    assert found is not None
    return found.process


def agent(repository: Path) -> ProcessId:
    def look() -> ProcessId | None:
        attempts = record(repository).attempts
        return attempts[-1].process if attempts and attempts[-1].ended_at is None else None

    return kit.until(look)  # type: ignore[return-value]


def said(repository: Path, *types: str) -> list[dict[str, Any]]:
    options = [word for kind in types for word in ("--type", kind)]
    found: list[dict[str, Any]] = kit.conductor(
        "bus", "read", "--task", "prices", *options, "--json", cwd=repository
    ).document["messages"]
    return found


def doing(repository: Path, what: Doing) -> Run:
    def look() -> Run | None:
        run = record(repository)
        return run if run.supervision is not None and run.supervision.doing is what else None

    return kit.until(look)  # type: ignore[return-value]


def killed(process: ProcessId) -> None:
    os.kill(process.pid, signal.SIGKILL)
    kit.until(lambda: not is_alive(process))


def test_attempts_follow_one_another_until_the_worker_calls_done(repository: Path) -> None:
    launch(repository, f"echo . >> ../count; [ $(wc -l < ../count) -ge 3 ] && {{ {DONE}; }}; true")

    run = reached(repository, "IN_REVIEW")

    assert [attempt.end for attempt in run.attempts] == [End.EXITED] * 3
    assert len(said(repository, "RUN_START")) == 3
    assert (worktree(repository).parent / "count").read_text() == ".\n" * 3


def test_after_the_last_attempt_the_task_fails_and_says_why(repository: Path) -> None:
    launch(repository, "echo 'the disk of the model is full' >&2; exit 3")

    run = reached(repository, "FAILED")

    assert [(attempt.exit_code, attempt.why) for attempt in run.attempts] == [(3, "the disk of the model is full")] * 3
    assert run.reason == (
        "3 attempts ended without `done`; the last, by sh, ended with exit code 3: the disk of the model is full"
    )


def test_a_later_attempt_is_told_what_the_last_one_left(repository: Path) -> None:
    launch(repository, "cat > ../prompt.$$; echo half > half.txt; echo no luck >&2; exit 1", attempts="2")
    run = reached(repository, "FAILED")

    folder = repository / ".git/conductor/tasks/prices/attempts" / run.attempts[1].run_id
    prompt = (folder / "prompt.md").read_text()

    assert "no luck" in prompt
    assert "half.txt" in prompt


def test_no_attempt_follows_once_done_was_called_whatever_the_agent_does_then(repository: Path) -> None:
    launch(repository, f"{DONE}; exec sleep 600", after_done="1s")

    run = reached(repository, "IN_REVIEW")

    assert len(run.attempts) == 1
    assert run.attempts[0].signal == "SIGTERM"
    assert stragglers(run.attempts[0].run_id) == ()


def test_what_the_agent_started_may_finish_after_done(repository: Path) -> None:
    launch(repository, f"(while [ ! -e ../go ]; do sleep 0.1; done; echo late > ../late) & {DONE}; wait")
    kit.until(lambda: record(repository).state == "IN_REVIEW")
    (worktree(repository).parent / "go").touch()

    reached(repository, "IN_REVIEW")

    assert (worktree(repository).parent / "late").read_text() == "late\n"


def test_an_attempt_ends_at_its_time_limit_and_nothing_of_it_is_left(repository: Path) -> None:
    launch(repository, "trap '' TERM; sleep 600 & wait; wait; sleep 600", attempts="1", attempt_time="1s")

    run = reached(repository, "FAILED")

    assert run.attempts[0].end is End.TIMED_OUT
    assert run.reason == "sh ran out of time"
    assert stragglers(run.attempts[0].run_id) == ()


def test_a_provider_that_would_not_serve_is_waited_for_and_costs_no_attempt(repository: Path) -> None:
    limited = "echo 'Error: 429 Too Many Requests, rate limit exceeded' >&2; exit 1"
    launch(
        repository,
        f"echo . >> ../count; [ $(wc -l < ../count) -ge 3 ] && {{ {DONE}; }} || {{ {limited}; }}",
        attempts="1",
    )

    run = reached(repository, "IN_REVIEW")

    assert [attempt.end for attempt in run.attempts] == [End.LIMITED, End.LIMITED, End.EXITED]
    assert len([message for message in said(repository, "INFO") if message["meta"].get("event") == "limit"]) <= 2


def test_a_wait_for_a_provider_is_on_record_and_stop_ends_it(repository: Path) -> None:
    launch(repository, "echo 'rate limit exceeded, please try again in 1 hour' >&2; exit 1")
    run = doing(repository, Doing.LIMIT)
    assert run.supervision is not None
    assert run.supervision.until is not None
    waits = run.supervision.until - run.supervision.since
    assert timedelta(minutes=50) < waits < timedelta(minutes=70)

    done = kit.conductor("stop", "prices", "--json", cwd=repository)

    assert (done.code, done.document["stopped"]) == (0, True)
    run = reached(repository, "WORKING")
    assert (len(run.attempts), run.attempts[0].end) == (1, End.LIMITED)


def test_stop_in_the_pause_between_two_attempts_starts_no_other(repository: Path) -> None:
    launch(repository, "exit 1", backoff="1h")
    doing(repository, Doing.BACKOFF)

    kit.conductor("stop", "prices", cwd=repository)

    assert len(reached(repository, "WORKING").attempts) == 1


def test_more_than_the_workers_allowed_wait_for_a_place_and_go_on_when_one_is_free(repository: Path) -> None:
    settings = BRISK | {"CONDUCTOR_LIMITS_WORKERS": "1"}
    gate = shlex.quote(str(repository.parent / "gate"))
    for name in ("first", "prices"):
        script = f"while [ ! -e {gate} ]; do sleep 0.1; done; {DONE}"
        done = kit.conductor("spawn", name, "--", "sh", "-c", script, cwd=repository, env=settings)
        assert done.code == 0, done
    waiting = record(repository)
    assert (waiting.state, waiting.attempts) == ("ASSIGNED", ())
    assert waiting.supervision is not None
    assert waiting.supervision.doing is Doing.SLOT

    (repository.parent / "gate").touch()

    assert len(reached(repository, "IN_REVIEW").attempts) == 1


def test_stop_while_it_waits_for_a_place_leaves_the_task_as_it_is(repository: Path) -> None:
    settings = BRISK | {"CONDUCTOR_LIMITS_WORKERS": "1"}
    for name in ("first", "prices"):
        kit.conductor("spawn", name, "--", "sh", "-c", WAIT, cwd=repository, env=settings)

    done = kit.conductor("stop", "prices", "--json", cwd=repository)

    assert done.document["stopped"] is True
    run = reached(repository, "ASSIGNED")
    assert run.attempts == ()


def test_a_worker_that_waits_for_its_sub_task_lends_it_its_place(repository: Path) -> None:
    settings = BRISK | {"CONDUCTOR_LIMITS_WORKERS": "1"}
    part = f"conductor-git spawn part -- sh -c {shlex.quote(DONE)} && conductor-git wait part --until review"
    done = kit.conductor("spawn", "prices", "--", "sh", "-c", f"{part} && {{ {DONE}; }}", cwd=repository, env=settings)
    assert done.code == 0, done

    assert len(reached(repository, "IN_REVIEW").attempts) == 1
    assert tasks.record(repository, "part").state == "IN_REVIEW"


def test_nothing_that_lies_in_the_repository_is_imported_by_the_supervisor(repository: Path) -> None:
    marker = repository.parent / "imported"
    trap = f"open({str(marker)!r}, 'w').close()\nraise SystemExit('trapped')\n"
    tasks.commit(repository, {f"{name}.py": trap for name in ("json", "yaml", "psutil", "conductor_git", "selectors")})

    launch(repository, DONE)

    assert reached(repository, "IN_REVIEW").head_commit
    assert not marker.exists()


def test_a_plan_is_not_run_by_a_worker(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")
    (place / "plan.yaml").write_text("version: 1\ntasks: {more: {prompt: More}}\n")

    tasks.refused(kit.conductor("run", "plan.yaml", "--json", cwd=place), "BAD_INPUT", 2)

    assert not (repository / ".git/conductor/tasks/more").exists()


# --- the supervisor itself dies


def test_resume_adopts_a_living_agent_of_a_dead_supervisor(repository: Path) -> None:
    gate = shlex.quote(str(repository.parent / "gate"))
    launch(repository, f"while [ ! -e {gate} ]; do sleep 0.1; done; {DONE}")
    worker, first = agent(repository), supervisor(repository)
    killed(first)
    assert is_alive(worker)

    done = kit.conductor("resume", "prices", "--json", cwd=repository)

    assert (done.code, done.document["started"]) == (0, True), done
    run = record(repository)
    assert len(run.attempts) == 1
    assert run.attempts[0].process == worker
    assert run.attempts[0].supervisor != first
    (repository.parent / "gate").touch()
    run = reached(repository, "IN_REVIEW")
    assert (len(run.attempts), run.attempts[0].end, run.attempts[0].exit_code) == (1, End.EXITED, None)


def test_resume_after_both_are_gone_records_the_loss_and_goes_on(repository: Path) -> None:
    launch(repository, f"echo . >> ../count; [ $(wc -l < ../count) -ge 2 ] && {{ {DONE}; }} || {WAIT}")
    worker = agent(repository)
    killed(supervisor(repository))
    killed(worker)

    done = kit.conductor("resume", "prices", cwd=repository, env=BRISK)

    assert done.code == 0, done
    assert [attempt.end for attempt in reached(repository, "IN_REVIEW").attempts] == [End.LOST, End.EXITED]


def test_resume_of_a_supervised_task_starts_nothing(repository: Path) -> None:
    launch(repository, WAIT)
    before = record(repository)

    done = kit.conductor("resume", "prices", "--json", cwd=repository)

    assert (done.code, done.document["started"]) == (0, False)
    assert record(repository) == before


def test_resume_after_changes_were_asked_for_begins_an_attempt_that_is_told_of_them(repository: Path) -> None:
    launch(repository, f"cat > ../prompt; {DONE}")
    reached(repository, "IN_REVIEW")
    kit.conductor("request-changes", "prices", "-m", "pears are dearer", cwd=repository)

    done = kit.conductor("resume", "prices", cwd=repository)

    assert done.code == 0, done
    run = reached(repository, "IN_REVIEW")
    assert len(run.attempts) == 2
    assert "pears are dearer" in (worktree(repository).parent / "prompt").read_text()


@pytest.mark.parametrize("state", ["IN_REVIEW", "CANCELLED"])
def test_resume_of_a_task_that_is_not_its_workers_is_refused(repository: Path, state: str) -> None:
    launch(repository, DONE)
    before = reached(repository, "IN_REVIEW")
    if state == "CANCELLED":
        kit.conductor("cancel", "prices", cwd=repository)
        before = record(repository)

    tasks.refused(kit.conductor("resume", "prices", "--json", cwd=repository), "ILLEGAL_TRANSITION", 12)

    assert record(repository) == before


def test_a_task_without_an_agent_has_none_to_resume(repository: Path) -> None:
    tasks.spawn(repository, "prices")

    tasks.refused(kit.conductor("resume", "prices", "--json", cwd=repository), "BAD_INPUT", 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_supervisor_ends_its_agent_and_is_on_record(repository: Path, number: int) -> None:
    launch(repository, WAIT)
    worker = agent(repository)
    os.kill(supervisor(repository).pid, number)

    run = reached(repository, "WORKING")

    assert run.attempts[0].end is End.STOPPED
    assert not is_alive(worker)


def attempt_of(run: Run) -> Attempt:
    return run.attempts[-1]
