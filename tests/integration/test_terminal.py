"""An agent on a terminal: words, keys, sizes and ends are what they are without one, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor_git import process
from conductor_git.errors import AgentFailed
from conductor_git.processtable import is_alive
from conductor_git.project import open_project
from conductor_git.runner import interactive, terminal
from tests import kit
from tests.integration.attended import (
    PRICES,
    RUN,
    begin,
    ended_at_last,
    folder,
    nothing_is_left,
    over,
    printed,
    sessions,
    tmux,
    type_in,
)
from tests.kit import tasks

pytestmark = kit.requires("tmux")


@pytest.fixture(autouse=True)
def _ended(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("TMUX_TMPDIR", str(tmp_path_factory.mktemp("t")))
    with ended_at_last(repository):
        yield


@pytest.mark.parametrize(("ending", "code"), [("exit 7", 7), ("kill -KILL $$", -9), ("exec no-such-program", 127)])
def test_how_the_agent_ended_is_known_and_nothing_of_it_is_left(repository: Path, ending: str, code: int) -> None:
    child = begin(repository, "sh", "-c", ending)

    assert over(child) == code
    kit.until(nothing_is_left)


def test_a_program_that_cannot_be_run_ends_as_in_a_shell_and_says_so(repository: Path) -> None:
    assert over(begin(repository, "no-such-program")) == 127
    assert (
        printed(repository) == "the agent could not be started: 'no-such-program' was not found, or is not executable\n"
    )


def test_what_a_person_types_reaches_the_agent_and_what_it_prints_is_kept_for_us_alone(repository: Path) -> None:
    child = begin(repository, "sh", "-c", "echo ready; read word; echo got $word")
    type_in("pears", "Enter")

    assert over(child) == 0
    assert printed(repository) == "ready\npears\ngot pears\n"
    assert (folder(repository) / "stdout.log").stat().st_mode & 0o777 == 0o600


def test_the_agent_leads_a_session_of_a_terminal_of_a_sane_size(repository: Path) -> None:
    child = begin(
        repository, "sh", "-c", 'stty size; echo "$TERM"; test -t 0 -a -t 1 -a -t 2 && ps -o pgid=,sid= -p $$'
    )

    assert over(child) == 0
    pid = child.process.pid
    assert printed(repository).split() == ["50", "200", "screen-256color", str(pid), str(pid)]


def test_the_agents_terminal_gets_the_size_of_whoever_joins(repository: Path) -> None:
    child = begin(repository, "sh", "-c", "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.02; done")
    kit.until(lambda: "ready" in printed(repository))
    tmux("resize-window", "-t", "=conductor-prices:", "-x", "77", "-y", "33")

    over(child)
    assert printed(repository).split() == ["ready", "33", "77"]


def test_words_and_places_reach_the_agent_as_they_are(repository: Path) -> None:
    words = ["$HOME", "a b", "#{session_name}", ";", "x;", "'", '"', "", "%H", "ü"]
    child = begin(repository, sys.executable, "-c", "import os, sys; print(sys.argv[1:], os.getcwd())", *words)

    assert over(child) == 0
    assert printed(repository) == f"{words} {repository.parent / 'acme.worktrees' / 'prices'}\n"


def test_no_variable_of_the_agent_is_ever_on_a_command_line_or_left_in_a_file(repository: Path) -> None:
    secret = "open-sesame-0123456789"
    child = begin(repository, "sh", "-c", 'test -n "$SHOP_KEY" && echo has it; exec sleep 600', SHOP_KEY=secret)
    kit.until(lambda: "has it" in printed(repository))
    # The server keeps the command that it was started with for as long as it lives.
    lines = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    shown = tmux("list-panes", "-a", "-F", "#{pane_start_command}")

    assert "conductor_git.runner.interactive" in lines
    assert secret not in lines + shown
    assert [path for path in folder(repository).iterdir() if secret.encode() in path.read_bytes()] == []
    assert is_alive(child.process)


def test_the_variables_of_another_terminal_are_not_the_agents(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TMUX", "TMUX_PANE", "COLUMNS", "LINES"):
        monkeypatch.setenv(name, "3")
    child = begin(repository, "sh", "-c", 'echo "${TMUX-no} ${TMUX_PANE-no} ${COLUMNS-no} ${LINES-no}"')

    over(child)
    assert printed(repository) == "no no no no\n"


def test_what_python_ignores_is_not_ignored_by_the_agent(repository: Path) -> None:
    child = begin(repository, "grep", "SigIgn", "/proc/self/status")

    over(child)
    ignored = int(printed(repository).split()[1], 16)
    assert [name.name for name in (signal.SIGPIPE, signal.SIGXFSZ) if ignored & 1 << (name - 1)] == []


def test_a_file_can_be_the_standard_input(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "prompt.md").write_text("Mend the prices.\n")

    over(begin(repository, "cat", stdin=tmp_path / "prompt.md"))

    assert printed(repository) == "Mend the prices.\n"


def test_an_agent_that_does_not_listen_still_prints(repository: Path) -> None:
    """More is typed than a terminal holds: whoever waits for that to be read would never read what is printed."""
    beside = repository.parent / "acme.worktrees"
    script = "stty raw -echo; touch ../quiet; until [ -e ../go ]; do sleep 0.02; done; seq 60000; exec sleep 600"
    begin(repository, "sh", "-c", script)
    kit.until((beside / "quiet").exists)
    before = bytes_read_by_keeper(repository)
    paste = beside / "paste"
    paste.write_text("x" * 400_000)
    tmux("load-buffer", str(paste), ";", "paste-buffer", "-t", "=conductor-prices:")
    kit.until(lambda: bytes_read_by_keeper(repository) > before + 100_000)
    (beside / "go").touch()

    kit.until(lambda: printed(repository).rstrip().endswith("60000"))


def bytes_read_by_keeper(repository: Path) -> int:
    known = interactive.started(folder(repository))
    assert known is not None
    assert known.keeper is not None
    return int(Path(f"/proc/{known.keeper.pid}/io").read_text().split()[1])


def test_the_file_with_the_agents_variables_is_gone_before_the_agent_begins(repository: Path) -> None:
    """Also where whoever has left it there is dead."""
    tasks.spawn(repository, "prices")
    place = folder(repository)
    interactive.give(place, interactive.Order(("ls", str(place)), {"PATH": os.environ["PATH"]}, str(repository)))
    assert (place / interactive.ORDER).stat().st_mode & 0o777 == 0o600
    leader, follower = os.openpty()
    program = [sys.executable, "-P", "-m", "conductor_git.runner.interactive", str(place)]
    try:
        subprocess.run(program, stdin=follower, stdout=follower, stderr=follower, start_new_session=True, check=True)
    finally:
        os.close(leader)
        os.close(follower)

    assert printed(repository).split()[0] == "stdout.log"
    assert interactive.ORDER not in printed(repository)
    assert interactive.exit_code(place) == 0


def test_ending_its_group_ends_an_agent_that_hears_nothing_and_what_it_started(repository: Path) -> None:
    script = "trap '' TERM HUP; setsid sleep 600 & sleep 600 & echo ready; while :; do sleep 1; done"
    child = begin(repository, "sh", "-c", script)
    kit.until(lambda: "ready" in printed(repository))

    ended = process.end_group(child.process.pid, RUN, grace=0.1, leader=child.process)

    assert child.process in ended
    assert child.reap() == -9
    kit.until(nothing_is_left)


def test_a_session_that_a_person_kills_hangs_up_on_the_agent(repository: Path) -> None:
    child = begin(repository, "sh", "-c", "echo ready; exec sleep 600")
    kit.until(lambda: "ready" in printed(repository))
    tmux("kill-session", "-t", "=conductor-prices")

    assert over(child) == -1
    kit.until(nothing_is_left)


def test_what_a_person_opened_beside_the_agent_ends_with_it(repository: Path) -> None:
    child = begin(repository, "sh", "-c", "echo ready; read word")
    tmux("new-window", "-t", "=conductor-prices:", "exec env -i sleep 600")
    tmux("send-keys", "-t", "=conductor-prices:agent", "Enter")

    kit.until(lambda: child.is_over)
    process.end_group(child.process.pid, RUN, grace=1, leader=child.process)
    child.reap()

    kit.until(nothing_is_left)


def test_tasks_share_a_server_of_the_project_and_the_end_of_one_leaves_the_other(repository: Path) -> None:
    names = ("a.b", "a_b", "a-b")
    children = [begin(repository, "sh", "-c", "read word", task=name) for name in names]
    assert len(set(sessions())) == 3

    type_in("Enter", task="a+b")

    assert over(children[0]) == 0
    assert sorted(sessions()) == ["conductor-a-b", "conductor-a_b"]
    assert [child.is_over for child in children] == [True, False, False]


def test_a_persons_own_server_and_its_settings_are_left_alone(repository: Path, home: Path) -> None:
    (home / ".tmux.conf").write_text("set -g remain-on-exit on\nset -g exit-empty off\nset -g default-command false\n")
    own = ["tmux", "-L", "own"]
    subprocess.run([*own, "new-session", "-d", "-s", "mine", "exec sleep 600"], check=True)
    try:
        assert over(begin(repository, "sh", "-c", "exit 3")) == 3
        kit.until(nothing_is_left)
        mine = subprocess.run(
            [*own, "list-sessions", "-F", "#{session_name}"], capture_output=True, text=True, check=True
        )
    finally:
        subprocess.run([*own, "kill-server"], check=True)

    assert mine.stdout == "mine\n"


def test_a_session_that_was_left_behind_makes_room(repository: Path) -> None:
    begin(repository, "sh", "-c", "trap '' HUP; exec sleep 600", task="other")
    tmux("new-session", "-d", "-s", "conductor-prices", "exec sleep 600")

    assert over(begin(repository, "sh", "-c", "exit 5")) == 5


def test_an_agent_that_cannot_begin_is_told_with_the_reason_and_leaves_nothing(repository: Path) -> None:
    (folder(repository) / "stdout.log").mkdir()

    with pytest.raises(AgentFailed, match=r"did not begin in its terminal: the log .* cannot be written"):
        begin(repository, "sh", "-c", "exec sleep 600")

    assert not (folder(repository) / "terminal.json").exists()
    kit.until(nothing_is_left)


def test_without_tmux_nothing_is_started_and_the_program_is_named(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tasks.spawn(repository, "prices")
    project = open_project(repository)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(AgentFailed, match=r"needs the program tmux"):
            begin(repository, "sh", "-c", "exec sleep 600", project=project)
        assert terminal.joining(project, PRICES) is None

    assert list(folder(repository).iterdir()) == []


def test_without_libtmux_nothing_is_started_and_the_extra_is_named(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "libtmux", None)

    with pytest.raises(AgentFailed, match=r"conductor-git\[tmux\]"):
        begin(repository, "sh", "-c", "exec sleep 600")

    assert list(folder(repository).iterdir()) == []


def test_the_command_that_joins_is_known_for_as_long_as_the_session_lives(repository: Path) -> None:
    project = open_project(repository)
    child = begin(repository, "sh", "-c", "read word")
    command = terminal.joining(project, PRICES)
    assert command is not None
    assert (Path(command[0]).name, command[-3:]) == ("tmux", ("attach-session", "-t", "=conductor-prices"))

    type_in("Enter")
    over(child)

    assert terminal.joining(project, PRICES) is None
