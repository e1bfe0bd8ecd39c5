"""What every worker of a power cut does: begins when it is told to, works, and says what was done once it is done."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import Final, NoReturn

from conductor_git.errors import ConductorError
from tests.powercut.chance import Chance

READY: Final = "ready"
REFUSED: Final = 3
"""How a worker ends when a call of ours failed as it should, with one of our errors."""
_LINES: Final = (1, 1, 1, 3, 30, 100, 1000)


def work(name: str, step: Callable[[int], None]) -> NoReturn:
    """Call `step` with 0, 1, 2 … until one of our errors comes, from a line on standard input on."""
    acknowledge(name, READY)
    sys.stdin.readline()
    try:
        for number in count():
            step(number)
    except ConductorError as refused:
        sys.stderr.write(f"{refused.code}: {refused}\n")
        sys.exit(REFUSED)
    raise AssertionError("the power was never cut")


def acknowledge(name: str, kind: str, *words: object) -> None:
    """Say that a call has returned, and when. One write of one line, which a pipe keeps whole among the others'."""
    os.write(1, " ".join(map(str, (name, kind, time.monotonic_ns(), *words))).encode() + b"\n")


def text(name: str, number: int) -> str:
    """What the worker `name` stores at its step `number`: no two alike, no part of it like another, up to 40 KiB."""
    lines = Chance("text", name, number).choice(_LINES)
    return "\n".join(f"{name} {number} {line} of {lines}" for line in range(1, lines + 1))


def is_whole(stored: str) -> bool:
    """Whether `stored` is all of a text that some worker had."""
    name, _, rest = stored.partition(" ")
    number = rest.partition(" ")[0]
    return number.isdigit() and stored == text(name, int(number))
