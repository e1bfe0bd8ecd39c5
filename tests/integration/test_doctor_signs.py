"""doctor on what lies about: processes, locks, config, hooks, stash, installs, salvage; some of it only to be told."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from conductor_git import durable
from conductor_git.layout import Layout
from conductor_git.message import Message, make_msg_id, timestamp
from conductor_git.project import open_project
from tests import kit
from tests.integration.ailing import codes, doctor, mended, record_of
from tests.kit import tasks

SLEEP = (sys.executable, "-c", "import time\ntime.sleep(1000)")


def running(repository: Path) -> Path:
    """The worktree of the task `prices` whose agent sleeps."""
    done = kit.conductor("spawn", "prices", "--json", "--", *SLEEP, cwd=repository)
    assert done.code == 0, done
    return Path(done.document["task"]["worktree"])


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_living_agent_is_no_finding_and_one_that_is_gone_is_put_on_record(repository: Path) -> None:
    running(repository)
    assert doctor(repository)["findings"] == []
    attempt = tasks.record(repository, "prices").attempts[-1]
    assert attempt.supervisor is not None
    assert attempt.pid is not None
    for pid in (attempt.supervisor.pid, attempt.pid):
        os.kill(pid, signal.SIGKILL)
    kit.until(lambda: all(map(is_gone, (attempt.supervisor.pid, attempt.pid))))  # type: ignore[union-attr,arg-type]

    mended(repository, "AGENT_GONE")

    run = tasks.record(repository, "prices")
    assert (run.attempts[-1].end, run.supervision, run.state) == ("lost", None, "WORKING")
    assert tasks.told(repository, "RUN_CRASH", "prices") != []


def test_a_process_of_an_attempt_that_no_record_has_is_ended(repository: Path) -> None:
    running(repository)
    attempt = tasks.record(repository, "prices").attempts[-1]
    assert attempt.supervisor is not None
    assert attempt.pid is not None
    os.kill(attempt.supervisor.pid, signal.SIGKILL)
    kit.until(lambda: is_gone(attempt.supervisor.pid))  # type: ignore[union-attr]
    text = record_of(repository).read_text()
    record_of(repository).write_text(text.replace("attempts:\n", "forgotten:\n", 1))

    mended(repository, "AGENT_GONE", "PROCESS_LEFT")

    assert is_gone(attempt.pid)


def test_a_pid_of_another_boot_or_machine_is_nobody(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    me = f"{{pid: {os.getpid()}, pid_started: 1.5}}"
    text = record_of(repository).read_text()
    waits = f"supervision: {{process: {me}, doing: backoff, since: '2026-11-20T10:15:00.000000Z'}}"
    record_of(repository).write_text(text.replace("supervision: null", waits))

    mended(repository, "AGENT_GONE")

    assert worktree.is_dir()


def test_a_lock_that_is_held_for_long_is_told_with_its_holder(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    path = Layout(repository / ".git").locks / "hooks"

    with durable.lock(path, purpose="hooks install"):
        assert doctor(repository)["findings"] == []
        said = json.loads(path.read_text()) | {"since": "2026-01-01T00:00:00Z"}
        path.write_text(json.dumps(said))
        found = doctor(repository)

    assert (found["healthy"], codes(found)) == (True, ["LOCK_HELD"])
    assert f"process {os.getpid()} (hooks install)" in found["findings"][0]["message"]
    assert doctor(repository)["findings"] == []


def test_a_lock_that_git_left_is_told(repository: Path) -> None:
    lock = repository / ".git" / "packed-refs.lock"
    lock.touch()
    assert doctor(repository)["findings"] == []
    os.utime(lock, (time.time() - 3600,) * 2)

    assert codes(doctor(repository)) == ["GIT_LOCK_LEFT"]


def test_a_broken_config_is_told_and_the_rest_is_mended_all_the_same(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    tasks.write(repository, {".conductor.yaml": "targt: main\n"})
    record_of(repository).write_text("broken: [\n")

    found = doctor(repository, "--fix")

    assert codes(found) == ["BAD_CONFIG"]
    assert [one["code"] for one in found["mended"]] == ["BAD_RECORD"]
    assert "line" in found["findings"][0]["message"] or ":1" in found["findings"][0]["message"]


def test_a_key_that_executes_and_that_nobody_agreed_to_is_told(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    kit.git(repository, "config", "core.sshCommand", "touch pwned")
    found = doctor(repository)

    assert codes(found) == ["CONFIG_EXECUTES"]
    assert "core.sshcommand" in found["findings"][0]["message"]
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    assert doctor(repository)["findings"] == []


def test_a_git_that_is_too_old_is_told(repository: Path, tmp_path: Path) -> None:
    real = shutil.which("git")
    program = tmp_path / "old" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo git version 2.30.2 && exit\nexec {real} "$@"\n')
    program.chmod(0o755)

    path = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    found = kit.conductor("doctor", "--json", cwd=repository, env=path)

    assert (found.code, codes(found.document)) == (21, ["GIT_TOO_OLD"])
    assert "2.30.2" in found.document["findings"][0]["message"]


def test_hooks_that_do_not_resolve_are_told(repository: Path) -> None:
    kit.git(repository, "config", "core.hooksPath", ".husky")

    assert "HOOKS_UNRESOLVED" in codes(doctor(repository))


def test_a_stash_made_in_a_worker_is_a_note(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.write(repository, {"README.md": "mine\n"})
    kit.git(repository, "stash")
    assert doctor(repository)["findings"] == []
    tasks.write(worktree, {"README.md": "theirs\n"})
    kit.git(worktree, "stash")

    found = doctor(repository)

    assert (found["healthy"], [one["subject"] for one in found["findings"]]) == (True, ["stash@{0}"])


@pytest.mark.parametrize("how", ["pth", "direct_url"])
def test_an_editable_install_of_another_checkout_is_told(repository: Path, how: str) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.write(worktree, {".gitignore": "*.log\n/build/\n/.venv/\n", ".venv/pyvenv.cfg": "home = /usr/bin\n"})
    packages = ".venv/lib/python3.11/site-packages"

    def install(place: Path) -> None:
        if how == "pth":
            tasks.write(worktree, {f"{packages}/__editable__.acme.pth": f"{place / 'src'}\n"})
        else:
            said = {"url": place.as_uri(), "dir_info": {"editable": True}}
            tasks.write(worktree, {f"{packages}/acme-1.dist-info/direct_url.json": json.dumps(said)})

    install(worktree)
    assert doctor(repository)["findings"] == []
    install(repository)

    assert codes(doctor(repository)) == ["EDITABLE_ELSEWHERE"]


def test_a_task_that_is_far_behind_is_a_note_and_a_target_that_is_gone_is_not(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    tip = "main"
    for number in range(50):
        tip = kit.git(repository, "commit-tree", "-m", str(number), "-p", tip, "main^{tree}")
    kit.git(repository, "update-ref", "refs/heads/main", tip)
    found = doctor(repository)
    assert (found["healthy"], codes(found)) == (True, ["STALE_BASE"])
    kit.git(repository, "branch", "--quiet", "--move", "main", "trunk")

    assert codes(doctor(repository)) == ["TARGET_GONE"]


def test_a_salvage_ref_that_leads_nowhere_is_told(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    ref = repository / ".git" / "refs/conductor/salvage/prices/20260101T000000000000Z"
    ref.parent.mkdir(parents=True)
    ref.write_text("1" * 40 + "\n")

    assert codes(doctor(repository)) == ["SALVAGE_UNREADABLE"]


def test_a_branch_with_a_workers_name_is_a_note(repository: Path) -> None:
    kit.git(repository, "branch", "worker/mine")

    found = doctor(repository)

    assert (found["healthy"], codes(found)) == (True, ["BRANCH_WITHOUT_RECORD"])
    assert kit.conductor(*found["findings"][0]["command"].split()[1:], cwd=repository).code == 0
    assert doctor(repository)["findings"] == []


def test_a_bus_ahead_of_the_clock_is_told(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    later = make_msg_id(time.time_ns() + 3600 * 10**9, 4242, 1)
    open_project(repository).bus.adopt([Message(type="FACT", body="of tomorrow", msg_id=later, ts=timestamp(0))])

    assert codes(doctor(repository)) == ["CLOCK_BEHIND"]


def test_a_record_of_a_newer_version_is_left_alone(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    newer = record_of(repository).read_text().replace("version: 1", "version: 2", 1).replace("'1'", "'2'", 1)
    record_of(repository).write_text(newer)

    assert codes(doctor(repository, "--fix")) == ["BAD_RECORD"]
    assert record_of(repository).read_text() == newer


def test_for_people_it_says_what_is_at_stake_and_what_to_run(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    assert kit.conductor("doctor", cwd=repository).out == "nothing is wrong\n"
    record_of(repository).unlink()

    done = kit.conductor("doctor", cwd=repository)

    assert done.code == 21
    assert done.out.startswith("TASK_WITHOUT_RECORD  ")
    assert "▲ at stake: nobody sees the task\n↳ conductor-git doctor --fix\n▲ 1 finding\n" in done.err
    fixed = kit.conductor("doctor", "--fix", cwd=repository)
    assert (fixed.code, fixed.out) == (0, "nothing is wrong any more\n")
    assert "✓ TASK_WITHOUT_RECORD: rebuilt the record of prices: WORKING" in fixed.err
