"""The review page: keys, folded lines, marks of what was viewed, both ways to show a diff; and all of it by forms."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from conductor_git.run import State
from conductor_git.server.access.role import Role
from tests import kit
from tests.browser.browsing import Visit, visiting
from tests.browser.scene import BETTER, LOGIN, TEST
from tests.kit import tasks
from tests.kit.server import Server

pytestmark = kit.requires("chromium")


@pytest.fixture
def review(repository: Path) -> Path:
    """A task in review that changes one file and adds another; returns its worktree."""
    tasks.commit(repository, {"src/login.py": LOGIN})
    worktree = tasks.spawn(repository, "fix-login")
    tasks.commit(worktree, {"src/login.py": BETTER, "tests/test_login.py": TEST})
    tasks.hand_in(repository, "fix-login")
    return worktree


@pytest.mark.usefixtures("review")
def test_keys_walk_the_files_and_mark_them_and_help_is_one_of_them(visit: Visit) -> None:
    page = visit.page
    page.goto("/tasks/fix-login/review")
    page.keyboard.press("j")
    expect(page.locator("#file-1")).to_be_focused()
    page.keyboard.press("v")
    expect(page.locator("#file-1 .file-body")).to_be_hidden()
    page.keyboard.press("j")
    expect(page.locator("#file-2")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("#file-1")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.reload()
    expect(page.get_by_text("1 of 2 viewed")).to_be_visible()


def test_a_file_that_changes_again_is_to_be_viewed_again(visit: Visit, repository: Path, review: Path) -> None:
    page = visit.page
    page.goto("/tasks/fix-login/review")
    page.locator("#file-1").get_by_label("viewed").check()
    page.locator("#file-2").get_by_label("viewed").check()
    tasks.commit(review, {"src/login.py": BETTER.replace("2**14", "2**15")})
    tasks.hand_in(repository, "fix-login")
    page.goto("/tasks/fix-login/review")
    expect(page.get_by_text("1 of 2 viewed")).to_be_visible()


@pytest.mark.usefixtures("review")
@pytest.mark.parametrize("view", ["unified", "split"])
def test_folded_lines_open_and_changed_words_are_marked(visit: Visit, view: str) -> None:
    page = visit.page
    page.goto(f"/tasks/fix-login/review?view={view}")
    file = page.locator("#file-1")
    expect(file.get_by_text("SESSION_SECONDS")).to_have_count(0)
    file.get_by_role("button", name="17 lines").click()
    expect(file.get_by_text("SESSION_SECONDS = 3600").first).to_be_visible()
    expect(file.locator("mark").first).to_have_text(', query: str = ""')
    expect(file.locator(".t-k", has_text="def").first).to_be_visible()


def test_a_branch_that_moves_while_somebody_reads_is_announced(visit: Visit, review: Path) -> None:
    page = visit.page
    page.goto("/tasks/fix-login/review")
    commit = tasks.commit(review, {"README.md": "# Acme\n"})
    expect(page.get_by_text("The branch has moved on.")).to_be_visible()
    expect(page.locator("#standing")).to_contain_text(commit[:10])


@pytest.mark.usefixtures("review")
def test_a_review_needs_no_script(browser: Browser, server: Server, repository: Path) -> None:
    with visiting(browser, server, java_script_enabled=False) as visit:
        page = visit.page
        commented(page, "hashlib.scrypt", "Too slow?")
        commented(page, "def redirect_after", "Say why.", goto=False)
        expect(page.get_by_label("Comment on src/login.py, line 22")).to_have_value("Too slow?")
        page.get_by_role("button", name="Request changes").click()
        expect(page.locator("#summary .state").first).to_have_text("working")

    assert tasks.record(repository, "fix-login").state is State.WORKING
    told = tasks.told(repository, "REVIEW", "fix-login")
    assert told
    assert "src/login.py:22: Too slow?" in told[0]
    assert "src/login.py:25: Say why." in told[0]


def commented(page: Page, code: str, text: str, *, goto: bool = True) -> None:
    if goto:
        page.goto("/tasks/fix-login/review")
    page.locator("tr.line.add").filter(has_text=code).get_by_role("button").click(force=True)
    page.locator(".draft textarea").filter(has_text="").last.fill(text) if goto else _fill_empty(page, text)


def _fill_empty(page: Page, text: str) -> None:
    areas = page.locator(".draft textarea")
    for number in range(areas.count()):
        if not areas.nth(number).input_value():
            areas.nth(number).fill(text)


@pytest.mark.usefixtures("review")
def test_who_only_looks_is_shown_no_button_that_would_be_refused(browser: Browser, server: Server) -> None:
    with visiting(browser, server, Role.VIEWER) as visit:
        visit.page.goto("/tasks/fix-login/review")
        expect(visit.page.get_by_text("hashlib.scrypt")).to_be_visible()
        expect(visit.page.get_by_role("button", name="Approve")).to_have_count(0)
        expect(visit.page.get_by_role("link", name="New task")).to_have_count(0)
        assert visit.errors == []
