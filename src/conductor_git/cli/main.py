"""The entry point: a static table of commands, resolved on use, and the one boundary where errors become words.

Hot commands (`heartbeat`, `bus post`, `ctx`) are answered by `hot` before anything heavy is imported; whatever it
does not understand goes the ordinary way.
"""

from __future__ import annotations

import sys

from conductor_git.errors import ConductorError


def main() -> None:
    """`conductor-git` and `git conductor`: runs one command and exits with its documented code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; every way to end is settled here."""
    from conductor_git.cli.output import hush, report

    try:
        code = _answer(arguments)
        sys.stdout.flush()
        return code
    except ConductorError as refused:
        return report(refused, as_json="--json" in arguments)
    except BrokenPipeError:
        return hush()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except Exception as bug:  # noqa: BLE001 - the boundary: a bug is told as one, with a log to paste
        from conductor_git.cli.bug import report_bug

        return report_bug(bug, arguments)


def _answer(arguments: list[str]) -> int:
    from conductor_git.cli import hot

    code = hot.answer(arguments)
    if code is not None:
        return code
    from conductor_git.cli.commands import dispatch

    return dispatch(arguments)
