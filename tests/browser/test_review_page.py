"""The review page: keys, folded lines, marks of what was viewed, both ways to show a diff; and all of it by forms."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from conductor_git.message import Message
from conductor_git.names import parse_task_id
from conductor_git.project import open_project
from conductor_git.review import LineComment, Side
from conductor_git.run import State
from conductor_git.server.access.role import Role
from conductor_git.store.reviews import FileReviews
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


@pytest.mark.parametrize("view", ["unified", "split"])
def test_line_ends_that_come_and_go_are_shown_on_their_side(visit: Visit, repository: Path, view: str) -> None:
    tasks.commit(repository, {"ends.py": b"a = 1\nb = 2\r\nlast = 3"})
    worktree = tasks.spawn(repository, "ends")
    tasks.commit(worktree, {"ends.py": b"a = 1\r\nb = 2\nlast = 3\n"})
    tasks.hand_in(repository, "ends")
    page = visit.page
    page.goto(f"/tasks/ends/review?view={view}")
    went, came = page.locator("td.code:is(.del, .del > *)"), page.locator("td.code:is(.add, .add > *)")
    assert [text(one) for one in (went, came)] == [
        ["a = 1", "b = 2␍", "last = 3 no newline"],
        ["a = 1␍", "b = 2", "last = 3"],
    ]
    expect(page.get_by_title("no newline at the end of the file")).to_have_count(1)


def text(cells: Locator) -> list[str]:
    """What stands in each of them beside the button and the sign."""
    return [" ".join(cell.locator("code, .unended").all_inner_texts()) for cell in cells.all()]


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
    (given,) = FileReviews(open_project(repository).layout).all(parse_task_id("fix-login"))
    assert given.comments == (LineComment("src/login.py", 6, "An hour?", Side.NEW),)


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


@pytest.fixture
def critic(repository: Path) -> None:
    """An agent that approves, and one that is not installed."""
    config = """\
        agents:
          critic: {command: [sh, -c, 'conductor-git approve fix-login -m Fine']}
          other: {command: [sh, -c, exit]}
          absent: {command: [/nowhere/absent]}
        """
    tasks.commit(repository, {".conductor.yaml": textwrap.dedent(config)})
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0


@pytest.mark.usefixtures("critic")
@pytest.mark.parametrize("place", ["", "/review"], ids=["task", "review"])
def test_an_agent_is_asked_for_a_review(visit: Visit, repository: Path, review: Path, place: str) -> None:
    page = visit.page
    page.goto(f"/tasks/fix-login{place}")
    options = page.get_by_label("Reviewer").get_by_role("option")
    assert "critic" in options.all_inner_texts()
    assert "absent" not in options.all_inner_texts()
    page.get_by_label("Reviewer").select_option("critic")
    page.get_by_label("What it should look at").fill("The hash")
    page.get_by_role("button", name="Ask for a review").click()
    expect(page).to_have_url(f"{visit.url}/tasks/fix-login.review-1")
    kit.until(lambda: tasks.record(repository, "fix-login.review-1").state.is_final)
    assert tasks.record(repository, "fix-login").state is State.APPROVED
    page.goto("/")
    expect(page.locator('[data-column="failed"] .card')).to_contain_text("reviewed")
    expect(page.locator('[data-column="completed"] .card')).to_have_count(0)
    page.goto("/tasks/fix-login/review")
    expect(page.get_by_label("Reviews")).to_contain_text("Fine")
    assert review.exists()


@pytest.mark.usefixtures("critic", "review")
def test_what_was_chosen_stays_while_the_page_changes(visit: Visit, repository: Path) -> None:
    page = visit.page
    page.goto("/tasks/fix-login")
    page.get_by_label("Reviewer").select_option("other")
    page.get_by_label("What it should look at").fill("The hash")
    page.get_by_label("What it should look at").blur()
    spawned = kit.conductor("spawn", "judge", "--review", "fix-login", "--no-start", cwd=repository)
    assert spawned.code == 0, spawned
    open_project(repository).bus.append(Message("FACT", "Somebody looks at it.", task_id="fix-login"))
    expect(page.get_by_role("region", name="Agents that review it").get_by_role("link")).to_have_text("judge")
    expect(page.get_by_label("Reviewer")).to_have_value("other")
    expect(page.get_by_label("What it should look at")).to_have_value("The hash")


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
    page.wait_for_load_state()  # without scripts each opens a page, on which things still move until then
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
