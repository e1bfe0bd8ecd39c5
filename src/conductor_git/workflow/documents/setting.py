"""The config in force, as a document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conductor_git.config.layers import Setting


def settings_document(settings: Iterable[Setting]) -> dict[str, Any]:
    """The answer of `config check`: each value, and where it came from."""
    return {"settings": [{"key": item.key, "value": item.value, "origin": item.origin} for item in settings]}
