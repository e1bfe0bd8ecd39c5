"""The whole story of a task, from its making to the undo of its landing, in a browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from conductor_git.run import State
from conductor_git.server.access.role import Role
from tests import kit
from tests.browser.browsing import Visit, visiting
from tests.kit import tasks
from tests.kit.server import Server

pytestmark = kit.requires("chromium")


def test_a_task_is_made_reviewed_mended_approved_landed_and_undone(
    visit: Visit, browser: Browser, server: Server, repository: Path
) -> None:
    page = visit.page
    with visiting(browser, server, Role.REVIEWER) as other:
        expect(other.page.get_by_text("nothing here").first).to_be_visible()

        worktree = made(page, repository)
        card = other.page.locator('[data-column="working"] #card-pears')
        expect(card).to_contain_text("Dearer pears")

        handed_in(worktree, "    'pear': 5,")
        expect(other.page.locator('[data-column="in_review"] #card-pears')).to_be_visible()
        assert other.errors == []

    first = sent_back(page, repository)
    second = mended(page, worktree, first)
    assert len(visit.refused) == 1
    approved(page, second)
    assert tasks.record(repository, "pears").approved_commit == second

    page.goto("/tasks/pears")
    page.get_by_role("button", name="Merge").click()
    expect(page.locator("#summary .state").first).to_have_text("landed")
    assert "'pear': 6" in kit.git(repository, "show", "main:src/prices.py")

    page.goto("/queue")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#summary .state").first).to_have_text("cancelled")
    assert "'pear': 4" in kit.git(repository, "show", "main:src/prices.py")
    assert tasks.record(repository, "pears").undo is not None


def made(page: Page, repository: Path) -> Path:
    """Fill in the form, and take the task up as its worker would."""
    page.get_by_role("link", name="New task").click()
    page.get_by_label("Name").fill("pears")
    page.get_by_label("What is to be done").fill("Dearer pears\n\nThey cost <b>five</b>.")
    page.get_by_role("button", name="Make the task").click()
    expect(page.get_by_role("heading", name="Dearer pears")).to_be_visible()
    expect(page.get_by_text("They cost <b>five</b>.")).to_be_visible()
    run = tasks.record(repository, "pears")
    assert run.state is State.ASSIGNED
    assert run.history[0].by == "admin"
    assert kit.conductor("start", cwd=Path(run.worktree)).code == 0
    return Path(run.worktree)


def handed_in(worktree: Path, pear: str) -> str:
    text = (worktree / "src/prices.py").read_text()
    changed = "\n".join(pear if "pear" in one else one for one in text.split("\n"))
    commit = tasks.commit(worktree, {"src/prices.py": changed})
    done = kit.conductor("done", cwd=worktree)
    assert done.code == 0, done
    return commit


def sent_back(page: Page, repository: Path) -> str:
    """Comment on a line, and request changes."""
    page.goto("/tasks/pears/review")
    row = page.locator("tr.line.add").filter(has_text="'pear': 5")
    row.hover()
    row.get_by_role("button", name="Comment on line 3").click()
    page.get_by_label("Comment on src/prices.py, line 3").fill("Six, <i>not</i> five.")
    expect(page.get_by_text("1 line comment will be sent")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Comment on src/prices.py, line 3")).to_have_value("Six, <i>not</i> five.")
    page.get_by_label("What you found").fill("Nearly.")
    page.get_by_role("button", name="Request changes").click()
    expect(page.locator("#summary .state").first).to_have_text("working")
    run = tasks.record(repository, "pears")
    assert run.head_commit is not None
    return str(run.head_commit)


def mended(page: Page, worktree: Path, first: str) -> str:
    """The fix arrives while somebody reads; an approval of what they read is refused."""
    kept = handed_in(worktree, "    'pear': 55,")
    page.goto("/tasks/pears/review")
    expect(page.get_by_text(kept[:10]).first).to_be_visible()
    expect(page.get_by_text("Six, <i>not</i> five.")).to_be_visible()
    second = handed_in(worktree, "    'pear': 6,")
    news = page.get_by_text("A new commit was handed in.")
    expect(news).to_be_visible()
    page.get_by_label("What you found").fill("Good now.")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert").first).to_contain_text("it has to be reviewed as it is now")
    expect(page.get_by_label("What you found")).to_have_value("Good now.")
    assert first != second
    return second


def approved(page: Page, commit: str) -> None:
    expect(page.get_by_text(commit[:10]).first).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#summary .state").first).to_have_text("approved")
