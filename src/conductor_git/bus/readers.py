"""How far each reader of a file bus has got: one small file a reader, beside the bus; imports nothing heavy."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git import durable
from conductor_git.errors import BadInput, BusDamaged, TooLarge, UnsafePath

_READER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}", re.ASCII)
_UPPER: Final = re.compile(r"[A-Z]")
_ENCODED: Final = re.compile(r"!([a-z])")
_MAX_CURSOR: Final = 1024
"""Bytes of a cursor. Ours have 44; other tools choose their own ids."""


def parse_reader(text: str) -> str:
    """`text` as the name of a reader on any backend, or `BadInput` with the rule that it breaks."""
    if not _READER.fullmatch(text) or ".." in text or text.lower().endswith(".lock"):
        raise BadInput(
            f"{text!r} is not a reader's name: 1 to 64 of A-Z a-z 0-9 . _ @ + -, starting with a letter or digit, "
            "without '..', not ending in '.lock'",
            hint="conductor-git bus read --as fix-login --ack",
            reader=text,
        )
    return text


class Readers:
    """The acknowledged cursors of the bus at `bus`, in `<bus>.readers/`; each file holds a message id and a newline.

    A file that is a link, or no file, or holds no id is told as `BusDamaged`, and neither followed nor replaced.
    """

    def __init__(self, bus: Path, seconds: float = 10) -> None:
        self._directory = bus.with_name(f"{bus.name}.readers")
        self._seconds = seconds

    def get(self, name: str) -> str | None:
        """The cursor of `name`; None where it never acknowledged anything. Takes no lock."""
        path = self._path(parse_reader(name))
        return self._read(path) if self._is_there() else None

    def advance(self, name: str, msg_id: str, is_after: Callable[[str, str], bool]) -> str:
        """Set the cursor of `name` to `msg_id`, unless that is not after the present one; the cursor in force.

        Durable when this returns; a crash leaves the old cursor or the new one.
        """
        path = self._path(parse_reader(name))
        if not _is_cursor(msg_id):
            raise BadInput(
                f"{msg_id!r} cannot be kept as a cursor: it is one line of at most {_MAX_CURSOR} printable characters",
                hint="conductor-git bus read --tail 1",
                cursor=msg_id,
            )
        if not self._is_there():
            durable.make_directory(self._directory)
        with self._locked():
            old = self._read(path)
            if old is None:
                self._settle()
            elif old == msg_id or not is_after(msg_id, old):
                return old
            durable.drop_temporaries(path)
            durable.replace(path, f"{msg_id}\n".encode())
        return msg_id

    def all(self) -> dict[str, str]:
        """Reader → cursor, by name; what else lies in the directory is passed over."""
        if not self._is_there():
            return {}
        names = (_decoded(name) for name in os.listdir(self._directory))
        cursors = {name: self._read(self._path(name)) for name in sorted(filter(None, names))}
        return {name: cursor for name, cursor in cursors.items() if cursor is not None}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # By flock itself: whoever acknowledges often does not pay for the import of portalocker.
        path = self._directory / ".lock"
        try:
            fd = durable.open_regular(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise durable.unwritable(path, error) from error
        try:
            with durable.flocked(fd, seconds=self._seconds, path=path):
                yield
        finally:
            os.close(fd)

    def _is_there(self) -> bool:
        try:
            mode = os.lstat(self._directory).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        if not stat.S_ISDIR(mode):
            raise _damaged(self._directory, "it is not a directory")
        return True

    def _path(self, name: str) -> Path:
        # `Anna` and `anna` are two readers, and on a file system that folds case they would share a file. Refusing
        # capitals would refuse the names that people and machines already have.
        return self._directory / _UPPER.sub(lambda found: f"!{found[0].lower()}", name)

    def _read(self, path: Path) -> str | None:
        try:
            data = durable.read_regular(path, _MAX_CURSOR)
        except FileNotFoundError:
            return None
        except (UnsafePath, TooLarge) as wrong:
            raise _damaged(path, wrong.message) from wrong
        except OSError as error:
            raise _damaged(path, error.strerror or str(error)) from error
        # What is no UTF-8 becomes what is not printable.
        cursor, newline, rest = data.decode("utf-8", "surrogateescape").partition("\n")
        if not newline or rest or not _is_cursor(cursor):
            raise _damaged(path, "it does not hold one message id")
        return cursor

    def _settle(self) -> None:
        """Make the directory's own name durable: whoever made it may not have come so far."""
        try:
            durable.flush_directory(self._directory.parent)
        except OSError as error:
            raise durable.unwritable(self._directory, error) from error


def _decoded(file_name: str) -> str | None:
    name = _ENCODED.sub(lambda found: found[1].upper(), file_name)
    # A capital in the name itself is nothing that we wrote.
    return name if not _UPPER.search(file_name) and _is_reader(name) else None


def _is_reader(name: str) -> bool:
    try:
        parse_reader(name)
    except BadInput:
        return False
    return True


def _is_cursor(text: str) -> bool:
    return text.isprintable() and 0 < len(text.encode("utf-8", "surrogateescape")) < _MAX_CURSOR


def _damaged(path: Path, why: str) -> BusDamaged:
    return BusDamaged(
        f"{path} is not a reader's cursor: {why}. Without it that reader begins anew",
        hint=f"ls -ld {quote(str(path))}",
        path=str(path),
    )
