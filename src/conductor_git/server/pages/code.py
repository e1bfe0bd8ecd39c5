"""Source text as HTML, line by line: what is a keyword or a string, and which words of a line changed (no I/O)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_for_filename
from pygments.token import Comment, Generic, Keyword, Literal, Name, Number, Operator, String
from pygments.util import ClassNotFound

from conductor_git.names import readable

MOST_COLOURED: Final = 256 * 1024
"""Characters of a file; a longer one is shown in one colour, as reading it takes seconds."""
_LONGEST_COMPARED: Final = 1000
_ALIKE: Final = 0.5
"""Two lines that have less in common are not one line that changed."""
_WORDS: Final = re.compile(r"\w+|\s+|.", re.DOTALL)
_CLASSES: Final[tuple[tuple[Any, str], ...]] = (
    (Comment, "t-c"),
    (Keyword.Constant, "t-n"),
    (Keyword, "t-k"),
    (Operator.Word, "t-k"),
    (String, "t-s"),
    (Number, "t-n"),
    (Literal, "t-s"),
    (Name.Function, "t-f"),
    (Name.Class, "t-f"),
    (Name.Decorator, "t-d"),
    (Name.Tag, "t-k"),
    (Name.Attribute, "t-f"),
    (Name.Builtin, "t-b"),
    (Name.Exception, "t-b"),
    (Generic.Heading, "t-k"),
    (Generic.Subheading, "t-k"),
)

CARRIAGE_RETURN: Final = "␍"
"""What a carriage return is shown as: a browser would make a line end of it."""

Piece = tuple[str, str]
"""Text and its class; the class of plain text is empty."""
Span = tuple[int, int]


def plain(text: str) -> str:
    """`text` as a page can show it, character by character."""
    return readable(text).replace("\r", CARRIAGE_RETURN)


@lru_cache(maxsize=64)
def coloured(path: str, text: str) -> tuple[tuple[Piece, ...], ...]:
    """The lines of the file `path`, in pieces of one class each; one whose language nobody knows has one class.

    Lines may end in CRLF, which is not told here.
    """
    text = plain(text.replace("\r\n", "\n"))
    lexer = None if len(text) > MOST_COLOURED else _lexer(path)
    if lexer is None:
        return tuple(((line, ""),) for line in text.split("\n"))
    lines: list[list[Piece]] = [[]]
    for kind, value in lexer.get_tokens(text):
        first, *others = value.split("\n")
        css = next((css for known, css in _CLASSES if kind in known), "")
        lines[-1].append((first, css))
        lines.extend([(other, css)] for other in others)
    return tuple(map(tuple, lines))


def _lexer(path: str) -> Lexer | None:
    try:
        return get_lexer_for_filename(path, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def marked(pieces: Sequence[Piece], spans: Sequence[Span] = ()) -> Markup:
    """`pieces` as HTML, escaped, with what lies in `spans` marked as changed."""
    told = Markup("")
    for is_changed, cut in groupby(_cut(pieces, spans), key=lambda piece: piece[2]):
        inner = Markup("").join(_html(text, css) for text, css, _ in cut)
        told += Markup("<mark>{}</mark>").format(inner) if is_changed else inner
    return told


def _html(text: str, css: str) -> Markup:
    return Markup('<span class="{}">{}</span>').format(css, text) if css else escape(text)


def _cut(pieces: Sequence[Piece], spans: Sequence[Span]) -> Iterator[tuple[str, str, bool]]:
    edges = sorted({edge for span in spans for edge in span})
    at = 0
    for text, css in pieces:
        inner = [edge for edge in edges if at < edge < at + len(text)]
        for start, end in zip([at, *inner], [*inner, at + len(text)], strict=True):
            if start < end:
                yield text[start - at : end - at], css, any(first <= start < last for first, last in spans)
        at += len(text)


def changed_words(old: str, new: str) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Which characters of two versions of a line differ, in whole words; none where they have too little in common."""
    if max(len(old), len(new)) > _LONGEST_COMPARED:
        return (), ()
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return (), ()
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    return (
        tuple(_span(before, start, end) for _, start, end, _, _ in changes if start < end),
        tuple(_span(after, start, end) for _, _, _, start, end in changes if start < end),
    )


def _span(words: Sequence[str], start: int, end: int) -> Span:
    at = sum(map(len, words[:start]))
    return at, at + sum(map(len, words[start:end]))
