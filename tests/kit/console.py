"""The installed command as a process of its own: what a person and a script meet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.kit import warm

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
    environment = os.environ | dict(env or {})
    given = (input or "").encode("utf-8", "surrogateescape")
    done = warm.run(console_script(), list(arguments), cwd, environment, given, _HANG_SECONDS)
    done = done or _executed(arguments, cwd, environment, given)
    out, err = (data.decode("utf-8", "surrogateescape") for data in (done.out, done.err))
    return Completed(done.code, out, err)


def _executed(arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], given: bytes) -> warm.Ended:
    done = subprocess.run(
        [console_script(), *arguments],
        cwd=cwd,
        env=environment,
        input=given,
        capture_output=True,
        timeout=_HANG_SECONDS,
        check=False,
    )
    return warm.Ended(done.returncode, done.stdout, done.stderr)
