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


@pytest.mark.usefixtures("review")
@pytest.mark.parametrize("view", ["unified", "split"])
def test_a_line_that_was_folded_takes_a_comment_which_stays(visit: Visit, repository: Path, view: str) -> None:
    page = visit.page
    page.goto(f"/tasks/fix-login/review?view={view}")
    page.locator("#file-1").get_by_role("button", name="17 lines").click()
    row = page.locator("#file-1 tr.line").filter(has_text="SESSION_SECONDS = 3600")
    row.hover()
    row.get_by_role("button", name="Comment on line 6").click()
    page.get_by_label("Comment on src/login.py, line 6").fill("An hour?")
    page.reload()  # folded again; what was written is beside the verdict
    expect(page.locator("#beside").get_by_label("Comment on src/login.py, line 6")).to_have_value("An hour?")
    page.get_by_role("button", name="Request changes").click()
    expect(page.locator("#summary .state").first).to_have_text("working")
    assert "src/login.py:6: An hour?" in tasks.told(repository, "REVIEW", "fix-login")[0]


def test_what_changed_since_ones_own_review_is_a_view_of_its_own(
    visit: Visit, browser: Browser, server: Server, repository: Path, review: Path
) -> None:
    page = visit.page
    page.goto("/tasks/fix-login/review")
    expect(page.get_by_role("link", name="Since your review")).to_have_count(0)
    page.get_by_role("button", name="Request changes").click()
    expect(page.locator("#summary .state").first).to_have_text("working")
    tasks.commit(review, {"src/login.py": BETTER.replace("2**14", "2**15")})
    tasks.hand_in(repository, "fix-login")

    page.goto("/tasks/fix-login/review")
    expect(page.locator(".file")).to_have_count(2)
    page.get_by_role("link", name="Since your review").click()
    expect(page.locator(".file")).to_have_count(1)
    expect(page.locator("tr.line.add")).to_have_count(1)
    expect(page.locator("tr.line.add mark")).to_have_text("15")
    expect(page.locator("tr.line.del button")).to_have_count(0)
    page.locator("tr.line.add").hover()
    page.get_by_role("button", name="Comment on line 22").click()
    page.get_by_label("Comment on src/login.py, line 22").fill("Dear enough.")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#summary .state").first).to_have_text("approved")
    assert tasks.record(repository, "fix-login").approved_commit == kit.git(review, "rev-parse", "HEAD")

    with visiting(browser, server, Role.REVIEWER) as other:
        other.page.goto("/tasks/fix-login/review?view=since")
        expect(other.page.locator(".file")).to_have_count(2)
        expect(other.page.get_by_role("link", name="Since your review")).to_have_count(0)


def test_what_was_written_on_lines_that_are_gone_is_not_lost(visit: Visit, repository: Path, review: Path) -> None:
    page = visit.page
    page.goto("/tasks/fix-login/review")
    page.locator("#file-2 tr.line.add").first.hover()
    page.locator("#file-2 tr.line.add").first.get_by_role("button").click()
    page.get_by_label("Comment on tests/test_login.py, line 1").fill("Why from src?")
    tasks.commit(review, {"tests/test_login.py": None})
    tasks.hand_in(repository, "fix-login")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert").first).to_contain_text("Not done.")
    expect(page.locator("#beside").get_by_label("Comment on tests/test_login.py, line 1")).to_have_value(
        "Why from src?"
    )
    assert len(visit.refused) == 1


def test_an_agent_is_asked_for_a_review(visit: Visit, repository: Path, review: Path) -> None:
    config = "agents:\n  critic:\n    command: [sh, -c, 'conductor-git approve fix-login -m Fine']\n"
    tasks.commit(repository, {".conductor.yaml": config})
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    page = visit.page
    page.goto("/tasks/fix-login/review")
    page.get_by_text("Ask an agent for a review").click()
    page.get_by_label("Agent").select_option("critic")
    page.get_by_label("What it should look at").fill("The hash")
    page.get_by_role("button", name="Ask for a review").click()
    expect(page).to_have_url(f"{visit.url}/tasks/fix-login.review-1")
    kit.until(lambda: tasks.record(repository, "fix-login.review-1").state.is_final)
    assert tasks.record(repository, "fix-login").state is State.APPROVED
    page.goto("/tasks/fix-login/review")
    expect(page.get_by_label("Reviews")).to_contain_text("Fine")
    assert review.exists()


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
        page.goto("/tasks/fix-login/review")
        commented(page, "hashlib.scrypt", 22, "Too slow?")
        commented(page, "def redirect_after", 25, "Say why.")
        expect(page.get_by_label("Comment on src/login.py, line 22")).to_have_value("Too slow?")
        page.get_by_role("button", name="Request changes").click()
        expect(page.locator("#summary .state").first).to_have_text("working")

    assert tasks.record(repository, "fix-login").state is State.WORKING
    told = tasks.told(repository, "REVIEW", "fix-login")
    assert told
    assert "src/login.py:22: Too slow?" in told[0]
    assert "src/login.py:25: Say why." in told[0]


def commented(page: Page, code: str, line: int, text: str) -> None:
    page.locator("tr.line.add").filter(has_text=code).get_by_role("button").click(force=True)
    page.get_by_label(f"Comment on src/login.py, line {line}").fill(text)


@pytest.mark.usefixtures("review")
def test_who_only_looks_is_shown_no_button_that_would_be_refused(browser: Browser, server: Server) -> None:
    with visiting(browser, server, Role.VIEWER) as visit:
        visit.page.goto("/tasks/fix-login/review")
        expect(visit.page.get_by_text("hashlib.scrypt")).to_be_visible()
        expect(visit.page.get_by_role("button", name="Approve")).to_have_count(0)
        expect(visit.page.get_by_role("link", name="New task")).to_have_count(0)
        assert visit.errors == []
