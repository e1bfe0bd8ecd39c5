"""The bus of a project, wherever it lies now: what its setting says, and where writers were sent on to."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from conductor_git import durable
from conductor_git.bus.address import Address, open_bus, parse_address
from conductor_git.bus.segments.listing import SEGMENT_BYTES
from conductor_git.errors import BadConfig, BusMoved
from conductor_git.layout import BUS_NAMES, BUS_SETTING
from conductor_git.message import Message

if TYPE_CHECKING:
    from conductor_git.bus.base import Bus, Report
    from conductor_git.bus.halt import Halt
    from conductor_git.bus.watching.stop import Stop
    from conductor_git.bus.watching.tell import Tell

Found = Generator[Message, None, None]


def own_address(state_dir: Path, backend: str, segment_bytes: int = SEGMENT_BYTES) -> Address:
    """Where the project's bus lies on a backend."""
    return Address(backend, state_dir / BUS_NAMES[backend], segment_bytes)


def current_address(state_dir: Path) -> Address:
    """Where the project's bus lies now; a project that nobody set otherwise has its bus in files."""
    try:
        said = durable.read_regular(state_dir / BUS_SETTING, 4096).decode("utf-8", "replace")
    except FileNotFoundError:
        return own_address(state_dir, "file")
    backend, _, size = said.strip().partition(" ")
    if backend not in BUS_NAMES or not (size.isascii() and size.isdigit()):
        raise BadConfig(
            f"{state_dir / BUS_SETTING} says {said.strip()[:80]!r}, and not which bus is in force",
            hint=f"ls -l {quote(str(state_dir))}",
        )
    return own_address(state_dir, backend, int(size))


def is_chosen(state_dir: Path) -> bool:
    """Whether the project has its bus already: it was set, or has had its first message."""
    return any(os.path.lexists(path) for path in (state_dir / BUS_SETTING, own_address(state_dir, "file").path))


def set_current(state_dir: Path, address: Address) -> None:
    """Let the project's bus be the one at `address` from now on, for every process; durable when this returns."""
    durable.make_directory(state_dir)
    durable.replace(state_dir / BUS_SETTING, f"{address.backend} {address.segment_bytes}\n".encode())


class CurrentBus:
    """The bus of the project with this state directory. Goes along when it moves, also in a process that lives long."""

    def __init__(self, state_dir: Path, seconds: float = 10) -> None:
        self._state_dir = state_dir
        self._seconds = seconds
        self._setting = os.fspath(state_dir / BUS_SETTING)
        self._known: tuple[tuple[int, int] | None, Bus] | None = None

    @property
    def url(self) -> str:
        return self._bus.url

    @property
    def is_text(self) -> bool:
        return self._bus.is_text

    @property
    def halt(self) -> Halt:
        return self._bus.halt

    def append(self, message: Message) -> str:
        """Store `message` and return its new id, on disk when this returns; on the bus that is in force then."""
        try:
            return self._bus.append(message)
        except BusMoved as moved:
            return self._moved(moved).append(message)

    def adopt(self, messages: Iterable[Message]) -> int:
        return self._bus.adopt(messages)

    def read(
        self,
        since: str | None = None,
        limit: int | None = None,
        types: Collection[str] = (),
        task_id: str | None = None,
    ) -> Found:
        return self._bus.read(since, limit, types, task_id)

    def get(self, msg_id: str) -> Message:
        return self._bus.get(msg_id)

    def tail(self, n: int, types: Collection[str] = (), task_id: str | None = None) -> list[Message]:
        return self._bus.tail(n, types, task_id)

    def follow(
        self,
        since: str | None = None,
        types: Collection[str] = (),
        task_id: str | None = None,
        stop: Stop | None = None,
        tell: Tell | None = None,
    ) -> Found:
        """As `Bus.follow`, and on to where the bus has moved."""
        return self._followed(self._bus.follow(since, types, task_id, stop, tell), since, types, task_id, stop, tell)

    def verify(self) -> Report:
        return self._bus.verify()

    def acknowledged(self, reader: str) -> str | None:
        return self._bus.acknowledged(reader)

    def acknowledge(self, reader: str, msg_id: str) -> str:
        return self._bus.acknowledge(reader, msg_id)

    def readers(self) -> Mapping[str, str]:
        return self._bus.readers()

    def hand_over(self, url: str, rest: Callable[[], None]) -> None:
        self._bus.hand_over(url, rest)

    def _followed(
        self,
        found: Found,
        since: str | None,
        types: Collection[str],
        task_id: str | None,
        stop: Stop | None,
        tell: Tell | None,
    ) -> Found:
        while True:
            try:
                for message in found:
                    since = message.msg_id
                    yield message
                return
            except BusMoved as moved:
                found = self._moved(moved).follow(since, types, task_id, stop, tell)

    @property
    def _bus(self) -> Bus:
        """The bus in force; it is opened anew when the setting was written anew."""
        stamp = self._stamp()
        if self._known is None or self._known[0] != stamp:
            self._known = stamp, open_bus(current_address(self._state_dir), self._seconds)
        return self._known[1]

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = os.lstat(self._setting)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _moved(self, moved: BusMoved) -> Bus:
        """The bus that writers were sent on to. Whoever moved it may have been killed before it wrote the setting."""
        address, now = parse_address(str(moved.facts["url"])), current_address(self._state_dir)
        if address.path.parent == self._state_dir:
            address = own_address(self._state_dir, address.backend, now.segment_bytes)
            if address != now:
                set_current(self._state_dir, address)
        return open_bus(address, self._seconds)
