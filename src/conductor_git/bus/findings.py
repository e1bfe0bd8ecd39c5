"""What a look through a whole bus has found so far."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from conductor_git.bus.base import Report, Spot
from conductor_git.frames.decoder import Damage
from conductor_git.message import Message, id_key, id_time

_SHOWN: Final = 100
"""So many places and ids are kept; beyond them they are counted."""


class Findings:
    """Takes the messages and the damage of a bus in their order."""

    def __init__(self) -> None:
        self._messages = self._recovered = self._damaged = 0
        self._damage: list[Spot] = []
        self._disordered: list[str] = []
        self._last_key = ""

    def message(self, message: Message) -> None:
        self._messages += 1
        self._recovered += message.recovered
        if id_time(message.msg_id) is None:
            return
        key = id_key(message.msg_id)
        if key <= self._last_key and len(self._disordered) < _SHOWN:
            self._disordered.append(message.msg_id)
        self._last_key = max(self._last_key, key)

    def damage(self, path: Path, damage: Damage) -> None:
        self._damaged += 1
        if len(self._damage) < _SHOWN:
            self._damage.append(Spot(path, damage))

    def report(self, *, segments: int, torn: int | None, halted: str | None) -> Report:
        return Report(
            messages=self._messages,
            segments=segments,
            recovered=self._recovered,
            damaged=self._damaged,
            damage=tuple(self._damage),
            disordered=tuple(self._disordered),
            torn=torn,
            halted=halted,
        )
