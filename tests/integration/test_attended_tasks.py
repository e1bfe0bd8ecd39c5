"""`terminal: tmux`: a task whose agent a person can join, supervised, stopped and adopted as any other."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conductor_git.processtable import is_alive
from conductor_git.run import End, State
from tests import kit
from tests.integration.agents import attempt_of, ended, launch
from tests.integration.attended import ended_at_last, nothing_is_left, sessions, tmux, type_in
from tests.kit import tasks

pytestmark = kit.requires("tmux")

ASKS = "echo ready; read word; echo got $word; git commit --quiet --allow-empty -m $word; conductor-git done"


@pytest.fixture(autouse=True)
def _attended(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("TMUX_TMPDIR", str(tmp_path_factory.mktemp("t")))
    monkeypatch.setenv("CONDUCTOR_TERMINAL", "tmux")
    with ended_at_last(repository):
        yield


def log(repository: Path) -> str:
    return kit.conductor("log", "prices", cwd=repository).out.replace("\r\n", "\n")


class Screen:
    """A person's terminal: what was shown on it so far, and a keyboard."""

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self.shown = ""

    def sees(self, text: str) -> bool:
        try:
            self.shown += os.read(self._leader, 65536).decode("utf-8", "replace")
        except OSError:
            return True  # it was closed: the caller looks at what was shown
        return text in self.shown

    def type(self, text: str) -> None:
        os.write(self._leader, text.encode())


@contextmanager
def on_a_screen(repository: Path, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], Screen]]:
    leader, follower = os.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 90, 0, 0))
    command: list[str | Path] = [kit.console_script(), *words]
    environment = os.environ | {"TERM": "xterm-256color"}
    with subprocess.Popen(
        command, cwd=repository, env=environment, stdin=follower, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        try:
            yield process, Screen(leader)
        finally:
            process.kill()
            os.close(leader)


def test_a_person_joins_the_agent_and_types_and_its_work_is_handed_in(repository: Path) -> None:
    launch(repository, ASKS)

    with on_a_screen(repository, "attach", "prices") as (client, screen):
        kit.until(lambda: screen.sees("ready"))
        screen.type("pears\r")
        kit.until(lambda: screen.sees("[exited]"))
        assert client.wait() == 0

    assert "got pears" in screen.shown
    attempt = ended(repository)
    assert (attempt.terminal, attempt.end, attempt.exit_code) == ("conductor-prices", End.EXITED, 0)
    assert tasks.record(repository, "prices").state is State.IN_REVIEW
    assert "ready\npears\ngot pears\n" in log(repository)
    kit.until(lambda: nothing_is_left(attempt.run_id))


def test_a_person_who_leaves_the_terminal_leaves_the_agent_at_work(repository: Path) -> None:
    attempt = launch(repository, ASKS)
    assert attempt.process is not None

    with on_a_screen(repository, "attach", "prices") as (client, screen):
        kit.until(lambda: screen.sees("ready"))
        tmux("detach-client", "-s", "=conductor-prices")  # as C-b d, of which tmux takes what comes fast for a paste
        kit.until(lambda: screen.sees("[detached"))
        assert client.wait() == 0

    assert is_alive(attempt.process)
    assert attempt_of(repository) == attempt


def test_in_a_pipe_or_raw_attach_follows_an_agent_on_a_terminal(repository: Path) -> None:
    launch(repository, ASKS)
    kit.until(lambda: "ready" in log(repository))
    type_in("pears", "Enter")
    ended(repository)

    plain = kit.conductor("attach", "prices", cwd=repository)
    raw = kit.conductor("attach", "prices", "--raw", cwd=repository)

    assert plain.out.startswith("ready\npears\ngot pears\n")
    assert raw.out.startswith("ready\r\npears\r\ngot pears\r\n")


def test_where_the_session_cannot_be_found_attach_says_so_and_follows(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    launch(repository, ASKS)
    with monkeypatch.context() as patch:
        patch.setenv("TMUX_TMPDIR", str(tmp_path))
        with on_a_screen(repository, "attach", "prices") as (_, screen):
            kit.until(lambda: screen.sees("ready"))

    assert "tmux knows of no session conductor-prices here" in screen.shown


def test_stop_ends_an_agent_on_a_terminal_with_its_session(repository: Path) -> None:
    attempt = launch(repository, "setsid sleep 600 & echo ready; exec sleep 600")
    kit.until(lambda: "ready" in log(repository))

    stopped = kit.conductor("stop", "prices", cwd=repository)

    assert stopped.code == 0, stopped
    assert ended(repository).end is End.STOPPED
    kit.until(lambda: nothing_is_left(attempt.run_id))


def test_a_new_supervisor_adopts_an_agent_on_a_terminal(repository: Path) -> None:
    attempt = launch(repository, ASKS)
    assert attempt.supervisor is not None
    os.kill(attempt.supervisor.pid, signal.SIGKILL)

    assert kit.conductor("resume", "prices", cwd=repository).code == 0
    adopted = attempt_of(repository)
    type_in("pears", "Enter")

    assert (adopted.process, adopted.terminal) == (attempt.process, "conductor-prices")
    assert adopted.supervisor != attempt.supervisor
    assert ended(repository).end is End.EXITED
    assert tasks.record(repository, "prices").state is State.IN_REVIEW
    kit.until(lambda: nothing_is_left(attempt.run_id))


def test_an_agent_whose_supervisor_is_dead_is_stopped_with_its_session(repository: Path) -> None:
    """And so is what a person has opened beside it."""
    attempt = launch(repository, "exec sleep 600")
    assert attempt.supervisor is not None
    os.kill(attempt.supervisor.pid, signal.SIGKILL)
    tmux("new-window", "-t", "=conductor-prices:", "exec sleep 600")

    assert kit.conductor("stop", "prices", cwd=repository).code == 0

    kit.until(lambda: nothing_is_left(attempt.run_id))


def test_every_attempt_has_a_session_of_its_own(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDUCTOR_LIMITS_BACKOFF", "0.02s")
    script = f"echo here; [ -e ../tried ] || {{ touch ../tried; kill -KILL $$; }}; {ASKS}"
    assert kit.conductor("spawn", "prices", "--", "sh", "-c", script, cwd=repository).code == 0
    kit.until(lambda: len(tasks.record(repository, "prices").attempts) == 2 and "ready" in log(repository))
    panes = tmux("list-panes", "-a", "-F", "#{session_name}").split()
    type_in("pears", "Enter")
    ended(repository)

    first, second = tasks.record(repository, "prices").attempts
    assert (first.end, first.signal, second.end, panes) == (End.KILLED, "SIGKILL", End.EXITED, ["conductor-prices"])
    kit.until(lambda: sessions() == [])


def test_without_libtmux_the_task_fails_and_says_what_to_install(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "libtmux.py").write_text("raise ImportError('not here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    done = kit.conductor("spawn", "prices", "--json", "--", "sh", "-c", "exit", cwd=repository)

    error = tasks.refused(done, "AGENT_FAILED", 19)
    assert "pip install 'conductor-git[tmux]'" in error["message"]
    assert tasks.record(repository, "prices").state is State.FAILED
