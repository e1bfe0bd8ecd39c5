"""A browser for all stories of a process, and a server on the story's repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.browsing import Visit, chromium, visiting
from tests.kit.server import Server, serving

expect.set_options(timeout=30_000)  # only ends a hang


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def server(repository: Path) -> Iterator[Server]:
    with serving(repository) as running:
        yield running


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """An administrator's browser; at the end nothing went wrong in any of its pages."""
    with visiting(browser, server) as opened:
        yield opened
        assert opened.errors == []
