"""A process that holds the imported commands of conductor-git and becomes, in a fork each, those that it is asked for.

A program of its own, started by tests/kit/warm.py: `forking.py SCRIPT FD`. On the socket FD it gets, for each
command, a socket and its three standard streams; on that socket the words, the directory and the environment. It
answers with the process id, then with the exit code.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import select
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Final

from conductor_git.cli.main import main

_IN_FUNCTIONS: Final = (
    "concurrent.futures.thread git locale multiprocessing.connection portalocker psutil rich.console rich.table "
    "rich.text rich.traceback sqlite3 subprocess tempfile typer.rich_utils uuid yaml pydantic.type_adapter "
    "typer._adapters typer._click.decorators"
)
"""Imported by functions, so that no module of ours brings them here."""
_OTHERS: Final = (
    "conductor_git.cli.mcp",
    "conductor_git.cli.serve",
    "conductor_git.mcp.",
    "conductor_git.runner.agents.chatting.",
    "conductor_git.server.",
)
"""What is for programs that are seldom started from here: a fork costs what its process holds."""


def import_commands() -> None:
    import conductor_git

    ours = (found.name for found in pkgutil.walk_packages(conductor_git.__path__, "conductor_git."))
    for name in (*(name for name in ours if not name.startswith(_OTHERS)), *_IN_FUNCTIONS.split()):
        with suppress(ImportError):  # an extra that is not installed
            import_module(name)


def serve(channel: socket.socket) -> list[str]:
    """Answer until the tests end. Returns in the fork that is a command: with the words of it."""
    running: dict[int, tuple[int, socket.socket]] = {}
    waiting = select.poll()  # has no descriptor that a fork would have to close
    waiting.register(channel, select.POLLIN)
    while True:
        for fd, _ in waiting.poll():
            if fd in running:
                waiting.unregister(fd)
                _tell_end(fd, *running.pop(fd))
                continue
            asked, descriptors, _, _ = socket.recv_fds(channel, 1, 4, socket.MSG_CMSG_CLOEXEC)
            if not asked:
                os._exit(0)
            asking, *streams = descriptors
            pid = os.fork()
            if pid == 0:
                channel.close()
                for held, (_, other) in running.items():
                    os.close(held)
                    other.close()
                return _become(socket.socket(fileno=asking), streams)
            for stream in streams:
                os.close(stream)
            asker, ending = socket.socket(fileno=asking), os.pidfd_open(pid)
            asker.sendall(b"%d\n" % pid)
            running[ending] = pid, asker
            waiting.register(ending, select.POLLIN)


def _tell_end(ending: int, pid: int, asker: socket.socket) -> None:
    os.close(ending)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with asker, suppress(OSError):  # whoever asked may have given up
        asker.sendall(b"%d\n" % code)


def _become(asker: socket.socket, streams: list[int]) -> list[str]:
    with asker, asker.makefile("rb") as lines:
        asked = json.loads(lines.readline())
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    words: list[str] = asked["words"]
    return words


if __name__ == "__main__":
    script, channel = sys.argv[1], socket.socket(fileno=int(sys.argv[2]))
    sys.path[0] = str(Path(script).parent)
    import_commands()
    gc.collect()
    gc.freeze()
    sys.argv = [script, *serve(channel)]
    main()
