"""What a streamed answer adds up to: its text, its sources, what it cost, and whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from conductor_git.errors import TooLarge

MOST_BYTES: Final = 8 << 20
_MOST_SOURCES: Final = 1000


@dataclass(slots=True)
class Answer:
    """Grows chunk by chunk. `numbered` are its sources, title and address, by the number the text calls them by."""

    parts: list[str] = field(default_factory=list)
    numbered: dict[int, tuple[str, str]] = field(default_factory=dict)
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    is_whole: bool = False
    """Whether the provider said that this was all."""
    cut: str = ""
    """Why the provider ended it early, where it did."""
    failure: str = ""
    """What the provider says went wrong in the middle."""
    bytes: int = 0

    def add(self, text: str) -> None:
        """Go on with `text`; `TooLarge` where the answer would be longer than 8 MiB."""
        self.bytes += len(text.encode())
        if self.bytes > MOST_BYTES:
            raise TooLarge(f"the answer is longer than {MOST_BYTES >> 20} MiB")
        self.parts.append(text)

    def cite(self, number: int | None, title: str, address: str) -> None:
        """Keep a source: under its number, or the next free one where it has none or another source has it."""
        source = (" ".join(title.split()), address.strip())
        if not _is_address(source[1]) or len(self.numbered) >= _MOST_SOURCES or source in self.numbered.values():
            return
        if number is None or self.numbered.get(number, source) != source:
            number = max(self.numbered, default=0) + 1
        self.numbered[number] = source

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @property
    def markdown(self) -> str:
        """The answer as a file: the text, what cut it off, and the sources as a list."""
        cut = f"\n\n(The provider cut the answer off here: {self.cut}.)" if self.cut else ""
        listed = "\n".join(f"{number}. {_linked(*self.numbered[number])}" for number in sorted(self.numbered))
        return self.text.strip() + cut + (f"\n\n## Sources\n\n{listed}" if listed else "") + "\n"


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://")) and text.isprintable() and not set(text) & set(' <>"')


def _linked(title: str, address: str) -> str:
    title = title.replace("[", "(").replace("]", ")")
    return f"[{title}](<{address}>)" if title else f"<{address}>"
