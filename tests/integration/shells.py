"""Shell scripts that behave as agents and gates do, and how to tell that they are gone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from conductor_git.process import identify, is_alive

FOREVER: Final = "exec sleep 600"
DEAF: Final = "trap '' TERM; touch deaf; while :; do sleep 600; done"
# Starts a shell in a session of its own, as a daemon does; setsid(1) is missing on macOS.
IN_A_SESSION: Final = (
    f'{sys.executable} -c \'import os, sys; os.setsid(); os.execv("/bin/sh", ["sh", "-c", sys.argv[1]])\''
)


def is_gone(pid_file: Path) -> bool:
    process = identify(int(pid_file.read_text()))
    return process is None or not is_alive(process)
