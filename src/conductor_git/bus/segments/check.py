"""What `verify` tells of a bus file and its segments; reads all of it, in windows."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from conductor_git.bus.base import Report, Spot
from conductor_git.bus.segments.ending import Ending
from conductor_git.bus.segments.listing import Files, files, open_segment, readable
from conductor_git.bus.segments.scan import Place, windows
from conductor_git.frames.decoder import Damage
from conductor_git.message import Message, id_key

_SHOWN: Final = 100


@dataclass(slots=True)
class _Findings:
    path: Path
    messages: int = 0
    recovered: int = 0
    damaged: int = 0
    damage: list[Spot] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    last_key: str = ""
    damage_end: int = -1
    unsettled: list[Damage] = field(default_factory=list)
    """Since the last message: at the end of the file it may be what was never wholly written."""

    def enter(self, path: Path) -> None:
        self.path, self.damage_end = path, -1

    def add(self, item: Message | Damage) -> None:
        if isinstance(item, Damage):
            self.unsettled.append(item)
        else:
            self.settle(None)
            self._message(item)

    def settle(self, torn: int | None) -> None:
        """Count the damage before `torn` as such."""
        for found in self.unsettled:
            if torn is None or found.offset < torn:
                self._damage(found)
        self.unsettled.clear()

    def _message(self, message: Message) -> None:
        self.messages += 1
        self.recovered += message.recovered
        if not message.msg_id.startswith("MSG-"):
            return
        key = id_key(message.msg_id)
        if key <= self.last_key and len(self.disordered) < _SHOWN:
            self.disordered.append(message.msg_id)
        self.last_key = max(self.last_key, key)

    def _damage(self, found: Damage) -> None:
        joined = found.offset == self.damage_end
        self.damage_end = found.offset + found.length
        if not joined:
            self.damaged += 1
        if joined and self.damage and self.damaged == len(self.damage):
            first = self.damage[-1].damage
            self.damage[-1] = Spot(self.path, Damage(first.offset, first.length + found.length, first.reason))
        elif not joined and len(self.damage) < _SHOWN:
            self.damage.append(Spot(self.path, found))


def check(bus: Path, halted: str | None) -> Report:
    with readable(bus), files(bus) as known:
        findings, torn = _Findings(bus), None
        for segment in known.closed:
            _check_closed(segment.path, findings)
        if known.current is not None:
            findings.enter(bus)
            torn = _check_file(known.current, findings)
        return _report(known, findings, torn, halted)


def _check_closed(path: Path, findings: _Findings) -> None:
    """Nobody writes to a closed segment any more: an incomplete message at its end is damage."""
    fd = open_segment(path)
    findings.enter(path)
    if fd is None:
        findings.add(Damage(0, 0, "a segment that went away while it was read"))
        findings.settle(None)
        return
    try:
        torn = _check_file(fd, findings)
        if torn is not None:
            findings.add(Damage(torn, os.fstat(fd).st_size - torn, "a message that ends early"))
            findings.settle(None)
    finally:
        os.close(fd)


def _check_file(fd: int, findings: _Findings) -> int | None:
    """Where an incomplete message begins at the end of the file, if one does."""
    ending = Ending(fd)
    for where, found in windows(fd, Place()):
        ending.add(where, found)
        for item in found.items:
            findings.add(item)
    torn = ending.torn()
    findings.settle(torn)
    return torn


def _report(known: Files, findings: _Findings, torn: int | None, halted: str | None) -> Report:
    return Report(
        messages=findings.messages,
        segments=len(known.closed) + (known.current is not None),
        recovered=findings.recovered,
        damaged=findings.damaged,
        damage=tuple(findings.damage),
        disordered=tuple(findings.disordered),
        torn=torn,
        halted=halted,
    )
