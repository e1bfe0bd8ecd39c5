"""SIGTERM ends a command as ^C does: through its `finally` blocks, with an exit code of its own."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def obey() -> None:
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature is signal's
    sys.exit(143)
