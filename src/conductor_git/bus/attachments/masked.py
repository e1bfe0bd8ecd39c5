"""Secrets out of text that is too long to be held as one."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Final

from conductor_git.masking import mask

_AHEAD: Final = 4096
"""More characters than any secret format needs to be recognised."""


def is_text(chunks: Iterator[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in chunks:
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _decoded(chunks: Iterator[bytes]) -> Iterator[str]:
    # What is no text any more since it was looked at keeps its bytes, and is masked all the same.
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def masked(chunks: Iterator[bytes], secrets: tuple[str, ...]) -> Iterator[bytes]:
    """The text masked piece by piece, to the same bytes as if it were masked as one."""
    ahead = _AHEAD + max(map(len, secrets), default=0)
    text, enough = "", 0
    for chunk in _decoded(chunks):
        text += chunk
        if len(text) < enough:
            continue
        done, cut = _up_to_a_cut(text, len(text) - ahead, secrets)
        yield _bytes(done)
        # Where every cut would go through a secret, twice as much comes in before the next look.
        text, enough = (text[cut:], 0) if cut else (text, 2 * len(text))
    yield _bytes(mask(text, secrets))


def _up_to_a_cut(text: str, last: int, secrets: tuple[str, ...]) -> tuple[str, int]:
    """What comes before a place, at most `last`, where `text` can be cut without changing what is masked."""
    if last <= 0:
        return "", 0
    whole = mask(text, secrets)
    for cut in (text.rfind("\n", 0, last), text.rfind(" ", 0, last), last, last // 2):
        if cut > 0 and (masked := mask(text[:cut], secrets)) + mask(text[cut:], secrets) == whole:
            return masked, cut
    return "", 0


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
