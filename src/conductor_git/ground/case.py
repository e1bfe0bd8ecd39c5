"""Names that differ in case alone, on file systems that keep one of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

_FOLDS_CASE: Final = re.compile(rb'^\s*ignorecase\s*=\s*"?(true|yes|on|1)"?\s*$', re.IGNORECASE | re.MULTILINE)
"""As git writes it into the config when it makes a repository on such a file system, and as we copy it."""


def folds_case(git_dir: Path) -> bool:
    """git found, when it made the repository, that its file system does not tell `a` from `A`."""
    with suppress(OSError):
        return bool(_FOLDS_CASE.search((git_dir / "config").read_bytes()))
    return False


def clashes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """The groups of paths that differ in case only, directories among them."""
    alike = defaultdict(set)
    for name in names:
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            alike[path.casefold()].add(path)
    return sorted(tuple(sorted(group)) for group in alike.values() if len(group) > 1)
