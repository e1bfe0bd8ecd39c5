"""Lock files that a killed git process of ours left behind: recognised, and moved aside.

git's locks are plain files, so nothing frees them when their holder is killed. Recovery names the ones that the
interrupted operation could have taken, holds that operation's own lock (so no git process of it is alive), and lets a
lock that was there all along without changing go to the quarantine. A neighbour's lock lives for milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from conductor_git import durable
from conductor_git.layout import Layout

GRACE_SECONDS: Final = 1.0

_Identity = tuple[int, int, int]
_Stamp = tuple[_Identity, _Identity | None]


def _identity(path: Path) -> _Identity | None:
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _stamp(path: Path) -> _Stamp | None:
    # `git pack-refs` holds packed-refs.lock for as long as it writes packed-refs.new, so both must stand still.
    identity = _identity(path)
    return (identity, _identity(path.with_name("packed-refs.new"))) if identity else None


def clear(layout: Layout, locks: Iterable[Path], *, label: str) -> tuple[Path, ...]:
    """Move those of `locks` that stay unchanged for `GRACE_SECONDS` to the quarantine; costs nothing where none is.

    Call it with the interrupted operation's lock held.
    """
    seen = {path: stamp for path in locks if (stamp := _stamp(path))}
    if not seen:
        return ()
    seen = _still(seen)
    durable.make_directory(layout.quarantine)
    for path in seen:
        path.replace(layout.quarantine / f"{label}.{path.name}.{time.time_ns()}")
    return tuple(seen)


def stands_still(path: Path) -> bool:
    """`path` is there and does not change for `GRACE_SECONDS`."""
    stamp = _stamp(path)
    return stamp is not None and path in _still({path: stamp})


def _still(seen: dict[Path, _Stamp]) -> dict[Path, _Stamp]:
    deadline = time.monotonic() + GRACE_SECONDS
    while seen and time.monotonic() < deadline:
        time.sleep(0.05)
        seen = {path: stamp for path, stamp in seen.items() if _stamp(path) == stamp}
    return seen


def ref_locks(layout: Layout, *refs: str) -> tuple[Path, ...]:
    """The locks that an update of `refs` takes, HEAD's own among them because its log follows its branch."""
    return (
        *(layout.common_dir / f"{ref}.lock" for ref in refs),
        layout.common_dir / "HEAD.lock",
        layout.common_dir / "packed-refs.lock",
        layout.common_dir / "packed-refs.new",
    )
