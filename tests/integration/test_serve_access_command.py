"""`conductor-git serve` and `serve token`, as processes: what they say, what they refuse, and how a server ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests import kit
from tests.integration import queued
from tests.kit import tasks

WITHOUT_UVICORN: Final = "import sys\nsys.modules['uvicorn'] = None\n"


@dataclass(frozen=True, slots=True)
class Started:
    """A server as a process of its own, and what it said when it began to listen."""

    process: subprocess.Popen[str]
    said: dict[str, Any]

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """Whoever opens the link that it printed."""
        with httpx.Client(base_url=self.said["url"], timeout=60, trust_env=False) as browser:
            code = self.said["link"].partition("code=")[2]
            assert browser.post("/login", data={"code": code}).status_code == 303
            yield browser

    def end(self, *signals: signal.Signals) -> tuple[int, str]:
        """Its exit code, and what it said on standard error, once it has ended."""
        for number in signals:
            self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@contextmanager
def started(repository: Path, *options: str) -> Iterator[Started]:
    command = [str(kit.console_script()), "serve", "--json", "--port", "0", *options]
    process = subprocess.Popen(
        command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield Started(process, json.loads(line)["serve"])
    finally:
        process.kill()
        process.communicate()


def refused(repository: Path, *words: str, code: str, exit_code: int = 1) -> dict[str, Any]:
    return tasks.refused(kit.conductor("serve", *words, "--json", cwd=repository), code, exit_code)


def test_the_link_lets_a_browser_in_and_the_server_ends_with_its_token(repository: Path) -> None:
    with started(repository) as server:
        assert server.said["host"] == "127.0.0.1"
        with server.client() as browser:
            assert browser.get("/api/v1/version").json()["who"]["role"] == "admin"
        listed = kit.conductor("serve", "token", "list", "--json", cwd=repository).document["tokens"]
        code, err = server.end(signal.SIGINT)

    assert [token["server_pid"] for token in listed] == [server.process.pid]
    assert code == 130
    assert "Traceback" not in err
    assert "200 GET /api/v1/version " in err
    assert server.said["link"].partition("code=")[2] not in err
    assert kit.conductor("serve", "token", "list", cwd=repository).out == "no tokens\n"


def test_the_link_is_the_answer_and_the_rest_is_narration(repository: Path) -> None:
    command = [str(kit.console_script()), "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            link = process.stdout.readline().strip()
            page = httpx.get(link, trust_env=False, timeout=60)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()  # after a failure too, where it would be waited for without end

    assert page.status_code == 200
    assert link.startswith("http://127.0.0.1:")
    assert (process.returncode, out) == (143, "")
    assert f"serving {repository} on http://127.0.0.1:" in err


@pytest.mark.parametrize("opener", ["xdg-open", "some-browser"])
def test_open_shows_the_link_in_the_browser(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opener: str
) -> None:
    """By what a desktop has for that, or where it has none by what $BROWSER names."""
    place, told = tmp_path / "bin", tmp_path / "opened"
    place.mkdir()
    (place / opener).write_text(f'#!/bin/sh\nprintf %s "$1" > {told}.new && mv {told}.new {told}\n')
    (place / opener).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(place), os.environ["PATH"]]))
    monkeypatch.setenv("BROWSER", "some-browser")
    with started(repository, "--open") as server:
        kit.until(told.exists)
        assert told.read_text() == server.said["link"]
        with server.client() as browser:
            assert browser.get("/healthz").status_code == 200
        code, err = server.end(signal.SIGTERM)

    assert (code, "Traceback" in err) == (143, False)


def test_the_login_token_of_a_killed_server_is_forgotten_by_the_next(repository: Path) -> None:
    with started(repository) as killed:
        killed.end(signal.SIGKILL)
    with started(repository) as server:
        listed = kit.conductor("serve", "token", "list", "--json", cwd=repository).document["tokens"]

    assert [token["server_pid"] for token in listed] == [server.process.pid]


def test_a_port_that_is_taken_is_named(repository: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = refused(repository, "--port", str(port), code="PORT_TAKEN")

    assert error["port"] == port
    assert str(port) in error["message"]
    assert kit.conductor("serve", "token", "list", cwd=repository).out == "no tokens\n"


def test_a_host_that_is_none_is_refused(repository: Path) -> None:
    assert kit.conductor("serve", "token", "add", "ada", cwd=repository).code == 0

    refused(repository, "--host", "no such host", "--port", "0", code="BAD_INPUT", exit_code=2)


def test_other_machines_are_served_only_once_there_is_a_token(repository: Path) -> None:
    error = refused(repository, "--host", "0.0.0.0", "--port", "0", code="NO_TOKEN")
    assert "conductor-git serve token add" in error["hint"]

    assert kit.conductor("serve", "token", "add", "ada", cwd=repository).code == 0
    with started(repository, "--host", "0.0.0.0") as server:
        port = server.said["port"]
        with server.client() as browser:
            answers = {
                name: browser.get("/healthz", headers={"Host": name}).status_code
                for name in (f"127.0.0.1:{port}", "192.0.2.7", socket.gethostname(), "evil.example", "evil.127.0.0.1")
            }
        _, err = server.end(signal.SIGTERM)

    assert list(answers.values()) == [200, 200, 200, 421, 421]
    assert "plain HTTP" in err


def test_by_default_only_this_machine_is_listened_to(repository: Path) -> None:
    with started(repository) as server:
        lines = Path("/proc/net/tcp").read_text().splitlines() if Path("/proc/net/tcp").exists() else []
        listening = [line.split()[1] for line in lines if line.split()[1].endswith(f":{server.said['port']:04X}")]

    assert server.said["url"] == f"http://127.0.0.1:{server.said['port']}"
    assert set(listening) <= {f"0100007F:{server.said['port']:04X}"}


def test_without_the_extra_it_is_named(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WITHOUT_UVICORN)
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])

    done = kit.conductor("serve", "--json", cwd=repository, env={"PYTHONPATH": path})
    listed = kit.conductor("serve", "token", "list", cwd=repository, env={"PYTHONPATH": path})

    error = tasks.refused(done, "EXTRA_MISSING", 1)
    assert (error["extra"], error["missing"]) == ("serve", ["uvicorn"])
    assert "conductor-git[serve]" in error["hint"]
    assert listed.code == 0


def test_two_servers_at_once_on_one_project(repository: Path) -> None:
    with started(repository) as first, started(repository) as second, first.client() as one, second.client() as two:
        assert one.get("/api/v1/version").status_code == two.get("/api/v1/version").status_code == 200
        first.end(signal.SIGTERM)
        assert two.get("/api/v1/version").status_code == 200


def test_a_token_is_told_once_listed_without_it_and_said_on_the_bus(repository: Path) -> None:
    made = kit.conductor("serve", "token", "add", "ada", "--role", "reviewer", "--json", cwd=repository).document
    listed = kit.conductor("serve", "token", "list", cwd=repository)
    taken = kit.conductor("serve", "token", "revoke", made["token"]["token_id"], cwd=repository)
    said = kit.conductor("bus", "read", "--type", "INFO", "--json", cwd=repository)

    secret = made["secret"].split("_", 2)[2]
    assert made["token"]["token_id"] in listed.out
    assert taken.code == 0
    assert secret not in listed.out + listed.err + taken.out + taken.err + said.out
    events = [(message["meta"]["event"], message["meta"]["name"]) for message in said.document["messages"]]
    assert events == [("token_made", "ada"), ("token_revoked", "ada")]
    refused(repository, "token", "revoke", made["token"]["token_id"], code="NOT_FOUND", exit_code=18)


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["--role", "worker"], "BAD_INPUT", 2),
        (["ada", "--role", "admin", "--task", "x"], "BAD_INPUT", 2),
        (["--role", "worker", "--task", "nothing"], "NOT_FOUND", 18),
        (["--role", "worker", "--task", "../x"], "BAD_TASK_ID", 2),
        (["ada", "--role", "king"], "BAD_INPUT", 2),
        (["a\nb"], "BAD_INPUT", 2),
    ],
)
def test_a_token_that_cannot_be_is_not_made(repository: Path, words: list[str], code: str, exit_code: int) -> None:
    refused(repository, "token", "add", *words, code=code, exit_code=exit_code)

    assert kit.conductor("serve", "token", "list", cwd=repository).out == "no tokens\n"


@pytest.mark.parametrize(
    "words", [["--port", "0"], ["token", "add", "me", "--role", "admin"], ["token", "revoke", "x"]]
)
def test_a_worker_starts_no_server_and_makes_no_token(repository: Path, words: list[str]) -> None:
    """It could approve its own work with that."""
    worktree = tasks.spawn(repository, "fix-login")

    by_place = kit.conductor("serve", *words, "--json", cwd=worktree)
    by_environment = kit.conductor("serve", *words, "--json", cwd=repository, env={"CONDUCTOR_TASK_ID": "fix-login"})

    tasks.refused(by_place, "FORBIDDEN", 1)
    tasks.refused(by_environment, "FORBIDDEN", 1)


def landing_under_way(repository: Path, tmp_path: Path) -> None:
    """An approved task whose gate tells that it runs, and waits for a word."""
    script = f"touch {tmp_path}/runs; until [ -e {tmp_path}/go ]; do sleep 0.05; done"
    queued.have_gate(repository, script)
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    tasks.approved(repository, "fix-login", {"login.py": "fixed\n"})


def test_a_landing_under_way_is_finished_before_the_server_ends(repository: Path, tmp_path: Path) -> None:
    landing_under_way(repository, tmp_path)
    made = kit.conductor("serve", "token", "add", "ada", "--role", "admin", cwd=repository).out.strip()
    with started(repository) as server, ThreadPoolExecutor(1) as other, scripted(server, made) as script:
        answer = other.submit(script.post, "/api/v1/tasks/fix-login/merge", json={})
        kit.until((tmp_path / "runs").exists)
        server.process.send_signal(signal.SIGTERM)
        kit.until(lambda: not accepts(server.said["port"]))
        (tmp_path / "go").touch()
        landed = answer.result(timeout=60)
        code, err = server.end()

    assert (landed.status_code, code) == (200, 143), landed.text
    assert landed.json()["outcome"] == "LANDED"
    assert "ending when what is under way is done" in err
    assert tasks.record(repository, "fix-login").state == "COMPLETED"
    queued.require_quiet(repository)


def test_a_second_signal_ends_at_once_and_the_next_command_mends(repository: Path, tmp_path: Path) -> None:
    landing_under_way(repository, tmp_path)
    made = kit.conductor("serve", "token", "add", "ada", "--role", "admin", cwd=repository).out.strip()
    with started(repository) as server, ThreadPoolExecutor(1) as other, scripted(server, made) as script:
        answer = other.submit(script.post, "/api/v1/tasks/fix-login/merge", json={})
        kit.until((tmp_path / "runs").exists)
        server.process.send_signal(signal.SIGINT)
        kit.until(lambda: not accepts(server.said["port"]))
        code, _ = server.end(signal.SIGINT)
        assert isinstance(answer.exception(timeout=60), httpx.TransportError)

    assert code == 130
    assert tasks.record(repository, "fix-login").state == "APPROVED"
    (tmp_path / "go").touch()
    tasks.landed(tasks.merge(repository, "fix-login"))
    queued.require_quiet(repository)


def test_an_open_stream_keeps_no_server_from_ending(repository: Path) -> None:
    with started(repository) as server, server.client() as browser, browser.stream("GET", "/api/v1/events") as stream:
        assert stream.status_code == 200
        code, err = server.end(signal.SIGTERM)

    assert code == 143
    assert "Traceback" not in err


def scripted(server: Started, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=server.said["url"], headers=headers, timeout=120, trust_env=False)


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True
