"""A bug: what to paste where, and exit code 3."""

from __future__ import annotations

import platform
import sys
import tempfile
import traceback
from shlex import quote

from conductor_git import __version__
from conductor_git.cli.output import document, narrate
from conductor_git.environment import inherited
from conductor_git.masking import mask, secret_values


def report_bug(bug: Exception, arguments: list[str], *, as_json: bool) -> int:
    """Write a log of `bug` with secrets masked, say where it is, and return 3."""
    error = bug_error(bug, arguments)
    if as_json:
        document(error=error)
    else:
        narrate("✗", error["message"] or "")
        narrate("↳", f"please report it with {error['log'] or 'the lines above'}")
    return 3


def bug_error(bug: Exception, arguments: list[str]) -> dict[str, str | None]:
    """The `error` of a document for `bug`, whose log was written."""
    trace = "".join(traceback.format_exception(bug))
    facts = f"conductor-git {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    log = _written(mask(f"{facts}arguments: {arguments}\n\n{trace}", secret_values(inherited())))
    message = f"this is a bug in conductor-git: {type(bug).__name__}: {bug}"
    return {"code": "BUG", "message": message, "hint": f"cat {quote(log)}" if log else "see stderr", "log": log}


def _written(text: str) -> str | None:
    """Where the log lies; None where no place took it, and it went to standard error."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="conductor-git-bug-", suffix=".log", delete=False) as log:
            log.write(text)
    except OSError:
        print(text, file=sys.stderr)
        return None
    return log.name
