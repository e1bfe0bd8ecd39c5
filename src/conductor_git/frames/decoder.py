"""Messages out of the bytes of the bus, whoever wrote them (design: formats.md, "The bus"); no I/O.

A frame is taken only where its length, its checksum and its delimiters agree.
"""

from __future__ import annotations

import re
from binascii import crc32
from collections.abc import Callable
from typing import Final, NamedTuple

from conductor_git.frames.fields import BadHeader, fast_header, message_of, read_fast, read_header
from conductor_git.frames.frame import BOUNDARY
from conductor_git.message import MAX_BODY, MAX_HEADER, Message, legacy_id

WINDOW: Final = 1 << 20
"""Bytes to decode at a time: more than any frame has, so that each window gets on."""

_MAX_STORED: Final = 2 * MAX_BODY
_ONE_LESS: Final = re.compile(rb"^\\(\\*---\r*)$", re.MULTILINE)
_BARE: Final = re.compile(rb"^---\r*$", re.MULTILINE)
_OPENING: Final = re.compile(rb"---\r?\n")
_CLOSING: Final = re.compile(rb"^---\r?\n", re.MULTILINE)
_NEXT_OPENING: Final = re.compile(rb"^---\r?\n(?=(?:msg_id|ts|type|project_id|task_id|run_id):)", re.MULTILINE)
_BLANKS: Final = re.compile(rb"[\r\n]+")
_CRC_LINE: Final = re.compile(rb"^crc:", re.MULTILINE)
_LEGACY: Final = re.compile(
    rb"\[([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?Z?\]"
    rb"[ \t]*(?:([A-Za-z][A-Za-z_]*)[ \t]*:)?[ \t]*([^\r\n]*)"
)


class Damage(NamedTuple):
    """Bytes of the bus that are no message, by their place in the file."""

    offset: int
    length: int
    reason: str


class Decoded(NamedTuple):
    """What a window of the bus holds. From `used` on it must be decoded again, with more bytes after it: there an
    incomplete frame begins, or (`searching`) the search for the next frame past damage goes on."""

    items: list[Message | Damage]
    used: int
    searching: bool


def _nothing() -> int:
    return 0


def decode(
    window: bytes, base: int, *, at_end: bool, searching: bool = False, before: Callable[[], int] = _nothing
) -> Decoded:
    """The messages in `window`, which lies at `base` in the file and begins where a frame may begin.

    `at_end` says that the file ends with it. `searching` goes on with a search that an earlier window left. `before`
    tells how many bytes of the bus lie in older files: the id of a legacy line is its place in all of them.
    """
    return _Decoder(window, base, at_end, searching, before).run()


class _Incomplete(Exception):
    """The frame goes on past the window."""


class _Torn(Exception):
    """The frame is not what it says it is."""


