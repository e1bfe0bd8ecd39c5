"""The curl examples of docs/rest.md, run in their order against a server: each is answered as the page says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from conductor_git.server.access.role import Role
from conductor_git.server.api.rights import RIGHTS
from tests import kit
from tests.docs.blocks import TOP
from tests.kit import tasks
from tests.kit.server import serving

PAGE = TOP / "docs" / "rest.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(r"^(curl .*?)\n# (\d{3}) (.*?)$", re.MULTILINE | re.DOTALL)


def examples(page: str) -> list[tuple[str, str, str]]:
    """Each command with the status and the words that its answer has."""
    return [found for block in _BLOCK.findall(page) for found in _EXAMPLE.findall(block)]


@kit.requires("curl")
def test_every_example_is_answered_as_the_page_says(repository: Path) -> None:
    shown = examples(PAGE.read_text("utf-8"))
    assert len(shown) == PAGE.read_text("utf-8").count("\ncurl ")
    with serving(repository) as server:
        given = {"URL": server.url, "TOKEN": server.tokens[Role.ADMIN], "REVIEWER": server.token("ada", Role.REVIEWER)}
        for command, status, words in shown:
            if "/fix-login/done" in command:
                tasks.commit(Path(tasks.record(repository, "fix-login").worktree), {"login.py": f"# {command}\n"})
            body, _, code = run(f"{command} -w '\\n%{{http_code}}'", given).rpartition("\n")
            assert (command, code) == (command, status), body
            assert words in body, command


def run(command: str, given: dict[str, str]) -> str:
    done = subprocess.run(
        ["sh", "-c", command], env=os.environ | given, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_the_verbs_of_the_page_are_those_of_the_api() -> None:
    listed = re.search(r"is one of ((?:`[a-z-]+`,?\s)*`[a-z-]+`)\.", PAGE.read_text("utf-8"))
    assert listed is not None
    verbs = {path.rpartition("/")[2] for verb, path in RIGHTS if verb == "POST" and path.startswith("/tasks/{")}

    assert set(re.findall(r"[a-z-]+", listed[1])) == verbs - {"reviews"}
