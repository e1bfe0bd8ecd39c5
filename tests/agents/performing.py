"""Has an adapter call its stand-in for real, and tells what the stand-in got and what its stream added up to."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from conductor_git import process
from conductor_git.runner.agents.base import Adapter, AgentEvent, Ask, Kind
from conductor_git.runner.agents.stream import Stream
from conductor_git.runner.agents.tally import Tally

STAND_INS: Final = Path(__file__).parent
PROMPT: Final = "Pears cost 5 from now on.\n\nÜber alles: prüfen.\n"
NOON: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Performance:
    """What the agent was started with, how it ended, and what it said."""

    code: int
    arguments: list[str]
    prompt: str
    environment: dict[str, str]
    events: list[AgentEvent]
    tally: Tally
    errors: str

    def said(self, kind: Kind) -> list[str]:
        return [event.text for event in self.events if event.kind is kind]


def on_path() -> str:
    """A PATH on which the stand-ins come first."""
    return f"{STAND_INS}{os.pathsep}{os.environ['PATH']}"


def ask(place: Path, **asked: Any) -> Ask:
    """What an attempt in `place` is launched for."""
    worktree = place / "worktree"
    worktree.mkdir(parents=True, exist_ok=True)
    prompt = place / "prompt.md"
    prompt.write_text(PROMPT, encoding="utf-8")
    return Ask(prompt, worktree, place / "output.md", **asked)


def perform(adapter: Adapter, place: Path, *steps: str, asked: Ask | None = None) -> Performance:
    """Launch the adapter's stand-in in `place`, let it play `steps`, and read its stream when it has ended."""
    asked = asked or ask(place)
    launch = adapter.launch(asked)
    seen = {name: place / name for name in ("args", "prompt", "env")}
    told = [f"{name}:{path}" for name, path in seen.items()]
    # Some agents go by PWD: where an adapter does not set it, they must not find the checkout that is tested here.
    own = {"PATH": on_path(), "PWD": str(place), "STAND_IN": json.dumps([*told, *steps])}
    environment = os.environ | own | dict(launch.environment)
    out, err = place / "stdout.log", place / "stderr.log"
    child = process.launch(
        launch.command, cwd=asked.worktree, environment=environment, stdout=out, stderr=err, stdin=launch.stdin
    )
    code = child.wait(timeout=60)
    errors = err.read_text("utf-8", "replace")
    assert seen["args"].exists(), f"{adapter.name} did not begin: {errors}"
    events = list(Stream(out, adapter).finish())
    tally = Tally()
    for event in events:
        tally.add(event, NOON)
    arguments, got = json.loads(seen["args"].read_text()), seen["prompt"].read_text("utf-8")
    return Performance(code, arguments, got, json.loads(seen["env"].read_text()), events, tally, errors)
