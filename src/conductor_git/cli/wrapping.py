"""Text in columns of a terminal: how wide it is there, and broken so that it fits (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_LEAD: Final = re.compile(r"\s*(?:(?:[-*+>]|[0-9]{1,3}[.)])\s+)?")
"""The indentation of a line and the mark of a list: what follows hangs under its text."""
_WORD: Final = re.compile(r"(\s*)(\S+)")


def cells(text: str) -> int:
    """The columns that `text` takes on a terminal: two for a wide character, none for one that joins the last."""
    return len(text) if text.isascii() else sum(map(_cell, text))


def wrapped(line: str, width: int) -> list[str]:
    """`line` in pieces of at most `width` columns, broken between words; an address is never broken."""
    if cells(line) <= width:
        return [line]
    match = _LEAD.match(line)
    lead = min(match.end(), width // 2) if match else 0
    row, rows, is_open = line[:lead], [], False
    for gap, word in _WORD.findall(line, lead):
        if is_open and cells(row) + cells(gap) + cells(word) > width:
            rows.append(row)
            row, is_open = " " * lead, False
        *whole, row = _broken(row + gap * is_open + word, width)
        rows += whole
        is_open = True
    return [*rows, row]


def fitting(text: str, width: int) -> str:
    """`text` in exactly `width` columns: filled up, or with its middle left out, so that both its ends are seen."""
    if cells(text) <= width:
        return text + " " * (width - cells(text))
    end = _beginning(text[::-1], (width - 1) // 3)[::-1]
    cut = f"{_beginning(text, width - 1 - cells(end))}…{end}"
    return cut + " " * (width - cells(cut))


def beginning(text: str, width: int) -> str:
    """`text`, or as much of its beginning as fits into `width` columns with an ellipsis."""
    return text if cells(text) <= width else f"{_beginning(text, width - 1).rstrip()}…"


def _broken(row: str, width: int) -> Iterator[str]:
    while cells(row) > width and "://" not in row:
        piece = _beginning(row, width)
        yield piece
        row = row[len(piece) :]
    yield row


def _beginning(text: str, width: int) -> str:
    """What of `text` fits into `width` columns, and of one character at least, so that whoever cuts gets on."""
    taken = 0
    for number, character in enumerate(text):
        taken += _cell(character)
        if taken > width and number:
            return text[:number]
    return text


def _cell(character: str) -> int:
    if character.isascii():
        return 1
    from unicodedata import category, east_asian_width

    if category(character) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(character) in ("W", "F") else 1
