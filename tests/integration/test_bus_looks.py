"""What `bus read` and `bus follow` look like: in a pipe, on a terminal with colours, in a conversation."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conductor_git.bus.file import FileBus
from conductor_git.cli.wrapping import beginning, cells, fitting, wrapped
from conductor_git.frames.frame import encode
from conductor_git.message import Message, Parent, make_msg_id, timestamp
from tests import kit
from tests.integration.buses import NOON

ESCAPE = "\x1b]0;title\x07\x1b[31m"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
HEAD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  [A-Z_]+ ")


def message(number: int, body: str, kind: str = "FACT", **fields: object) -> Message:
    at = NOON + number * 1_000_000_000
    made = Message(kind, body, task_id="prices", msg_id=make_msg_id(at, 4242, number), ts=timestamp(at))
    return made._replace(**fields)  # type: ignore[arg-type]


def written(path: Path, *messages: Message) -> str:
    """A bus with these messages, as an option."""
    path.write_bytes(b"".join(map(encode, messages)))
    return f"--bus={path}"


@contextmanager
def following(place: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`bus follow` in a pipe, once it sleeps."""
    command = [str(kit.console_script()), "bus", "follow", *options]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        command, cwd=place, env=buffered, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            kit.until(lambda: _waits(process.pid))
            yield process
        finally:
            process.kill()