class _Decoder:
    def __init__(self, window: bytes, base: int, at_end: bool, searching: bool, before: Callable[[], int]) -> None:
        self.window, self.base, self.at_end, self.searching, self.before = window, base, at_end, searching, before
        self.items: list[Message | Damage] = []
        self.position = 0
        self.found_by_search = False

    def run(self) -> Decoded:
        try:
            while self.position < len(self.window):
                if self.searching:
                    self._search("text past damage")
                else:
                    self._fast()
                    if self.position < len(self.window):
                        self._step()
        except _Incomplete:
            if self.found_by_search:
                # The mark must survive to the window that holds the whole frame.
                return Decoded(self.items, self.position - 2, searching=True)
        return Decoded(self.items, self.position, self.searching)

    def _fast(self) -> None:
        """Take frames as we write them for as long as there are any."""
        window, items, position = self.window, self.items, self.position
        while match := fast_header.match(window, position):
            covered, msg_id, ts, middle, length, crc = match.groups()
            start = match.end()
            end = start + int(length)
            stored = window[start:end]
            if crc32(stored, crc32(covered)) != int(crc.strip(b'"'), 16) or window[end : end + 2] != b"\n\n":
                break
            body = stored.decode("utf-8", "replace")
            if "---" in body:
                if _BARE.search(stored):
                    break
                body = _body(stored)
            message = read_fast(msg_id, ts, middle, body)
            if message is None:
                break
            items.append(self._marked(message) if self.found_by_search else message)
            position = end + 2
        self.position = position

    def _step(self) -> None:
        """Take one thing of any shape at the position, or raise `_Incomplete`."""
        blanks = _BLANKS.match(self.window, self.position)
        if blanks:
            self.position = blanks.end()
        elif _OPENING.match(self.window, self.position):
            self._frame(self.position)
        elif self.position < len(self.window):
            self._line(self.position)

    def _frame(self, position: int) -> None:
        try:
            message, end = self._read_frame(position)
        except (_Torn, BadHeader) as torn:
            self.position = position
            self._search(str(torn))
        else:
            self.items.append(self._marked(message))
            self.position = end

    def _read_frame(self, position: int) -> tuple[Message, int]:
        start = self.window.index(b"\n", position) + 1
        closing = _CLOSING.search(self.window, start, start + MAX_HEADER + 5)
        if closing is None:
            if len(self.window) - start > MAX_HEADER:
                raise _Torn(f"a header that is not closed within {MAX_HEADER} bytes")
            raise _Incomplete
        lines = self.window[start : closing.start()]
        fields = read_header(lines)
        if "length" in fields or "crc" in fields:
            return self._measured(lines, fields, closing.end())
        return self._delimited(lines, fields, closing.end())

    def _measured(self, lines: bytes, fields: dict[str, object], start: int) -> tuple[Message, int]:
        """A frame with a length: it is complete, it goes on past the window, or it is torn."""
        end = start + _length(fields.get("length"))
        if end + 2 > len(self.window):
            if BOUNDARY in self.window[start:]:
                raise _Torn("a message that ends early")
            raise _Incomplete
        stored = self.window[start:end]
        if self.window[end : end + 2] != b"\n\n":
            raise _Torn("a message whose length is wrong")
        crc_line = _CRC_LINE.search(lines)
        if crc_line is None or f"{crc32(stored, crc32(lines[: crc_line.start()])):08x}" != fields.get("crc"):
            raise _Torn("a message whose checksum is wrong")
        if _BARE.search(stored):
            raise _Torn("a message whose body holds a delimiter")
        return message_of(fields, _body(stored)), end + 2

    def _delimited(self, lines: bytes, fields: dict[str, object], start: int) -> tuple[Message, int]:
        """A frame of another tool, without a length: it ends where the next one begins, or with the file."""
        if self.window.startswith(b"msg_id: ", start):
            # The dashes that seemed to close the header open the next message.
            raise _Torn("a header that ends early")
        opening = _NEXT_OPENING.search(self.window, start, start + 2 * MAX_BODY)
        end = opening.start() if opening else len(self.window)
        stored = self.window[start:end]
        if len(stored.rstrip(b"\r\n")) > MAX_BODY:
            raise _Torn(f"a body of more than {MAX_BODY} bytes")
        if opening is None and not (self.at_end and self.window.endswith(b"\n")):
            raise _Incomplete
        if b"\r\n" in lines:
            stored = stored.replace(b"\r\n", b"\n")
        return message_of(fields, _body(stored.rstrip(b"\r\n"))), end

    def _line(self, position: int) -> None:
        """A line outside of all frames: a message of the old kind, or text that is none."""
        end = self.window.find(b"\n", position) + 1
        if not end:
            if len(self.window) - position <= MAX_HEADER:
                raise _Incomplete
            end = len(self.window)
        legacy = _LEGACY.match(self.window, position, end)
        if legacy and legacy[4]:
            self.items.append(_legacy_message(legacy, self.before() + self.base + position))
            self.position = end
        elif _OPENING.match(self.window, end):
            # Three dashes right under stray text can be the end of a header whose beginning is lost.
            self.position = position
            self._search("text outside of any message")
        else:
            self.items.append(Damage(self.base + position, end - position, "text outside of any message"))
            self.position = end

    def _search(self, reason: str) -> None:
        """Pass over damage to where a frame of ours begins; what is found there is marked as recovered."""
        start, found = self.position, self.window.find(BOUNDARY, self.position)
        self.searching = found < 0
        self.found_by_search = not self.searching
        self.position = found + 2 if found >= 0 else self._end_of_search()
        if self.window[start : self.position].strip(b"\n"):
            self.items.append(Damage(self.base + start, self.position - start, reason))
        if self.searching:
            raise _Incomplete

    def _end_of_search(self) -> int:
        """Where the search must go on when more bytes follow: before what may be the beginning of a boundary."""
        for size in range(min(len(BOUNDARY), len(self.window) - self.position), 0, -1):
            if self.window.endswith(BOUNDARY[:size]):
                return len(self.window) - size
        return len(self.window)

    def _marked(self, message: Message) -> Message:
        if not self.found_by_search:
            return message
        self.found_by_search = False
        return message._replace(recovered=True)


def _body(stored: bytes) -> str:
    if b"\\---" in stored:
        stored = _ONE_LESS.sub(rb"\1", stored)
    return stored.decode("utf-8", "replace")


def _length(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 6:
        length = int(value)
        if length <= _MAX_STORED:
            return length
    raise _Torn("a length that no message has")


def _legacy_message(match: re.Match[bytes], offset: int) -> Message:
    """`[YYYY-MM-DD HH:MM:SS] TYPE: text`, with an id made of its place in the file, which is a cursor too."""
    kind = (match[3] or b"INFO").decode().upper()
    return Message(
        type=kind,
        body=match[4].decode("utf-8", "replace").rstrip(),
        msg_id=legacy_id(offset),
        ts=f"{match[1].decode()}T{match[2].decode()}Z",
    )
