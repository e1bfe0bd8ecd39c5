"""Letting a browser in and out: the link, the cookie, the header's form, and what somebody sees who is not let in."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from conductor_git.server.access.role import Role
from tests import kit
from tests.browser.browsing import Visit
from tests.kit.server import Server

pytestmark = kit.requires("chromium")


def test_whoever_logs_out_is_out_and_logs_in_again_with_a_token(visit: Visit, server: Server) -> None:
    page = visit.page
    (cookie,) = visit.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert page.evaluate("document.cookie") == ""

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    assert visit.context.cookies() == []

    page.goto("/tasks/anything")
    expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    expect(page.get_by_role("button", name="Log out")).to_have_count(0)
    page.get_by_role("link", name="log in with a token").click()
    page.get_by_label("Token").fill(server.tokens[Role.VIEWER])
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("viewer viewer")).to_be_visible()
    assert len(visit.refused) == 1


def test_a_link_lets_one_browser_in_once(browser: Browser, server: Server) -> None:
    link = server.login_link()
    for number, title in enumerate(["Board", "Log in"]):
        context = browser.new_context()
        page = context.new_page()
        page.goto(link)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_title(f"{title} · acme")
        assert (page.get_by_role("alert").count() == 1) is bool(number)
        context.close()


def test_the_form_of_the_header_needs_the_secret_of_its_session(visit: Visit) -> None:
    page = visit.page
    page.locator("form[action='/logout'] input[name=csrf]").evaluate("(field) => { field.value = 'guessed'; }")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("alert")).to_contain_text("CSRF")
    page.goto("/")
    expect(page.get_by_role("heading", name="Approved")).to_be_visible()
