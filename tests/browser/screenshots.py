"""The pictures of the pages in docs/images: `python -m tests.browser.screenshots [FOLDER]`, or `make screenshots`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser

from tests import kit
from tests.browser.browsing import chromium, visiting
from tests.browser.scene import scene
from tests.kit.server import Server, serving

PAGES: Final = {
    "board": "/",
    "review": "/tasks/fix-login/review?view=unified",
    "review-split": "/tasks/fix-login/review?view=split",
    "task": "/tasks/fix-login",
    "queue": "/queue",
    "bus": "/bus",
    "collisions": "/collisions",
    "plan": "/plans/prices",
    "new": "/new",
}
_LOOKS: Final[dict[str, dict[str, Any]]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1360, "height": 850}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1360, "height": 850}},
    "phone": {
        "color_scheme": "light",
        "viewport": {"width": 390, "height": 844},
        "is_mobile": True,
        "has_touch": True,
    },
}


def take(folder: Path) -> None:
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        home.mkdir()
        os.environ.update(kit.clean_environment(os.environ, home))
        repository = kit.make_repository(Path(scratch) / "acme")
        scene(repository)
        with serving(repository) as server, chromium() as browser:
            for look, options in _LOOKS.items():
                _take(browser, server, folder, look, options)


def _take(browser: Browser, server: Server, folder: Path, look: str, options: dict[str, Any]) -> None:
    with visiting(browser, server, **options) as visit:
        for name, path in PAGES.items():
            visit.page.goto(path)
            visit.page.wait_for_timeout(300)
            visit.page.screenshot(path=folder / f"{name}-{look}.png")
        assert not visit.errors, visit.errors


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/images"))
