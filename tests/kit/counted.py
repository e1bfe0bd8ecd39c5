"""What a command costs, counted: the git processes that it starts and the flushes that it waits for."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Final

from tests.kit.console import conductor, console_script

_FLUSH: Final = re.compile(r"^(fsync|fdatasync|syncfs)\(", re.MULTILINE)


def git_calls(scratch: Path, cwd: Path, *arguments: str) -> list[str]:
    """The words of every git command that `conductor-git *arguments` runs; those that git runs itself do not count."""
    log, program = scratch / "calls", scratch / "bin" / "git"
    program.parent.mkdir(exist_ok=True)
    real = shutil.which("git")
    assert real is not None
    program.write_text(f'#!/bin/sh\necho "$*" >>{shlex.quote(str(log))}\nexec {shlex.quote(real)} "$@"\n')
    program.chmod(0o755)
    log.write_text("")

    done = conductor(*arguments, cwd=cwd, env={"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"})

    assert done.code == 0, done
    return log.read_text().splitlines()


def flushes(scratch: Path, cwd: Path, *arguments: str) -> dict[str, int]:
    """How often `conductor-git *arguments` calls each kind of flush; those of its git processes do not count."""
    log = scratch / "flushes"
    traced = ["strace", "-qq", "-o", str(log), "-e", "trace=fsync,fdatasync,syncfs"]
    command = [*traced, str(console_script()), *arguments]
    subprocess.run(command, cwd=cwd, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return dict(Counter(_FLUSH.findall(log.read_text())))
