"""Secrets out of text that people read: logs, messages, pages (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

MASK: Final = "[masked]"
SHORTEST_SECRET: Final = 8
"""Shorter values are left alone: `true`, `1` or a port would be masked wherever they stand."""
REACH: Final = 8192
"""How many bytes around a cut are looked at for a secret that lies across it."""

_SECRET_NAMES: Final = ("_TOKEN", "_KEY", "_SECRET")
_FORMATS: Final = (
    # What is followed by no digit is prose: `sk-` begins many a branch name.
    r"(?:sk|pplx|xai)-(?=[A-Za-z_-]{0,200}[0-9])[A-Za-z0-9_-]{16,}",
    r"gh[oprsu]_[A-Za-z0-9]{16,}",
    r"github_pat_[A-Za-z0-9_]{16,}",
    r"A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])",
    r"AIza[A-Za-z0-9_-]{30,}",
    r"cgt_[0-9a-f]{8}_[A-Za-z0-9_-]{43}",  # our own, of `serve`
)
_KNOWN: Final = re.compile(
    rf"(?<![A-Za-z0-9])(?:{'|'.join(_FORMATS)})|(?P<scheme>\b(?i:Bearer)\s{{1,8}})[A-Za-z0-9._~+/-]{{16,}}=*",
    re.ASCII,
)


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with every one of `secrets` and everything that looks like a provider's key replaced by `MASK`."""
    given = _any_of(tuple(secrets))
    if given is not None:
        text = given.sub(MASK, text)
    return _KNOWN.sub(lambda found: (found["scheme"] or "") + MASK, text)


@lru_cache(maxsize=8)
def _any_of(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    longest_first = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def mask_bytes(data: bytes, secrets: Iterable[str] = ()) -> bytes:
    """`mask` on UTF-8; bytes that are not UTF-8 come through unchanged."""
    return mask(data.decode("utf-8", "surrogateescape"), secrets).encode("utf-8", "surrogateescape")


def seam(data: bytes | bytearray, at: int, secrets: Iterable[str] = ()) -> tuple[int, int]:
    """Where `data` can be cut so that no secret is cut: at `at`, or before and after the secret that lies across it.

    Each part can then be masked by itself. A key of a known format that is longer than `REACH` may be cut all the same.
    """
    given = tuple(secret.encode("utf-8", "surrogateescape").decode("latin-1") for secret in secrets)
    reach = max(REACH, *map(len, given), 0)
    first = max(0, at - reach)
    text = data[first : at + reach].decode("latin-1")  # a character for each byte
    start = end = at - first
    for pattern in (_any_of(given), _KNOWN, _any_of(given)):  # the one may begin within the other
        for found in pattern.finditer(text) if pattern else ():
            if found.start() < end and start < found.end():
                start, end = min(start, found.start()), max(end, found.end())
    return first + start, first + end


def secret_values(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values of `environment` whose names say that they are secret: `*_TOKEN`, `*_KEY`, `*_SECRET`."""
    return tuple(value for name, value in environment.items() if name.upper().endswith(_SECRET_NAMES))
