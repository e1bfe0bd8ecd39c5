"""Messages for tests: the example of the format, and any message that a bus can hold."""

from __future__ import annotations

from hypothesis import strategies as st

from conductor_git.frames.decoder import Damage, decode
from conductor_git.message import (
    Message,
    Parent,
)

NOON = 1_795_174_502_123_456_789
ID = "MSG-20261120-113502-123456789-PID04242-0001"
EXAMPLE = (
    b"---\n"
    b"msg_id: MSG-20261120-113502-123456789-PID04242-0001\n"
    b"ts: 2026-11-20T11:35:02.123456789Z\n"
    b"type: FACT\n"
    b"project_id: acme\n"
    b"task_id: fix-login\n"
    b"run_id: 20261120-101500123456-4242-1\n"
    b"parents:\n"
    b"    - msg_id: MSG-20261120-101501-000000001-PID04242-0000\n"
    b"      kind: answers\n"
    b"attachment_path: tasks/fix-login/reviews/2.md\n"
    b"meta:\n"
    b'    revision: "8"\n'
    b"length: 27\n"
    b"crc: dbd922fc\n"
    b"---\n"
    b"The redirect loop is fixed.\n\n"
)
MESSAGE = Message(
    type="FACT",
    body="The redirect loop is fixed.",
    project_id="acme",
    task_id="fix-login",
    run_id="20261120-101500123456-4242-1",
    parents=(Parent("MSG-20261120-101501-000000001-PID04242-0000", "answers"),),
    attachment_path="tasks/fix-login/reviews/2.md",
    meta={"revision": "8"},
    msg_id=ID,
    ts="2026-11-20T11:35:02.123456789Z",
)

TRICKY = st.sampled_from(
    "null ~ true No on y 7 007 1e5 0x1F 1_000 .inf 12:30:45 2026-11-20 <<: = - --- ... # a#b a: :a {a} [a] %a @a `a"
    " !a &a *a | > ' \" \\ 🙂 é \x85 \u2028 \ufeff a\nb a\tb a\x7f".split(" ")
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VALUES = TRICKY | TEXT | st.from_regex(r"[A-Za-z0-9_./@+ -]{1,12}", fullmatch=True)
LINES = st.sampled_from(
    ["", "---", "\\---", "\\\\---", "---\r", " ---", "--- x", "----", "msg_id: x", "[2026-01-01 00:00:00] STATE: x"]
)
BODIES = st.lists(LINES | TEXT, max_size=6).map("\n".join)
TYPES = st.sampled_from(["FACT", "RUN_STOP", "Y", "NO", "ON", "NULL", "TRUE", "X_"])
KEYS = VALUES.filter(lambda text: 0 < len(text) <= 128)
TREES = st.recursive(
    VALUES | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
HEADER_KEYS = set("msg_id ts type project_id task_id run_id parents attachment_path meta recovered length crc".split())
NEW_KEYS = KEYS.filter(lambda key: key not in HEADER_KEYS)
OURS = st.fixed_dictionaries(
    {},
    optional={
        "links": st.lists(VALUES, min_size=1, max_size=3),
        "attachment": st.fixed_dictionaries({"name": VALUES, "size": VALUES, "sha256": VALUES}),
    },
)
"""What `bus post` itself adds to a header."""
MESSAGES = st.builds(
    Message,
    type=TYPES,
    body=BODIES,
    project_id=st.none() | VALUES,
    task_id=st.none() | VALUES,
    run_id=st.none() | VALUES,
    parents=st.lists(st.builds(Parent, st.just(ID) | VALUES, st.none() | VALUES), max_size=3).map(tuple),
    attachment_path=st.none() | VALUES,
    meta=st.dictionaries(KEYS, VALUES, max_size=3),
    msg_id=st.just(ID),
    ts=st.just("2026-11-20T11:35:02.123456789Z"),
    extra=st.dictionaries(NEW_KEYS, TREES, max_size=2) | OURS,
    recovered=st.booleans(),
)


def decoded(data: bytes, at_end: bool = True) -> list[Message | Damage]:
    found = decode(data, 0, at_end=at_end)
    assert found.used == len(data)
    return found.items
