"""Any command as an agent: a template of the config, or what stands after `--` on the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from conductor_git.runner.agents.base import AgentEvent, Ask, Kind, Launch

_FIELD: Final = re.compile(r"\{(prompt_file|output_file|worktree|model)\}")


class Command:
    """A command template. What it says is plain text, and nothing is known of its version or its cost.

    `{prompt_file}`, `{output_file}`, `{worktree}` and `{model}` are filled in wherever they stand in a word; a word is
    never split, no shell reads it, and other braces are left alone. Without `{prompt_file}` the prompt is its standard
    input. `keys` None lets it keep all of the environment.
    """

    def __init__(self, name: str, command: tuple[str, ...], keys: tuple[str, ...] | None = None) -> None:
        if not command:
            raise ValueError("a command has a program")
        self._name, self._command, self._keys = name, command, keys

    @property
    def name(self) -> str:
        return self._name

    @property
    def program(self) -> str:
        return self._command[0]

    @property
    def keys(self) -> tuple[str, ...]:
        return self._keys or ()

    @property
    def keeps_environment(self) -> bool:
        """Whether it gets every variable, whoever's key that holds."""
        return self._keys is None

    @property
    def needs_key(self) -> bool:
        return False

    @property
    def edits(self) -> bool:
        return True

    @property
    def version_command(self) -> tuple[str, ...]:
        return ()

    @property
    def oldest(self) -> tuple[int, ...]:
        return ()

    def launch(self, ask: Ask) -> Launch:
        values = {
            "prompt_file": str(ask.prompt),
            "output_file": str(ask.output),
            "worktree": str(ask.worktree),
            "model": ask.model or "",
        }
        words = [_FIELD.sub(lambda field: values[field[1]], word) for word in (*self._command, *ask.args)]
        by_file = any("{prompt_file}" in word for word in (*self._command, *ask.args))
        return Launch(tuple(words), None if by_file or ask.attended else ask.prompt)

    def events(self, line: str) -> Iterable[AgentEvent]:
        return [AgentEvent(Kind.TEXT, f"{line}\n", part=True)]
