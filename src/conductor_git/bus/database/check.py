"""What `verify` tells of a bus database; reads all of it, a megabyte at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from conductor_git.bus.base import Report
from conductor_git.bus.database.opening import Database
from conductor_git.bus.database.rows import Row, rows_after, wanted
from conductor_git.bus.findings import Findings
from conductor_git.errors import BusDamaged
from conductor_git.frames.decoder import Damage


def check(database: Database) -> Report:
    findings = Findings()
    if not database.is_there():
        return findings.report(segments=0, torn=None, halted=database.halt.reason)
    try:
        for said in database.read(_integrity) or []:
            findings.damage(database.path, Damage(0, 0, said))
        for row in _rows(database):
            message = row.message
            if isinstance(message, Damage):
                findings.damage(database.path, message)
            else:
                findings.message(message)
    except BusDamaged as refused:
        # What SQLite cannot even walk through; what came before it is told all the same.
        if not isinstance(refused.__cause__, sqlite3.Error):
            raise
        findings.damage(database.path, Damage(0, 0, str(refused.__cause__)))
    return findings.report(segments=1, torn=None, halted=database.halt.reason)


def _rows(database: Database) -> Iterator[Row]:
    place = 0
    while rows := database.read(lambda db, place=place: rows_after(db, place, wanted((), None))):  # type: ignore[misc]
        yield from rows
        place = rows[-1].place


def _integrity(db: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with its pages and indexes; a text says either `ok` or one thing."""
    return [said for (said,) in db.execute("PRAGMA integrity_check") if said != "ok"]
