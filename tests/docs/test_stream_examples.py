"""The curl examples of docs/streams.md, against a server of a project at work: each is answered as the page says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from conductor_git.project import open_project
from conductor_git.server.access.role import Role
from tests import kit
from tests.docs.blocks import TOP
from tests.docs.test_rest_examples import examples
from tests.integration.streamed import post
from tests.kit import tasks
from tests.kit.server import serving

PAGE = TOP / "docs" / "streams.md"
AGENT = "echo hello; exec sleep 600"


@kit.requires("curl")
def test_every_example_is_answered_as_the_page_says(repository: Path) -> None:
    page = PAGE.read_text("utf-8")
    shown = examples(page)
    assert len(shown) == page.count("\ncurl ") == page.count("curl ") - page.count("`curl ")
    assert kit.conductor("spawn", "fix-login", "--", "sh", "-c", AGENT, cwd=repository).code == 0
    kit.until(lambda: "hello" in kit.conductor("log", "fix-login", cwd=repository).out)
    cursor, _ = post(open_project(repository), "what was read", "what came after")
    with serving(repository) as server:
        given = {"URL": server.url, "TOKEN": server.tokens[Role.VIEWER], "CURSOR": cursor}
        for command, status, words in shown:
            answer = told(command, given, words)
            assert answer.startswith(f"HTTP/1.1 {status} "), command
            assert words in answer, command
    assert tasks.record(repository, "fix-login").state == "WORKING"
    assert kit.conductor("cancel", "fix-login", cwd=repository).code == 0


def told(command: str, given: dict[str, str], words: str) -> str:
    """What `command` prints up to `words`, and the head of the answer before it; a stream has no end of its own."""
    shown = ["sh", "-c", f"exec {command} --include --max-time 60"]
    answer = b""
    with subprocess.Popen(shown, env=os.environ | given, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while words.encode() not in answer and (piece := os.read(process.stdout.fileno(), 65536)):
            answer += piece
        process.kill()
    return answer.decode("utf-8", "replace")
