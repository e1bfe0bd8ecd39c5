"""Whether a file ends with something that was never wholly written, told from the windows in which it was decoded."""

from __future__ import annotations

import os

from conductor_git.bus.segments.scan import Place, next_place
from conductor_git.frames.decoder import WINDOW, Damage, Decoded
from conductor_git.message import Message


class Ending:
    """The end of the file open as `fd`, which is given every window of it in turn."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._place = Place()
        self.damage: list[Damage] = []
        """Since the last message."""

    def add(self, where: Place, found: Decoded) -> None:
        self._place = next_place(where, found)
        for item in found.items:
            if isinstance(item, Message):
                self.damage.clear()
            else:
                self.damage.append(item)

    def torn(self) -> int | None:
        """Where it begins; None where the file ends with a message, or with damage that no interrupted write leaves.

        A power cut can leave a size whose bytes never came to the disk: they read as zeros, which no message holds.
        """
        # A search stops before two newlines that may begin a boundary; they are no part of a message.
        incomplete = self._place.offset + (2 if self._place.searching else 0)
        unread = self.damage[0].offset if self.damage else incomplete
        if self._holds_zeros(unread):
            return unread
        return incomplete if self._holds_text(self._place.offset) else None

    def _holds_zeros(self, offset: int) -> bool:
        while window := os.pread(self._fd, WINDOW, offset):
            if b"\0" in window:
                return True
            offset += len(window)
        return False

    def _holds_text(self, offset: int) -> bool:
        # What is incomplete is shorter than a window, or the window would have been used up.
        return bool(os.pread(self._fd, WINDOW, offset).strip(b"\r\n"))
