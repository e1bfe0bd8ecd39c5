"""What every backend promises about messages and cursors: all of them, whole, in order, and nothing else."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import closing
from itertools import islice, product
from pathlib import Path

import pytest

from conductor_git.bus.base import Bus
from conductor_git.bus.watching.stop import Stop
from conductor_git.errors import BadInput, BusMoved, TooLarge, UnknownCursor
from conductor_git.frames.frame import encode
from conductor_git.message import MAX_BODY, Message, Parent, id_key, make_msg_id, timestamp
from tests import kit
from tests.conformance.backends import FACT, bus_at, program, url_in

NOON = 1_795_174_502_123_456_789
FULL = FACT._replace(
    type="REVIEW",
    run_id="20261120-101500123456-4242-1",
    parents=(Parent("MSG-20261120-101501-000000001-PID04242-0000", "answers"), Parent("elsewhere-7")),
    attachment_path="tasks/fix-login/reviews/ä b.md",
    meta={"revision": "7", "true": "no", "a key": "two\nlines: of 'text'", "empty": ""},
    extra={"links": [{"url": "https://example.org/?a=b#c", "kind": "pr"}], "issue": None, "labels": ["a", "b"]},
)
APPEND = """
for number in range(int(sys.argv[2])):
    print(bus.append(Message(type="PROGRESS", body=f"{number}", task_id=sys.argv[3])), flush=True)
