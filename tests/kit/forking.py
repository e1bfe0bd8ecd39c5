"""A process that has imported all of conductor-git and becomes, in a fork each, the commands that it is asked for.

A program of its own, started by tests/kit/warm.py: `forking.py SCRIPT FD`. On the socket FD it gets, for each
command, a socket and its three standard streams; on that socket the words, the directory and the environment. It
answers with the process id, then with the exit code.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from conductor_git.cli.main import main

_IN_FUNCTIONS: Final = (
    "concurrent.futures.thread git locale multiprocessing.connection portalocker psutil rich.console rich.table "
    "rich.text rich.traceback sqlite3 subprocess tempfile typer.rich_utils uuid yaml"
)
"""Imported by functions, so that no module of ours brings them here."""


def import_all() -> None:
    import conductor_git

    ours = (found.name for found in pkgutil.walk_packages(conductor_git.__path__, "conductor_git."))
    for name in (*ours, *_IN_FUNCTIONS.split()):
        with suppress(ImportError):  # an extra that is not installed
            import_module(name)


def serve(channel: socket.socket) -> list[str]:
    """Answer until the tests end. Returns in the fork that is a command: with the words of it."""
    while True:
        asked, streams, _, _ = socket.recv_fds(channel, 1, 4, socket.MSG_CMSG_CLOEXEC)
        if not asked:
            os._exit(0)
        if os.fork() == 0:
            channel.close()
            return _keep(socket.socket(fileno=streams[0]), streams[1:])
        for fd in streams:
            os.close(fd)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _keep(asker: socket.socket, streams: list[int]) -> list[str]:
    """Be the parent of a command and tell how it ends; returns in the command."""
    with asker.makefile("rb") as lines:
        asked = json.loads(lines.readline())
    pid = os.fork()
    if pid == 0:
        asker.close()
        return _become(asked, streams)
    for fd in streams:
        os.close(fd)
    asker.sendall(b"%d\n" % pid)
    asker.sendall(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os._exit(0)


def _become(asked: dict[str, Any], streams: list[int]) -> list[str]:
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
    import_all()
    gc.collect()
    gc.freeze()
    sys.argv = [script, *serve(channel)]
    main()
