"""run PLAN.yaml: tasks start when they may, are approved as the plan says, and land; what became of them is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import kit
from tests.integration import plans
from tests.kit import tasks


@pytest.fixture
def repository(repository: Path) -> Iterator[Path]:
    """The usual one; what a test of ours left running ends with it."""
    yield repository
    plans.stop_all(repository)


def test_tasks_land_in_order_and_each_starts_from_what_it_needs(repository: Path) -> None:
    plans.prepared(repository, gates="test -f README.md", late=f"test -f one.txt && test -f two.txt && {plans.FAST}")
    text = """
        agent: fast
        approve: gates
        stages: [base, pages]
        tasks:
          one: {prompt: the first, stage: base}
          two: {prompt: the second, needs: one, stage: base}
          page: {prompt: the page, stage: pages, agent: late}
        """

    done = plans.run(repository, plans.written(repository, text, "shop.yaml"), "--json")

    assert done.code == 0, done
    document = done.document
    assert (document["plan"], document["landed"]) == ("shop", ["one", "two", "page"])
    assert document["failed"] == document["waiting"] == document["not_started"] == []
    assert [task["attempts"] for task in document["tasks"]] == [1, 1, 1]
    assert kit.git(repository, "show", "main:page.txt") == "page"
    page = tasks.record(repository, "page")
    assert (page.plan, page.state, page.agent) == ("shop", "COMPLETED", "late")
    assert "Reviewed-by: plan:shop" in kit.git(repository, "log", "-1", "--format=%B", "main")


def test_without_gates_as_policy_a_person_approves_and_running_again_goes_on(repository: Path) -> None:
    plans.prepared(repository)
    path = plans.written(repository, "agent: fast\ntasks: {one: {prompt: x}, two: {prompt: y, needs: one}}")

    first = plans.run(repository, path, "--json")

    assert first.code == 1
    assert plans.outcome(first) == {"one": "waiting", "two": "held"}
    assert first.document["tasks"][1]["why"] == "needs one, which waits for a person"
    tasks.approve(repository, "one")
    tasks.approved(repository, "somebody-elses", {"other.txt": "1\n"})
    again = plans.run(repository, path, "--json")
    assert plans.outcome(again) == {"one": "landed", "two": "waiting"}
    assert tasks.record(repository, "somebody-elses").state == "APPROVED", "it is not of the plan"
    one = tasks.record(repository, "one")
    assert (len(one.attempts), [str(step.event) for step in one.history]) == (
        1,
        ["spawn", "start", "done", "approve", "merge"],
    )


def test_what_depends_on_a_failed_task_is_not_started_and_everything_else_goes_on(repository: Path) -> None:
    plans.prepared(repository, gates="true", broken="conductor-git fail -m 'it is too hard'")
    text = """
        agent: fast
        approve: gates
        tasks:
          bad: {prompt: x, agent: broken}
          after: {prompt: y, needs: bad}
          later: {prompt: z, needs: after}
          good: {prompt: w}
        """

    done = plans.run(repository, plans.written(repository, text), "--json")

    assert done.code == 19
    assert plans.outcome(done) == {"bad": "failed", "after": "not started", "later": "not started", "good": "landed"}
    assert done.document["tasks"][1]["why"] == "needs bad, which failed: it is too hard"
    assert done.document["not_started"] == ["after", "later"]
    assert not (repository.parent / "acme.worktrees" / "after").exists()


def test_with_fail_fast_the_agents_that_are_at_work_are_stopped(repository: Path) -> None:
    plans.prepared(
        repository, slow="touch ../slow.began; exec sleep 600", broken=plans.after("slow.began", "conductor-git fail")
    )
    text = """
        fail_fast: true
        tasks:
          slow: {prompt: x, agent: slow}
          bad: {prompt: y, agent: broken}
          next: {prompt: z, agent: fast, needs: bad}
        """

    done = plans.run(repository, plans.written(repository, text), "--json")

    assert done.code == 19
    assert plans.outcome(done) == {"slow": "waiting", "bad": "failed", "next": "not started"}
    assert tasks.record(repository, "slow").attempts[-1].end == "stopped"
    assert done.document["tasks"][2]["why"] == "bad failed, and the plan says fail_fast"


def test_a_red_gate_sends_a_task_back_to_its_worker_and_then_it_lands(repository: Path) -> None:
    better = "echo more >>notes.txt; git add . && git commit -qm more && conductor-git done"
    plans.prepared(repository, gates='test ! -f notes.txt || test "$(wc -l <notes.txt)" -ge 2', fast=better)

    done = plans.run(repository, plans.written(repository, "agent: fast\napprove: gates\ntasks: {one: {prompt: x}}"))

    assert done.code == 0, done
    events = [str(step.event) for step in tasks.record(repository, "one").history]
    assert events == ["spawn", "start", "done", "approve", "bounce", "done", "approve", "merge"]
    assert "one goes on: it did not land" in done.err


def test_a_task_that_is_sent_back_too_often_waits_for_a_person_with_the_reason(repository: Path) -> None:
    again = "date +%N >>notes.txt; git add . && git commit -qm more && conductor-git done"
    plans.prepared(repository, gates="test ! -f notes.txt", attempts=1, fast=again)

    done = plans.run(
        repository, plans.written(repository, "agent: fast\napprove: gates\ntasks: {one: {prompt: x}}"), "--json"
    )

    assert (done.code, plans.outcome(done)) == (1, {"one": "waiting"})
    assert done.document["tasks"][0]["why"].startswith("went back to its worker 2 times; the last time it did not land")


def test_a_quorum_of_other_agents_approves_and_each_commit_is_looked_at_anew(repository: Path) -> None:
    fussy = (
        'task="${CONDUCTOR_TASK_ID%.review-*}"; if grep -q again one.txt; then conductor-git approve "$task"; '
        'else conductor-git request-changes "$task" -m "say it again"; fi'
    )
    worker = (
        'w=one; [ -f one.txt ] && w=again; echo $w >>one.txt && git add . && git commit -qm "$w" && conductor-git done'
    )
    plans.prepared(repository, fussy=fussy, fast=worker)
    text = "agent: fast\ntasks: {one: {prompt: x, approve: {agent-quorum: 2}, reviewers: [fussy, critic, fast]}}"

    done = plans.run(repository, plans.written(repository, text))

    assert done.code == 0, done
    one = tasks.record(repository, "one")
    events = [str(step.event) for step in one.history]
    assert events == ["spawn", "start", "done", "request_changes", "done", "approve", "merge"]
    agents = [tasks.record(repository, name).agent for name in plans.reviewers(repository, "one")]
    assert set(agents) == {"fussy", "critic"}
    assert all(tasks.record(repository, name).plan == "plan" for name in plans.reviewers(repository, "one"))


def test_a_task_with_the_longest_of_names_is_reviewed_by_agents_too(repository: Path) -> None:
    name, other = "a" * 64, "a" * 63 + "b"
    plans.prepared(repository, critic=f"conductor-git approve {name} || conductor-git approve {other}")
    listed = f"{{{name}: {{prompt: x}}, {other}: {{prompt: y}}}}"
    text = f"agent: fast\napprove: {{agent-quorum: 1}}\nreviewers: [critic]\ntasks: {listed}"

    done = plans.run(repository, plans.written(repository, text))

    assert done.code == 0, done
    assert plans.states(repository, name, other) == ["COMPLETED", "COMPLETED"]
    ids = [*plans.reviewers(repository, name), *plans.reviewers(repository, other)]
    assert len(set(ids)) == 2


def test_no_more_agents_than_the_plan_allows_run_at_once(repository: Path) -> None:
    alone = f"mkdir ../busy || touch ../overlap; {plans.WORK.format(done='rmdir ../busy; conductor-git done')}"
    plans.prepared(repository, gates="true", fast=alone)
    text = "agent: fast\napprove: gates\nworkers: 1\ntasks: {a: {prompt: x}, b: {prompt: y}, c: {prompt: z}}"

    assert plans.run(repository, plans.written(repository, text)).code == 0

    assert not (repository.parent / "acme.worktrees" / "overlap").exists()


def test_running_again_starts_what_is_new_and_tells_what_was_changed(repository: Path) -> None:
    plans.prepared(repository, gates="true")
    path = plans.written(repository, "agent: fast\napprove: gates\ntasks: {one: {prompt: x}}")
    assert plans.run(repository, path).code == 0
    revision = tasks.record(repository, "one").revision
    plans.written(repository, "agent: fast\napprove: gates\ntasks: {one: {prompt: X}, two: {prompt: y, needs: one}}")

    again = plans.run(repository, path)

    assert again.code == 0
    assert f"▲ one was asked something else than {path} says now; what it was asked stands" in again.err
    assert plans.states(repository, "one", "two") == ["COMPLETED", "COMPLETED"]
    assert tasks.record(repository, "one").revision == revision
    third = plans.run(repository, path)
    assert (third.code, tasks.record(repository, "two").attempts) == (0, tasks.record(repository, "two").attempts)


def test_an_agent_that_cannot_be_used_leaves_the_task_to_the_next_one(repository: Path) -> None:
    plans.prepared(repository, gates="true")
    text = "approve: gates\ntasks: {one: {prompt: x, agent: [cursor-agent, fast]}}"

    done = plans.run(repository, plans.written(repository, text))

    assert done.code == 0, done
    one = tasks.record(repository, "one")
    assert (one.agent, one.fallbacks, one.attempts[-1].agent) == ("cursor-agent", ("fast",), "fast")
