"""The one section that `hooks install` puts into the repository's git config, and takes out again to the byte."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git import durable, gitlocks
from conductor_git.errors import HookChanged, LockTimeout
from conductor_git.layout import Layout

INCLUDED: Final = "conductor/installed-hooks/gitconfig"
KEY: Final = "includeif.gitdir:./worktrees/*.path"
"""The key that the section sets, as `git config --list` shows it; its value is `INCLUDED`."""

_SECTION: Final = f"""\
# conductor-git hooks install; taken out by: conductor-git hooks uninstall
[includeIf "gitdir:./worktrees/*"]
\tpath = {INCLUDED}
""".encode()
_BEGUN: Final = b"\n# the line before had no end\n" + _SECTION
"""The section where the file did not end in a newline, which then has to go again with it."""
_LIMIT: Final = 1 << 20
_TRIES: Final = 5


def is_there(layout: Layout) -> bool:
    """Whether the config holds the section; `HookChanged` where it holds one that was edited."""
    text = durable.read_regular(_path(layout), _LIMIT)
    return _without(layout, text) != text


def put_in(layout: Layout) -> bool:
    """Append the section where it is not there yet; returns whether the file changed.

    Git's own lock on the file is held meanwhile, and one that a killed command left is moved aside. The file is
    replaced whole and durably, with the mode it had.
    """
    return _edit(layout, lambda text: text if _without(layout, text) != text else _with(text))


def take_out(layout: Layout) -> bool:
    """Take the section out, in the same way; the rest of the file is as it was, or as others wrote it since."""
    return _edit(layout, lambda text: _without(layout, text))


def _edit(layout: Layout, change: Callable[[bytes], bytes]) -> bool:
    path = _path(layout)
    with _git_lock(layout, path) as lock:
        before = durable.read_regular(path, _LIMIT)
        after = change(before)
        if after == before:
            lock.unlink()
            return False
        _write(lock, after, path.stat().st_mode & 0o7777)
        durable.rename(lock, path)
    return True


def _with(text: bytes) -> bytes:
    return text + (_SECTION if not text or text.endswith(b"\n") else _BEGUN)


def _without(layout: Layout, text: bytes) -> bytes:
    section = _BEGUN if _BEGUN in text else _SECTION
    head, _, tail = text.partition(section)
    if section is _BEGUN and tail:
        head += b"\n"  # somebody has gone on below since
    if INCLUDED.encode() in head + tail:
        path = _path(layout)
        raise HookChanged(
            f"{path} has our section in a form that `hooks install` did not write",
            hint=f"git -C {quote(str(layout.common_dir))} config --remove-section 'includeIf.gitdir:./worktrees/*'",
            files=[str(path)],
        )
    return head + tail


@contextmanager
def _git_lock(layout: Layout, path: Path) -> Iterator[Path]:
    """Make the lock file by which git's own writers of `path` exclude one another; whoever is done takes it away."""
    lock = path.with_name(f"{path.name}.lock")
    for _ in range(_TRIES):
        with suppress(FileExistsError):
            os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            break
        gitlocks.clear(layout, [lock], label="hooks")
    else:
        raise LockTimeout(
            f"{lock} was still held by another git command after {_TRIES} looks",
            hint=f"ls -l {quote(str(lock))}",
            path=str(lock),
            seconds=_TRIES * gitlocks.GRACE_SECONDS,
        )
    try:
        yield lock
    except BaseException:
        lock.unlink(missing_ok=True)
        raise


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            durable.write_all(fd, data)
            os.fchmod(fd, mode)
            durable.flush(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise durable.unwritable(path, error) from error


def _path(layout: Layout) -> Path:
    return layout.common_dir / "config"
