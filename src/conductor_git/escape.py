"""Did anything in a person's checkout change while an agent ran? A fingerprint of it, and what differs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from conductor_git import integration, worktree
from conductor_git.gitcmd import Git
from conductor_git.history import tip_of
from conductor_git.layout import Layout

_MOVING_SECONDS: Final = 3.0
"""How long a landing, or a person's git command, may hold the checkout's index before we look all the same."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """HEAD of a checkout, the commit it stands for, and size and time of every file in it that differs from HEAD."""

    head: str
    tip: str = ""
    files: dict[str, tuple[int, int]] = field(default_factory=dict)

    def differs(self, later: Fingerprint, landings: Mapping[str, str]) -> tuple[str, ...]:
        """The paths that changed between the two, `HEAD` among them; none of the contents.

        A tip that moved by `landings` alone (the target before → the commit that landed) is not a change: a landing
        fast-forwards the checkout of its target, and another worker's landing is nobody's escape.
        """
        paths = {path for path in {*self.files, *later.files} if self.files.get(path) != later.files.get(path)}
        moved = self.head != later.head or not _leads(self.tip, later.tip, landings)
        return tuple(sorted(paths | ({"HEAD"} if moved else set())))


def _leads(tip: str, to: str, landings: Mapping[str, str]) -> bool:
    for _ in range(len(landings)):
        if tip == to:
            break
        tip = landings.get(tip, tip)
    return tip == to


def fingerprint(git: Git, layout: Layout, checkout: Path) -> Fingerprint:
    """What the main checkout at `checkout` looks like now. Reads only, on a private copy of its index.

    Between two landings, never in the middle of one: while one writes the checkout, it holds `index.lock`.
    """
    if checkout == layout.common_dir:
        return Fingerprint("")  # a bare repository has none
    deadline = time.monotonic() + _MOVING_SECONDS
    lock = layout.common_dir / "index.lock"
    while True:
        # Free before and after: what a killed landing left can be mended while we look.
        was_held = lock.exists()
        found = _look(git, layout, checkout)
        settled = not was_held and not lock.exists() and (tip_of(git, "HEAD") or "") == found.tip
        if settled or time.monotonic() >= deadline:
            return found
        time.sleep(0.01)


def _look(git: Git, layout: Layout, checkout: Path) -> Fingerprint:
    tip = tip_of(git, "HEAD")
    if tip is None:
        return Fingerprint("")
    looking = integration.opened(layout, git)
    paths = worktree.uncommitted(looking, layout, checkout, tip, git_dir=layout.common_dir)
    head = (layout.common_dir / "HEAD").read_text().strip()
    return Fingerprint(head, tip, {path: _stamp(checkout / path) for path in paths})


def _stamp(file: Path) -> tuple[int, int]:
    try:
        status = file.lstat()
    except OSError:
        return (-1, 0)
    return (status.st_size, status.st_mtime_ns)
