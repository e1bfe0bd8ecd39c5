"""What an attempt's events add up to: its cost, its answer, and what its provider or itself complained about."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

from conductor_git.runner.agents import limits
from conductor_git.runner.agents.base import AgentEvent, Kind, Limit

LONGEST_ANSWER: Final = 1 << 20
_LONGEST_ERROR: Final = 4096
_PIECES: Final = 512
_SERVED: Final = (Kind.TEXT, Kind.TOOL, Kind.RESULT)
"""What an agent says only while its provider serves it."""


class Tally:
    """The sum of the events so far. Its size is bounded, however much the agent says."""

    def __init__(self) -> None:
        self.cost_usd: float | None = None
        self.tokens_in: int | None = None
        self.tokens_out: int | None = None
        self.events = 0
        self.result: str | None = None
        self.error: str | None = None
        """The end of the last error that it told."""
        self.limit: Limit | None = None
        """The limit that it stopped at; None as soon as it was served again."""
        self.until: datetime | None = None
        """When that is over, where it was told."""
        self._said: list[str] = []
        self._is_open = False

    def add(self, event: AgentEvent, now: datetime | None = None) -> None:
        """Count `event`, said at `now`: without it, a limit that lasts "20 s" has no known end."""
        self.events += 1
        self._add_figures(event)
        if event.kind in _SERVED:
            self.limit = self.until = None
        if event.kind is Kind.TEXT:
            self._say(event)
        elif event.kind is Kind.RESULT and event.text.strip():
            self.result = event.text
        elif event.kind in (Kind.ERROR, Kind.LIMIT) and event.text.strip():
            self.error = event.text.strip()[-_LONGEST_ERROR:]
        if event.kind is not Kind.USAGE:
            self._is_open = event.kind is Kind.TEXT and event.part
        if event.limit is not None:
            self._stop_at(event.limit, event.until or limits.until(event.text, now))

    def answer(self) -> str:
        """What `output.md` is made of: the agent's last word, or what it said where it had none; at most 1 MiB."""
        if self.result is not None:
            return _bounded(self.result.strip())
        return _end("".join(self._said)).strip()

    def _add_figures(self, event: AgentEvent) -> None:
        self.tokens_in = _sum(self.tokens_in, event.tokens_in, event.total)
        self.tokens_out = _sum(self.tokens_out, event.tokens_out, event.total)
        if event.cost_usd is not None and math.isfinite(event.cost_usd) and event.cost_usd >= 0:
            self.cost_usd = event.cost_usd + (0.0 if event.total else self.cost_usd or 0.0)

    def _say(self, event: AgentEvent) -> None:
        if self._said and not self._is_open:
            self._said.append("\n\n")
        self._said.append(event.text)
        if len(self._said) > _PIECES or len(event.text) > LONGEST_ANSWER // _PIECES:
            self._said = [_end("".join(self._said))]

    def _stop_at(self, limit: Limit, until: datetime | None) -> None:
        if until is not None or limit is not self.limit:  # else the same limit, told a second time with less
            self.until = until
        self.limit = limit


def _sum(before: int | None, more: int | None, is_total: bool) -> int | None:
    if more is None or more < 0:
        return before
    return more if is_total else (before or 0) + more


def _bounded(text: str) -> str:
    """The beginning of `text`, as much as an answer may have in UTF-8."""
    return text.encode("utf-8", "replace")[:LONGEST_ANSWER].decode("utf-8", "ignore")


def _end(text: str) -> str:
    """The end of `text`, as much as an answer may have in UTF-8."""
    data = text.encode("utf-8", "replace")
    return text if len(data) <= LONGEST_ANSWER else data[-LONGEST_ANSWER:].decode("utf-8", "ignore")
