"""A commented `.conductor.yaml` for the kinds of project that a repository shows by its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Way:
    """How projects with the file `sign` are set up and tested; `ignored` is what a worker may want to have brought."""

    kind: str
    sign: str
    setup: tuple[str, ...]
    test: str


_WAYS: Final = (
    Way("Python", "uv.lock", ("uv sync",), "uv run pytest -q"),
    Way("Python", "poetry.lock", ("poetry install",), "poetry run pytest -q"),
    Way(
        "Python",
        "pyproject.toml",
        ("python3 -m venv .venv", ".venv/bin/pip install -e ."),
        ".venv/bin/python -m pytest -q",
    ),
    Way(
        "Python",
        "requirements.txt",
        ("python3 -m venv .venv", ".venv/bin/pip install -r requirements.txt"),
        ".venv/bin/python -m pytest -q",
    ),
    Way("Node", "pnpm-lock.yaml", ("pnpm install --frozen-lockfile",), "pnpm test"),
    Way("Node", "yarn.lock", ("yarn install --frozen-lockfile",), "yarn test"),
    Way("Node", "package-lock.json", ("npm ci",), "npm test"),
    Way("Node", "package.json", ("npm install",), "npm test"),
    Way("Rust", "Cargo.toml", ("cargo fetch",), "cargo test"),
    Way("Go", "go.mod", ("go mod download",), "go test ./..."),
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
    setup = [f"{way.kind.lower()}{number}" for way in found for number, _ in enumerate(way.setup, 1)]
    commands = [command for way in found for command in way.setup]
    parts = [
        _HEAD,
        _part("The branch to land on; by default the one that a task is spawned from.", f"target: {target or 'main'}"),
        _steps(
            "What must pass on the merged tree before anything lands. They run on this machine, so somebody has to\n"
            "agree first: conductor-git config trust",
            "gates",
            [(f"{way.kind.lower()}-tests", way.test) for way in found] or [("tests", "make test")],
        ),
        _steps(
            "What makes a new worktree ready, before its agent starts.",
            "setup",
            list(zip(setup, commands, strict=True)) or [("deps", "make deps")],
        ),
        _part(
            "The file that lists, as .gitignore would, which ignored files come along into a worktree (such as .env).",
            "include: .worktreeinclude",
        ),
        _part("How many agents work at once, and for how long.", "limits: {workers: 4, attempt_time: 60m}"),
    ]
    return "\n".join(parts)


def _part(why: str, *lines: str) -> str:
    said = "".join(f"# {line}\n" for line in why.split("\n"))
    return said + "".join(f"#{line}\n" for line in lines)


def _steps(why: str, key: str, steps: Sequence[tuple[str, str]]) -> str:
    return _part(why, f"{key}:", *(f'  - {{name: {name}, run: "{command}"}}' for name, command in steps))
