"""Chance that can be repeated."""

from __future__ import annotations

import os
import random
from typing import Final

SEED: Final = os.environ.get("POWERCUT_SEED", "3")


class Chance(random.Random):
    """The same numbers for the same `what` at every run with the same POWERCUT_SEED."""

    def __init__(self, *what: object) -> None:
        super().__init__("/".join(map(str, (SEED, *what))))
