"""What a person at a terminal is told of something that takes long: that it runs, and where to look on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from threading import Timer
from typing import Final

from conductor_git.cli.output import narrate

LONG_SECONDS: Final = 2.0


@contextmanager
def looked_on(log: Path, what: str = "", *, long_seconds: float = LONG_SECONDS) -> Iterator[None]:
    """While this lasts, and for longer than `long_seconds`: say `what` it is, where that is not said yet, and its log.

    Scripts and what is quick are told nothing.
    """
    if not sys.stderr.isatty():
        yield
        return
    timer = Timer(long_seconds, _tell, (log, what))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tell(log: Path, what: str) -> None:
    if what:
        narrate("◎", what)
    narrate("↳", f"tail -f {quote(str(log))}")
