"""The installed command as a process of its own: what a person and a script meet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_HANG_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended: its exit code (negative for a signal) and its two streams."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that `--json` promises."""
        return json.loads(self.out)


def console_script(name: str = "conductor-git") -> Path:
    """Where the environment that runs the tests has installed the command."""
    return Path(sys.executable).parent / name


def conductor(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    input: str | None = None,  # noqa: A002 - named as in subprocess.run
) -> Completed:
    """Run `conductor-git *arguments` in `cwd` to its end.

    `env` is added to the test's environment. Without `input`, standard input is empty. Any exit code is an answer; no
    end within two minutes is a hang and raises `subprocess.TimeoutExpired`.
    """
    done = subprocess.run(
        [console_script(), *arguments],
        cwd=cwd,
        env=os.environ | dict(env or {}),
        input=(input or "").encode("utf-8", "surrogateescape"),
        capture_output=True,
        timeout=_HANG_SECONDS,
        check=False,
    )
    out, err = (data.decode("utf-8", "surrogateescape") for data in (done.stdout, done.stderr))
    return Completed(done.returncode, out, err)
