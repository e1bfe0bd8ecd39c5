"""A log file of bounded size for a command of unbounded output, without the secrets that it printed, and its end."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Final, Self

from conductor_git import durable
from conductor_git.environment import inherited
from conductor_git.errors import StateUnwritable, UnsafePath
from conductor_git.masking import REACH, mask, mask_bytes, seam, secret_values

_HELD: Final = 256
"""So many bytes of a line wait for those that follow: the beginning of a known key is told by fewer."""
_ESCAPES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]|\x9b[0-?]*[ -/]*[@-~]"
)
"""Control sequences of a terminal (ECMA-48): CSI, then OSC and its like up to their end, then the short ones."""
_OVERWRITTEN: Final = re.compile(r"^[^\n]*\r(?=[^\n])", re.MULTILINE)


def open_log(path: Path, flags: int) -> int:
    """A descriptor to write `path`, made with mode 0600, never through a link; `StateUnwritable` where that fails."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
    except OSError as failure:
        raise unwritable(path, failure) from failure


def unwritable(path: Path, failure: OSError) -> StateUnwritable:
    return StateUnwritable(
        f"the log {path} cannot be written: {failure.strerror}", hint=f"df -h {quote(str(path.parent))}", path=str(path)
    )


class OutputLog:
    """Keeps the first and the last `limit` / 2 bytes of what is written, and says how many are missing between.

    `secrets`, and what looks like a key, are masked before they reach the disk, also where two writes or the two ends
    share one. The head is in the file at once, line by line, the tail from the end of the `with` block on; until then
    it is in memory, where it takes little more than `limit`. A crash costs what is in memory.
    """

    def __init__(self, path: Path, limit: int, secrets: Sequence[str] = ()) -> None:
        self._path = path
        self._half = limit // 2
        self._secrets = tuple(secrets)
        self._has_lines = any("\n" in secret for secret in secrets)
        longest = max((len(os.fsencode(secret)) for secret in secrets), default=0)
        self._held = max(_HELD, longest)
        self._reach = max(REACH, longest)
        self._head_room = self._half
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0
        self._gap_edge = 0
        # Not blocking: a pipe of that name that nobody reads would keep us for good.
        self._fd = open_log(path, os.O_TRUNC | os.O_NONBLOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._finish()
        finally:
            os.close(self._fd)

    def skip(self, count: int) -> None:
        """Count `count` bytes as left out here, where what is written is going on after a gap.

        A secret may lie across either edge of it: what was not stored yet goes too, and as much after the gap as a
        secret can be long. Of several gaps, what lies between them goes.
        """
        self._dropped += len(self._head) + len(self._tail) + count
        self._head.clear()
        self._tail.clear()
        self._head_room, self._gap_edge = 0, self._reach

    def write(self, data: bytes) -> None:
        if self._gap_edge:
            gone = min(self._gap_edge, len(data))
            self._gap_edge -= gone
            self._dropped += gone
            data = data[gone:]
        if self._head_room:
            self._head += data
            self._store_head(min(self._ripe(), self._head_room))
            if not self._head_room or len(self._head) > self._head_room + self._held:
                self._close_head()
        else:
            self._tail += data
        if len(self._tail) > 2 * self._half + self._reach:
            # The bytes before the tail stay until its end: a secret may begin in them.
            self._drop(len(self._tail) - self._half - self._reach)

    def _store_head(self, at: int) -> None:
        cut, _ = seam(self._head, at, self._secrets)
        self._store(self._head[:cut])
        self._head_room -= cut
        del self._head[:cut]

    def _close_head(self) -> None:
        """What the head has no room for is the tail's, and a secret that lies across is too."""
        self._store_head(min(self._head_room, len(self._head)))
        self._head_room = 0
        self._tail, self._head = self._head, self._tail

    def _ripe(self) -> int:
        """How many bytes of the head can be stored: whole lines, where no secret goes on in the next one."""
        lines = 0 if self._has_lines else self._head.rfind(b"\n") + 1
        if self._head[:lines].rstrip()[-6:].lower() == b"bearer":
            lines = 0
        return max(lines, len(self._head) - self._held)

    def _finish(self) -> None:
        if self._head_room:
            self._close_head()
        too_many = len(self._tail) - self._half
        if too_many > 0:
            _, cut = seam(self._tail, too_many, self._secrets)
            self._drop(cut)
        if self._dropped:
            self._store(b"\n[... %d bytes left out ...]\n" % self._dropped)
        self._store(self._tail)

    def _drop(self, count: int) -> None:
        self._dropped += count
        del self._tail[:count]

    def _store(self, data: bytes | bytearray) -> None:
        left = memoryview(mask_bytes(bytes(data), self._secrets))
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as failure:
            raise unwritable(self._path, failure) from failure


def log_end(path: Path, limit: int = 4000) -> str:
    """The last `limit` bytes of a log as plain text, from the start of a line where one begins in them; no secret.

    Empty where nothing can be read, and where `path` is anything but a plain file.
    """
    try:
        with os.fdopen(durable.open_regular(path, os.O_RDONLY), "rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - limit)
            file.seek(start)
            text = file.read(limit).decode("utf-8", "replace")
    except (OSError, UnsafePath):
        return ""
    whole_lines = text.partition("\n")[2] if start else text
    return mask(plain(whole_lines or text), secret_values(inherited()))


def plain(text: str) -> str:
    """`text` as a terminal would show it in the end, without what it would obey."""
    shown = _OVERWRITTEN.sub("", _ESCAPES.sub("", text).replace("\r\n", "\n"))
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in shown)
