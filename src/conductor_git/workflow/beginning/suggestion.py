"""A commented `.conductor.yaml` for the kinds of project that a repository shows by its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Way:
    """How projects with the file `sign` are set up (name and command of each step) and tested.

    `gate` brings what it needs by itself: gates run in a tree of their own, where no setup has run.
    """

    kind: str
    sign: str
    setup: tuple[tuple[str, str], ...]
    gate: str


_VENV: Final = ("venv", "python3 -m venv .venv")


def _installed(what: str) -> Way:
    """A Python project without a tool for that; `what` is what pip is to install."""
    install = f".venv/bin/pip install -q {what} pytest"
    sign = what.rpartition(" ")[2] if what.startswith("-r") else "pyproject.toml"
    gate = f"{_VENV[1]} && {install} && .venv/bin/python -m pytest -q"
    return Way("Python", sign, (_VENV, ("packages", install)), gate)


def _node(sign: str, install: str, test: str) -> Way:
    return Way("Node", sign, (("modules", install),), f"{install} && {test}")


_WAYS: Final = (
    Way("Python", "uv.lock", (("packages", "uv sync"),), "uv run pytest -q"),
    Way("Python", "poetry.lock", (("packages", "poetry install"),), "poetry install -q && poetry run pytest -q"),
    _installed("-e ."),
    _installed("-r requirements.txt"),
    _node("pnpm-lock.yaml", "pnpm install --frozen-lockfile", "pnpm test"),
    _node("yarn.lock", "yarn install --frozen-lockfile", "yarn test"),
    _node("package-lock.json", "npm ci", "npm test"),
    _node("package.json", "npm install", "npm test"),
    Way("Rust", "Cargo.toml", (("crates", "cargo fetch"),), "cargo test"),
    Way("Go", "go.mod", (("modules", "go mod download"),), "go test ./..."),
)
"""The first of a kind whose file is there counts."""

_HEAD: Final = """\
# How conductor-git works on this project. Every key can be left out; what is commented out is a suggestion.
# `conductor-git config check` shows what is in force, docs/formats.md tells all keys.
version: 1
"""


def ways(repository: Path) -> tuple[Way, ...]:
    """One way for each kind of project that the files at the top of `repository` show."""
    found: dict[str, Way] = {}
    for way in _WAYS:
        if (repository / way.sign).is_file():
            found.setdefault(way.kind, way)
    return tuple(found.values())


def suggestion(found: Sequence[Way], target: str | None) -> str:
    """The text of the config; with the comment signs before its keys taken away it is one that is in force."""
    setup = [(_named(name, way, found), command) for way in found for name, command in way.setup]
    parts = [
        _HEAD,
        _part("The branch to land on; by default the one that a task is spawned from.", f"target: {target or 'main'}"),
        _steps(
            "What must pass on the merged tree before anything lands. Gates run in a tree of their own, so they\n"
            "bring what they need; and on this machine, so somebody has to agree first: conductor-git config trust",
            "gates",
            [(_named("tests", way, found), way.gate) for way in found] or [("tests", "make test")],
        ),
        _steps(
            "What makes a new worktree ready, before its agent starts.",
            "setup",
            setup or [("deps", "make deps")],
        ),
        _part(
            "The file that lists, as .gitignore would, which ignored files come along into a worktree (such as .env).",
            "include: .worktreeinclude",
        ),
        _part("How many agents work at once, and for how long.", "limits: {workers: 4, attempt_time: 60m}"),
    ]
    return "\n".join(parts)


def _named(name: str, way: Way, found: Sequence[Way]) -> str:
    """With the kind before it where there are several."""
    return name if len(found) == 1 else f"{way.kind.lower()}-{name}"


def _part(why: str, *lines: str) -> str:
    said = "".join(f"# {line}\n" for line in why.split("\n"))
    return said + "".join(f"#{line}\n" for line in lines)


def _steps(why: str, key: str, steps: Sequence[tuple[str, str]]) -> str:
    return _part(why, f"{key}:", *(f'  - {{name: {name}, run: "{command}"}}' for name, command in steps))
