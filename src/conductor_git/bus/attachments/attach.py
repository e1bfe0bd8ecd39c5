"""Taking a file along with a message: copied beside the bus, text masked, before any message names it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import Final, NamedTuple

from conductor_git import durable
from conductor_git.bus.attachments.masked import is_text, masked
from conductor_git.bus.attachments.stored import MAX_ATTACHMENT, ROOT, keep, parts
from conductor_git.environment import inherited
from conductor_git.errors import BadInput, NotFound, TooLarge
from conductor_git.masking import mask, secret_values
from conductor_git.names import readable

_LONGEST_NAME: Final = 100
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._@+-]")


class Attached(NamedTuple):
    """What a message says of its attachment: `attachment_path`, and `facts` as `extra["attachment"]`."""

    attachment_path: str
    facts: Mapping[str, str]


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
        can_be_masked = is_text(_chunks(fd, path))
        chunks = _chunks(fd, path)
        place, stored = keep(masked(chunks, secrets) if can_be_masked else chunks, bus_directory / ROOT, _safe(name))
    finally:
        os.close(fd)
    facts = {"name": name, "size": str(stored.size), "sha256": stored.sha256}
    return Attached(f"{ROOT}/{stored.directory}/{place.name}", facts)


def _opened(path: Path) -> int:
    try:
        return durable.open_regular(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError) as missing:
        raise NotFound(
            f"there is no file {path}", hint=f"ls -ld {quote(str(path.parent))}", path=str(path)
        ) from missing
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> BadInput:
    return BadInput(
        f"{path} could not be read: {error.strerror or error}", hint=f"ls -ld {quote(str(path))}", path=str(path)
    )


def _chunks(fd: int, path: Path) -> Iterator[bytes]:
    """The file from its beginning, as far as it went when it was opened: whoever writes to it could go on for ever."""
    try:
        end, size = os.fstat(fd).st_size, 0
        for chunk in parts(fd):
            size += len(chunk)
            if max(size, end) > MAX_ATTACHMENT:
                raise TooLarge(
                    f"{path} has more than {MAX_ATTACHMENT} bytes, the most that an attachment holds",
                    hint=f"ls -l {quote(str(path))}",
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


def _safe(name: str) -> str:
    """`name` as it may stand in a path on any file system, its ending kept."""
    stem, dot, ending = _UNSAFE.sub("_", name).rpartition(".")
    ending = f"{dot}{ending}"[:_LONGEST_NAME]
    return f"{stem[: _LONGEST_NAME - len(ending)]}{ending}".strip(".-") or "attachment"
