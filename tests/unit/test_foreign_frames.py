"""decoder: what other tools, people and attackers put into the bus file."""

from __future__ import annotations

import pytest

from conductor_git.frames.decoder import Damage, decode
from conductor_git.message import (
    Message,
    Parent,
)
from tests.unit.messages import EXAMPLE, ID, MESSAGE, decoded


def test_a_frame_of_another_tool_is_read_by_its_delimiters() -> None:
    data = (
        b"---\nmsg_id: MSG-20260211-143052-000123456-PID12345-0042\nts: 2026-02-11T14:30:52.000123456Z\ntype: FACT\n"
        b'project_id: my-project\ntask_id: ""\nrun_id: null\nparents: [MSG-1, MSG-2]\nlinks:\n    - url: file:a\n'
        b"---\nfirst\n\n---\n\nafter a rule\n"
        b"\n" + EXAMPLE
    )
    other, ours = decoded(data)

    assert isinstance(other, Message)
    assert (other.body, other.task_id, other.run_id) == ("first\n\n---\n\nafter a rule", "", None)
    assert other.parents == (Parent("MSG-1"), Parent("MSG-2"))
    assert other.extra == {"links": [{"url": "file:a"}]}
    assert ours == MESSAGE


def test_a_frame_with_crlf_line_ends_is_read() -> None:
    (message,) = decoded(b"---\r\nmsg_id: MSG-1\r\ntype: INFO\r\n---\r\none\r\ntwo\r\n")

    assert message == Message(type="INFO", body="one\ntwo", msg_id="MSG-1")


def test_legacy_lines_between_frames_are_messages() -> None:
    found = decoded(b"[2026-02-11 20:12:34] PROGRESS: half way\n[2026-02-11 20:12:35] no type here\n" + EXAMPLE)

    assert found == [
        Message(type="PROGRESS", body="half way", msg_id="LEGACY-000000000000", ts="2026-02-11T20:12:34Z"),
        Message(type="INFO", body="no type here", msg_id="LEGACY-000000000041", ts="2026-02-11T20:12:35Z"),
        MESSAGE,
    ]


def test_stray_text_is_told_and_hides_nothing_after_it() -> None:
    found = decoded(b"# Message bus\n\n" + EXAMPLE)

    assert found == [Damage(0, 14, "text outside of any message"), MESSAGE]


@pytest.mark.parametrize(
    "header",
    [
        b"a: &a [x, x]\nb: [*a, *a]\n",
        b"a: !!python/object:os.system x\n",
        b"type: FACT\ntype: STATE\n",
        b"a: " + b"[" * 50 + b"]" * 50 + b"\n",
        b"a: \0\n",
        b"just text\n",
        b"length: 99999999\n",
        b"length: -1\n",
    ],
)
def test_a_hostile_header_is_damage_and_no_more(header: bytes) -> None:
    found = decoded(b"---\nmsg_id: " + ID.encode() + b"\ntype: FACT\n" + header + b"---\nx\n\n" + EXAMPLE)

    assert isinstance(found[0], Damage)
    assert found[1:] == [MESSAGE._replace(recovered=True)]


def test_a_header_that_never_ends_does_not_hold_up_the_reader() -> None:
    data = b"---\n" + b"a: b\n" * 30_000

    assert decode(data, 0, at_end=False).used > 100_000
