"""GET /metrics: every figure is moved by what it counts, and by nothing that callers choose freely."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from conductor_git.names import parse_task_id
from conductor_git.project import Project
from conductor_git.server.access.role import Role
from tests import kit
from tests.integration.agents import ended, launch
from tests.integration.streamed import post, stream
from tests.kit import tasks
from tests.kit.server import Server, serving

METRICS = "/metrics"
GATES = "gates:\n  - {name: there, run: 'test ! -e red.txt'}\n"


@pytest.fixture
def server(server: Server) -> Server:
    figures(server)  # whoever asks first begins the counting of what the bus takes
    return server


def figures(server: Server) -> dict[str, float]:
    """Name and labels → value."""
    with server.client(Role.VIEWER) as client:
        answer = client.get(METRICS)
    assert answer.status_code == httpx.codes.OK
    assert answer.headers["content-type"].startswith("text/plain")
    lines = (line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def becomes(server: Server, name: str, value: float) -> None:
    kit.until(lambda: figures(server).get(name) == value)


def test_tasks_by_state_and_records_that_cannot_be_read(server: Server, repository: Path, project: Project) -> None:
    for name in ("one", "two", "three"):
        tasks.spawn(repository, name)
    tasks.commit(tasks.spawn(repository, "four"), {"four.txt": "4\n"})
    tasks.hand_in(repository, "four")
    project.layout.run_info(parse_task_id("one")).write_text("state: [")

    found = figures(server)

    assert found['conductor_tasks{state="WORKING"}'] == 2
    assert found['conductor_tasks{state="IN_REVIEW"}'] == 1
    assert found['conductor_tasks{state="unreadable"}'] == 1
    assert found['conductor_tasks{state="COMPLETED"}'] == 0


def test_attempts_that_began_and_how_they_ended(server: Server, repository: Path) -> None:
    launch(repository, "exit 3")
    ended(repository)

    becomes(server, "conductor_attempts_started_total", 1)
    becomes(server, 'conductor_attempts_ended_total{end="exited"}', 1)


def test_landings_by_outcome_gates_and_the_queue(server: Server, repository: Path) -> None:
    (repository / ".conductor.yaml").write_text(GATES)
    kit.git(repository, "add", ".conductor.yaml")
    kit.git(repository, "commit", "-qm", "Have a gate")
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    tasks.approved(repository, "green", {"green.txt": "1\n"})
    tasks.approved(repository, "red", {"red.txt": "1\n"})
    waiting = figures(server)
    for task in ("green", "red"):
        tasks.merge(repository, task)
    assert kit.conductor("undo", "green", cwd=repository).code == 0

    assert waiting['conductor_queue_length{target="main"}'] == 2
    assert waiting['conductor_queue_wait_seconds{target="main"}'] > 0
    becomes(server, 'conductor_landings_total{outcome="UNDONE"}', 1)
    found = figures(server)
    assert found['conductor_landings_total{outcome="LANDED"}'] == 1
    assert found['conductor_landings_total{outcome="GATE_FAILED"}'] == 1
    assert found['conductor_gate_seconds_count{verdict="passed"}'] >= 1
    assert found['conductor_gate_seconds_count{verdict="failed"}'] == 1
    assert found['conductor_gate_seconds_sum{verdict="failed"}'] > 0
    assert 'conductor_queue_length{target="main"}' not in found


def test_messages_of_the_bus_by_type_and_how_late_they_were_seen(server: Server, project: Project) -> None:
    post(project, "one", "two")
    post(project, "three", kind="DECISION")
    post(project, "four", kind="WHATEVER_ANYBODY_LIKES")

    becomes(server, 'conductor_bus_messages_total{type="other"}', 1)
    found = figures(server)
    assert found['conductor_bus_messages_total{type="FACT"}'] == 2
    assert found['conductor_bus_messages_total{type="DECISION"}'] == 1
    assert found["conductor_bus_lag_seconds_count"] == 4
    assert found["conductor_bus_lag_seconds_sum"] > 0


def test_requests_by_route_and_status_and_never_by_what_was_asked_for(server: Server, repository: Path) -> None:
    tasks.spawn(repository, "one")
    with server.client() as client:
        for path in ("one", "one", "two", "%2e%2e", "x" * 300):
            client.get(f"/api/v1/tasks/{path}")
        client.request("BREW", "/api/v1/tasks/one")
        client.get("/no/such/page")
        client.get("/healthz", headers={"Host": "elsewhere.example"})
    found = figures(server)

    route = "/api/v1/tasks/{task_id}"
    assert found[f'conductor_http_requests_total{{method="GET",route="{route}",status="200"}}'] == 2
    assert found[f'conductor_http_requests_total{{method="GET",route="{route}",status="404"}}'] == 1
    assert found[f'conductor_http_request_seconds_count{{route="{route}"}}'] >= 5
    assert found['conductor_http_requests_total{method="GET",route="unmatched",status="404"}'] == 1
    assert found['conductor_http_requests_total{method="GET",route="unmatched",status="421"}'] == 1
    assert not any("xxx" in name or "BREW" in name or "such" in name for name in found)
    assert any('method="other"' in name for name in found)


def test_streams_that_are_open(server: Server) -> None:
    assert figures(server)['conductor_streams_open{kind="events"}'] == 0
    with stream(server) as reading:
        reading.one()
        assert figures(server)['conductor_streams_open{kind="events"}'] == 1
    becomes(server, 'conductor_streams_open{kind="events"}', 0)


def test_two_servers_count_for_themselves(server: Server, repository: Path, project: Project) -> None:
    post(project, "one")
    becomes(server, 'conductor_bus_messages_total{type="FACT"}', 1)
    with serving(repository) as other:
        assert 'conductor_bus_messages_total{type="FACT"}' not in figures(other)


def test_metrics_want_a_token_of_any_role(server: Server) -> None:
    with server.client(None) as client:
        assert client.get(METRICS).status_code == httpx.codes.UNAUTHORIZED
    for role in Role:
        with server.client(role) as client:
            assert client.get(METRICS).status_code == httpx.codes.OK
