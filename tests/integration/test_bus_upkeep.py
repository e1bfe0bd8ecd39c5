"""`bus verify` and `bus copy` as commands: what they find, what they say, and where the project goes on."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conductor_git.bus.current import current_address
from conductor_git.bus.file import FileBus
from conductor_git.bus.sqlite import SqliteBus
from conductor_git.frames.frame import encode
from conductor_git.message import make_msg_id
from tests import kit
from tests.integration.buses import FACT, NOON, numbered
from tests.kit import tasks


def verify(place: Path, *options: str) -> kit.Completed:
    return kit.conductor("bus", "verify", *options, cwd=place)


def bus_file(repository: Path) -> Path:
    return repository / ".git" / "conductor" / "MESSAGE-BUS.md"


def bodies(place: Path, *options: str) -> list[str]:
    done = kit.conductor("bus", "read", "--json", *options, cwd=place)
    assert done.code == 0, done
    return [message["body"] for message in done.document["messages"]]


def post(place: Path, *words: str) -> str:
    done = kit.conductor("bus", "post", *words, cwd=place)
    assert done.code == 0, done
    return done.out.strip()


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A bus of three messages whose second one is changed in one byte."""
    path = tmp_path / "the bus.md"
    one, two, three = (encode(numbered(number)) for number in range(3))
    path.write_bytes(one + two.replace(b"many", b"mamy") + three)
    return path


def test_a_sound_bus_is_said_to_be_one(repository: Path) -> None:
    post(repository, "one")
    post(repository, "two")

    assert verify(repository).out == "2 messages, all whole and in order\n"
    assert verify(repository, "--json").document == {
        "schema": 1,
        "messages": 2,
        "segments": 1,
        "recovered": 0,
        "damaged": 0,
        "damage": [],
        "disordered": [],
        "torn": None,
        "halted": None,
    }


def test_more_than_one_segment_is_said(tmp_path: Path) -> None:
    bus = FileBus(tmp_path / "bus.md", segment_bytes=1024)
    for _ in range(12):
        bus.append(FACT)
    segments = len(list(tmp_path.glob("bus*.md")))

    assert segments > 1
    assert verify(tmp_path, "--bus=bus.md").out == f"12 messages in {segments} segments, all whole and in order\n"
    assert verify(tmp_path, "--bus=bus.md", "--json").document["segments"] == segments


def test_damage_is_told_with_file_place_and_the_command_that_shows_it(damaged: Path) -> None:
    first, second = (encode(numbered(number)) for number in range(2))

    done = verify(damaged.parent, f"--bus={damaged}")

    spot, found, *_, hint = done.err.splitlines()
    assert done.code == 1
    assert spot.startswith(f"▲ the bus.md: byte {len(first)}, {len(second)} bytes: ")
    assert found == "○ 1 message past damage can be read, and nothing acts on them"
    assert done.err.splitlines()[2] == "✗ the bus has 1 damaged place; 2 messages can be read"
    shown = subprocess.run(hint.removeprefix("↳ "), shell=True, capture_output=True, check=True).stdout
    assert shown == second.replace(b"many", b"mamy")


def test_damage_has_a_document_too(damaged: Path) -> None:
    first, second = (encode(numbered(number)) for number in range(2))

    error = tasks.refused(verify(damaged.parent, f"--bus={damaged}", "--json"), "BUS_DAMAGED", 1)

    (spot,) = error["damage"]
    assert spot.pop("reason")
    assert spot == {"path": str(damaged), "offset": len(first), "length": len(second)}
    assert (error["messages"], error["damaged"], error["recovered"]) == (2, 1, 1)


def test_damage_of_a_database_is_told_with_its_row(tmp_path: Path) -> None:
    bus = SqliteBus(tmp_path / "bus.sqlite")
    for _ in range(3):
        bus.append(FACT)
    with closing(sqlite3.connect(bus.path)) as database, database:
        database.execute("UPDATE message SET frame = replace(frame, 'loop', 'pool') WHERE place = 2")

    done = verify(tmp_path, f"--bus={bus.path}")

    assert done.code == 1
    assert done.err.startswith("▲ bus.sqlite: row 2, ")
    assert done.err.splitlines()[-1] == f"↳ conductor-git bus read --bus sqlite:{bus.path}"


def test_damage_of_a_bus_that_has_moved_is_told_and_its_marker_is_left_alone(damaged: Path) -> None:
    FileBus(damaged).hand_over("sqlite:/elsewhere.sqlite", lambda: None)

    done = verify(damaged.parent, f"--bus={damaged}")

    assert done.code == 1
    assert "1 damaged place; 2 messages" in done.err
    assert ".halted" not in done.err
    assert "flush" not in done.err


def test_messages_out_of_order_are_named(tmp_path: Path) -> None:
    early = numbered(1)._replace(msg_id=make_msg_id(NOON, 4242, 1))
    (tmp_path / "bus.md").write_bytes(encode(numbered(2)) + encode(early))

    done = verify(tmp_path, "--bus=bus.md")

    assert done.code == 1
    assert done.err.splitlines()[:2] == [
        f"▲ {early.msg_id} does not come after the message before it",
        "✗ the bus has 1 message out of order; 2 messages can be read",
    ]


