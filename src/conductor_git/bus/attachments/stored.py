"""Attachments on the disk: `attachments/<first 16 hex digits of the sha256>/<name>`, from the directory of the bus."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Final, NamedTuple

from conductor_git import durable
from conductor_git.errors import BusDamaged, NotFound, UnsafePath
from conductor_git.message import Message

MAX_ATTACHMENT: Final = 64 << 20
ROOT: Final = "attachments"

_INCOMING: Final = ".incoming"
_PART: Final = 1 << 20
_LOCK_SECONDS: Final = 60
"""Copies wait for each other, and one of 64 MiB may take its time."""
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9_@+][A-Za-z0-9._@+-]*", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SIZE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class Stored(NamedTuple):
    size: int
    sha256: str

    @property
    def directory(self) -> str:
        return self.sha256[:16]


def checked(bus_directory: Path, message: Message) -> Path:
    """The stored file of `message`, once it was found to be what the message says; it is read in full.

    `NotFound` for a message that has none, or whose file is gone; `BusDamaged` where the message names another place
    than its attachment can have, or the file is another one.
    """
    said = _said(message)
    path = bus_directory / ROOT / said.directory / Path(str(message.attachment_path)).name
    try:
        _require_directories(path.parent)
        found = _hash_of(path)
    except FileNotFoundError as gone:
        raise NotFound(
            f"the attachment {path} of {message.msg_id} is not there",
            hint=f"ls -l {quote(str(path.parent.parent))}",
            msg_id=message.msg_id,
            path=str(path),
        ) from gone
    except (OSError, UnsafePath) as error:
        raise _damaged(message, f"{path} cannot be read as one: {error}") from error
    if found != said:
        raise _damaged(message, f"{path} has other bytes than were attached")
    return path


def is_stored(message: Message) -> bool:
    """Whether `message` says that a file was stored with it; other tools' `attachment_path` alone says nothing."""
    return message.attachment_path is not None and "attachment" in message.extra


def carry(message: Message, source_directory: Path, bus_directory: Path) -> None:
    """Store the attachment of `message`, which lies beside one bus, beside another; refused as by `checked`."""
    said, path = _said(message), checked(source_directory, message)
    fd = durable.open_regular(path, os.O_RDONLY)
    try:
        place, stored = keep(parts(fd), bus_directory / ROOT, path.name)
    finally:
        os.close(fd)
    if stored != said:
        raise _damaged(message, f"{path} changed while it was copied")
    if place.name != path.name:
        _also_name(place, path.name)


def keep(chunks: Iterator[bytes], root: Path, name: str) -> tuple[Path, Stored]:
    """Store the bytes under their hash in `root`, or find them there."""
    durable.make_directory(root)
    _require_directories(root)
    _flush_names(root.parent)
    with durable.lock(root / ".lock", seconds=_LOCK_SECONDS, purpose="attach"):
        incoming = root / _INCOMING
        _clear(incoming)
        durable.make_directory(incoming)
        try:
            stored = _write_flushed(incoming / name, chunks)
            return _settle(incoming, root / stored.directory, stored) or root / stored.directory / name, stored
        finally:
            _clear(incoming)


def _also_name(place: Path, name: str) -> None:
    """Give the file a second name, which messages of another bus know it by."""
    try:
        with suppress(FileExistsError):
            os.link(place, place.with_name(name))
    except OSError as error:
        raise durable.unwritable(place, error) from error
    _flush_names(place.parent)


def _settle(incoming: Path, place: Path, stored: Stored) -> Path | None:
    """Give the directory `incoming` its lasting name; or the file that has the same content already."""
    if not os.path.lexists(place):
        durable.rename(incoming, place)
        return None
    try:
        _require_directories(place)
        for there in sorted(place.iterdir()):
            if _hash_of(there) == stored:
                _flush_names(place.parent)
                return there
    except (OSError, UnsafePath) as error:
        raise _taken(place, str(error)) from error
    raise _taken(place, "it holds other bytes than its name says")


def _flush_names(directory: Path) -> None:
    """Whoever gave a name in `directory` may not have come as far as its flush."""
    try:
        durable.flush_directory(directory)
    except OSError as error:
        raise durable.unwritable(directory, error) from error


def _taken(place: Path, why: str) -> BusDamaged:
    return BusDamaged(
        f"{place} stands where an attachment is to be stored: {why}", hint=f"ls -l {quote(str(place))}", path=str(place)
    )


def _write_flushed(path: Path, chunks: Iterator[bytes]) -> Stored:
    """Write a new file and flush it and its name."""
    from hashlib import sha256

    digest, size = sha256(), 0
    try:
        fd = durable.open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            for chunk in chunks:
                durable.write_all(fd, chunk)
                digest.update(chunk)
                size += len(chunk)
            durable.flush(fd)
        finally:
            os.close(fd)
        durable.flush_directory(path.parent)
    except OSError as error:
        raise durable.unwritable(path, error) from error
    return Stored(size, digest.hexdigest())


def _hash_of(path: Path) -> Stored:
    from hashlib import sha256

    fd = durable.open_regular(path, os.O_RDONLY)
    try:
        digest, size = sha256(), 0
        for chunk in parts(fd):
            digest.update(chunk)
            size += len(chunk)
            if size > MAX_ATTACHMENT:
                break
        return Stored(size, digest.hexdigest())
    finally:
        os.close(fd)


def _clear(incoming: Path) -> None:
    """Remove what an interrupted copy left; call it with the lock held."""
    from shutil import rmtree

    if os.path.lexists(incoming):
        try:
            rmtree(incoming)
        except OSError as error:
            raise durable.unwritable(incoming, error) from error


def _require_directories(path: Path) -> None:
    """`UnsafePath` where `path`, or what it lies in below the bus's directory, is a link or no directory."""
    for directory in (path,) if path.name == ROOT else (path.parent, path):
        if not stat.S_ISDIR(os.lstat(directory).st_mode):
            raise UnsafePath(
                f"{directory} is not a directory", hint=f"ls -ld {quote(str(directory))}", path=str(directory)
            )


def _said(message: Message) -> Stored:
    """Size and hash that the message says its attachment has."""
    facts = message.extra.get("attachment")
    if message.attachment_path is None or not is_stored(message):
        raise NotFound(
            f"no file was stored with {message.msg_id}", hint="conductor-git bus read", msg_id=message.msg_id
        )
    size, sha256 = (facts.get("size"), facts.get("sha256")) if isinstance(facts, Mapping) else (None, None)
    if not (isinstance(size, str) and _SIZE.fullmatch(size) and isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
        raise _damaged(message, "it does not say its size and sha256")
    root, _, rest = message.attachment_path.partition("/")
    directory, _, name = rest.partition("/")
    if root != ROOT or directory != sha256[:16] or not _SAFE_NAME.fullmatch(name):
        raise _damaged(message, f"{message.attachment_path!r} is no place for it")
    return Stored(int(size), sha256)


def _damaged(message: Message, why: str) -> BusDamaged:
    return BusDamaged(
        f"the attachment of {message.msg_id} is not what it says: {why}",
        hint="conductor-git bus verify",
        msg_id=message.msg_id,
        path=message.attachment_path,
    )


def parts(fd: int) -> Iterator[bytes]:
    os.lseek(fd, 0, os.SEEK_SET)
    return iter(lambda: os.read(fd, _PART), b"")
