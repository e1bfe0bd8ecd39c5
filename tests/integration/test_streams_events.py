"""GET /api/v1/events: every message once, in order, whatever is posted while a client comes, goes and comes again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from conductor_git import __version__
from conductor_git.project import Project
from conductor_git.server.access.role import Role
from conductor_git.server.streams.entry import BEGINNING
from tests import kit
from tests.integration.streamed import EVENTS, post, stream
from tests.kit import tasks
from tests.kit.server import Server, serving


def test_a_stream_begins_with_hello_and_then_has_each_new_message_under_its_id(
    server: Server, project: Project
) -> None:
    (before,) = post(project, "before")
    with stream(server) as reading:
        hello = reading.one()
        posted = post(project, "one", "two\nlines\n\n---\n", "drei ☃")
        found = reading.some(3)

    assert reading.response.headers["content-type"].startswith("text/event-stream")
    assert (hello.name, hello.event_id) == ("hello", before)
    assert hello.document == {"schema": 1, "version": __version__, "cursor": before}
    assert [event.event_id for event in found] == posted
    assert [event.body for event in found] == ["one", "two\nlines\n\n---\n", "drei ☃"]
    assert {event.name for event in found} == {"message"}


@pytest.mark.parametrize("by_header", [True, False])
def test_whoever_comes_again_gets_what_was_missed_and_nothing_twice(
    server: Server, project: Project, by_header: bool
) -> None:
    with stream(server) as reading:
        reading.one()
        post(project, "one")
        last = reading.one().event_id
    missed = post(project, "two", "three")
    # A browser sends the query of its first request again as well: the header is what counts.
    asked: dict[str, Any] = {"last": last, "since": BEGINNING} if by_header else {"since": last}
    with stream(server, **asked) as reading:
        hello = reading.one()
        later = post(project, "four")
        found = reading.some(3)

    assert hello.document["cursor"] == last
    assert [event.event_id for event in found] == missed + later


def test_a_client_that_came_to_an_empty_bus_misses_nothing_when_it_comes_again(
    server: Server, project: Project
) -> None:
    with stream(server) as reading:
        hello = reading.one()
    posted = post(project, "one")
    with stream(server, last=hello.event_id) as reading:
        reading.one()
        assert reading.one().event_id == posted[0]


def test_a_backlog_longer_than_what_is_kept_in_memory_comes_whole_and_in_order(
    server: Server, project: Project
) -> None:
    posted = post(project, *("x" * 60_000 for _ in range(120)))  # 7 MB, and 4 are kept
    with stream(server) as reading:
        reading.one()
        posted += post(project, *("y" * 60_000 for _ in range(120)))
        with stream(server, since=BEGINNING) as other:
            assert other.one().event_id == BEGINNING
            assert [event.event_id for event in other.some(240)] == posted


def test_nothing_is_lost_or_repeated_where_messages_are_posted_while_clients_join(
    server: Server, project: Project
) -> None:
    count, done = 400, threading.Event()
    first = post(project, "0")

    def write() -> None:
        posted.extend(post(project, *map(str, range(1, count))))
        done.set()

    posted = list(first)
    writer = threading.Thread(target=write)
    writer.start()
    seen: list[list[str]] = []
    try:
        while not done.is_set() or not seen:  # one client after the other joins while messages come
            with stream(server, since=BEGINNING) as reading:
                reading.one()
                seen.append([event.event_id for event in reading.some(min(count, 40 * (len(seen) + 1)))])
    finally:
        writer.join()
    with stream(server, since=BEGINNING) as reading:
        reading.one()
        seen.append([event.event_id for event in reading.some(count)])

    assert len(seen) > 1
    assert all(ids == posted[: len(ids)] for ids in seen)
    assert seen[-1] == posted


def test_filters_pass_over_all_else_also_in_the_backlog(server: Server, project: Project) -> None:
    post(project, "one", task="fix-login")
    wanted = post(project, "two", kind="DECISION", task="fix-login")
    post(project, "three", kind="DECISION", task="fix-login-2")
    with stream(server, since=BEGINNING, type=["DECISION", "QUESTION"], task="fix-login") as reading:
        reading.one()
        found = reading.some(1)
        post(project, "four", task="fix-login")
        wanted += post(project, "five", kind="QUESTION", task="fix-login")
        found += reading.some(1)

    assert [event.event_id for event in found] == wanted


def test_a_change_of_a_task_comes_with_how_the_task_stands(server: Server, repository: Path) -> None:
    with stream(server, type="STATE") as reading:
        reading.one()
        worktree = tasks.spawn(repository, "fix-login")
        spawned, started = reading.some(2)
        tasks.commit(worktree, {"new.txt": "new\n"})
        tasks.hand_in(repository, "fix-login")
        handed_in = reading.one()

    record = tasks.record(repository, "fix-login")
    assert [event.name for event in (spawned, started, handed_in)] == ["task"] * 3
    assert [event.document["message"]["meta"]["to"] for event in (spawned, started)] == ["ASSIGNED", "WORKING"]
    assert handed_in.document["task"] == {
        "task_id": "fix-login",
        "state": "IN_REVIEW",
        "revision": record.revision,
        "generation": 1,
    }


def test_a_task_whose_record_is_gone_costs_no_message(server: Server, repository: Path, project: Project) -> None:
    tasks.spawn(repository, "fix-login")
    project.layout.run_info(project.runs.task_ids()[0]).unlink()

    with stream(server, since=BEGINNING, type="STATE") as reading:
        reading.one()
        assert [event.document["task"] for event in reading.some(2)] == [None, None]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"since": "MSG-20200101-000000-000000000-PID00001-0001"}, 404, "UNKNOWN_CURSOR"),
        ({"since": "../../etc/passwd"}, 404, "UNKNOWN_CURSOR"),
        ({"since": "a\nid: b"}, 404, "UNKNOWN_CURSOR"),
        ({"since": "x" * 5000}, 422, "BAD_INPUT"),
        ({"task": "../other"}, 422, "BAD_TASK_ID"),
        ({"type": "lower"}, 422, "BAD_INPUT"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_a_stream_begins(
    server: Server, project: Project, query: dict[str, Any], status: int, code: str
) -> None:
    post(project, "one")
    with stream(server, **query) as reading:
        assert reading.response.status_code == status
        assert reading.response.json()["error"]["code"] == code


def test_an_unknown_cursor_of_a_browser_is_an_error_and_no_replay(server: Server, project: Project) -> None:
    post(project, "one")
    with stream(server, last="MSG-20200101-000000-000000000-PID00001-0001") as reading:
        assert reading.response.status_code == httpx.codes.NOT_FOUND


def test_heartbeats_come_while_nothing_else_does_and_move_the_cursor_past_what_was_filtered(
    server: Server, project: Project
) -> None:
    server.app.state.live.beat_seconds = 0.02
    with stream(server, type="DECISION") as reading:
        reading.one()
        (passed_over,) = post(project, "not wanted")
        while (line := next(reading.lines)) != f"id: {passed_over}":
            assert line in ("", ": heartbeat", f"id: {BEGINNING}")


def test_streams_end_with_the_server_and_say_so(repository: Path) -> None:
    with serving(repository) as server, stream(server) as reading:
        reading.one()
        server.serving.ending.set()
        assert [(event.name, event.document["reason"]) for event in reading.rest()] == [("end", "shutdown")]


def test_a_stream_ends_when_its_token_is_revoked_and_no_other_does(server: Server, project: Project) -> None:
    with stream(server, role=Role.REVIEWER) as revoked, stream(server, role=Role.VIEWER) as other:
        revoked.one(), other.one()
        server.serving.gate.tokens.revoke(server.tokens[Role.REVIEWER].split("_")[1])
        assert [(event.name, event.document["reason"]) for event in revoked.rest()] == [("end", "revoked")]
        post(project, "still here")
        assert other.one().body == "still here"


def test_a_stream_wants_a_token(server: Server) -> None:
    with server.client(None) as client:
        assert client.get(EVENTS).status_code == httpx.codes.UNAUTHORIZED


def test_a_client_that_goes_away_leaves_nothing_behind(server: Server) -> None:
    shared = server.app.state.live
    with stream(server) as reading:
        reading.one()
        assert len(shared.streams) == 1
    kit.until(lambda: not shared.streams)


def test_a_bus_that_is_damaged_ends_streams_with_the_reason_and_the_next_one_goes_on(
    server: Server, project: Project
) -> None:
    post(project, "one")
    path = project.layout.state_dir / "MESSAGE-BUS.md"
    with stream(server) as reading:
        reading.one()
        kept = path.read_bytes()
        path.unlink()
        path.symlink_to("/dev/null")
        (failure,) = reading.rest()
    path.unlink()
    path.write_bytes(kept)

    assert failure.name == "failure"
    assert failure.document["error"]["code"]
    with stream(server) as reading:
        reading.one()
        post(project, "two")
        assert reading.one().body == "two"
