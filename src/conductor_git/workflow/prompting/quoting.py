"""The words of others within a prompt: without secrets and control characters, bounded, and told from our own."""

from __future__ import annotations

import re
from typing import Final

from conductor_git.environment import inherited
from conductor_git.masking import mask, secret_values
from conductor_git.names import readable

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def words_of(text: str, most: int, more: str = "…") -> str:
    """`text` as it can stand in a prompt: of one that is longer than `most` characters the beginning, and `more`.

    Masked before it is cut, because half a secret looks like none.
    """
    said = mask(readable(text).replace("\r\n", "\n"), secret_values(inherited()))
    said = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", said)
    return said if len(said) <= most else f"{said[:most]}{more}"


def line_of(text: str, most: int = 200) -> str:
    """`words_of` on one line."""
    return " ".join(words_of(text, most).split())


def quoted(text: str) -> str:
    """`text` as a Markdown quote, so that nothing in it reads as a heading or a command of ours."""
    return "\n".join(f"> {line}".rstrip() for line in text.rstrip("\n").split("\n"))
