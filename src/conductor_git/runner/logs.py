"""The logs that an agent writes by itself: bounded while it writes, masked and bounded for good once it has ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from conductor_git import durable, sparse
from conductor_git.environment import inherited
from conductor_git.errors import ConductorError
from conductor_git.masking import mask_bytes, secret_values
from conductor_git.outputlog import OutputLog

NAMES: Final = ("stdout.log", "stderr.log")
LOG_BYTES: Final = 16 << 20
"""What is kept of a log once its agent has ended: this much, half from its head and half from its end."""
_LIVE_BYTES: Final = 2 * LOG_BYTES
_CHUNK: Final = 1 << 20


def bound(path: Path) -> None:
    """Free the disk of the middle of a log that has grown too large; its writer notices nothing.

    Does nothing where the file system cannot punch holes. What is freed reads as NUL bytes until the log is sealed.
    """
    try:
        size = path.lstat().st_size
        if size > _LIVE_BYTES:
            sparse.punch(path, LOG_BYTES // 2, size - LOG_BYTES)
    except OSError:
        return  # no log, or no holes: an agent goes on all the same


def seal(path: Path) -> None:
    """Take the secrets out of a log that nobody writes any more, and its middle where it is longer than `LOG_BYTES`.

    The new file takes the place of the old one whole; a crash leaves one of the two.
    """
    secrets = secret_values(inherited())
    if _is_clean(path, secrets):
        return
    sealed = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # a `stop` may seal it at the same time
    try:
        with OutputLog(sealed, LOG_BYTES, secrets) as log:
            for gap, chunk in _chunks(path):
                if gap:
                    log.skip(gap)
                log.write(chunk)
        durable.rename(sealed, path)
    except BaseException:
        sealed.unlink(missing_ok=True)
        raise


def seal_all(folder: Path) -> None:
    """Seal both logs of the attempt in `folder`, as far as the disk lets us: an end is recorded all the same."""
    for name in NAMES:
        with suppress(ConductorError, OSError):
            bound(folder / name)
            seal(folder / name)


def masked(data: bytes) -> bytes:
    return mask_bytes(data, secret_values(inherited()))


def last_line(text: str) -> str:
    """The last line that says anything, at most 200 characters of it."""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return said[-1][:200] if said else ""


def _is_clean(path: Path, secrets: tuple[str, ...]) -> bool:
    try:
        if path.lstat().st_size > _CHUNK:
            return False
        data = durable.read_regular(path, _CHUNK)
    except FileNotFoundError:
        return True
    return mask_bytes(data, secrets) == data


def _chunks(path: Path) -> Iterator[tuple[int, bytes]]:
    """What the file holds, without its holes; with each piece, how long the hole before it is."""
    with os.fdopen(durable.open_regular(path, os.O_RDONLY), "rb", buffering=0) as file:
        at, size = 0, os.fstat(file.fileno()).st_size
        for start, end in sparse.parts(file.fileno(), size):
            gap = file.seek(start) - at
            while (left := end - file.tell()) > 0 and (chunk := file.read(min(_CHUNK, left))):
                yield gap, chunk
                gap, at = 0, file.tell()
        if at < size:
            yield size - at, b""
