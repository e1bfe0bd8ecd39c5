"""axe-core finds nothing serious on any page, in the light and in the dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser

from tests import kit
from tests.browser.browsing import visiting
from tests.browser.scene import scene
from tests.browser.screenshots import PAGES
from tests.kit.server import serving

pytestmark = kit.requires("chromium")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_barrier(browser: Browser, repository: Path, scheme: Any) -> None:
    scene(repository)
    with serving(repository) as server, visiting(browser, server, color_scheme=scheme) as visit:
        found = {}
        for name, path in PAGES.items():
            visit.page.goto(path)
            found[name] = [
                (one["id"], [node["html"][:200] for node in one["nodes"]])
                for one in Axe().run(visit.page).response["violations"]
                if one["impact"] in ("serious", "critical")
            ]
        assert {name: barriers for name, barriers in found.items() if barriers} == {}
        assert visit.errors == []
