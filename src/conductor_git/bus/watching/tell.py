"""How a follower speaks to the person who watches."""

from __future__ import annotations

from collections.abc import Callable

Tell = Callable[[str], None]
"""Where a follower says, once, what the person who watches should know."""


def unheard(_: str) -> None:
    """The `Tell` of those who do not listen."""
