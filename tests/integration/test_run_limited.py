"""Gates: a command within its time, its output within a size, and nothing of it left behind."""

from __future__ import annotations

import os
import stat
import tracemalloc
from pathlib import Path

import pytest

from conductor_git.errors import StateUnwritable
from conductor_git.process import run_limited
from tests.integration.shells import FOREVER, IN_A_SESSION, is_gone


@pytest.fixture
def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


def test_a_gate_returns_its_exit_code_and_logs_both_streams(tmp_path: Path, environment: dict[str, str]) -> None:
    log = tmp_path / "gate.log"
    code, took = run_limited(
        "echo out; echo err >&2; exit 3", cwd=tmp_path, environment=environment, log=log, seconds=60
    )

    assert code == 3
    assert took > 0
    assert log.read_text() == "out\nerr\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_gate_reads_nothing_of_what_is_typed(tmp_path: Path, environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"typed\n")
    os.close(writer)
    ours = os.dup(0)
    os.dup2(reader, 0)
    try:
        run_limited("cat", cwd=tmp_path, environment=environment, log=tmp_path / "log", seconds=60)
        assert os.read(0, 100) == b"typed\n"
    finally:
        os.dup2(ours, 0)
        os.close(ours)
        os.close(reader)


@pytest.mark.parametrize("script", ["kill -9 $$", "kill -9 $PPID; exec sleep 600"], ids=["itself", "its parent"])
def test_a_gate_that_a_signal_ended_says_so(tmp_path: Path, environment: dict[str, str], script: str) -> None:
    code, _ = run_limited(script, cwd=tmp_path, environment=environment, log=tmp_path / "log", seconds=60)

    assert code == 128 + 9


def test_a_gate_out_of_time_is_ended_with_all_it_started(tmp_path: Path, environment: dict[str, str]) -> None:
    script = f"sleep 600 & echo $! > child; {IN_A_SESSION} 'echo $$ > own; {FOREVER}' & echo started; wait"
    code, _ = run_limited(script, cwd=tmp_path, environment=environment, log=tmp_path / "log", seconds=3)

    assert code is None
    # The shell may live to tell of its child.
    assert (tmp_path / "log").read_text().removesuffix("Terminated\n") == "started\n"
    assert is_gone(tmp_path / "child")
    assert is_gone(tmp_path / "own")


def test_a_gate_out_of_time_with_its_output_closed_is_ended_too(tmp_path: Path, environment: dict[str, str]) -> None:
    script = "echo $$ > pid; exec sleep 600 > /dev/null 2>&1"
    code, _ = run_limited(script, cwd=tmp_path, environment=environment, log=tmp_path / "log", seconds=0.5)

    assert code is None
    assert is_gone(tmp_path / "pid")


def test_a_gate_that_leaves_a_process_behind_ends_when_it_exits(tmp_path: Path, environment: dict[str, str]) -> None:
    script = "yes & echo $! > child; echo last; exit 4"
    code, took = run_limited(
        script, cwd=tmp_path, environment=environment, log=tmp_path / "log", seconds=600, log_limit=4096
    )

    assert code == 4
    assert took < 600
    assert is_gone(tmp_path / "child")


def test_an_endless_gate_fills_neither_disk_nor_memory(tmp_path: Path, environment: dict[str, str]) -> None:
    log, size, limit = tmp_path / "log", 64 << 20, 1 << 20
    tracemalloc.start()
    script = f"echo head; head -c {size} /dev/zero; echo tail; exit 1"
    code, _ = run_limited(script, cwd=tmp_path, environment=environment, log=log, seconds=600, log_limit=limit)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert code == 1
    assert peak < 4 * limit
    assert log.read_bytes().startswith(b"head\n\0")
    assert log.read_bytes().endswith(b"\0tail\n")
    assert f"[... {size + 10 - limit} bytes left out ...]".encode() in log.read_bytes()
    assert log.stat().st_size < limit + 100


def test_output_within_the_limit_is_kept_whole(tmp_path: Path, environment: dict[str, str]) -> None:
    log = tmp_path / "log"
    run_limited("printf 0123456789", cwd=tmp_path, environment=environment, log=log, seconds=60, log_limit=10)

    assert log.read_text() == "0123456789"


def test_a_gate_ends_when_its_log_cannot_be_written(tmp_path: Path, environment: dict[str, str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")

    with pytest.raises(StateUnwritable, match="No space left"):
        run_limited(
            f"echo $$ > pid; echo x; {FOREVER}",
            cwd=tmp_path,
            environment=environment,
            log=Path("/dev/full"),
            seconds=600,
        )

    assert is_gone(tmp_path / "pid")
