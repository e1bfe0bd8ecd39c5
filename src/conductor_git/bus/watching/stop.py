"""What ends a follower: a word from elsewhere, or a time."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Self


class Stop:
    """Ends every follower that was given it: by `set`, from another thread or a signal handler, or after `seconds`.

    Its `fileno` becomes readable when it is set, so that a follower can sleep on it and on its bus at once.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._is_set = False

    def set(self) -> None:
        if not self._is_set:
            self._is_set = True
            os.write(self._write, b"x")

    @property
    def is_set(self) -> bool:
        return self._is_set or self.left() == 0

    def left(self) -> float | None:
        """Seconds until it sets itself, never negative; None where it does not."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def fileno(self) -> int:
        return self._read

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()
