"""What `verify` tells of a bus database; reads all of it, a megabyte at a time."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Final

from conductor_git.bus.base import Report, Spot
from conductor_git.bus.database.opening import Database
from conductor_git.bus.database.rows import Row, rows_after, wanted
from conductor_git.errors import BusDamaged
from conductor_git.frames.decoder import Damage
from conductor_git.message import id_key, id_time

_SHOWN: Final = 100


@dataclass(slots=True)
class _Findings:
    database: Database
    messages: int = 0
    recovered: int = 0
    damaged: int = 0
    damage: list[Spot] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    last_key: str = ""
    place: int = 0

    def damage_found(self, damage: Damage) -> None:
        self.damaged += 1
        if len(self.damage) < _SHOWN:
            self.damage.append(Spot(self.database.path, damage))

    def add(self, row: Row) -> None:
        self.place = row.place
        message = row.message
        if isinstance(message, Damage):
            self.damage_found(message)
            return
        self.messages += 1
        self.recovered += message.recovered
        if id_time(message.msg_id) is not None:
            self._in_order(message.msg_id)

    def _in_order(self, msg_id: str) -> None:
        key = id_key(msg_id)
        if key <= self.last_key and len(self.disordered) < _SHOWN:
            self.disordered.append(msg_id)
        self.last_key = max(self.last_key, key)


def check(database: Database) -> Report:
    if not database.is_there():
        return Report(halted=database.halt.reason)
    findings = _Findings(database)
    try:
        for said in database.read(_integrity) or []:
            findings.damage_found(Damage(0, 0, said))
        while rows := database.read(lambda db: rows_after(db, findings.place, wanted((), None))):
            for row in rows:
                findings.add(row)
    except BusDamaged as refused:
        # What SQLite cannot even walk through; what came before it is told all the same.
        if not isinstance(refused.__cause__, sqlite3.Error):
            raise
        findings.damage_found(Damage(0, 0, str(refused.__cause__)))
    return Report(
        messages=findings.messages,
        segments=1,
        recovered=findings.recovered,
        damaged=findings.damaged,
        damage=tuple(findings.damage),
        disordered=tuple(findings.disordered),
        halted=database.halt.reason,
    )


def _integrity(db: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with its pages and indexes; a text says either `ok` or one thing."""
    return [said for (said,) in db.execute("PRAGMA integrity_check") if said != "ok"]
