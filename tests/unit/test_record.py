"""The record on disk: what is written is read back, to the bit; what is not understood is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conductor_git import strictyaml
from conductor_git.names import CommitId, RunId, TaskId
from conductor_git.record import BadField, format_time, from_tree, parse_time, to_tree
from conductor_git.run import (
    Attempt,
    Doing,
    End,
    Event,
    GateResult,
    Landing,
    Outcome,
    Phase,
    ProcessId,
    Run,
    State,
    Step,
    Strategy,
    Supervision,
)

NOON: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

TEXT: Final = st.text(st.characters(codec="utf-8"), max_size=60)
TRICKY: Final = st.sampled_from(
    ["", "~", "null", "yes", "0x10", "1e3", "12:30", "2026-01-01", "- a", "a: b", "#", "|", "\u0085"]
)
WORDS: Final = TEXT | TRICKY
_FROM: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - hypothesis takes its bounds without a zone
TIMES: Final = st.datetimes(_FROM, timezones=st.just(UTC))
IDS: Final = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True).map(TaskId)
COMMITS: Final = st.from_regex(r"[0-9a-f]{40}|[0-9a-f]{64}", fullmatch=True).map(CommitId)
NUMBERS: Final = st.floats(0, 1e12)
COUNTS: Final = st.integers(0, 10**12)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def tuples(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=3).map(tuple)


STEPS: Final = st.builds(
    Step, COUNTS, st.sampled_from(Event), st.sampled_from(State), TIMES, WORDS, maybe(COMMITS), maybe(WORDS)
)
ATTEMPTS: Final = st.builds(
    Attempt,
    run_id=WORDS.map(RunId),
    agent=WORDS,
    pid=maybe(COUNTS),
    pid_started=maybe(NUMBERS),
    pgid=maybe(COUNTS),
    started_at=TIMES,
    supervisor=maybe(st.builds(ProcessId, COUNTS, NUMBERS)),
    agent_version=maybe(WORDS),
    ended_at=maybe(TIMES),
    end=maybe(st.sampled_from(End)),
    exit_code=maybe(st.integers(-255, 255)),
    signal=maybe(WORDS),
    why=maybe(WORDS),
    retry_at=maybe(TIMES),
    cost_usd=maybe(NUMBERS),
    tokens_in=maybe(COUNTS),
    tokens_out=maybe(COUNTS),
    terminal=maybe(WORDS),
)
SUPERVISIONS: Final = st.builds(
    Supervision, st.builds(ProcessId, COUNTS, NUMBERS), st.sampled_from(Doing), TIMES, maybe(TIMES), maybe(WORDS)
)
GATES: Final = st.builds(GateResult, WORDS, WORDS, maybe(st.integers(-255, 255)), NUMBERS, WORDS)
LANDINGS: Final = st.builds(
    Landing,
    landing_id=WORDS,
    phase=st.sampled_from(Phase),
    strategy=st.sampled_from(Strategy),
    outcome=maybe(st.sampled_from(Outcome)),
    target_before=maybe(COMMITS),
    merge_commit=maybe(COMMITS),
    checkout=maybe(WORDS),
    files=tuples(WORDS),
    gates=tuples(GATES),
    cleanup=st.booleans(),
)
RUNS: Final = st.builds(
    Run,
    project_id=WORDS,
    task_id=IDS,
    title=WORDS,
    state=st.sampled_from(State),
    branch=WORDS,
    target=WORDS,
    base_commit=COMMITS,
    worktree=WORDS,
    agent=maybe(WORDS),
    created_at=TIMES,
    updated_at=TIMES,
    revision=COUNTS,
    generation=COUNTS,
    head_commit=maybe(COMMITS),
    approved_commit=maybe(COMMITS),
    merge_commit=maybe(COMMITS),
    command=tuples(WORDS),
    needs=tuples(IDS),
    reviews_required=COUNTS,
    summary=maybe(WORDS),
    reason=maybe(WORDS),
    history=tuples(STEPS),
    attempts=tuples(ATTEMPTS),
    attempts_before=COUNTS,
    supervision=maybe(SUPERVISIONS),
    parent_task_id=maybe(IDS),
    plan=maybe(WORDS),
    fallbacks=tuples(WORDS),
    landing=maybe(LANDINGS),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(RUNS)
def test_what_is_written_is_read_back_through_yaml_to_the_bit(run: Run) -> None:
    data = strictyaml.write(to_tree(run))

    assert from_tree(strictyaml.read(data)) == run


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(RUNS)
def test_another_yaml_reader_understands_the_same(run: Run) -> None:
    tree = yaml.load(strictyaml.write(to_tree(run)), Loader=yaml.BaseLoader)

    assert (tree["title"], tree["branch"], tree["command"]) == (run.title, run.branch, list(run.command))
    assert [step["by"] for step in tree["history"]] == [step.by for step in run.history]


def plain(**changes: Any) -> Run:
    values: dict[str, Any] = {
        "project_id": "acme",
        "task_id": TaskId("fix-login"),
        "title": "Fix it",
        "state": State.WORKING,
        "branch": "worker/fix-login",
        "target": "main",
        "base_commit": CommitId("a" * 40),
        "worktree": "/tmp/x",
        "agent": None,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Run(**values | changes)


def test_every_field_of_a_run_is_on_disk() -> None:
    assert {field.name for field in fields(Run)} | {"version"} == to_tree(plain()).keys()


@pytest.mark.parametrize("key", sorted(to_tree(plain()).keys() - {
    "agent", "head_commit", "approved_commit", "merge_commit", "summary", "reason", "landing", "command", "needs",
    "history", "attempts", "priority", "review_of", "undo", "join", "attempts_before", "supervision", "parent_task_id",
    "plan", "fallbacks",
}))  # fmt: skip
@pytest.mark.parametrize("value", [None, [], {}, ["a"]], ids=["missing", "a list", "a mapping", "a full list"])
def test_a_needed_key_that_is_missing_or_of_another_kind_is_named(key: str, value: object) -> None:
    with pytest.raises(BadField, match=f"`{key}`"):
        from_tree(written(plain()) | {key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("state", "DREAMING"),
        ("revision", "seven"),
        ("revision", "7.0"),
        ("task_id", "../x"),
        ("base_commit", "HEAD"),
        ("base_commit", "a" * 39),
        ("head_commit", "A" * 40),
        ("created_at", "yesterday"),
        ("created_at", "2026-11-20T12:00:00"),
        ("needs", "one"),
        ("needs", [["one"]]),
        ("needs", ["--x"]),
        ("history", {"a": "b"}),
        ("history", ["spawn"]),
        ("history", [{"event": "spawn"}]),
        ("attempts", [{"run_id": "x"}]),
        ("attempts_before", "some"),
        ("supervision", "mine"),
        ("supervision", {"doing": "attempt"}),
        ("parent_task_id", "../x"),
        ("landing", "soon"),
        ("landing", {"phase": "lost"}),
        ("version", "2"),
        ("version", "0"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_key(key: str, value: object) -> None:
    with pytest.raises(BadField, match=f"`{key}"):
        from_tree(written(plain()) | {key: value})


def written(run: Run) -> dict[str, object]:
    tree = strictyaml.read(strictyaml.write(to_tree(run)))
    assert isinstance(tree, dict)
    return dict(tree)


def test_unknown_keys_are_ignored() -> None:
    assert from_tree(written(plain()) | {"colour": "blue"}) == plain()


@pytest.mark.parametrize("tree", [None, "text", [], ["a"]])
def test_a_document_that_is_no_mapping_is_refused(tree: Mapping[str, object] | None) -> None:
    with pytest.raises(BadField, match="not a mapping"):
        from_tree(tree)


def test_a_time_is_kept_in_utc_to_the_microsecond() -> None:
    at = datetime(2026, 11, 20, 13, 0, 0, 1, tzinfo=timezone(timedelta(hours=1)))

    assert format_time(at) == "2026-11-20T12:00:00.000001Z"
    assert parse_time(format_time(at)) == at


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T10:15:00Z",
        "2026-11-20T10:15:00.1234567Z",
        "2026-11-20T10:15:00.123456+00:00",
        "2026-11-20 10:15:00.123456Z",
        "2026-13-20T10:15:00.123456Z",
        "2026-11-20T10:15:00.123456Z\n",
        "\u0662026-11-20T10:15:00.123456Z",
        "yesterday",
    ],
)
def test_a_time_of_any_other_form_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"time like|must be in"):
        parse_time(text)
