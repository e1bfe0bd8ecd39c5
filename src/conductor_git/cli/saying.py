"""What an agent says, for people: its words as they are, everything else a marked line."""

from __future__ import annotations

from typing import Final, TextIO

from conductor_git.cli.output import coloured, symbol_colour
from conductor_git.outputlog import plain
from conductor_git.runner.agents.base import AgentEvent, Kind

_QUIET: Final = "2"
_SYMBOLS: Final = {Kind.TOOL: "·", Kind.RESULT: "✓", Kind.ERROR: "✗", Kind.LIMIT: "▲", Kind.USAGE: "·"}


class Saying:
    """Writes events to `stream`, one after the other; nothing in them steers a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_open = False
        """Whether the last line has no end yet: a piece of text goes on."""
        self._text = ""

    def say(self, event: AgentEvent) -> None:
        if event.kind is Kind.TEXT:
            self._say_text(event)
        elif event.kind is Kind.OTHER:
            self._line(plain(event.text))
        else:
            self._say_marked(event)
        if figures := _figures(event):
            self._line(self._quiet(f"{_SYMBOLS[Kind.USAGE]} {figures}"))
        self._stream.flush()

    def end(self) -> None:
        """Whoever writes next begins a line."""
        if self._is_open:
            print(file=self._stream)
            self._is_open = False

    def _say_text(self, event: AgentEvent) -> None:
        text = plain(event.text)
        if not event.part:
            self._line(text.rstrip("\n"))
            self._text = text.strip()
            return
        self._stream.write(text)
        self._is_open = not text.endswith("\n")

    def _say_marked(self, event: AgentEvent) -> None:
        text = plain(event.text).strip()
        symbol = _SYMBOLS[event.kind]
        if event.kind is Kind.TOOL:
            self._line(self._quiet(f"{symbol} {' '.join(text.split())}"))
        elif text:
            # A last word is often the last text once more.
            text = "its last word" if event.kind is Kind.RESULT and text == self._text else text
            until = f" (until {event.until:%Y-%m-%d %H:%M:%S} UTC)" if event.until else ""
            self._line(f"{coloured(symbol, symbol_colour(symbol) or _QUIET, self._stream)} {text}{until}")

    def _line(self, text: str) -> None:
        self.end()
        print(text, file=self._stream)

    def _quiet(self, text: str) -> str:
        return coloured(text, _QUIET, self._stream)


def _figures(event: AgentEvent) -> str:
    tokens = ((event.tokens_in, "tokens in"), (event.tokens_out, "tokens out"))
    told = [f"{count:,} {what}" for count, what in tokens if count is not None]
    told += [f"${event.cost_usd:.4f}"] if event.cost_usd is not None else []
    return ", ".join([*told, "in all"] if told and event.total else told)
