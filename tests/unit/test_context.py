"""The context file: what is written is read back, and what is not exactly a context is refused with its key."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_git.context import LIMIT, Ports, WorkerContext, decode, document, encode
from conductor_git.errors import BadContext
from conductor_git.names import CommitId, TaskId

EXAMPLE: Final = Path(__file__).parents[2] / ".worker-ctx.example.json"
CONTEXT: Final = WorkerContext(
    task_id=TaskId("fix-login"),
    project_id="acme",
    generation=1,
    branch="worker/fix-login",
    target="main",
    base_commit=CommitId("6f1c2a9d0b7e4c3f8a5d1e6b9c2f7a4d3e8b1c05"),
    worktree=Path("/home/you/acme.worktrees/fix-login"),
    repository=Path("/home/you/acme"),
    state_dir=Path("/home/you/acme/.git/conductor"),
    bus="file:/home/you/acme/.git/conductor/MESSAGE-BUS.md",
    description="Fix the login redirect loop",
    created_at=datetime(2026, 11, 20, 10, 15, 0, 123456, tzinfo=UTC),
    ports=Ports(42000, 10),
)

NAMES: Final = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40)
PATHS: Final = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40).map(
    lambda text: Path("/" + text)
)
TIMES: Final = st.datetimes(
    min_value=datetime(1, 1, 3),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=st.timezones() | st.just(UTC),
)
CONTEXTS: Final = st.builds(
    WorkerContext,
    task_id=st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,30}[a-z0-9])?", fullmatch=True).map(TaskId),
    project_id=NAMES,
    generation=st.integers(1, 10**9),
    branch=NAMES,
    target=NAMES,
    base_commit=st.from_regex(r"([0-9a-f]{40}|[0-9a-f]{64})", fullmatch=True).map(CommitId),
    worktree=PATHS,
    repository=PATHS,
    state_dir=PATHS,
    bus=st.text(st.characters(codec="utf-8"), min_size=1, max_size=80),
    description=st.text(st.characters(codec="utf-8"), max_size=200),
    created_at=TIMES.map(lambda time: time.astimezone(UTC)),
    ports=st.none() | st.builds(Ports, base=st.integers(1, 60000), count=st.integers(1, 100)),
    version=st.just(1),
    review_of=st.none() | st.just(TaskId("fix-login")),
)


def changed(**fields: Any) -> bytes:
    return json.dumps(document(CONTEXT) | fields).encode()


@given(CONTEXTS)
def test_what_is_written_is_read_back(context: WorkerContext) -> None:
    assert decode(encode(context)) == context


def test_the_example_at_the_top_of_the_project_is_what_is_written() -> None:
    assert decode(EXAMPLE.read_bytes()) == CONTEXT
    assert encode(CONTEXT) == EXAMPLE.read_bytes()


def test_a_path_that_is_not_utf_8_keeps_its_bytes() -> None:
    context = CONTEXT._replace(worktree=Path("/caf\udce9"), description="größer")

    data = encode(context)

    assert data.isascii()
    assert decode(data) == context


def test_text_that_is_not_ascii_stays_legible() -> None:
    assert "größer".encode() in encode(CONTEXT._replace(description="größer"))


def test_keys_of_a_later_version_are_passed_over() -> None:
    assert decode(changed(mood="fine", tags=[{"deep": None}])) == CONTEXT


def test_ports_may_be_missing() -> None:
    without = {key: value for key, value in document(CONTEXT).items() if key != "ports"}

    assert decode(json.dumps(without).encode()).ports is None
    assert decode(changed(ports=None)).ports is None


def test_a_time_of_another_zone_is_read_as_utc() -> None:
    tokyo = CONTEXT.created_at.astimezone(timezone(timedelta(hours=9))).isoformat()

    assert decode(changed(created_at=tokyo)).created_at.tzinfo is UTC
    assert decode(changed(created_at=tokyo)) == CONTEXT


@pytest.mark.parametrize("key", [key for key in document(CONTEXT) if key != "ports"])
def test_a_missing_key_is_named(key: str) -> None:
    rest = {name: value for name, value in document(CONTEXT).items() if name != key}

    with pytest.raises(BadContext, match=rf"^here: key `{key}` is missing$"):
        decode(json.dumps(rest).encode(), "here")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 2),
        ("version", "1"),
        ("version", True),
        ("task_id", "../main"),
        ("task_id", "Fix"),
        ("task_id", None),
        ("project_id", ""),
        ("project_id", 7),
        ("generation", 0),
        ("generation", 1.0),
        ("generation", True),
        ("branch", "a\nb"),
        ("branch", ["worker/x"]),
        ("target", ""),
        ("base_commit", "6f1c"),
        ("base_commit", "6F1C2A9D0B7E4C3F8A5D1E6B9C2F7A4D3E8B1C05"),
        ("base_commit", None),
        ("worktree", "relative/path"),
        ("worktree", "/with\0nul"),
        ("repository", ""),
        ("state_dir", {}),
        ("bus", ""),
        ("description", None),
        ("created_at", "yesterday"),
        ("created_at", "2026-11-20T10:15:00"),
        ("created_at", 1763633700),
        ("created_at", "0001-01-01T00:00:00+14:00"),
        ("ports", [42000, 10]),
        ("ports", {"base": 42000}),
        ("ports", {"base": 42000, "count": 0}),
        ("ports", {"base": 65530, "count": 10}),
    ],
)
def test_a_value_that_is_not_what_its_key_means_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(BadContext, match=rf"^here: key `{key}` ") as refused:
        decode(changed(**{key: value}), "here")

    assert refused.value.facts == {"path": "here"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe{}",
        "{}".encode("utf-16"),
        b"[" * LIMIT,
        b'{"a":' * 10_000,
        b'{"version": ' + b"9" * 10_000 + b"}",
        changed().replace(b'"generation": 1', b'"generation": 1, "generation": 2'),
        b'{"x": {"a": 1, "a": 2}}',
        changed() + b" " * LIMIT,
    ],
)
def test_what_is_no_context_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(BadContext, match=r"^here: "):
        decode(data, "here")


@given(st.binary(max_size=300))
@example(b"\x00")
def test_any_bytes_are_refused_without_another_error(data: bytes) -> None:
    with pytest.raises(BadContext):
        decode(data)


def test_a_context_at_the_limit_is_written_and_read_and_one_byte_more_is_not() -> None:
    room = LIMIT - len(encode(CONTEXT._replace(description="")))
    full = CONTEXT._replace(description="x" * room)

    assert len(encode(full)) == LIMIT
    assert decode(encode(full)) == full
    with pytest.raises(BadContext, match="more than 65536"):
        encode(CONTEXT._replace(description="x" * (room + 1)))
