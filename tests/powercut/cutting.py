"""Cuts the power of the disk at ROOT, from a script: `python -m tests.powercut.cutting ROOT`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.powercut.disk import Disk


def main() -> None:
    root = Path(sys.argv[1])
    Disk(root.with_name("image"), root).cut()


if __name__ == "__main__":
    main()
