"""The files of a bus database: what may be opened at all, and what is left alone."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from conductor_git import durable
from conductor_git.bus.database import files
from conductor_git.bus.sqlite import SqliteBus
from conductor_git.errors import BusDamaged
from tests.integration.buses import FACT, beside, opened

FOREIGN = "CREATE TABLE precious (a); INSERT INTO precious VALUES ('mine');"


@pytest.fixture
def bus(tmp_path: Path) -> SqliteBus:
    return SqliteBus(tmp_path / "conductor" / "bus.sqlite")


def test_a_database_has_a_log_and_says_whose_it_is_from_its_first_moment(
    bus: SqliteBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bytes] = []
    real = durable.replace

    def watched(path: Path, data: bytes) -> None:
        made.append(data)
        real(path, data)

    monkeypatch.setattr(durable, "replace", watched)
    bus.append(FACT)

    (bus.path.parent / "copy").write_bytes(made[0])
    for path in (bus.path, bus.path.parent / "copy"):
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert db.execute("PRAGMA application_id").fetchone() == (int.from_bytes(b"Cond"),)
            assert db.execute("PRAGMA user_version").fetchone() == (1,)
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        (FOREIGN, "something else than a bus"),
        (f"PRAGMA journal_mode = WAL; {FOREIGN}", "something else than a bus"),
        (f"PRAGMA application_id = {int.from_bytes(b'Cond')}; PRAGMA user_version = 2;", "has the format 2"),
        ("", "is no SQLite database"),
    ],
    ids=["another application", "another application with a log", "a newer version", "no database"],
)
def test_a_database_that_is_no_bus_of_ours_is_refused_and_untouched(
    bus: SqliteBus, tmp_path: Path, setup: str, said: str
) -> None:
    bus.path.parent.mkdir()
    with closing(sqlite3.connect(tmp_path / "original")) as db:
        db.executescript(setup)
        # As a program leaves them that was killed: nobody has them open, and the log is not yet in the database.
        for end in ("", "-wal"):
            if (tmp_path / f"original{end}").exists():
                beside(bus, end).write_bytes((tmp_path / f"original{end}").read_bytes())
    if not setup:
        bus.path.write_bytes(b"mine, and no database at all")
    before = {path: path.read_bytes() for path in bus.path.parent.iterdir()}

    for use in (lambda: bus.append(FACT), lambda: list(bus.read()), bus.verify, lambda: next(bus.follow())):
        with pytest.raises(BusDamaged, match=said) as refused:
            use()
        assert refused.value.hint
    assert {path: path.read_bytes() for path in bus.path.parent.iterdir()} == before


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_pipe_or_link_beside_the_database_is_refused_and_blocks_nobody(bus: SqliteBus, end: str, kind: str) -> None:
    bus.append(FACT)
    beside(bus, end).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(beside(bus, end))
    else:
        beside(bus, end).symlink_to(bus.path.parent / "made-by-us")

    for use in (lambda: bus.append(FACT), lambda: list(bus.read()), bus.verify):
        with pytest.raises(BusDamaged, match=f"{end} is not a regular file"):
            use()
    assert not (bus.path.parent / "made-by-us").exists()


def test_a_log_whose_database_is_gone_is_not_played_into_a_new_one(bus: SqliteBus) -> None:
    bus.append(FACT)
    with opened(bus):
        bus.append(FACT)
        log = beside(bus, "-wal").read_bytes()
    bus.path.unlink()
    beside(bus, "-wal").write_bytes(log)

    with pytest.raises(BusDamaged, match="its database is gone"):
        bus.append(FACT)
    with pytest.raises(BusDamaged, match="its database is gone"):
        bus.tail(1)
    assert beside(bus, "-wal").read_bytes() == log


@pytest.mark.parametrize("use", ["read", "append"])
def test_a_database_that_is_made_between_two_looks_at_its_files_is_not_taken_for_gone(
    bus: SqliteBus, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    real = files.status
    made: list[closing[sqlite3.Connection]] = []

    def late(path: Path) -> os.stat_result | None:
        found = real(path)
        if path == bus.path and not made:
            monkeypatch.setattr(files, "status", real)
            SqliteBus(bus.path).append(FACT)
            made.append(opened(bus))
            SqliteBus(bus.path).append(FACT)
        return found

    monkeypatch.setattr(files, "status", late)
    if use == "append":
        bus.append(FACT)
    found = len(list(bus.read()))
    with made[0]:
        assert beside(bus, "-wal").stat().st_size
    assert found == (3 if use == "append" else 2)
