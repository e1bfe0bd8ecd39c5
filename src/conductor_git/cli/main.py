"""The entry point: a static table of commands, resolved on use, and the one boundary where errors become words.

Commands in plain form are answered by `hot` before anything heavy is imported; whatever it does not understand goes
the ordinary way.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from conductor_git.errors import ConductorError, NotARepository


def main() -> None:
    """`conductor-git` and `git conductor`: runs one command and exits with its documented code."""
    _open_what_is_closed()
    code = run(sys.argv[1:])
    with suppress(OSError):
        sys.stderr.flush()
    # Nothing is left to do, and to take the interpreter apart costs a tenth of a short command.
    os._exit(code)


def _open_what_is_closed() -> None:
    """Give nothing to read and nowhere to write to whoever starts us without standard streams, as git does; the next
    file that is opened would take their place."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
        name = ("stdin", "stdout", "stderr")[fd]
        setattr(sys, name, os.fdopen(fd, "r" if name == "stdin" else "w"))
    os.close(fd)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; every way to end is settled here."""
    from conductor_git.cli.output import hush

    try:
        code = _answer(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return hush()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - the boundary: what is no refusal is told as a bug, with a log to paste
        return _told(error, arguments)


def _told(error: Exception, arguments: list[str]) -> int:
    from conductor_git.cli.output import hush, report

    as_json = "--json" in words_of_ours(arguments)
    refused = error if isinstance(error, ConductorError) else of_the_system(error)
    try:
        if refused is not None:
            code = report(refused, as_json=as_json)
        else:
            from conductor_git.cli.bug import report_bug

            code = report_bug(error, arguments, as_json=as_json)
        sys.stdout.flush()
    except OSError:  # nobody can read the answer; the exit code still can be
        hush()
        return refused.exit_code if refused is not None else 3
    return code


def words_of_ours(arguments: list[str]) -> list[str]:
    """`arguments` without what follows `--`: that is an agent's command, whose options are its own."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def of_the_system(error: Exception) -> ConductorError | None:
    """The refusal for what the system would not let us do: a write, or to be where nothing is any more; else None."""
    if isinstance(error, FileNotFoundError) and _is_nowhere():
        return NotARepository("the directory that this was called from is gone", hint="cd ..")
    from pathlib import Path

    from conductor_git.durable import is_of_the_system, unwritable
    from conductor_git.errors import StateUnwritable

    if not is_of_the_system(error):
        return None
    if error.filename is None:  # only standard output is written without a name
        return StateUnwritable(f"the answer could not be written: {error.strerror}", hint="df -h", errno=error.errno)
    return unwritable(Path(error.filename), error)


def _is_nowhere() -> bool:
    from pathlib import Path

    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _answer(arguments: list[str]) -> int:
    from conductor_git.cli import hot

    code = hot.answer(arguments)
    if code is not None:
        return code
    from conductor_git.cli.commands import dispatch

    return dispatch(arguments)
