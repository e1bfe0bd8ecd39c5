"""The archive in the state directory: what is put into it is compressed, read again, and only then taken away."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from conductor_git import durable
from conductor_git.errors import StateUnwritable

_WINDOW: Final = 1 << 20


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
    with tarfile.open(part, mode="r:gz") as packed:
        if _listed(packed) != _there(top, names):
            raise _differs(archived)
    durable.rename(part, archived)


def _part(archived: Path) -> Path:
    return archived.with_name(f".{archived.name}.{os.getpid()}.part")


def drop_parts(folder: Path) -> None:
    """Remove what killed packers left; call it with the lock of the archive held."""
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)


def _copied(source: object, sink: object) -> tuple[int, int]:
    checksum = size = 0
    while data := source.read(_WINDOW):  # type: ignore[attr-defined]
        checksum, size = zlib.crc32(data, checksum), size + len(data)
        if sink is not None:
            sink.write(data)  # type: ignore[attr-defined]
    return checksum, size


def _listed(packed: tarfile.TarFile) -> dict[str, int]:
    """Name → size of the regular files; reading to the end checks the sum of all bytes."""
    found: dict[str, int] = {}
    for member in packed:
        if member.isreg() or member.islnk():
            found[member.name] = member.size if member.isreg() else found.get(member.linkname, -1)
    return found


def _there(top: Path, names: Sequence[str]) -> dict[str, int]:
    files = (path for name in names for path in (top / name).rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(top).as_posix(): path.stat().st_size for path in files}


def _differs(archived: Path) -> StateUnwritable:
    return StateUnwritable(
        f"{archived} does not hold what was put into it, so nothing was removed", hint=f"df -h {archived.parent}"
    )
