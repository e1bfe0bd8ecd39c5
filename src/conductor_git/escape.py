"""Did anything in a person's checkout change while an agent ran? A fingerprint of it, and what differs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from conductor_git import integration, worktree
from conductor_git.gitcmd import Git
from conductor_git.history import tip_of
from conductor_git.layout import Layout


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """HEAD of a checkout, and size and time of every file in it that differs from HEAD."""

    head: str
    files: dict[str, tuple[int, int]] = field(default_factory=dict)

    def differs(self, later: Fingerprint) -> tuple[str, ...]:
        """The paths that changed between the two, `HEAD` among them; none of the contents."""
        paths = {path for path in {*self.files, *later.files} if self.files.get(path) != later.files.get(path)}
        return tuple(sorted(paths | ({"HEAD"} if self.head != later.head else set())))


def fingerprint(git: Git, layout: Layout, checkout: Path) -> Fingerprint:
    """What the main checkout at `checkout` looks like now. Reads only, on a private copy of its index."""
    tip = tip_of(git, "HEAD")
    if tip is None:
        return Fingerprint("")
    looking = integration.opened(layout, git)
    paths = worktree.uncommitted(looking, layout, checkout, tip, git_dir=layout.common_dir)
    head = (layout.common_dir / "HEAD").read_text().strip()
    return Fingerprint(f"{head} {tip}", {path: _stamp(checkout / path) for path in paths})


def _stamp(file: Path) -> tuple[int, int]:
    try:
        status = file.lstat()
    except OSError:
        return (-1, 0)
    return (status.st_size, status.st_mtime_ns)
