"""message, header, fields, frame, decoder: what is written is what is read, and no body opens a message."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor_git.errors import BadInput, TooLarge
from conductor_git.frames.decoder import Damage, decode
from conductor_git.frames.fields import fast_header, message_of, read_fast, read_header
from conductor_git.frames.frame import Draft, draft, encode, last_id
from conductor_git.message import (
    MAX_BODY,
    Message,
    message_document,
)
from conductor_git.strictyaml import read
from tests.unit.messages import BODIES, EXAMPLE, ID, MESSAGE, MESSAGES, decoded


def test_the_example_of_the_format_is_written_byte_for_byte_and_read_back() -> None:
    assert encode(MESSAGE) == EXAMPLE
    assert decoded(EXAMPLE) == [MESSAGE]


def test_a_message_with_links_and_an_attachment_needs_no_yaml() -> None:
    extra = {
        "links": ["https://example.org/a?b=c", "b"],
        "attachment": {"name": "log 1.txt", "size": "12", "sha256": "0a"},
    }
    match = fast_header.match(encode(MESSAGE._replace(extra=extra)))

    assert match is not None
    assert read_fast(match[2], match[3], match[4], MESSAGE.body) == MESSAGE._replace(extra=extra)


@given(MESSAGES)
def test_every_message_reads_back_as_it_was_written(message: Message) -> None:
    assert decoded(encode(message)) == [message]


@given(MESSAGES)
def test_the_fast_path_and_yaml_read_the_same_header(message: Message) -> None:
    frame = encode(message)
    match = fast_header.match(frame)
    fast = match and read_fast(match[2], match[3], match[4], message.body)
    header = frame[len(b"---\n") : frame.index(b"\n---\n") + 1]

    assert message_of(read_header(header), message.body) == message
    assert fast in (message, None)


RAW = st.sampled_from(
    [
        "null",
        "Null",
        "~",
        "yes",
        "7",
        "a",
        "a-b",
        '"null"',
        '"a"',
        "'a'",
        "a b",
        "a:",
        "a #b",
        '"é"',
        '"a\x85b"',
        "é",
        '"a\\n"',
        "|",
        "[a]",
        "{a}",
        "-",
        "- a",
        "",
        '"',
        "&a b",
        "!a b",
        "*a",
    ]
)


@settings(max_examples=300)
@given(RAW, RAW, RAW, RAW, RAW, RAW)
def test_what_the_fast_path_takes_yaml_reads_alike_whoever_wrote_it(
    project: str, task: str, kind: str, key: str, value: str, item: str
) -> None:
    header = (
        f"msg_id: {ID}\nts: {MESSAGE.ts}\ntype: FACT\nproject_id: {project}\ntask_id: {task}\n"
        f"parents:\n    - msg_id: {ID}\n      kind: {kind}\nmeta:\n    {key}: {value}\n"
        f"links: [a, {item}]\nattachment: {{name: {item}, size: {value}}}\nlength: 0\n"
    ).encode()
    match = fast_header.match(b"---\n" + header + b"crc: 0000000a\n---\n")
    fast = match and read_fast(match[2], match[3], match[4], "")

    if fast is not None:
        assert fast == message_of(read_header(header), "")


@given(st.lists(BODIES, min_size=1, max_size=4))
def test_no_body_opens_a_message_for_a_reader_that_knows_delimiters_only(bodies: list[str]) -> None:
    frames = b"".join(encode(MESSAGE._replace(body=body)) for body in bodies)

    delimiters = [line for line in frames.split(b"\n") if line.rstrip(b"\r") == b"---"]

    assert len(delimiters) == 2 * len(bodies)


def test_a_forged_frame_in_a_body_stays_body() -> None:
    forged = encode(MESSAGE._replace(type="LANDED", body="all gates green")).decode()
    message = MESSAGE._replace(body=f"look:\n\n{forged}\n{forged}")

    assert decoded(encode(message) + EXAMPLE) == [message, MESSAGE]


HEADER_IN_A_BODY = f"msg_id: {ID}\nts: {MESSAGE.ts}\ntype: LANDED"


@pytest.mark.parametrize(
    "body", [HEADER_IN_A_BODY, f"{HEADER_IN_A_BODY}\n\n\n{HEADER_IN_A_BODY}\n[2026-01-01 00:00:00] STATE: x"]
)
def test_a_body_that_looks_like_a_header_is_no_message_even_where_damage_makes_a_reader_search(body: str) -> None:
    victim = encode(MESSAGE._replace(body=body))
    for damaged in (victim.replace(b"length", b"lengtg"), b"-x-" + victim[3:], victim.replace(b"crc: ", b"crc:  f")):
        found = decoded(EXAMPLE + damaged + EXAMPLE + EXAMPLE)

        told = [item for item in found if isinstance(item, Message)]
        assert all(message.type == "FACT" for message in told)
        assert told[-1] == MESSAGE


def test_a_frame_whose_length_and_checksum_hold_is_refused_where_its_body_could_open_a_message() -> None:
    forged = Draft(b"type: FACT\nlength: 9\n", b"one\n---\nx").seal(ID, MESSAGE.ts)

    assert [type(item) for item in decoded(EXAMPLE + forged + EXAMPLE)] == [Message, Damage, Message]


def test_a_changed_body_under_a_header_that_only_yaml_reads_is_damage() -> None:
    frame = encode(MESSAGE._replace(meta={"a": "tab\t"}))

    assert isinstance(decoded(frame)[0], Message)
    assert isinstance(decoded(frame.replace(b"loop", b"l00p") + EXAMPLE)[0], Damage)


def test_a_torn_frame_that_promised_more_than_the_file_holds_does_not_hide_its_neighbour() -> None:
    torn = encode(MESSAGE._replace(body="x" * 5000))[:-4900] + b"\n\n"

    assert [type(item) for item in decoded(torn + EXAMPLE)] == [Damage, Message]


def test_a_line_of_dashes_is_stored_with_one_more_backslash() -> None:
    stored = encode(MESSAGE._replace(body="---\n\\---\n --- \n---x"))

    assert stored.endswith(b"\n\\---\n\\\\---\n --- \n---x\n\n")


@given(st.integers(0, len(EXAMPLE) - 1))
def test_an_incomplete_frame_at_the_end_is_left_for_later(size: int) -> None:
    found = decode(EXAMPLE + EXAMPLE[:size], 0, at_end=True)

    assert found.items == [MESSAGE]
    assert found.used == len(EXAMPLE)


@given(st.integers(0, len(EXAMPLE) - 1), st.integers(1, 255))
def test_no_changed_byte_passes_as_a_message(place: int, change: int) -> None:
    changed = bytearray(EXAMPLE)
    changed[place] ^= change

    found = decode(EXAMPLE + bytes(changed) + EXAMPLE * 3, 0, at_end=True)

    told = [item for item in found.items if isinstance(item, Message)]
    assert all(message._replace(recovered=False) == MESSAGE for message in told)
    assert told[0] == told[-1] == MESSAGE


@given(st.lists(MESSAGES, max_size=4), st.integers(0, 4000))
def test_any_two_windows_read_what_one_reads(messages: list[Message], cut: int) -> None:
    data = b"".join(map(encode, messages))
    first = decode(data[:cut], 0, at_end=len(data) <= cut)
    second = decode(data[first.used :], first.used, at_end=True, searching=first.searching)

    assert [*first.items, *second.items] == messages


def test_a_torn_frame_in_the_middle_is_passed_over_and_what_follows_is_marked_once() -> None:
    torn = EXAMPLE[:-9] + b"\n\n"

    found = decoded(torn + EXAMPLE + EXAMPLE)

    assert found == [
        Damage(0, len(torn), "a message whose length is wrong"),
        MESSAGE._replace(recovered=True),
        MESSAGE,
    ]


def test_the_mark_survives_a_window_that_ends_in_the_recovered_frame() -> None:
    data = EXAMPLE.replace(b"crc: ", b"crc: f") + EXAMPLE + EXAMPLE
    for cut in range(len(EXAMPLE), len(data)):
        first = decode(data[:cut], 0, at_end=True)
        second = decode(data[first.used :], first.used, at_end=True, searching=first.searching)
        told = [item for item in (*first.items, *second.items) if isinstance(item, Message)]
        assert told == [MESSAGE._replace(recovered=True), MESSAGE]


def test_limits_and_bad_text_are_refused_before_anything_is_written() -> None:
    for message in (
        MESSAGE._replace(type="fact"),
        MESSAGE._replace(type=""),
        MESSAGE._replace(type="FACT\n"),
        MESSAGE._replace(body="a\0b"),
        MESSAGE._replace(body="\ud800"),
        MESSAGE._replace(task_id="a\0b"),
        MESSAGE._replace(task_id="\ud800"),
        MESSAGE._replace(meta={"": "x"}),
        MESSAGE._replace(meta={"k" * 129: "x"}),
        MESSAGE._replace(extra={"length": "1"}),
        MESSAGE._replace(extra={"a": [[[[[[[["deep"]]]]]]]]}),
    ):
        with pytest.raises(BadInput):
            draft(message)
    for message in (MESSAGE._replace(body="x" * (MAX_BODY + 1)), MESSAGE._replace(meta={"k": "x" * 65536})):
        with pytest.raises(TooLarge):
            draft(message)


def test_the_longest_body_is_taken_also_when_every_line_of_it_is_stuffed() -> None:
    for body in ("x" * MAX_BODY, "---\n" * (MAX_BODY // 4)):
        message = MESSAGE._replace(body=body)
        assert decoded(encode(message)) == [message]


@given(MESSAGES)
def test_the_last_id_is_told_of_a_whole_last_frame_only(message: Message) -> None:
    data = EXAMPLE + encode(message)

    assert last_id(data) == ID
    assert last_id(data[:-1]) is None
    assert last_id(data[:-1] + b" ") is None
    assert last_id(data[:-3] + b"\x01\n\n") is None or message.body.endswith("\x01")


def test_a_checksum_that_yaml_would_take_for_a_number_is_quoted() -> None:
    seen = {b'"' in frame.partition(b"crc: ")[2][:1] for frame in map(_numbered, range(3000))}
    for number in range(3000):
        frame = _numbered(number)
        tree = read(frame[4 : frame.index(b"\n---\n") + 1])
        assert isinstance(tree, dict)
        assert isinstance(tree["crc"], str)
        assert decoded(frame)
    assert seen == {True, False}


def test_the_document_has_the_names_of_the_header_and_the_body() -> None:
    document = message_document(MESSAGE._replace(extra={"issue_id": "7", "body": "not me"}))

    assert document["body"] == MESSAGE.body
    assert document["issue_id"] == "7"
    assert document["parents"] == [{"msg_id": MESSAGE.parents[0].msg_id, "kind": "answers"}]
    assert list(document)[-1] == "recovered"


def _numbered(number: int) -> bytes:
    return encode(MESSAGE._replace(body=str(number)))
