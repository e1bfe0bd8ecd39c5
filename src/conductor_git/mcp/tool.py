"""A tool: its name, what it says of itself, what it takes, and the function that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from conductor_git.mcp.arguments import Arguments, checked
from conductor_git.mcp.call import Call
from conductor_git.mcp.seat import Seat

SCHEMA: Final = 1
"""As in every document of the command line."""


@dataclass(frozen=True, slots=True)
class Tool:
    """What a client is offered; `run` answers with the keys of a document. `looks` is set where it changes nothing."""

    name: str
    text: str
    takes: type[Arguments]
    run: Callable[[Seat, Any, Call], dict[str, Any]]
    looks: bool = False

    def answer(self, seat: Seat, given: Mapping[str, Any] | None, call: Call) -> dict[str, Any]:
        """The document that the command of the same work prints with `--json`; a refusal is raised."""
        arguments = checked(self.takes, given, self.name)
        seat.require_repository()
        seat.mend()
        return {"schema": SCHEMA, **self.run(seat, arguments, call)}
