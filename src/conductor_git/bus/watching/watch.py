"""Waiting for a file to change: by inotify where the system tells of changes, and by looking where it does not."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from conductor_git.bus.watching.looks import PAUSE, Looks, distant

if TYPE_CHECKING:
    from conductor_git.bus.watching.inotify import Inotify
    from conductor_git.bus.watching.stop import Stop
    from conductor_git.bus.watching.tell import Tell


class Watch:
    """Wakes a follower when the file `path` may have changed, come, gone, been renamed or replaced.

    A round of the follower is `arm`, a look at the file, `wait`. No change after `arm` is missed by the `wait` after
    it; there may be a wake without a change. Where nobody tells of changes, `wait` looks 20 times a second instead,
    which is said once, through `tell`. The file and its directories need not be there. One thread uses it at a time.
    """

    def __init__(self, path: Path, tell: Tell) -> None:
        self._path = Path(os.path.abspath(path))
        self._tell = tell
        self._means: Inotify | Looks = self._best()

    def arm(self) -> None:
        """Call it before each look at the file."""
        try:
            self._means.arm()
        except OSError as error:
            self._means.close()
            self._means = self._looks(_refused(error))
            self._means.arm()

    def wait(self, stop: Stop | None) -> None:
        """Sleep until something may have happened since the last `arm`, or until `stop`."""
        self._means.wait(stop)

    def close(self) -> None:
        self._means.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def _best(self) -> Inotify | Looks:
        if sys.platform != "linux":
            return self._looks("this system has no inotify")
        if kind := distant(self._path):
            return self._looks(f"nobody tells of what other machines write to its file system ({kind})")
        try:
            # Only followers pay for the import.
            from conductor_git.bus.watching.inotify import Inotify

            return Inotify(self._path)
        except ImportError:
            return self._looks("the Python package inotify_simple is not installed")
        except OSError as error:
            return self._looks(_refused(error))

    def _looks(self, why: str) -> Looks:
        self._tell(f"{self._path} is looked at every {PAUSE * 1000:.0f} ms, since {why}; messages come a little later.")
        return Looks(self._path)


def _refused(error: OSError) -> str:
    return f"the kernel refused to watch it ({error.strerror})"
