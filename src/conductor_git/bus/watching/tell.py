"""How a follower speaks to the person who watches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Tell = Callable[[str], None]
"""Where a follower says, once, what the person who watches should know."""


def cut_by_hand(bus: Path, seen: str) -> str:
    """What is told where somebody changed a bus under its follower."""
    return f"{bus} was cut or replaced by hand; going on with what is newer than {seen or 'nothing'}"


def unheard(_: str) -> None:
    """The `Tell` of those who do not listen."""
