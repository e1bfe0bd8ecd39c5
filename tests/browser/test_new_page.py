"""The pages at a task's beginning: what can be chosen for it, a name that is taken, and a board with nothing on it."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from playwright.sync_api import expect

from tests import kit
from tests.browser.browsing import Visit
from tests.kit import tasks

pytestmark = kit.requires("chromium")


def test_what_is_offered_is_what_there_is_here(visit: Visit, repository: Path) -> None:
    config = """\
        reviews_required: 2
        agents:
          default: quick
          quick: {command: [sh, -c, exit]}
          slow: {command: [sh, -c, exit]}
          absent: {command: [/nowhere/absent]}
        """
    tasks.commit(repository, {".conductor.yaml": textwrap.dedent(config)})
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    assert kit.conductor("spawn", "pears", "--no-start", cwd=repository).code == 0
    page = visit.page
    page.goto("/new")
    agent = page.get_by_label("Agent")
    assert agent.locator("option:enabled").all_inner_texts()[:2] == ["quick (default)", "slow"]
    expect(agent.locator("option:disabled", has_text="absent: /nowhere/absent is not installed")).to_have_count(1)
    assert page.get_by_label("Lands on").get_by_role("option").all_inner_texts() == ["main"]
    reviewers = page.get_by_label("Reviewers: how many must approve")
    expect(reviewers).to_have_value("2")
    expect(reviewers).to_have_accessible_description(re.compile("You ask an agent on the page of the task"))


def test_a_name_that_is_taken_leads_to_its_task_and_what_was_written_stays(visit: Visit, repository: Path) -> None:
    page = visit.page
    page.goto("/")
    page.get_by_role("link", name="Make the first one").click()
    tasks.spawn(repository, "pears")
    page.get_by_label("Name").fill("pears")
    page.get_by_label("What is to be done").fill("Dearer pears")
    page.get_by_role("button", name="Make the task").click()
    expect(page.get_by_role("alert")).to_contain_text("pears exists already")
    expect(page.get_by_label("What is to be done")).to_have_value("Dearer pears")
    page.get_by_role("link", name="Look at pears").click()
    expect(page.locator("#summary .state").first).to_have_text("working")
    page.goto("/")
    expect(page.get_by_role("link", name="Make the first one")).to_have_count(0)
    assert len(visit.refused) == 1
