"""What `verify` tells of a bus file; reads all of it, in windows."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final

from conductor_git.bus.base import Report
from conductor_git.bus.scan import Place, next_place, windows
from conductor_git.frames.decoder import Damage
from conductor_git.message import Message, id_key

_SHOWN: Final = 100


@dataclass(slots=True)
class _Findings:
    messages: int = 0
    recovered: int = 0
    damaged: int = 0
    damage: list[Damage] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    last_key: str = ""
    damage_end: int = -1

    def add(self, item: Message | Damage) -> None:
        if isinstance(item, Damage):
            self._damage(item)
        else:
            self._message(item)

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
            first = self.damage[-1]
            self.damage[-1] = Damage(first.offset, first.length + found.length, first.reason)
        elif not joined and len(self.damage) < _SHOWN:
            self.damage.append(found)


def check(fd: int, flush_failed: str | None) -> Report:
    findings, place = _Findings(), Place()
    for where, found in windows(fd, place):
        place = next_place(where, found)
        for item in found.items:
            findings.add(item)
    torn = place.offset + (2 if place.searching else 0)
    return Report(
        messages=findings.messages,
        recovered=findings.recovered,
        damaged=findings.damaged,
        damage=tuple(findings.damage),
        disordered=tuple(findings.disordered),
        torn=torn if torn < os.fstat(fd).st_size else None,
        flush_failed=flush_failed,
    )
