"""The commands as they are typed, from a file that tests make from the commands themselves: no Typer is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

PAGE: Final = Path(__file__).with_name("spelling.txt")
"""A line a command: its words, its arguments, its help; then a line an option: spellings, what it takes, help."""


class Taken(NamedTuple):
    """An option: what it takes is empty for a flag."""

    takes: str
    help: str


class Spelled(NamedTuple):
    """A command: what its arguments are called, in order, and its options by each of their spellings."""

    arguments: tuple[str, ...]
    help: str
    options: dict[str, Taken]


def spelled(text: str) -> dict[tuple[str, ...], Spelled]:
    """The commands by their words, in the order of the help."""
    found: dict[tuple[str, ...], Spelled] = {}
    last = Spelled((), "", {})
    for line in text.splitlines():
        first, second, third = line.split("\t")
        if first.startswith("-"):
            last.options.update({name: Taken(second, third) for name in first.split(" ")})
        else:
            last = Spelled(tuple(second.split(" ")) if second else (), third, {})
            found[tuple(first.split(" "))] = last
    return found
