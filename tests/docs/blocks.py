"""Fenced blocks of a Markdown page: found, taken apart into commands with what they print, and put back."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).parents[2]
ANYTHING: Final = "…"
"""A line that stands for any number of lines of output, also none."""

_CONSOLE: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Typed:
    """One command as the page shows it, and the lines it prints there. `command` may be several lines long."""

    command: str
    output: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"$ {self.command}", *self.output])


def pages() -> list[Path]:
    """Every page that a person reads: README, CHANGELOG, CONTRIBUTING, and docs/ with all below it."""
    return sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])


def typed(block: str) -> Iterator[Typed]:
    """The commands of a block: a line after `$ `, going on while the shell would ask for more, then its output."""
    command: list[str] = []
    output: list[str] = []
    for line in block.splitlines():
        if command and not output and _is_open("\n".join(command)):
            command.append(line)
        elif line.startswith("$ "):
            if command:
                yield Typed("\n".join(command), tuple(output))
            command, output = [line.removeprefix("$ ")], []
        else:
            assert command, f"a console block begins with a command, not with {line!r}"
            output.append(line)
    if command:
        yield Typed("\n".join(command), tuple(output))


def _is_open(command: str) -> bool:
    """A backslash at the end, or a quotation that is not closed."""
    try:
        shlex.split(command)
    except ValueError:
        return True
    return command.endswith("\\")


def is_run(block: str) -> bool:
    """Blocks that begin with `$ ` are run; one without prompts only shows what to type."""
    return block.startswith("$ ")


def consoles(page: str) -> list[str]:
    return [block for block in _CONSOLE.findall(page) if is_run(block)]


def rewritten(page: str, change: Callable[[str], str]) -> str:
    """`page` with `change` applied to the text of every console block that is run."""

    def one(match: re.Match[str]) -> str:
        return f"```console\n{change(match[1])}```" if is_run(match[1]) else match[0]

    return _CONSOLE.sub(one, page)


def matches(wanted: tuple[str, ...], got: tuple[str, ...]) -> bool:
    """Whether the lines `got` are those that the page shows, where `ANYTHING` stands for whatever came."""
    if not wanted:
        return not got
    if wanted[0].strip() == ANYTHING:
        return any(matches(wanted[1:], got[start:]) for start in range(len(got) + 1))
    return bool(got) and wanted[0] == got[0] and matches(wanted[1:], got[1:])
