"""Messages as frames in the bytes of the bus (design: formats.md, "The bus"); no I/O.

A body can never open a frame: a line of it that could is stored with one more backslash. How any bytes are read back
is `decoder`'s.
"""

from __future__ import annotations

import re
from binascii import crc32
from typing import Final, NamedTuple

from conductor_git.frames.header import header_lines, scalar
from conductor_git.message import Message, check_message

BOUNDARY: Final = b"\n\n---\nmsg_id: "
"""Where a frame of ours begins, for a search: no header line is empty, and no stored body line is three dashes."""

_OPENING: Final = b"\n\n---\n"
_CLOSING: Final = b"\n---\n"
_TS: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", re.ASCII)
"""A time that every reader takes for the text that it is, without quotes."""
_BACKSLASHED: Final = re.compile(rb"^(\\*---\r*)$", re.MULTILINE)


class Draft(NamedTuple):
    """A message made ready outside the lock: all of its frame but id, time and checksum."""

    header: bytes
    body: bytes

    def seal(self, msg_id: str, ts: str) -> bytes:
        """The whole frame."""
        covered = f"msg_id: {msg_id}\nts: {ts}\n".encode() + self.header
        crc = f"{crc32(self.body, crc32(covered)):08x}"
        # Digits alone, or with one e, would be a number in YAML.
        shown = crc if crc.strip("0123456789e") else f'"{crc}"'
        return b"---\n%bcrc: %b\n---\n%b\n\n" % (covered, shown.encode(), self.body)


def draft(message: Message) -> Draft:
    """`message` checked against all limits (`BadInput`, `TooLarge`) and encoded up to its id."""
    check_message(message)
    body = message.body.encode()
    if b"---" in body:
        body = _BACKSLASHED.sub(rb"\\\1", body)
    return Draft(f"{header_lines(message)}length: {len(body)}\n".encode(), body)


def encode(message: Message) -> bytes:
    """The frame of a message that has its id and time, whoever gave them."""
    ts = message.ts if _TS.fullmatch(message.ts) else scalar(message.ts)
    return draft(message).seal(scalar(message.msg_id), ts)


def last_id(window: bytes) -> str | None:
    """The id of the message of ours that `window` ends with, whole and undamaged; None where that is not plain.

    Parsed by hand: whoever only posts does not pay for the expressions of the decoder.
    """
    found = window.rfind(BOUNDARY)
    header, _, stored = window[found + len(_OPENING) :].partition(_CLOSING)
    covered, _, crc = header.rpartition(b"crc: ")
    if found < 0 or not stored.endswith(b"\n\n") or not covered.endswith(b"\nlength: %d\n" % (len(stored) - 2)):
        return None
    if crc.strip(b'"') != b"%08x" % crc32(stored[:-2], crc32(covered)):
        return None
    msg_id = covered[len(b"msg_id: ") : covered.index(b"\n")].decode("ascii", "replace")
    return msg_id if msg_id.startswith("MSG-") else None
