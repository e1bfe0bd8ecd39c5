"""What an agent shows a person who sits before it: plain words, and the prompt that it was told to read."""

# ruff: noqa: ARG002 - a voice is told more than each agent says

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.agents import acting


class Screen:
    """The voice of an agent on a terminal."""

    def begin(self, prompt: str) -> None:
        _show(f"> {prompt}")

    def say(self, text: str) -> None:
        _show(text)

    def tool(self, name: str, what: str) -> None:
        _show(f"| {name} {what}")

    def limit(self, kind: str, seconds: int) -> int:
        _show(f"Error: {kind}")
        return 1

    def end(self, code: int, said: str, spent: acting.Spent) -> None:
        _show("bye")


def require_terminal() -> None:
    """End with 1 where nobody could see it."""
    if not sys.stdout.isatty():
        sys.stderr.write("it needs a terminal\n")
        sys.exit(1)


def told_prompt(argument: str) -> str:
    """What is in the file that `argument` tells it to read."""
    told = re.search(r"the file (\S+) and", argument)
    return Path(told[1]).read_text("utf-8") if told else argument


def _show(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