"""


def numbered(number: int, **fields: str) -> Message:
    at = NOON + number * 1_000_000
    message = FACT._replace(body=f"one of many {number}", msg_id=make_msg_id(at, 4242, number), ts=timestamp(at))
    return message._replace(**fields)  # type: ignore[arg-type]


def filled(bus: Bus) -> list[Message]:
    """Twelve messages: three types, two tasks and none, in every combination, twice."""
    kinds = list(product(("FACT", "PROGRESS"), ("fix", "fix-login", None))) * 2
    for number, (kind, task) in enumerate(kinds):
        bus.append(FACT._replace(type=kind, task_id=task, body=f"{number}"))
    return list(bus.read())


def bodies(messages: list[Message]) -> list[str]:
    return [message.body for message in messages]


def test_what_was_appended_is_read_back_field_by_field_with_rising_ids(bus: Bus) -> None:
    ids = [bus.append(message) for message in (FACT, FULL, FACT._replace(body=""))]
    found = list(bus.read())

    assert [message.msg_id for message in found] == ids == sorted(set(ids))
    assert [message._replace(msg_id="", ts="") for message in found] == [FACT, FULL, FACT._replace(body="")]
    assert all(message.ts.replace("-", "").replace(":", "")[:8] == message.msg_id[4:12] for message in found)
    assert bus.verify().is_sound
    assert bus.verify().messages == 3


def test_every_cursor_with_every_limit_and_every_filter(bus: Bus) -> None:
    messages = filled(bus)
    cursors = [(None, 0), *((message.msg_id, place + 1) for place, message in enumerate(messages))]
    filters = list(product(((), ("FACT",), ("FACT", "PROGRESS"), ("fact",)), (None, "fix", "fix-login", "fi", "")))

    for (cursor, start), limit, (types, task) in product(cursors, (None, 0, 1, 3, 50), filters):
        expected = [
            message
            for message in messages[start:]
            if (not types or message.type in types) and (task is None or message.task_id == task)
        ]
        assert list(bus.read(cursor, limit, types, task)) == expected[:limit]


def test_tail_with_every_number_and_filter(bus: Bus) -> None:
    messages = filled(bus)
    for n, types, task in product((0, 1, 2, 5, 10**6), ((), ("FACT",), ("ERROR",)), (None, "fix", "login")):
        matching = [
            message
            for message in messages
            if (not types or message.type in types) and (task is None or message.task_id == task)
        ]
        assert bus.tail(n, types, task) == (matching[-n:] if n else [])


@pytest.mark.parametrize("cursor", ["", "x", "LEGACY-000000000000", "MSG-\n---", "\udcff", "a\0b", "' OR 1=1 --"])
def test_a_cursor_that_is_not_on_the_bus_is_refused_at_once_and_never_a_replay(bus: Bus, cursor: str) -> None:
    known = filled(bus)[3].msg_id

    for unknown in (cursor, known[:-1], f"{known}\nts: {known}", known.lower()):
        for use in (bus.read, bus.follow, bus.get, lambda text: bus.acknowledge("anna", text)):
            with pytest.raises(UnknownCursor) as refused:
                use(unknown)
            assert refused.value.facts["cursor"] == unknown
    assert bus.acknowledged("anna") is None


def test_a_cursor_named_in_a_body_is_no_place_to_read_from(bus: Bus) -> None:
    cursor = make_msg_id(NOON, 1, 1)
    bus.append(FACT._replace(body=f"msg_id: {cursor}\ntype: LANDED"))
    bus.append(FACT._replace(body=f"x\n\n---\nmsg_id: {cursor}\ntype: LANDED\n---\n"))

    with pytest.raises(UnknownCursor):
        bus.read(since=cursor)


def test_get_gives_the_one_message(bus: Bus) -> None:
    for message in filled(bus):
        assert bus.get(message.msg_id) == message


def test_a_bus_that_is_not_there_is_empty_and_looking_does_not_make_it(bus: Bus, tmp_path: Path) -> None:
    assert list(bus.read()) == []
    assert bus.tail(3) == []
    assert bus.acknowledged("anna") is None
    assert (bus.verify().messages, bus.verify().segments, bus.verify().is_sound) == (0, 0, True)
    with pytest.raises(UnknownCursor):
        bus.read(since=make_msg_id(NOON, 1, 1))
    with pytest.raises(UnknownCursor):
        bus.get(make_msg_id(NOON, 1, 1))
    with Stop(0) as stop:
        assert list(bus.follow(stop=stop)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [
        "---",
        "a\n---\nb",
        "\\---\n\\\\---\n---\r\n---",
        "\n\n---\n\n",
        encode(numbered(1, type="LANDED")).decode(),
        f"first\n\n{encode(numbered(1, type='LANDED')).decode()}",
        "[2026-02-11 20:12:34] LANDED: all of it",
        " \t\n  ends in blanks \n\n\n",
        "ünïcödé \U0001f980 \u2028 \ufeff",
        "\x1b[31mred\x07",
    ],
)
def test_no_body_is_anything_but_a_body(bus: Bus, body: str) -> None:
    bus.append(FACT)
    bus.append(FACT._replace(body=body))
    bus.append(FACT)

    assert [(message.type, message.body) for message in bus.read()] == [
        ("FACT", FACT.body),
        ("FACT", body),
        ("FACT", FACT.body),
    ]
    assert bus.verify().is_sound


def test_a_body_of_the_limit_is_whole_and_one_byte_more_is_refused_with_nothing_stored(bus: Bus) -> None:
    largest = "x" * (MAX_BODY - 2) + "é"
    bus.append(FACT._replace(body=largest))
    for body in ("x" * (MAX_BODY + 1), "é" * (MAX_BODY // 2) + "x", "x" * (16 << 20)):
        with pytest.raises(TooLarge) as refused:
            bus.append(FACT._replace(body=body))
        assert refused.value.facts["limit"] == MAX_BODY

    assert bodies(list(bus.read())) == [largest]


def test_adopted_messages_keep_ids_order_and_content_and_new_ones_go_above_them(bus: Bus) -> None:
    later = numbered(10**10)
    foreign = [numbered(3, msg_id="their-7"), numbered(4, msg_id="LEGACY-000000000012"), numbered(5, msg_id="their-7")]
    messages = [numbered(1), numbered(2)._replace(meta=FULL.meta, extra=FULL.extra), *foreign, later]

    assert bus.adopt(iter(messages)) == len(messages)
    new = bus.append(FACT)

    assert list(bus.read())[:-1] == messages
    assert id_key(new) > id_key(later.msg_id)
    assert bus.get("their-7") == messages[2]
    assert len(list(bus.read(since="their-7"))) == 4
    assert bus.verify().is_sound


def test_an_adopted_message_that_was_found_past_damage_stays_marked(bus: Bus) -> None:
    marked = numbered(1)._replace(recovered=True)
    bus.adopt([marked, numbered(2)])

    assert list(bus.read()) == [marked, numbered(2)]
    assert bus.verify().recovered == 1


@pytest.mark.parametrize("bad", [1, 2], ids=["an older id", "the last id again"])
def test_an_id_that_is_not_above_the_last_one_is_not_adopted(bus: Bus, bad: int) -> None:
    bus.adopt([numbered(2)])
    first, after = numbered(3), numbered(4)

    with pytest.raises(BadInput):
        bus.adopt([numbered(bad), after])
    assert list(bus.read()) == [numbered(2)]
    with pytest.raises(BadInput):
        bus.adopt([first, numbered(bad), after])
    # A backend that stores them in pieces may have stored what came before.
    assert list(bus.read())[1:] in ([], [first])


def test_more_messages_than_one_piece_are_adopted_in_order(bus: Bus) -> None:
    messages = [numbered(number, body="x" * 50_000) for number in range(50)]

    assert bus.adopt(messages) == 50
    assert bus.adopt([]) == 0
    assert list(bus.read()) == messages


def test_a_cursor_that_was_acknowledged_never_goes_back_and_is_the_readers_own(bus: Bus, url: str) -> None:
    ids = [message.msg_id for message in filled(bus)]

    assert bus.acknowledge("anna", ids[2]) == ids[2]
    assert bus.acknowledge("anna", ids[0]) == ids[2]
    assert bus.acknowledge("anna", ids[2]) == ids[2]
    assert bus.acknowledge("Anna", ids[1]) == ids[1]
    assert bus.acknowledge("anna", ids[5]) == ids[5]

    again = bus_at(url)
    assert [again.acknowledged(name) for name in ("anna", "Anna", "ann")] == [ids[5], ids[1], None]


def test_processes_that_acknowledge_at_once_leave_the_furthest_cursor(bus: Bus, url: str) -> None:
    ids = [message.msg_id for message in filled(bus)]
    text = "ids = sys.argv[2:]\nsys.stdin.readline()\nfor one in ids: bus.acknowledge('anna', one)\n"
    workers = [program(text, url, *part) for part in (ids[0:9:3], ids[1:10:3], ids[2:12:3], ids[::-1])]
    said = [worker.communicate("\n")[1] for worker in workers]

    assert said == [""] * 4
    assert bus.acknowledged("anna") == ids[-1]


def test_after_it_was_handed_over_writers_are_sent_on_and_readers_still_read(bus: Bus, url: str) -> None:
    bus.append(FACT)
    seen: list[Message] = []
    bus.hand_over("file:/elsewhere/bus.md", lambda: seen.extend(bus.read()))

    for writer in (bus, bus_at(url)):
        with pytest.raises(BusMoved) as moved:
            writer.append(FACT)
        assert moved.value.facts["url"] == "file:/elsewhere/bus.md"
    assert list(bus.read()) == seen
    assert "file:/elsewhere/bus.md" in (bus.verify().halted or "")


def test_a_rest_that_fails_leaves_the_bus_in_force(bus: Bus) -> None:
    def fails() -> None:
        raise OSError("no space for the rest")

    with pytest.raises(OSError, match="no space for the rest"):
        bus.hand_over("file:/elsewhere/bus.md", fails)
    bus.append(FACT)

    assert bodies(list(bus.read())) == [FACT.body]


def test_nothing_is_appended_behind_the_rest_and_who_waited_meanwhile_is_sent_on(bus: Bus, url: str) -> None:
    taken: list[str] = []
    text = """
