"""GET /api/v1/tasks/{id}/log: what an agent prints, from any place on, to the end of its work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conductor_git import sparse
from conductor_git.names import parse_task_id
from conductor_git.processtable import is_alive
from conductor_git.project import open_project
from tests import kit
from tests.integration.agents import attempt_of, ended, launch, worktree
from tests.integration.streamed import Event, Reading, stream
from tests.kit import tasks
from tests.kit.server import Server, serving

LOG = "/api/v1/tasks/prices/log"
KEY = "sk-ant-0123456789abcdefghij"
UNTIL_GO = "until [ -e go ]; do sleep 0.02; done"


def said(events: list[Event]) -> str:
    return "".join(event.document["text"] for event in events if event.name == "log")


def told_until(reading: Reading, text: str) -> list[Event]:
    """The events up to the one with which all that was told holds `text`."""
    found = list[Event]()
    while text not in said(found):
        found.append(reading.one())
    return found


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events if event.name != "log"]


def test_a_log_comes_from_its_beginning_then_as_it_is_printed_and_ends_with_the_work(
    server: Server, repository: Path
) -> None:
    attempt = launch(repository, f"echo one; {UNTIL_GO}; echo two; printf three")
    with stream(server, LOG) as reading:
        begun = told_until(reading, "one\n")
        (worktree(repository) / "go").touch()
        rest = reading.rest()

    assert names(begun) == ["hello", "attempt"]
    assert begun[1].document == {"schema": 1, "number": 1, "run_id": attempt.run_id, "agent": attempt.agent}
    assert said(begun + rest) == "one\ntwo\nthree"
    assert names(rest) == ["over", "end"]
    assert rest[-2].document["exit_code"] == 0
    assert rest[-1].document["reason"] == "left"


def test_whoever_comes_again_goes_on_at_the_byte_where_the_stream_was_left(server: Server, repository: Path) -> None:
    launch(repository, f"echo one; {UNTIL_GO}; echo two")
    with stream(server, LOG) as reading:
        told_until(reading, "one\n")
        last = reading.last_id
    (worktree(repository) / "go").touch()
    ended(repository)
    with stream(server, LOG, last=last) as reading:
        assert said(reading.rest()) == "two\n"


def test_a_log_that_was_replaced_since_is_told_anew_and_the_client_is_told_so(server: Server, repository: Path) -> None:
    launch(repository, f"echo one {KEY}; {UNTIL_GO}; echo two")
    with stream(server, LOG) as reading:
        first = told_until(reading, "\n")
        last = reading.last_id
    (worktree(repository) / "go").touch()
    ended(repository)  # what lies there now has no secret, and so other bytes
    with stream(server, LOG, last=last) as reading:
        again = reading.rest()

    assert said(first) == "one [masked]\n"
    assert names(again) == ["hello", "attempt", "reset", "over", "end"]
    assert said(again) == "one [masked]\ntwo\n"


def test_the_stream_goes_on_with_the_next_attempt(server: Server, repository: Path) -> None:
    script = f"echo try; if [ -e again ]; then exit 0; fi; touch again; {UNTIL_GO}; exit 1"
    twice = {"CONDUCTOR_LIMITS_ATTEMPTS": "2", "CONDUCTOR_LIMITS_BACKOFF": "0.02s"}
    kit.conductor("spawn", "prices", "--", "sh", "-c", script, cwd=repository, env=twice)
    with stream(server, LOG) as reading:
        begun = told_until(reading, "try\n")
        (worktree(repository) / "go").touch()
        rest = reading.rest()

    assert said(rest) == "try\n"
    assert names(begun + rest) == ["hello", "attempt", "over", "attempt", "over", "end"]
    assert [event.document["number"] for event in begun + rest if event.name == "attempt"] == [1, 2]


def test_one_attempt_alone_and_its_errors(server: Server, repository: Path) -> None:
    script = "echo out; echo err >&2; if [ -e again ]; then exit 0; fi; touch again; exit 1"
    twice = {"CONDUCTOR_LIMITS_ATTEMPTS": "2", "CONDUCTOR_LIMITS_BACKOFF": "0.02s"}
    kit.conductor("spawn", "prices", "--", "sh", "-c", script, cwd=repository, env=twice)
    kit.until(lambda: len(tasks.record(repository, "prices").attempts) == 2 and attempt_of(repository).ended_at)
    with stream(server, LOG, attempt=1, stderr=1) as reading:
        found = reading.rest()

    assert said(found) == "err\n"
    assert [event.document["number"] for event in found if event.name == "attempt"] == [1]


def test_nothing_that_an_agent_printed_is_obeyed_or_gives_a_secret_away(server: Server, repository: Path) -> None:
    launch(
        repository, f"printf 'red \\033[31mred\\033[0m \\033]0;title\\007 {KEY}\\r\\ndata: forged\\n\\nevent: end\\n'"
    )
    ended(repository)
    with stream(server, LOG) as reading:
        found = reading.rest()

    assert said(found) == "red red  [masked]\ndata: forged\n\nevent: end\n"
    assert names(found) == ["hello", "attempt", "over", "end"]


def test_a_long_log_comes_in_pieces_and_from_its_end_where_that_is_asked_for(server: Server, repository: Path) -> None:
    launch(repository, "seq 100000")
    ended(repository)
    with stream(server, LOG) as reading:
        found = reading.rest()
    with stream(server, LOG, tail=14) as reading:
        last = reading.rest()

    assert said(found) == "".join(f"{number}\n" for number in range(1, 100_001))
    assert max(len(event.document["text"]) for event in found if event.name == "log") <= 128 * 1024
    assert said(last) == "99999\n100000\n"


def test_a_middle_that_was_taken_out_is_told_as_a_gap(server: Server, repository: Path) -> None:
    line = "x" * 1023
    attempt = launch(repository, f"echo begin; yes {line} | head -4096; {UNTIL_GO}; echo end")
    path = open_project(repository).layout.attempt(parse_task_id("prices"), attempt.run_id) / "stdout.log"
    kit.until(lambda: path.stat().st_size == 6 + (4 << 20))
    sparse.punch(path, 1 << 20, 1 << 20)
    with stream(server, LOG) as reading:
        begun = told_until(reading, "begin\n")
        (worktree(repository) / "go").touch()
        found = begun + reading.rest()

    assert [event.document["bytes"] for event in found if event.name == "gap"] == [1 << 20]
    assert said(found).startswith(f"begin\n{line}\n")
    assert said(found).endswith(f"{line}\nend\n")
    assert len(said(found)) == len("begin\nend\n") + (3 << 20)


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/api/v1/tasks/nobody/log", {}, 404, "NOT_FOUND"),
        ("/api/v1/tasks/idle/log", {}, 404, "NOT_FOUND"),
        ("/api/v1/tasks/Bad..Id/log", {}, 422, "BAD_TASK_ID"),
        (LOG, {"attempt": 7}, 404, "NOT_FOUND"),
        (LOG, {"attempt": 0}, 422, "BAD_INPUT"),
        (LOG, {"since": "12"}, 404, "UNKNOWN_CURSOR"),
        (LOG, {"since": "20200101-000000000000-1-1@0"}, 404, "UNKNOWN_CURSOR"),
        (LOG, {"since": "../../../etc/passwd@0"}, 404, "UNKNOWN_CURSOR"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_a_stream_begins(
    server: Server, repository: Path, path: str, query: dict[str, Any], status: int, code: str
) -> None:
    tasks.spawn(repository, "idle")
    launch(repository, "echo one")
    with stream(server, path, **query) as reading:
        assert reading.response.status_code == status
        assert reading.response.json()["error"]["code"] == code


def test_a_link_in_the_place_of_a_log_is_not_followed(server: Server, repository: Path, tmp_path: Path) -> None:
    attempt = launch(repository, "echo one")
    ended(repository)
    path = open_project(repository).layout.attempt(parse_task_id("prices"), attempt.run_id) / "stdout.log"
    path.unlink()
    (tmp_path / "private").write_text("private\n")
    path.symlink_to(tmp_path / "private")
    with stream(server, LOG) as reading:
        assert said(reading.rest()) == ""


def test_a_log_that_nobody_reads_is_watched_by_nobody(server: Server, repository: Path) -> None:
    launch(repository, f"echo one; {UNTIL_GO}")
    watchers = server.app.state.live.watchers
    with stream(server, LOG) as reading, stream(server, LOG) as other:
        told_until(reading, "one\n"), told_until(other, "one\n")
        assert watchers.count == 1
    kit.until(lambda: not watchers.count)
    (worktree(repository) / "go").touch()


def test_a_log_ends_with_the_server(repository: Path) -> None:
    with serving(repository) as server:
        launch(repository, f"echo one; {UNTIL_GO}")
        with stream(server, LOG) as reading:
            told_until(reading, "one\n")
            server.serving.ending.set()
            assert [event.document["reason"] for event in reading.rest()] == ["shutdown"]
        (worktree(repository) / "go").touch()


def test_a_log_whose_task_is_taken_away_ends_with_the_reason(server: Server, repository: Path, tmp_path: Path) -> None:
    attempt = launch(repository, f"echo one; {UNTIL_GO}")
    record = open_project(repository).layout.run_info(parse_task_id("prices"))
    with stream(server, LOG) as reading:
        told_until(reading, "one\n")
        record.rename(tmp_path / "gone.yaml")
        *_, last = reading.rest()
    (tmp_path / "gone.yaml").rename(record)
    (worktree(repository) / "go").touch()
    kit.until(lambda: not any(map(is_alive, filter(None, (attempt.process, attempt.supervisor)))))

    assert (last.name, last.document["error"]["code"]) == ("failure", "NOT_FOUND")
