"""Files that go with a message: copied beside the bus under their hash, and checked when they are read.

`attachments/<first 16 hex digits of the sha256>/<name>`, relative to the bus's directory.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git import durable
from conductor_git.environment import inherited
from conductor_git.errors import BadInput, BusDamaged, NotFound, TooLarge, UnsafePath
from conductor_git.masking import mask, secret_values
from conductor_git.message import Message
from conductor_git.names import readable

MAX_ATTACHMENT: Final = 64 << 20

_ROOT: Final = "attachments"
_INCOMING: Final = ".incoming"
_PART: Final = 1 << 20
_AHEAD: Final = 4096
"""More characters than any secret format needs to be recognised."""
_LOCK_SECONDS: Final = 60
"""Copies wait for each other, and one of 64 MiB may take its time."""
_LONGEST_NAME: Final = 100
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._@+-]")
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9_@+][A-Za-z0-9._@+-]*", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SIZE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class Attached(NamedTuple):
    """What a message says of its attachment: `attachment_path`, and `facts` as `extra["attachment"]`."""

    attachment_path: str
    facts: Mapping[str, str]


class _Stored(NamedTuple):
    size: int
    sha256: str

    @property
    def directory(self) -> str:
        return self.sha256[:16]


def attach(path: Path, bus_directory: Path) -> Attached:
    """Copy the regular file `path` beside the bus; durable, before any message names it, when this returns.

    Text (UTF-8 throughout) is masked before it reaches the disk; anything else is stored as it is. Size and hash are of
    what was stored, also where the file changed meanwhile. The same content is stored once, under the name that it
    came with first. A crash leaves no attachment, and a part of one that the next call removes. `NotFound`,
    `UnsafePath` for a link, directory or pipe, `BadInput` for what cannot be read, `TooLarge` over 64 MiB.
    """
    fd = _opened(path)
    try:
        secrets = secret_values(inherited())
        name = mask(readable(path.name), secrets)
        is_text = _is_text(_chunks(fd, path))
        chunks = _chunks(fd, path)
        place, stored = _keep(_masked(chunks, secrets) if is_text else chunks, bus_directory / _ROOT, _safe(name))
    finally:
        os.close(fd)
    facts = {"name": name, "size": str(stored.size), "sha256": stored.sha256}
    return Attached(f"{_ROOT}/{stored.directory}/{place.name}", facts)


def checked(bus_directory: Path, message: Message) -> Path:
    """The stored file of `message`, once it was found to be what the message says; it is read in full.

    `NotFound` for a message that has none, or whose file is gone; `BusDamaged` where the message names another place
    than its attachment can have, or the file is another one.
    """
    said = _said(message)
    path = bus_directory / _ROOT / said.directory / Path(str(message.attachment_path)).name
    try:
        _require_directories(path.parent)
        found = _hash_of(path)
    except FileNotFoundError as gone:
        raise NotFound(
            f"the attachment {path} of {message.msg_id} is not there",
            hint=f"ls -l {path.parent.parent}",
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
        place, stored = _keep(_parts(fd), bus_directory / _ROOT, path.name)
    finally:
        os.close(fd)
    if stored != said:
        raise _damaged(message, f"{path} changed while it was copied")
    if place.name != path.name:
        _also_name(place, path.name)


def _opened(path: Path) -> int:
    try:
        return durable.open_regular(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError) as missing:
        raise NotFound(f"there is no file {path}", hint=f"ls -ld {path.parent}", path=str(path)) from missing
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> BadInput:
    return BadInput(f"{path} could not be read: {error.strerror or error}", hint=f"ls -ld {path}", path=str(path))


def _chunks(fd: int, path: Path) -> Iterator[bytes]:
    """The file from its beginning, as far as it went when it was opened: whoever writes to it could go on for ever."""
    try:
        end, size = os.fstat(fd).st_size, 0
        for chunk in _parts(fd):
            size += len(chunk)
            if max(size, end) > MAX_ATTACHMENT:
                raise TooLarge(
                    f"{path} has more than {MAX_ATTACHMENT} bytes, the most that an attachment holds",
                    hint=f"ls -l {path}",
                    path=str(path),
                    limit=MAX_ATTACHMENT,
                )
            if 0 < end <= size:
                yield chunk[: len(chunk) - (size - end)]
                return
            # Files of the kernel say that they have no bytes, and have some.
            yield chunk
    except OSError as error:
        raise _unreadable(path, error) from error


def _parts(fd: int) -> Iterator[bytes]:
    os.lseek(fd, 0, os.SEEK_SET)
    return iter(lambda: os.read(fd, _PART), b"")


def _is_text(chunks: Iterator[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in chunks:
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _decoded(chunks: Iterator[bytes]) -> Iterator[str]:
    # What is no text any more since it was looked at keeps its bytes, and is masked all the same.
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _masked(chunks: Iterator[bytes], secrets: tuple[str, ...]) -> Iterator[bytes]:
    """The text masked piece by piece, to the same bytes as if it were masked as one."""
    ahead = _AHEAD + max(map(len, secrets), default=0)
    text, enough = "", 0
    for chunk in _decoded(chunks):
        text += chunk
        if len(text) < enough:
            continue
        masked, cut = _up_to_a_cut(text, len(text) - ahead, secrets)
        yield _bytes(masked)
        # Where every cut would go through a secret, twice as much comes in before the next look.
        text, enough = (text[cut:], 0) if cut else (text, 2 * len(text))
    yield _bytes(mask(text, secrets))


def _up_to_a_cut(text: str, last: int, secrets: tuple[str, ...]) -> tuple[str, int]:
    """What comes before a place, at most `last`, where `text` can be cut without changing what is masked."""
    if last <= 0:
        return "", 0
    whole = mask(text, secrets)
    for cut in (text.rfind("\n", 0, last), text.rfind(" ", 0, last), last, last // 2):
        if cut > 0 and (masked := mask(text[:cut], secrets)) + mask(text[cut:], secrets) == whole:
            return masked, cut
    return "", 0


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _safe(name: str) -> str:
    """`name` as it may stand in a path on any file system, its ending kept."""
    stem, dot, ending = _UNSAFE.sub("_", name).rpartition(".")
    ending = f"{dot}{ending}"[:_LONGEST_NAME]
    return f"{stem[: _LONGEST_NAME - len(ending)]}{ending}".strip(".-") or "attachment"


def _keep(chunks: Iterator[bytes], root: Path, name: str) -> tuple[Path, _Stored]:
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


def _settle(incoming: Path, place: Path, stored: _Stored) -> Path | None:
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
        f"{place} stands where an attachment is to be stored: {why}", hint=f"ls -l {place}", path=str(place)
    )


def _write_flushed(path: Path, chunks: Iterator[bytes]) -> _Stored:
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
    return _Stored(size, digest.hexdigest())


def _hash_of(path: Path) -> _Stored:
    from hashlib import sha256

    fd = durable.open_regular(path, os.O_RDONLY)
    try:
        digest, size = sha256(), 0
        for chunk in _parts(fd):
            digest.update(chunk)
            size += len(chunk)
            if size > MAX_ATTACHMENT:
                break
        return _Stored(size, digest.hexdigest())
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
    for directory in (path,) if path.name == _ROOT else (path.parent, path):
        if not stat.S_ISDIR(os.lstat(directory).st_mode):
            raise UnsafePath(f"{directory} is not a directory", hint=f"ls -ld {directory}", path=str(directory))


def _said(message: Message) -> _Stored:
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
    if root != _ROOT or directory != sha256[:16] or not _SAFE_NAME.fullmatch(name):
        raise _damaged(message, f"{message.attachment_path!r} is no place for it")
    return _Stored(int(size), sha256)


def _damaged(message: Message, why: str) -> BusDamaged:
    return BusDamaged(
        f"the attachment of {message.msg_id} is not what it says: {why}",
        hint="conductor-git bus verify",
        msg_id=message.msg_id,
        path=message.attachment_path,
    )
