"""What runs in the terminal of an attended attempt: `python -P -m conductor_git.runner.interactive FOLDER`.

It gives the agent a terminal of its own within the one that it was started in, carries what is typed and printed, and
appends what is printed to `stdout.log`. How the agent ended is left in a file, as nobody else gets to know it.
"""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import sys
import termios
import tty
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from conductor_git import durable, environment, process
from conductor_git.errors import ConductorError
from conductor_git.outputlog import open_log
from conductor_git.run import ProcessId
from conductor_git.runner.carrying import Carrying

ORDER: Final = "terminal.json"
STARTED: Final = "terminal.started"
ENDED: Final = "terminal.ended"
_BYTES: Final = 4 << 20
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""What a shell ends with where it cannot run a command."""
_OF_A_TERMINAL: Final = ("TERM",)
_OF_ANOTHER_TERMINAL: Final = ("TMUX", "TMUX_PANE", "COLUMNS", "LINES")


@dataclass(frozen=True, slots=True)
class Order:
    """What to start. It goes through a file that only we can read, since the environment holds keys."""

    command: tuple[str, ...]
    environment: dict[str, str]
    directory: str
    stdin: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The agent's leading process and ours, or why there is none."""

    agent: ProcessId | None = None
    keeper: ProcessId | None = None
    failed: str = ""


def give(folder: Path, order: Order) -> None:
    """Leave `order` in the attempt's folder, with nothing of an earlier one beside it."""
    for name in (STARTED, ENDED):
        (folder / name).unlink(missing_ok=True)
    durable.replace(folder / ORDER, json.dumps(asdict(order)).encode(), mode=0o600)


def take_back(folder: Path) -> None:
    """Remove an order that nobody has taken."""
    (folder / ORDER).unlink(missing_ok=True)


def started(folder: Path) -> Started | None:
    """What became of the order; None as long as nothing has."""
    found = _read(folder / STARTED)
    if found is None:
        return None
    agent, keeper = (ProcessId(**found[name]) if found[name] else None for name in ("agent", "keeper"))
    return Started(agent, keeper, found["failed"])


def exit_code(folder: Path) -> int | None:
    """How the agent ended, negative for a signal; None as long as that is not known."""
    found = _read(folder / ENDED)
    return None if found is None else int(found["exit_code"])


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0])
    try:
        order = _taken(folder)
        log = open_log(folder / "stdout.log", os.O_APPEND)
    except (ConductorError, OSError, ValueError, TypeError) as failed:
        _write(folder / STARTED, asdict(Started(failed=str(failed))))
        return 1
    size = termios.tcgetwinsize(0)
    agent, terminal = pty.fork()
    if agent == 0:
        termios.tcsetwinsize(0, size)
        _become(order)
    with Carrying(agent, terminal, log) as carrying:
        _write(folder / STARTED, asdict(Started(process.identify(agent), process.identify(os.getpid()))))
        tty.setraw(0)
        code = carrying.until_over()
    _write(folder / ENDED, {"exit_code": code})
    return 0


def _taken(folder: Path) -> Order:
    """The order, which is nowhere any more then."""
    path = folder / ORDER
    try:
        found = json.loads(durable.read_regular(path, _BYTES))
    finally:
        path.unlink(missing_ok=True)
    return Order(**{**found, "command": tuple(found["command"])})


def _become(order: Order) -> NoReturn:
    """Go on as the agent: we are its leading process, and lead a session on the new terminal."""
    for number in signal.valid_signals():  # Python ignores some, tmux others, and what is ignored is inherited
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    code = _NOT_EXECUTABLE
    try:
        os.chdir(order.directory)
        if order.stdin is not None:
            os.dup2(os.open(order.stdin, os.O_RDONLY | os.O_CLOEXEC), 0)
        program = shutil.which(order.command[0], path=order.environment.get("PATH", os.defpath))
        if program is None:
            code = _NOT_FOUND
            raise FileNotFoundError(f"{order.command[0]!r} was not found, or is not executable")
        process.become([program, *order.command[1:]], _on_a_terminal(order.environment))
    except (OSError, ValueError) as failed:
        with suppress(OSError):
            os.write(1, os.fsencode(f"the agent could not be started: {failed}\n"))
    finally:
        os._exit(code)  # never on as a second one of us


def _on_a_terminal(variables: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in variables.items() if name not in _OF_ANOTHER_TERMINAL}
    ours = {name: value for name in _OF_A_TERMINAL if (value := environment.variable(name)) is not None}
    return kept | ours


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(durable.read_regular(path, _BYTES))
    except (OSError, ConductorError, ValueError):
        return None
    return found


def _write(path: Path, content: object) -> None:
    with suppress(ConductorError):  # where the disk is full, it is not known how the agent ended
        durable.replace(path, json.dumps(content).encode(), mode=0o600)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