def test_an_unfinished_message_at_the_end_is_no_damage(tmp_path: Path) -> None:
    whole = encode(numbered(0))
    (tmp_path / "bus.md").write_bytes(whole + encode(numbered(1))[:-20])

    done = verify(tmp_path, "--bus=bus.md")

    assert (done.code, done.out) == (0, "1 message, all whole and in order\n")
    assert f"(byte {len(whole)})" in done.err


def test_a_failed_flush_is_told_until_somebody_lifts_it(tmp_path: Path) -> None:
    bus = FileBus(tmp_path / "bus.md")
    bus.append(FACT)
    bus.halt.flush_failed(OSError(5, "Input/output error"))

    refused = kit.conductor("bus", "post", "--bus=bus.md", "more", cwd=tmp_path)
    done = verify(tmp_path, "--bus=bus.md")

    assert refused.code == done.code == 1
    assert "▲ bus.md takes no messages: a flush failed at " in done.err
    lift = done.err.splitlines()[-1].removeprefix("↳ ")
    subprocess.run(lift, shell=True, check=True)
    assert verify(tmp_path, "--bus=bus.md").code == 0
    post(tmp_path, "--bus=bus.md", "more")


def test_the_project_goes_on_with_the_bus_that_it_was_moved_to(repository: Path) -> None:
    ids = [post(repository, "--task", "prices", word) for word in ("one", "two")]
    assert kit.conductor("bus", "ack", ids[0], "--as", "ada", cwd=repository).code == 0

    done = kit.conductor("bus", "copy", "file", "sqlite", cwd=repository)
    post(repository, "three")

    database = bus_file(repository).with_suffix(".sqlite")
    assert (done.code, done.out) == (0, f"sqlite:{database}\n")
    assert done.err.startswith("✓ 2 messages and 1 cursor moved from file:")
    assert "bus: {backend: sqlite}" in done.err
    assert bodies(repository) == ["one", "two", "three"]
    assert bodies(repository, "--as", "ada") == ["two", "three"]
    assert bodies(repository, f"--bus={database}") == ["one", "two", "three"]
    assert bodies(repository, f"--bus={bus_file(repository)}") == ["one", "two"]


def test_the_old_bus_sends_on_whoever_still_writes_to_it(repository: Path) -> None:
    post(repository, "one")
    kit.conductor("bus", "copy", "file", "sqlite", cwd=repository)

    refused = kit.conductor("bus", "post", f"--bus={bus_file(repository)}", "lost?", "--json", cwd=repository)
    sound = verify(repository, f"--bus={bus_file(repository)}")

    error = tasks.refused(refused, "BUS_MOVED", 1)
    assert error["url"] == f"sqlite:{bus_file(repository).with_suffix('.sqlite')}"
    assert sound.code == 0
    assert "○ this bus takes no more messages: it has moved to sqlite:" in sound.err


def test_a_bus_moves_back_with_what_was_posted_meanwhile(repository: Path) -> None:
    post(repository, "one")
    documents: list[Any] = []
    for source, target in (("file", "sqlite"), ("sqlite", "file")):
        documents.append(kit.conductor("bus", "copy", source, target, "--json", cwd=repository).document)
        assert current_address(bus_file(repository).parent).backend == target
        post(repository, f"on {target}")

    assert [(each["moved"], each["messages"]) for each in documents] == [(True, 1), (True, 2)]
    assert documents[1]["target"] == f"file:{bus_file(repository)}"
    assert bodies(repository) == ["one", "on sqlite", "on file"]


def test_a_copy_elsewhere_leaves_the_project_where_it_is(repository: Path, tmp_path: Path) -> None:
    ids = [post(repository, word) for word in ("one", "two")]
    target = tmp_path / "archive" / "bus.sqlite"

    done = kit.conductor("bus", "copy", "file", f"sqlite:{target}", "--json", cwd=repository)
    post(repository, "three")

    assert (done.document["moved"], done.document["messages"], done.document["added"]) == (False, 2, 2)
    assert bodies(tmp_path, f"--bus={target}") == ["one", "two"]
    assert bodies(tmp_path, f"--bus={target}", "--since", ids[0]) == ["two"]
    assert bodies(repository) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("nowhere.md", "there.md"), "NOT_FOUND", 18),
        (("here.md", "here.md"), "BAD_INPUT", 2),
        (("here.md", "other.md"), "BAD_INPUT", 2),
        (("here.md", "postgres://there"), "BAD_INPUT", 2),
        (("file", "there.md"), "NOT_A_REPOSITORY", 1),
    ],
    ids=str,
)
def test_a_copy_that_cannot_be_made_changes_nothing(
    tmp_path: Path, words: tuple[str, str], code: str, exit_code: int
) -> None:
    (tmp_path / "here.md").write_bytes(encode(numbered(0)))
    (tmp_path / "other.md").write_bytes(encode(numbered(1)))

    done = kit.conductor("bus", "copy", *words, "--json", cwd=tmp_path)

    tasks.refused(done, code, exit_code)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here.md", "other.md"]
    assert (tmp_path / "other.md").read_bytes() == encode(numbered(1))
