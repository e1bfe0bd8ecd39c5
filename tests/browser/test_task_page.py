"""The page of a task: its log as it is written, and the buttons that stop, resume, cancel and retry it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from conductor_git.run import State
from tests import kit
from tests.browser.browsing import Visit
from tests.integration import agents
from tests.kit import tasks

pytestmark = kit.requires("chromium")


@pytest.fixture
def repository(repository: Path) -> Iterator[Path]:
    """The usual one; what a test of ours left running ends with it."""
    yield repository
    kit.conductor("stop", "prices", cwd=repository)


def test_what_an_agent_prints_shows_as_it_prints_it_and_is_text(visit: Visit, repository: Path) -> None:
    page = visit.page
    agents.launch(
        repository, "echo 'one <b>bold</b>'; while [ ! -e go ]; do sleep 0.05; done; echo two; exec sleep 600"
    )
    page.goto("/tasks/prices")
    log = page.locator("#log")
    expect(log).to_contain_text("one <b>bold</b>")
    expect(log).not_to_contain_text("two")
    (agents.worktree(repository) / "go").touch()
    expect(log).to_contain_text("two")
    assert log.inner_text().count("one <b>bold</b>") == 1
    assert page.locator("#log b").count() == 0


def test_an_agent_is_stopped_and_goes_on_by_buttons(visit: Visit, repository: Path) -> None:
    page = visit.page
    agents.launch(repository, agents.WAIT)
    page.goto("/tasks/prices")
    expect(page.locator("#summary .health")).to_have_text("alive")
    page.get_by_role("button", name="Stop its agent").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    expect(page.get_by_role("button", name="Stop its agent")).to_have_count(0)
    run = tasks.record(repository, "prices")
    assert (run.attempts[-1].end, run.supervision) == ("stopped", None)

    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Stop its agent")).to_be_visible()
    kit.until(lambda: len(tasks.record(repository, "prices").attempts) == 2)
    expect(page.locator("#summary")).to_contain_text("2 attempts")


def test_an_agent_that_was_not_started_is_started_by_a_button(visit: Visit, repository: Path) -> None:
    spawned = kit.conductor("spawn", "prices", "--no-start", "--", "sh", "-c", agents.WAIT, cwd=repository)
    assert spawned.code == 0, spawned
    visit.page.goto("/tasks/prices")
    visit.page.get_by_role("button", name="Start its agent").click()
    expect(visit.page.locator("#summary .health")).to_have_text("alive")
    expect(visit.page.get_by_role("button", name="Start its agent")).to_have_count(0)


def test_a_task_is_cancelled_and_tried_again_by_buttons(visit: Visit, repository: Path) -> None:
    page = visit.page
    tasks.spawn(repository, "prices")
    page.goto("/tasks/prices")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#summary .state").first).to_have_text("cancelled")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#summary .state").first).to_have_text("assigned")
    expect(page.get_by_text("generation 2")).to_be_visible()
    run = tasks.record(repository, "prices")
    assert (run.state, run.generation) == (State.ASSIGNED, 2)
    assert [step.by for step in run.history][-2:] == ["admin", "admin"]


def test_a_corrupt_record_is_told_on_the_board_and_the_others_are_on_it(visit: Visit, repository: Path) -> None:
    tasks.spawn(repository, "prices")
    tasks.spawn(repository, "pears")
    (repository / ".git/conductor/tasks/pears/run-info.yaml").write_text("<b>no record</b>: [\n")
    page = visit.page
    page.goto("/")
    expect(page.get_by_role("alert")).to_contain_text("The record of pears cannot be read")
    expect(page.locator('[data-column="working"] #card-prices')).to_be_visible()
    assert page.locator(".alert b").count() == 0
    page.goto("/tasks/pears")
    expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    assert len(visit.refused) == 1
