"""The queue page: what lands and in which order, what its gates print meanwhile, and taking a landing back."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from conductor_git.run import State
from tests import kit
from tests.browser.browsing import Visit, visiting
from tests.integration import queued
from tests.kit import tasks
from tests.kit.server import Server

pytestmark = kit.requires("chromium")

PEARS = "PRICES = {\n    'apple': 3,\n    'pear': 6,\n}\n"


@pytest.fixture
def go(tmp_path: Path, server: Server) -> Iterator[Path]:
    """The gate waits until this file is there, which it is at the end: a server waits for what it is doing."""
    assert server.url
    yield tmp_path / "go"
    (tmp_path / "go").touch()


@pytest.fixture
def queue(repository: Path, go: Path) -> None:
    """`pears` and `plums` are approved, and a gate that prints, waits for `go` and prints again."""
    queued.have_gate(
        repository, f"echo weighing; while [ ! -e {shlex.quote(str(go))} ]; do sleep 0.05; done; echo weighed"
    )
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    tasks.approved(repository, "pears", {"src/prices.py": PEARS})
    tasks.approved(repository, "plums", {"src/plums.py": "PLUM = 1\n"})


def row(task_id: str) -> str:
    return f'li:has(a[href="/tasks/{task_id}"])'


@pytest.mark.usefixtures("queue")
def test_a_landing_shows_its_gate_at_once_and_ends_on_the_task(visit: Visit, repository: Path, go: Path) -> None:
    page = visit.page
    page.goto("/queue")
    page.locator(row("pears")).get_by_role("button", name="Merge").click()
    expect(page.get_by_text("pears is landing.")).to_be_visible()
    expect(page.locator(".landing .log")).to_contain_text("weighing")
    expect(page.get_by_role("button", name="Land all 2")).to_be_disabled()
    go.touch()
    expect(page).to_have_url(f"{visit.url}/tasks/pears")
    expect(page.locator("#summary .state").first).to_have_text("landed")
    assert kit.git(repository, "show", "main:src/prices.py") == PEARS.removesuffix("\n")


@pytest.mark.usefixtures("queue")
def test_what_a_gate_prints_is_seen_by_who_only_looks_at_the_queue(
    visit: Visit, browser: Browser, server: Server, go: Path
) -> None:
    with visiting(browser, server) as other:
        other.page.goto("/queue")
        visit.page.goto("/queue")
        visit.page.get_by_role("button", name="Land all 2").click()
        under_way = other.page.locator("[data-running]")
        expect(under_way.locator(".log").first).to_contain_text("weighing")
        go.touch()
        expect(under_way).to_have_count(0)
        expect(other.page.get_by_role("button", name="Undo")).to_have_count(2)
        assert other.errors == []


def test_a_landing_that_a_gate_refuses_says_so_and_leaves_the_target(visit: Visit, repository: Path) -> None:
    queued.have_gate(repository, "echo too light; exit 3")
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    tasks.approved(repository, "pears", {"src/prices.py": PEARS})
    before = kit.git(repository, "rev-parse", "main")
    visit.page.goto("/tasks/pears")
    visit.page.get_by_role("button", name="Merge").click()
    expect(visit.page.get_by_role("heading", name="That did not work")).to_be_visible()
    expect(visit.page.get_by_role("alert")).to_contain_text("look")
    assert kit.git(repository, "rev-parse", "main") == before
    visit.page.get_by_role("link", name="Back to pears").click()
    expect(visit.page.get_by_label("Gates")).to_contain_text("exit code 3")
    visit.allow("/merge")


@pytest.mark.usefixtures("queue")
def test_the_higher_priority_lands_first_and_all_land_at_once(visit: Visit, repository: Path, go: Path) -> None:
    go.touch()
    page = visit.page
    page.goto("/queue")
    expect(page.locator("ol.queue li").first).to_contain_text("pears")
    plums = page.locator(row("plums"))
    plums.get_by_label("priority").fill("5")
    plums.get_by_role("button", name="Set").click()
    expect(page.locator("ol.queue li").first).to_contain_text("plums")
    assert tasks.record(repository, "plums").priority == 5

    page.get_by_role("button", name="Land all 2").click()
    expect(page.get_by_text("Nothing is approved and waits to land.")).to_be_visible()
    assert [tasks.record(repository, name).state for name in ("pears", "plums")] == [State.COMPLETED] * 2
    subjects = kit.git(repository, "log", "--format=%s", "--first-parent", "-2").split("\n")
    assert ["plums" in subjects[1], "pears" in subjects[0]] == [True, True]


@pytest.mark.usefixtures("queue")
def test_a_landing_is_taken_back_from_the_queue_page(visit: Visit, repository: Path, go: Path) -> None:
    go.touch()
    before = kit.git(repository, "show", "main:src/prices.py")
    tasks.landed(tasks.merge(repository, "pears"))
    page = visit.page
    page.goto("/queue")
    page.locator(row("pears")).get_by_role("button", name="Undo").click()
    expect(page.locator("#summary .state").first).to_have_text("cancelled")
    assert kit.git(repository, "show", "main:src/prices.py") == before
    page.goto("/queue")
    expect(page.locator(row("pears"))).to_contain_text("undone")


def test_what_did_not_land_with_the_others_is_told_with_its_conflict(visit: Visit, repository: Path) -> None:
    for name, price in (("pears", "6"), ("dear-pears", "9")):
        tasks.approved(repository, name, {"src/prices.py": PEARS.replace("6", price)})
    page = visit.page
    page.goto("/queue")
    page.get_by_role("button", name="Land all 2").click()
    sent_back = page.get_by_role("region", name="Sent back at their landing")
    expect(sent_back).to_contain_text("conflict src/prices.py")
    expect(page.get_by_role("button", name="Undo")).to_have_count(1)
    sent_back.get_by_role("link", name="dear-pears").click()
    expect(page.locator("#summary .state").first).to_have_text("working")


def test_without_scripts_a_task_is_approved_landed_and_taken_back(
    browser: Browser, server: Server, repository: Path
) -> None:
    worktree = tasks.spawn(repository, "pears")
    tasks.commit(worktree, {"src/prices.py": PEARS})
    tasks.hand_in(repository, "pears")
    with visiting(browser, server, java_script_enabled=False) as visit:
        page = visit.page
        page.goto("/tasks/pears/review")
        page.get_by_role("button", name="Approve").click()
        expect(page.locator("#summary .state").first).to_have_text("approved")
        page.get_by_role("button", name="Merge").click()
        expect(page.locator("#summary .state").first).to_have_text("landed")
        assert kit.git(repository, "show", "main:src/prices.py") == PEARS.removesuffix("\n")
        page.goto("/queue")
        page.get_by_role("button", name="Undo").click()
        expect(page.locator("#summary .state").first).to_have_text("cancelled")