from conductor_git.errors import BusMoved
try:
    while True: print(bus.append(Message(type="FACT", body="x")), flush=True)
except BusMoved as moved:
    print(moved.facts["url"])
"""
    writers = [program(text, url) for _ in range(3)]
    kit.until(lambda: len(list(bus.read(limit=20))) == 20)

    def rest() -> None:
        taken.extend(message.msg_id for message in bus.read())

    bus.hand_over("sqlite:/elsewhere", rest)
    said = [writer.communicate()[0].split() for writer in writers]

    assert [words[-1] for words in said] == ["sqlite:/elsewhere"] * 3
    assert sorted(taken) == taken == sorted(word for words in said for word in words[:-1])
    assert [message.msg_id for message in bus.read()] == taken


def test_follow_gives_what_is_there_and_what_comes_from_a_bus_that_is_made_meanwhile(bus: Bus, url: str) -> None:
    with closing(bus.follow(types=("PROGRESS",))) as messages:
        writer = program(APPEND, url, 5, "t")
        found = [message.msg_id for message in islice(messages, 5)]
    assert found == writer.communicate()[0].split()

    bus.append(FACT)
    with Stop(0.3) as stop:
        assert [message.msg_id for message in bus.follow(found[2], ("PROGRESS",), "t", stop)] == found[3:]


def test_follow_ends_when_another_thread_says_so_and_at_the_end_of_a_bus_that_moves(bus: Bus) -> None:
    bus.append(FACT)
    with Stop() as stop:
        for message in bus.follow(stop=stop):
            assert message.body == FACT.body
            threading.Timer(0.1, stop.set).start()
    with closing(bus.follow()) as messages:
        next(messages)
        threading.Timer(0.1, bus.hand_over, ("file:/elsewhere", lambda: None)).start()
        with pytest.raises(BusMoved):
            next(messages)


def test_two_buses_side_by_side_do_not_mix(tmp_path: Path, backend: str) -> None:
    short, long = (bus_at(url_in(tmp_path / name, backend)) for name in ("acme", "acme-2"))
    short.append(FACT._replace(body="acme"))
    cursor = long.append(FACT._replace(body="acme-2"))
    long.acknowledge("anna", cursor)

    assert bodies(list(short.read())) == ["acme"]
    assert short.acknowledged("anna") is None
    with pytest.raises(UnknownCursor):
        short.read(since=cursor)


def test_a_path_may_hold_what_paths_may_hold(tmp_path: Path, backend: str) -> None:
    strange = tmp_path / "a b?c=d#e%20&mode=memory" / "é\n:'\";--"
    bus = bus_at(url_in(strange, backend))
    written = bus.append(FACT)

    assert [message.msg_id for message in bus_at(bus.url).read()] == [written]
    assert any(strange.iterdir())
    assert bus.url == url_in(strange, backend)


def test_reading_leaves_no_descriptor_open(bus: Bus) -> None:
    filled(bus)
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(10):
        bus.append(FACT)
        next(bus.read())
        bus.tail(2)
        bus.verify()
        with closing(bus.follow()) as messages:
            next(messages)
        with pytest.raises(UnknownCursor):
            bus.read(since="x")

    assert len(list(Path("/dev/fd").iterdir())) == before


def test_a_forked_child_can_append_and_read_and_its_parent_goes_on(bus: Bus) -> None:
    first = bus.append(FACT)
    reading: Generator[Message, None, None] = bus.read()
    next(reading)
    child = os.fork()
    if not child:
        code = 1
        try:
            bus.append(FACT._replace(body="of the child"))
            code = 0 if len(list(bus.read())) == 2 else 2
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    bus.append(FACT._replace(body="of the parent"))
    reading.close()
    assert bodies(list(bus.read(since=first))) == ["of the child", "of the parent"]
    assert bus.verify().is_sound


def test_eight_threads_append_through_one_object(bus: Bus) -> None:
    ids: dict[int, list[str]] = {number: [] for number in range(8)}

    def write(number: int) -> None:
        ids[number] = [bus.append(FACT._replace(task_id=f"t{number}", body=f"{place}")) for place in range(25)]

    threads = [threading.Thread(target=write, args=(number,)) for number in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    messages = list(bus.read())

    assert sorted(message.msg_id for message in messages) == [message.msg_id for message in messages]
    for number, mine in ids.items():
        assert [message.msg_id for message in bus.read(task_id=f"t{number}")] == mine
    assert len(messages) == 200


def test_processes_append_and_nothing_is_lost_or_out_of_order(bus: Bus, url: str) -> None:
    writers = [program(APPEND, url, 30, f"t{number}") for number in range(4)]
    followed = [message.msg_id for message in islice(bus.follow(), 120)]
    said = [writer.communicate()[0].split() for writer in writers]

    assert followed == sorted(set(followed)) == [message.msg_id for message in bus.read()]
    for number, ids in enumerate(said):
        assert [message.msg_id for message in bus.read(task_id=f"t{number}")] == ids
