"""The bus page: messages as they come, filtered and searched, and answers in their conversation."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from conductor_git.message import Message, Parent
from conductor_git.project import open_project
from conductor_git.server.access.role import Role
from tests import kit
from tests.browser.browsing import Visit, visiting
from tests.kit import tasks
from tests.kit.server import Server

pytestmark = kit.requires("chromium")


@pytest.fixture
def question(repository: Path) -> str:
    tasks.spawn(repository, "pears")
    return post(repository, "QUESTION", "How dear <i>may</i> a pear be?")


def post(repository: Path, kind: str, body: str) -> str:
    return open_project(repository).bus.append(Message(kind, body, task_id="pears"))


@pytest.mark.usefixtures("question")
def test_messages_show_as_they_come_the_newest_first(visit: Visit, repository: Path) -> None:
    page = visit.page
    page.goto("/bus")
    post(repository, "FACT", "Apples are sold out.")
    expect(page.locator(".word").first).to_contain_text("Apples are sold out.")
    expect(page.locator(".word").filter(has_text="How dear <i>may</i> a pear be?")).to_have_count(1)


@pytest.mark.usefixtures("question")
def test_a_search_and_a_type_leave_what_they_name_also_of_what_comes(visit: Visit, repository: Path) -> None:
    page = visit.page
    page.goto("/bus")
    page.get_by_label("Search").fill("DEAR")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".word")).to_have_count(1)
    post(repository, "FACT", "Nothing to see.")
    post(repository, "FACT", "Dearer are pears now.")
    expect(page.locator(".word")).to_have_count(2)
    expect(page.get_by_text("Nothing to see.")).to_have_count(0)
    page.get_by_label("Type").select_option("QUESTION")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".word")).to_have_count(1)
    expect(page.locator(".word")).to_contain_text("How dear")


def test_an_answer_written_on_the_bus_page_stands_below_its_question_on_the_tasks(
    visit: Visit, repository: Path, question: str
) -> None:
    page = visit.page
    page.goto("/bus")
    page.locator(".word").filter(has_text="How dear").get_by_role("button", name="Reply").click()
    expect(page.get_by_text("An answer to: How dear")).to_be_visible()
    page.get_by_label("Text").fill("Six.")
    page.get_by_role("button", name="Post").click()
    expect(page.locator(".word").first).to_contain_text("Six.")
    expect(
        page.get_by_role("link", name=f"in answer to {question[13:15]}:{question[15:17]}:{question[17:19]}")
    ).to_be_visible()

    answer = open_project(repository).bus.tail(1)[0]
    assert answer.parents == (Parent(question, "answers"),)
    assert (answer.task_id, answer.meta["by"]) == ("pears", "admin")
    page.goto("/tasks/pears")
    expect(page.locator("#talk .depth-1")).to_contain_text("Six.")


def test_an_answer_written_on_the_page_of_a_task_stands_below_its_question(
    visit: Visit, repository: Path, question: str
) -> None:
    page = visit.page
    page.goto("/tasks/pears")
    page.locator("#talk .word").filter(has_text="How dear").get_by_role("button", name="Reply").click()
    page.get_by_label("Say something to its worker").fill("Seven.")
    page.get_by_role("button", name="Post").click()
    expect(page.locator("#talk .depth-1")).to_contain_text("Seven.")
    post(repository, "INFO", "Understood.")
    understood = page.locator("#talk .word").filter(has_text="Understood.")
    expect(understood.get_by_role("button", name="Reply")).to_be_visible()
    assert [one.parents for one in open_project(repository).bus.tail(2)] == [(Parent(question, "answers"),), ()]


@pytest.mark.usefixtures("question")
def test_who_only_looks_has_no_room_to_write_in(browser: Browser, server: Server) -> None:
    with visiting(browser, server, Role.VIEWER) as visit:
        for path in ("/bus", "/tasks/pears"):
            visit.page.goto(path)
            expect(visit.page.locator(".word").get_by_text("How dear")).to_be_visible()
            expect(visit.page.get_by_role("button", name="Reply")).to_have_count(0)
            expect(visit.page.get_by_role("button", name="Post")).to_have_count(0)
        assert visit.errors == []
