"""The archive in the state directory: what is put into it is compressed, read again, and only then taken away."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Sequence
from io import BufferedIOBase
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git import directories, durable
from conductor_git.errors import StateUnwritable

_WINDOW: Final = 1 << 20
_PARTS: Final = ".*.part"
GONE: Final = "gone-"
"""What a folder is called that is in the archive already, for as long as its removal takes."""


def pack_file(path: Path, archived: Path) -> None:
    """Put the bytes of the file `path` into `archived`, compressed; durable, and read again, when this returns."""
    durable.make_directory(archived.parent)
    part = _part(archived)
    with path.open("rb") as source, part.open("wb") as file:
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            checksum, size = _copied(source, packed)
        file.flush()
        durable.flush(file.fileno())
    with gzip.open(part, "rb") as packed:
        if _copied(packed, None) != (checksum, size):
            raise _differs(archived)
    durable.rename(part, archived)


def pack_folders(top: Path, names: Sequence[str], archived: Path) -> None:
    """Put the folders `names` of `top` into `archived`, a tar by their names; durable, and read again, in the end."""
    durable.make_directory(archived.parent)
    part = _part(archived)
    with part.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz") as packed:
            for name in names:
                packed.add(top / name, arcname=name)
        file.flush()
        durable.flush(file.fileno())
    if not holds(part, _there(top, names)):
        raise _differs(archived)
    durable.rename(part, archived)


def _part(archived: Path) -> Path:
    return archived.with_name(f".{archived.name}.{os.getpid()}.part")


def drop_parts(folder: Path) -> None:
    """Remove what killed packers left; call it with the lock of the archive held."""
    for part in directories.matching(folder, _PARTS):
        part.unlink(missing_ok=True)


def left_behind(archive: Path) -> list[Path]:
    """What killed packers left anywhere in the archive; those of one that is at work are among them."""
    return sorted([*directories.matching(archive, f"*/{_PARTS}"), *directories.matching(archive, f"{GONE}*")])


def _copied(source: BufferedIOBase, sink: BufferedIOBase | None) -> tuple[int, int]:
    checksum = size = 0
    while data := source.read(_WINDOW):
        checksum, size = zlib.crc32(data, checksum), size + len(data)
        if sink is not None:
            sink.write(data)
    return checksum, size


def holds(part: Path, wanted: dict[str, int]) -> bool:
    """Whether it can be unpacked to its last byte, where the sum of all stands, and has these files."""
    try:
        with gzip.open(part, "rb") as plain:
            with tarfile.open(fileobj=plain, mode="r:") as packed:
                found = _listed(packed)
            _copied(plain, None)  # a tar ends before its file does
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error):
        return False
    return found == wanted


def _listed(packed: tarfile.TarFile) -> dict[str, int]:
    """Name → size of the regular files."""
    found: dict[str, int] = {}
    for member in packed:
        if member.isreg() or member.islnk():
            found[member.name] = member.size if member.isreg() else found.get(member.linkname, -1)
    return found


def _there(top: Path, names: Sequence[str]) -> dict[str, int]:
    inside = (path for name in names for path in directories.below(top / name))
    files = (path for path in inside if path.is_file() and not path.is_symlink())
    return {path.relative_to(top).as_posix(): path.stat().st_size for path in files}


def _differs(archived: Path) -> StateUnwritable:
    return StateUnwritable(
        f"{archived} does not hold what was put into it, so nothing was removed",
        hint=f"df -h {quote(str(archived.parent))}",
    )
