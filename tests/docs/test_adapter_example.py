"""The adapter that docs/writing-an-adapter.md shows is one: it finds, calls and understands a real program."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from conductor_git import process
from conductor_git.runner.agents.base import Adapter, AgentEvent, Kind, Limit
from conductor_git.runner.agents.found import find
from conductor_git.runner.agents.stream import Stream
from conductor_git.runner.agents.tally import Tally
from tests.agents.performing import NOON, PROMPT, ask
from tests.docs.blocks import TOP

PAGE = TOP / "docs" / "writing-an-adapter.md"
PARROT = """\
#!/bin/sh
case "$1" in
    --version) echo "parrot version 2.4.0"; exit 0 ;;
    --json) ;;
    *) echo "unknown option $1" >&2; exit 2 ;;
esac
shift
echo '{"type": "squawk", "text": "Pieces of eight!"}'
echo '{"type": "flies", "to": {"path": "src/prices.py"}}'
echo '{"type": "moults"}'
echo "{\\"type\\": \\"end\\", \\"answer\\": \\"$(wc -c) bytes, $*\\", \\"words\\": 7, \\"seeds\\": {\\"usd\\": 0.5}}"
"""


def shown() -> Adapter:
    """The class of the page's Python block, made."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), names)
    made: Adapter = names["Parrot"]()
    return made


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    commands = tmp_path / "commands"
    commands.mkdir()
    (commands / "parrot").write_text(PARROT)
    (commands / "parrot").chmod(0o755)
    return os.environ | {"PATH": f"{commands}:{os.environ['PATH']}"}


def test_the_adapter_of_the_page_has_all_that_an_adapter_has() -> None:
    parrot = shown()

    members = [name for name in vars(Adapter) if not name.startswith("_")]

    assert [name for name in members if not hasattr(parrot, name)] == []
    assert members


def test_the_adapter_of_the_page_finds_its_program(environment: dict[str, str]) -> None:
    found = find(shown(), environment)

    assert (found.version, found.problem) == ("2.4.0", "no key: PARROT_API_KEY has to be set")
    assert find(shown(), environment | {"PARROT_API_KEY": "k"}).problem == ""


def test_the_adapter_of_the_page_calls_and_understands_its_program(tmp_path: Path, environment: dict[str, str]) -> None:
    parrot, asked, log = shown(), ask(tmp_path, model="ara", permissive=True, args=("-v",)), tmp_path / "stdout.log"
    launch = parrot.launch(asked)

    child = process.launch(
        launch.command, cwd=asked.worktree, environment=environment, stdout=log, stderr=log, stdin=launch.stdin
    )
    assert child.wait(timeout=60) == 0
    tally, events = Tally(), list(Stream(log, parrot).finish())
    for event in events:
        tally.add(event, NOON)

    assert tally.answer() == f"{len(PROMPT.encode())} bytes, --model ara --yes -v"
    assert (tally.tokens_out, tally.cost_usd) == (7, 0.5)
    assert [event.text for event in events if event.kind is Kind.TOOL] == ["fly src/prices.py"]
    assert [event.text for event in events if event.kind is Kind.OTHER] == ['{"type": "moults"}']


def test_the_adapter_of_the_page_knows_a_limit_and_tells_a_person_where_the_prompt_is(tmp_path: Path) -> None:
    parrot, asked = shown(), ask(tmp_path, attended=True)

    (told,) = parrot.events('{"type": "asleep", "why": "429 Too Many Requests"}')

    assert (told.kind, told.limit) == (Kind.LIMIT, Limit.RATE)
    assert list(parrot.events("{")) == [AgentEvent(Kind.OTHER, "{")]
    assert str(asked.prompt) in parrot.launch(asked).command[-1]
