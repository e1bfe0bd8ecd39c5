"""A browser that notes everything that went wrong in its pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from conductor_git.server.access.role import Role
from tests.kit.server import Server

_CHROMIUM: Final = "/usr/bin/chromium"
_REFUSAL: Final = "Failed to load resource: the server responded with a status of 4"
_WATCH: Final = (
    "addEventListener('securitypolicyviolation', (event) => "
    "console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`))"
)


@dataclass(frozen=True, slots=True)
class Visit:
    """One person's browser; `errors` are its pages' errors, what they logged as such, and violations of the CSP."""

    context: BrowserContext
    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """What the server refused: a browser logs an answer of 4xx, also one that is a page."""

    def allow(self, path: str) -> None:
        """Take out of the errors that a script was answered 4xx by `path`, and require that it was."""
        allowed = [one for one in self.errors if one.startswith(_REFUSAL) and one.endswith(path)]
        assert allowed, self.errors
        for one in allowed:
            self.errors.remove(one)

    def note(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            is_refusal = said.text.startswith(_REFUSAL) and said.location["url"] == self.page.url
            (self.refused if is_refusal else self.errors).append(f"{said.text} {said.location['url']}")


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(browser: Browser, server: Server, role: Role = Role.ADMIN, **options: Any) -> Iterator[Visit]:
    """A browser that was let in by a login link with the token of `role`."""
    context = browser.new_context(base_url=server.url, **options)
    context.add_init_script(_WATCH)
    context.set_default_timeout(30_000)
    visit = Visit(context, context.new_page(), server.url)
    visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
    visit.page.on("console", lambda said: visit.note(said))  # noqa: PLW0108 - Playwright marks the callable, and a slotted one refuses
    visit.page.goto(server.login_link(role))
    visit.page.get_by_role("button", name="Log in").click()
    visit.page.get_by_role("navigation", name="Pages").wait_for()
    try:
        yield visit
    finally:
        context.close()
