"""An agent's output as it grows: whole lines, bounded memory, and nothing in it that could break the reader."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

from conductor_git.runner.agents.base import AgentEvent, Kind
from conductor_git.runner.agents.claude import Claude
from conductor_git.runner.agents.codex import Codex
from conductor_git.runner.agents.command import Command
from conductor_git.runner.agents.gemini import Gemini
from conductor_git.runner.agents.stream import LONGEST_LINE, Stream
from conductor_git.runner.agents.tally import LONGEST_ANSWER, Tally
from tests.agents.performing import perform

MiB: Final = 1 << 20


class Lines(Command):
    """Every line is a text, and one of them is too much for it."""

    def __init__(self) -> None:
        super().__init__("lines", ("true",))

    def events(self, line: str) -> Iterable[AgentEvent]:
        if line.startswith("stumble"):
            raise {"value": ValueError, "key": KeyError, "type": TypeError, "deep": RecursionError}[line.split()[1]]
        return [AgentEvent(Kind.TEXT, "half \ud800" if line == "surrogate" else line)]


def texts(events: Iterable[AgentEvent]) -> list[str]:
    return [event.text for event in events]


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_each_read_tells_the_lines_that_were_completed_since_the_last(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    stream = Stream(log, Lines())
    assert texts(stream.read()) == []  # not there yet

    append(log, b"one\ntw")
    assert texts(stream.read()) == ["one"]
    append(log, "o\r\nfünf".encode()[:-2])
    assert texts(stream.read()) == ["two"]
    append(log, "fünf".encode()[-2:])

    assert texts(stream.read()) == []
    assert texts(stream.finish()) == ["fünf"]
    assert texts(stream.finish()) == []


def test_a_second_reader_goes_on_where_the_first_one_stopped_or_begins_anew(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    append(log, b"one\ntwo\nthr")
    first = Stream(log, Lines())
    assert texts(first.read()) == ["one", "two"]
    append(log, b"ee\n")

    assert texts(Stream(log, Lines(), first.position).finish()) == ["three"]
    assert texts(Stream(log, Lines()).finish()) == ["one", "two", "three"]


def test_a_reader_who_stops_listening_misses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    append(log, b"one\ntwo\nthree\n")
    stream = Stream(log, Lines())

    assert next(iter(stream.read())).text == "one"

    assert texts(stream.read()) == ["two", "three"]


@pytest.mark.parametrize("trouble", ["value", "key", "type", "deep"])
def test_a_line_that_an_adapter_stumbles_over_is_kept_as_it_came(tmp_path: Path, trouble: str) -> None:
    log = tmp_path / "stdout.log"
    append(log, f"one\nstumble {trouble}\ntwo\n".encode())

    told = list(Stream(log, Lines()).finish())

    assert [(event.kind, event.text) for event in told] == [
        (Kind.TEXT, "one"),
        (Kind.OTHER, f"stumble {trouble}"),
        (Kind.TEXT, "two"),
    ]


def test_bytes_that_are_no_text_are_told_as_replacement_characters(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    append(log, b"a\xff\xfeb\n\xc3\n")

    assert texts(Stream(log, Lines()).finish()) == ["a\ufffd\ufffdb", "\ufffd"]


def test_half_a_character_that_json_can_spell_is_made_one_that_a_file_can_hold(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    append(log, b"surrogate\n")

    (text,) = texts(Stream(log, Lines()).finish())

    assert text.encode().decode().startswith("half \ufffd")


@pytest.mark.parametrize("adapter", [Claude(), Codex(), Gemini()], ids=lambda adapter: str(adapter.name))
def test_an_agent_that_prints_garbage_is_still_understood(tmp_path: Path, adapter: Claude) -> None:
    seen = perform(adapter, tmp_path, "say:before", "garbage", "say:after", "cost:0.5", "tokens:3:4")

    assert seen.code == 0
    assert seen.tally.answer().endswith("after")
    assert (seen.tally.tokens_in, seen.tally.tokens_out) == (3, 4)
    assert len(seen.said(Kind.OTHER)) > 5
    assert all(event.text.encode() for event in seen.events if event.kind is Kind.OTHER)


def test_of_a_line_that_is_too_long_the_beginning_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    append(log, b"one\n" + b"x" * (LONGEST_LINE + 5) + b"\ntwo\n" + b"y" * LONGEST_LINE + b"\n")

    told = list(Stream(log, Lines()).finish())

    assert [event.kind for event in told] == [Kind.TEXT, Kind.OTHER, Kind.TEXT, Kind.TEXT]
    assert (told[1].text.strip("x"), len(told[1].text)) == ("", 16384)
    assert (told[2].text, len(told[3].text)) == ("two", LONGEST_LINE)


def test_a_line_of_100_mb_and_a_gigabyte_of_nothing_keep_memory_flat(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    with log.open("wb") as file:
        file.write(b"first\n")
        for _ in range(100):
            file.write(b"x" * MiB)
        file.write(b"\nmiddle\n")
        file.seek(1 << 30, os.SEEK_CUR)  # given back to the disk, as it is done with the middle of a log
        file.write(b"}\nlast\n")
    stream = Stream(log, Lines())
    tracemalloc.start()

    told = [event.text[:10] for event in stream.finish()]

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert told == ["first", "x" * 10, "middle", "}", "last"]
    assert peak < 8 * MiB


def test_a_flood_of_talk_keeps_memory_flat(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    with log.open("wb") as file:
        for _ in range(16):
            file.write((b"I am looking at the prices. " * 36 + b"\n") * 1024)
        file.write(b"The end\n")
    stream, tally = Stream(log, Lines()), Tally()
    tracemalloc.start()

    for event in stream.finish():
        tally.add(event)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * MiB
    assert tally.answer().endswith("The end")
    assert LONGEST_ANSWER // 2 < len(tally.answer()) <= LONGEST_ANSWER


def test_a_hole_cuts_the_line_that_it_is_in_and_no_other(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    append(log, b"one\n" + b'{"cut' + b"\0" * MiB + b'off"}\ntwo\na\0b\n')

    stream = Stream(log, Lines())

    assert texts(stream.finish()) == ["one", '{"cut', 'off"}', "two", "ab"]
    assert stream.position == log.stat().st_size


def test_a_link_in_the_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    secret, log = tmp_path / "secret", tmp_path / "stdout.log"
    secret.write_text("token\n")
    log.symlink_to(secret)

    assert texts(Stream(log, Lines()).finish()) == []


def test_a_log_that_somebody_cut_is_read_on_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    append(log, b"one\ntwo\n")
    stream = Stream(log, Lines())
    assert texts(stream.read()) == ["one", "two"]
    log.write_bytes(b"on")

    assert texts(stream.read()) == []
    append(log, b"three\n")

    assert texts(stream.read()) == ["three"]
