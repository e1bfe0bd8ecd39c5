"""Which bus is meant by a text: `file:PATH`, `sqlite:PATH`, or a path whose content tells."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from conductor_git.bus.segments.listing import SEGMENT_BYTES
from conductor_git.errors import BadInput

if TYPE_CHECKING:
    from conductor_git.bus.base import Bus

_BACKENDS: Final = ("file", "sqlite")
_SQLITE_MAGIC: Final = b"SQLite format 3\0"


class Address(NamedTuple):
    """Where a bus is. `segment_bytes` is the most that one file of it holds, for backends that have several."""

    backend: str
    path: Path
    segment_bytes: int = SEGMENT_BYTES

    @property
    def url(self) -> str:
        return f"{self.backend}:{self.path}"


def parse_address(text: str) -> Address:
    """The bus that `--bus` or a context names; `BadInput` for a scheme that this version does not speak.

    A path is made absolute. Without a scheme, what lies there tells whether it is a database or a file of messages.
    """
    scheme, colon, rest = text.partition(":")
    if not text or "\0" in text or (colon and not rest):
        raise BadInput(f"{text!r} names no bus", hint="conductor-git bus read --bus file:PATH")
    if colon and scheme in _BACKENDS:
        return Address(scheme, Path(os.path.abspath(rest.removeprefix("//"))))
    if "://" in text:
        raise BadInput(
            f"there is no bus backend {scheme!r} in this version: file and sqlite are known",
            hint="conductor-git bus read --bus file:PATH",
        )
    path = Path(os.path.abspath(text))
    return Address("sqlite" if _is_database(path) else "file", path)


def open_bus(address: Address, seconds: float = 10) -> Bus:
    """The bus at `address`, made by its first message; a writer waits for its lock for `seconds`."""
    if address.backend == "sqlite":
        from conductor_git.bus.sqlite import SqliteBus

        return SqliteBus(address.path, seconds)
    from conductor_git.bus.file import FileBus

    return FileBus(address.path, seconds, address.segment_bytes)


def _is_database(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False  # whoever opens the bus says what is wrong with it
    try:
        return os.read(fd, len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    except OSError:
        return False
    finally:
        os.close(fd)
