"""`If-Match`: a change that was meant for another revision is refused, also where the revision comes in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from conductor_git import journal
from conductor_git.errors import StaleRevision
from conductor_git.names import TaskId, parse_task_id
from conductor_git.project import Project, open_project
from conductor_git.run import Run, State, utcnow
from conductor_git.store.expecting import ExpectingRuns
from conductor_git.store.reviews import FileReviews
from conductor_git.transition import note
from conductor_git.workflow import review
from tests.integration.apis import API, refused, told
from tests.integration.traces import traces
from tests.kit import tasks

PRICES = parse_task_id("prices")
STALE = {"If-Match": '"99"'}
VERBS = (
    "start done approve request-changes merge undo cancel fail retry stop resume heartbeat priority reviews"
).split()
BODIES = {"priority": {"priority": 1}, "reviews": {"verdict": "approve"}}


def in_review(repository: Path) -> Path:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "prices")
    return worktree


def revised(project: Project, priority: int) -> Run:
    return note(project, PRICES, lambda run: replace(run, priority=priority), at=utcnow())


@pytest.mark.parametrize("verb", VERBS)
def test_a_change_for_another_revision_is_refused_and_changes_nothing(
    admin: httpx.Client, repository: Path, verb: str
) -> None:
    in_review(repository)
    before = traces(repository)

    error = refused(
        admin.post(f"{API}/tasks/prices/{verb}", json=BODIES.get(verb, {}), headers=STALE), 412, "STALE_REVISION"
    )

    assert (error["expected"], error["revision"]) == ([99], tasks.record(repository, "prices").revision)
    assert traces(repository) == before


@pytest.mark.parametrize("tag", ['"{}"', '"1", "{}"', "*"])
def test_a_change_for_the_revision_that_is_there_is_made(admin: httpx.Client, repository: Path, tag: str) -> None:
    in_review(repository)
    tag = tag.format(tasks.record(repository, "prices").revision)

    answered = admin.post(f"{API}/tasks/prices/approve", headers={"If-Match": tag})

    assert told(answered)["task"]["state"] == "APPROVED"
    assert answered.headers["etag"] == f'"{tasks.record(repository, "prices").revision}"'


def test_a_weak_tag_matches_nothing(admin: httpx.Client, repository: Path) -> None:
    in_review(repository)
    tag = f'W/"{tasks.record(repository, "prices").revision}"'

    refused(admin.post(f"{API}/tasks/prices/approve", headers={"If-Match": tag}), 412, "STALE_REVISION")


@pytest.mark.parametrize("tag", ["3", "", '"3', "abc", '"3" "4"'], ids=ascii)
def test_what_is_no_tag_is_refused(admin: httpx.Client, repository: Path, tag: str) -> None:
    in_review(repository)

    refused(admin.post(f"{API}/tasks/prices/approve", headers={"If-Match": tag}), 422, "BAD_INPUT")
    assert tasks.record(repository, "prices").state is State.IN_REVIEW


def test_a_landing_goes_on_over_its_own_changes_of_the_record(admin: httpx.Client, repository: Path) -> None:
    tasks.approved(repository, "prices", {"new.py": "NEW = 1\n"})
    tag = f'"{tasks.record(repository, "prices").revision}"'

    merged = told(admin.post(f"{API}/tasks/prices/merge", headers={"If-Match": tag}))
    refused(admin.post(f"{API}/tasks/prices/undo", headers={"If-Match": tag}), 412, "STALE_REVISION")
    tag = admin.get(f"{API}/tasks/prices").headers["etag"]

    assert merged["task"]["state"] == "COMPLETED"
    assert told(admin.post(f"{API}/tasks/prices/undo", headers={"If-Match": tag}))["task"]["state"] == "CANCELLED"


def test_what_changes_while_a_verdict_waits_for_the_tasks_lock_is_seen(repository: Path) -> None:
    in_review(repository)
    project = open_project(repository)
    seen = project.runs.get(PRICES).revision
    looked = Event()

    class Noticed(ExpectingRuns):
        def get(self, task_id: TaskId) -> Run:
            run = super().get(task_id)
            looked.set()
            return run

    guarded = replace(project, runs=Noticed(project.layout, task_id=PRICES, revisions=frozenset({seen})))
    refusals: list[StaleRevision] = []

    def approve() -> None:
        try:
            review.approve(guarded, PRICES, by=tasks.REVIEWER, at=utcnow())
        except StaleRevision as stale:
            refusals.append(stale)

    waiting = Thread(target=approve)
    with journal.operation(project.layout, PRICES, "queue"):
        waiting.start()
        looked.wait()
        revised(project, 5)
    waiting.join()

    assert [stale.facts["revision"] for stale in refusals] == [seen + 1]
    assert FileReviews(project.layout).all(PRICES) == ()
    assert project.runs.get(PRICES).state is State.IN_REVIEW


def test_another_task_is_read_and_changed_at_any_revision(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    tasks.spawn(repository, "other")
    project = open_project(repository)
    guarded = ExpectingRuns(project.layout, task_id=PRICES, revisions=frozenset({99}))

    guarded.update(parse_task_id("other"), lambda run: replace(run, priority=1))

    assert guarded.get(parse_task_id("other")).priority == 1
    with pytest.raises(StaleRevision):
        guarded.update(PRICES, lambda run: replace(run, priority=1))
