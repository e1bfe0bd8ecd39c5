"""The moment between two git commands of ours: something of the test's happens there, to a real process.

A program called `git` comes first on PATH. It is the real git, but around the one command that is meant it first or
afterwards runs a shell script: another person's commit, a SIGKILL of whoever called git.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

KILL_CALLER = "kill -KILL $PPID"


def interpose(directory: Path, command: str, *, before: str = "", after: str = "") -> dict[str, str]:
    """The environment in which `before` and `after` run around every git call whose words begin with `command`.

    They run once: a file in `directory` says that it has happened. `$REAL_GIT` is git itself.
    """
    directory.mkdir()
    real = shutil.which("git")
    assert real is not None
    script = directory / "git"
    script.write_text(
        f"""#!/bin/sh
export REAL_GIT={shlex.quote(real)}
happened={shlex.quote(str(directory / "happened"))}
case "$*" in
{_pattern(command)}) [ -e "$happened" ] && exec "$REAL_GIT" "$@" ;;
*) exec "$REAL_GIT" "$@" ;;
esac
: > "$happened"
{before or ":"}
"$REAL_GIT" "$@"
code=$?
{after or ":"}
exit $code
"""
    )
    script.chmod(0o755)
    return {"PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"}


def happened(directory: Path) -> bool:
    """Whether the moment came: a test that never met it has shown nothing."""
    return (directory / "happened").exists()


def _pattern(command: str) -> str:
    return f"{shlex.quote(command)}*"