def _waits(pid: int) -> bool:
    """It has its signal handler, the last thing before it opens the bus, and sleeps."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return bool(int(status["SigCgt"], 16) & 1 << (signal.SIGTERM - 1)) and status["State"].startswith("S")


def post(place: Path, *words: str) -> str:
    done = kit.conductor("bus", "post", *words, cwd=place)
    assert done.code == 0, done
    return done.out.strip()


def test_a_pipe_gets_one_head_line_a_message_without_colours_and_unwrapped(tmp_path: Path) -> None:
    long = "word " * 60 + "end"
    bus = written(
        tmp_path / "bus.md", message(0, f"{long}\nsecond"), message(1, "FACT\n2026-01-01 00:00:00  FACT  forged")
    )

    out = kit.conductor("bus", "read", bus, cwd=tmp_path, env={"TERM": "xterm-256color", "TZ": "UTC"}).out

    heads = [line for line in out.splitlines() if HEAD.match(line)]
    assert heads == [
        f"2026-11-20 11:35:02  FACT       prices        {long}",
        "2026-11-20 11:35:03  FACT       prices        FACT",
    ]
    assert out.splitlines()[1] == "    second"
    assert "\x1b" not in out


def test_the_time_is_that_of_the_person_who_reads(tmp_path: Path) -> None:
    bus = written(tmp_path / "bus.md", message(0, "late"))

    out = kit.conductor("bus", "read", bus, cwd=tmp_path, env={"TZ": "<+13>-13"}).out

    assert out.startswith("2026-11-21 00:35:02  FACT")


@pytest.mark.parametrize("in_colour", [False, True], ids=["in a pipe", "on a terminal"])
def test_nothing_of_a_message_is_obeyed_by_a_terminal(tmp_path: Path, in_colour: bool) -> None:
    hostile = message(
        0,
        f"body {ESCAPE}\n{ESCAPE}\rover",
        f"FACT{ESCAPE}",
        task_id=f"task\n{ESCAPE}",
        parents=(Parent(f"MSG\n{ESCAPE}", ESCAPE),),
        attachment_path=f"a\n{ESCAPE}",
        meta={f"k{ESCAPE}": f"v\n{ESCAPE}"},
        extra={"links": [f"l\n{ESCAPE}"], "attachment": {"name": ESCAPE, "size": ESCAPE}},
    )
    (tmp_path / "bus.md").write_bytes(foreign(hostile))
    bus = f"--bus={tmp_path / 'bus.md'}"

    if in_colour:
        shown = COLOUR.sub("", kit.on_a_terminal(tmp_path, "bus", "read", bus))
    else:
        shown = kit.conductor("bus", "read", bus, cwd=tmp_path).out

    assert "title" in shown
    assert [character for character in shown if not character.isprintable() and character != "\n"] == []
    assert in_colour or [line.startswith("    ") for line in shown.splitlines()] == [False] + [True] * 5


def foreign(made: Message) -> bytes:
    """A frame as another tool may write it, without length and checksum, with a type that ours would refuse."""
    frame = encode(made._replace(type="FACT")).replace(b"type: FACT", b"type: " + json.dumps(made.type).encode(), 1)
    return re.sub(rb"^(?:length|crc): .*\n", b"", frame, flags=re.MULTILINE)


def test_a_terminal_gets_columns_colours_and_lines_that_fit(tmp_path: Path) -> None:
    messages = [
        message(0, "prices: ASSIGNED → WORKING (start by supervisor)", "STATE"),
        message(1, "it is on main", "LANDED"),
        message(2, f"- a point {'of many words ' * 9}\nhttps://example.org/{'a' * 40}", "BOUNCED", task_id="p" * 60),
        message(86_400, "日本語" * 30, "PROGRESS"),
    ]
    bus = written(tmp_path / "bus.md", *messages)

    shown = kit.on_a_terminal(tmp_path, "bus", "read", bus)

    lines = COLOUR.sub("", shown).splitlines()
    assert lines[0].startswith("── Friday 20 November 2026 ──")
    assert lines[1] == "11:35:02    STATE       prices         ASSIGNED → WORKING (start by supervisor)"
    assert lines[2] == "11:35:03  ✓ LANDED      prices         it is on main"
    assert lines[3].startswith("11:35:04  ▲ BOUNCED     pppppppp…pppp  - a point of many")
    assert lines[4].startswith(" " * 41 + "many words of many")
    assert [line for line in lines if cells(line) > 80] == []
    assert any(line.startswith("── Saturday 21 November 2026 ──") for line in lines)
    assert "\x1b[36mWORKING\x1b[0m" in shown
    assert "\x1b[1;32m✓ LANDED" in shown


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_whoever_wants_no_colours_gets_none(tmp_path: Path, variables: dict[str, str]) -> None:
    bus = written(tmp_path / "bus.md", message(0, "word " * 60))

    shown = kit.on_a_terminal(tmp_path, "bus", "read", bus, variables=variables)

    assert "\x1b" not in shown
    assert shown.count("\n") == 1


def test_a_message_found_past_damage_is_marked(tmp_path: Path) -> None:
    whole, damaged = encode(message(2, "found")), encode(message(1, "lost"))
    (tmp_path / "bus.md").write_bytes(encode(message(0, "good")) + damaged.replace(b"lost", b"l0st") + whole)
    bus = f"--bus={tmp_path / 'bus.md'}"

    plain = kit.conductor("bus", "read", bus, cwd=tmp_path, env={"TZ": "UTC"}).out
    shown = kit.on_a_terminal(tmp_path, "bus", "read", bus)

    assert plain.splitlines()[-1].endswith("prices        recovered: found")
    assert "\x1b[33mrecovered: found\x1b[0m" in shown


def test_what_goes_with_a_message_hangs_below_it(repository: Path) -> None:
    (repository / "price list.txt").write_text("x" * 2048)
    question = post(repository, "--task", "prices", "--type", "QUESTION", "gross or net?")
    options = ["--parent", f"{question}:answers", "--attach", "price list.txt", "--link", "https://example.org/7"]
    post(repository, *options, "--meta", "revision=7", "gross")

    out = kit.conductor("bus", "read", cwd=repository).out
    told = kit.conductor("bus", "read", "--tail", "1", cwd=repository).out

    asked, asked_id, answered, *below = out.splitlines()
    assert asked.endswith("QUESTION   prices        gross or net?")
    assert asked_id == f"    · {question}"
    assert answered.endswith("FACT       -             gross")
    assert re.fullmatch(r"    ↳ answers \d\d:\d\d:\d\d prices: gross or net\?", below[0])
    assert re.fullmatch(r"    ⎘ attachments/[0-9a-f]{16}/price_list\.txt  2\.0 KiB  price list\.txt", below[1])
    assert below[2:] == ["    → https://example.org/7", "    · revision=7"]
    assert told.splitlines()[1] == below[0]


def test_a_conversation_has_its_replies_below_what_they_answer(repository: Path) -> None:
    first = post(repository, "first")
    post(repository, "elsewhere")
    second = post(repository, "--parent", f"{first}:answers", "second")
    other = post(repository, "--parent", first, "other")
    third = post(repository, "--parent", f"{second}:answers", "third")

    out = kit.conductor("bus", "read", "--thread", third, cwd=repository).out
    document = kit.conductor("bus", "read", "--thread", other, "--json", cwd=repository).document

    assert [line[46:] for line in out.splitlines()] == ["first", "↳ second", "  ↳ third", "↳ other"]
    assert [each["body"] for each in document["messages"]] == ["first", "second", "other", "third"]


def test_follow_prints_each_message_at_once_into_a_pipe_and_ends_quietly(repository: Path) -> None:
    post(repository, "before")
    with following(repository) as process:
        assert process.stdout is not None
        post(repository, "--task", "prices", "one")
        first = process.stdout.readline()
        post(repository, "--task", "prices", "two")
        second = process.stdout.readline()
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()

    assert [first[32:], second[32:]] == ["prices        one\n", "prices        two\n"]
    assert (process.returncode, out, err.strip()) == (130, "", "")


def test_follow_with_json_prints_a_document_a_line_of_what_was_asked_for(repository: Path) -> None:
    start = post(repository, "--task", "prices", "one")
    post(repository, "--task", "pears", "two")
    with following(repository, "--json", "--since", start, "--task", "prices", "--type", "REVIEW") as process:
        assert process.stdout is not None
        post(repository, "--task", "prices", "three")
        wanted = post(repository, "--task", "prices", "--type", "REVIEW", "four")
        document = json.loads(process.stdout.readline())

    assert document["schema"] == 1
    assert (document["message"]["msg_id"], document["message"]["body"]) == (wanted, "four")


def test_follow_goes_on_after_the_cursor_and_acknowledges_what_it_printed(repository: Path) -> None:
    ids = [post(repository, word) for word in ("one", "two", "three")]
    assert kit.conductor("bus", "ack", ids[0], "--as", "ada", cwd=repository).code == 0
    bus = FileBus(repository / ".git" / "conductor" / "MESSAGE-BUS.md")

    with following(repository, "--as", "ada") as process:
        assert process.stdout is not None
        seen = [process.stdout.readline()[46:] for _ in range(2)]
    assert (seen, bus.acknowledged("ada")) == (["two\n", "three\n"], ids[0])

    with following(repository, "--as", "ada", "--ack") as process:
        kit.until(lambda: bus.acknowledged("ada") == ids[2])
        last = post(repository, "four")
        kit.until(lambda: bus.acknowledged("ada") == last)


def test_follow_waits_for_a_bus_that_is_not_there_yet(tmp_path: Path) -> None:
    bus = f"--bus={tmp_path / 'late.md'}"
    with following(tmp_path, bus) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        told = process.stderr.readline()
        post(tmp_path, bus, "here")
        assert process.stdout.readline().endswith("  here\n")

    assert told == f"○ there is no bus at {tmp_path / 'late.md'} yet\n"


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ("short", ["short"]),
        ("one two three", ["one two", "three"]),
        ("- one two three", ["- one", "  two", "  three"]),
        ("    in in", ["    in", "    in"]),
        ("abcdefghijkl", ["abcdefgh", "ijkl"]),
        ("see https://example.org/x now", ["see", "https://example.org/x", "now"]),
        ("日本語日本語", ["日本語日", "本語"]),
    ],
)
def test_a_line_is_broken_between_words_and_hangs_below_its_mark(line: str, rows: list[str]) -> None:
    assert wrapped(line, 8) == rows


def test_a_cell_has_its_width_whatever_stands_in_it() -> None:
    for text in ("", "fix-login", "refactor-the-adapter-2", "日本語日本語日本語", "é" * 30, "e\u0301" * 30):
        assert cells(fitting(text, 13)) == 13
        assert cells(beginning(text, 13)) <= 13
    assert fitting("refactor-the-adapter-2", 13) == "refactor…er-2"
