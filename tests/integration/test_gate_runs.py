"""Gates that hang, fork, flood, fill the disk or turn on whoever runs them: each is green or red, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor_git.errors import StateUnwritable
from conductor_git.landing import gates as judging
from conductor_git.landing.lease import lease
from conductor_git.outputlog import log_end
from conductor_git.processtable import carrying, members
from tests import kit
from tests.integration.gating import Bench, bench, committed
from tests.integration.shells import FOREVER, IN_A_SESSION, is_gone

CHAIN = "#!/bin/sh\n[ -e stop ] && exit\nprintf x >>hops\n[ -e group ] || ps -o pgid= -p $$ >group\nsh chain & exit\n"
"""A process that starts another and ends, over and over."""


@pytest.fixture
def gates(repository: Path) -> Bench:
    return bench(repository)


def left_over(gates: Bench) -> set[object]:
    return {*carrying("CONDUCTOR_GATE_TREE", str(gates.tree.path))}


def test_gates_run_in_order_in_one_tree_until_one_is_red(gates: Bench) -> None:
    judged = gates.judge("echo 1 >made", "cat made; exit 3", "touch never")

    assert [(result.name, result.exit_code) for result in judged.results] == [("one", 0), ("two", 3)]
    assert not judged.passed
    assert judged.failed == judged.results[1]
    assert Path(judged.results[1].log).read_text() == "1\n"
    assert judged.tree == kit.git(gates.repository, "rev-parse", "HEAD^{tree}")
    assert not (gates.tree.path / "never").exists()


def test_without_gates_nothing_is_put_anywhere(gates: Bench) -> None:
    judged = gates.judge()

    assert (judged.passed, judged.failed, judged.results) == (True, None, ())
    assert judged.tree == kit.git(gates.repository, "rev-parse", "HEAD^{tree}")
    assert not gates.tree.path.exists()


def test_each_result_is_told_as_its_gate_ends(gates: Bench) -> None:
    told: list[tuple[str, bool]] = []
    commit = kit.git(gates.repository, "rev-parse", "HEAD")

    gates.judge("true", "test -e ../told", told=lambda result: told.append((result.name, result.passed)), commit=commit)

    assert told == [("one", True), ("two", False)]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 7", 7),
        ("kill -9 $$", 137),
        ("kill -TERM $$", 143),
        ("kill -9 $PPID; exec sleep 600", 137),
        ("trap '' TERM; kill -TERM $PPID; exec sleep 600", 143),
        ("kill -9 0", 137),
        ("no-such-command-anywhere", 127),
        ("-x", 127),
    ],
)
def test_whatever_ends_a_gate_is_an_exit_code_and_does_not_end_us(gates: Bench, script: str, code: int) -> None:
    judged = gates.judge(script)

    assert [result.exit_code for result in judged.results] == [code]
    assert not judged.passed
    assert left_over(gates) == set()


@pytest.mark.parametrize(
    "script",
    [
        FOREVER,
        "kill -STOP $$",
        "kill -STOP $PPID",
        "exec >&- 2>&- <&-; sleep 600",
        "trap '' TERM INT HUP; while :; do sleep 600; done",
        f"{IN_A_SESSION} 'trap \"\" TERM; {FOREVER}' & wait",
        "yes",
    ],
    ids=["hangs", "stops itself", "stops its parent", "closes its output", "is deaf", "has a session", "floods"],
)
def test_a_gate_over_its_time_is_red_and_nothing_of_it_goes_on(gates: Bench, script: str) -> None:
    judged = gates.judge(script, timeout="1s")

    assert [result.exit_code for result in judged.results] == [None]
    assert judged.failed is not None
    assert left_over(gates) == set()


def test_what_a_green_gate_left_running_is_ended(gates: Bench) -> None:
    daemon = f"{IN_A_SESSION} 'echo $$ >own; {FOREVER}'"
    assert gates.judge(f"{daemon} & sleep 600 & echo $! >child; until test -s own; do :; done").passed

    assert is_gone(gates.tree.path / "own")
    assert is_gone(gates.tree.path / "child")


@pytest.mark.parametrize("script", ["sh chain; exit 0", f"sh chain; {FOREVER}"], ids=["green", "over its time"])
def test_a_chain_of_processes_that_start_another_and_end_is_ended_too(gates: Bench, script: str) -> None:
    gates.commit({"chain": CHAIN})
    try:
        gates.judge(script, timeout="2s")

        hops, group = gates.tree.path / "hops", int((gates.tree.path / "group").read_text())
        before = hops.stat().st_size
        assert [members(group) for _ in range(20)] == [set()] * 20  # a living chain takes many steps meanwhile
        assert hops.stat().st_size == before > 0
    finally:
        (gates.tree.path / "stop").touch()


def test_a_gate_that_removes_its_own_tree_hides_nothing_from_the_next(gates: Bench) -> None:
    judged = gates.judge('rm -rf "$PWD"', "cat src/main.py && git status --porcelain")

    assert judged.passed
    assert Path(judged.results[1].log).read_text() == committed(gates.repository)["src/main.py"] + "\n"


def test_a_gate_that_swaps_its_tree_for_a_link_does_not_lead_us_there(gates: Bench, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/precious").write_text("mine")

    gates.judge(f'cd ..; mv "$CONDUCTOR_GATE_TREE" ../gone; ln -s {tmp_path}/mine "$CONDUCTOR_GATE_TREE"', "touch here")

    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["precious"]


def test_a_gigabyte_of_output_is_a_log_of_a_few_megabytes(gates: Bench) -> None:
    judged = gates.judge("echo head; head -c 1000000000 /dev/zero; echo; echo tail; exit 1")

    assert judged.failed is not None
    assert judged.failed.exit_code == 1
    assert gates.log.startswith(b"head\n\0")
    assert gates.log.endswith(b"\0\ntail\n")
    assert len(gates.log) < 17_000_000


def test_one_line_of_a_hundred_megabytes_has_an_end_that_can_be_shown(gates: Bench) -> None:
    judged = gates.judge("head -c 100000000 /dev/zero | tr '\\0' x; printf the-end; exit 1")

    assert judged.failed is not None
    assert log_end(Path(judged.failed.log)).endswith("xxx" + "the-end")


def test_the_end_of_a_log_is_plain_text_whatever_was_printed(gates: Bench) -> None:
    script = (
        r"printf 'first\n\033[31mred\033[0m \033]0;title\007 \033]8;;x\033\\link\n10%%\r50%%\r100%%\r\n"
        r"a\000b\377c\033c\342\200\256d\n'; exit 1"
    )
    judged = gates.judge(script)

    assert judged.failed is not None
    assert log_end(Path(judged.failed.log)) == "first\nred  link\n100%\na\ufffdb\ufffdc\ufffdd\n"


def test_a_log_that_is_not_there_or_is_no_file_has_no_end(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)

    assert log_end(tmp_path / "none") == log_end(tmp_path / "link") == log_end(tmp_path) == ""


def test_secrets_that_a_gate_prints_are_in_no_log(gates: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_TOKEN", "hunter2hunter2")
    monkeypatch.setenv("SIGNING_KEY", "-----BEGIN-----\nnot so secret\n-----END-----")
    key = "ghp" + "_0123456789abcdefghijABCDEFGHIJ012345"

    judged = gates.judge(f'echo "$ACME_TOKEN" x; printf "%s\\n" "$SIGNING_KEY"; echo {key}; exit 1')

    assert judged.failed is not None
    assert gates.log == b"[masked] x\n[masked]\n[masked]\n"
    assert log_end(Path(judged.failed.log)) == gates.log.decode()


def test_a_log_that_cannot_be_written_is_a_refusal_and_not_green(gates: Bench) -> None:
    planted = f'{gates.tree.layout.state_dir}/landings/"$CONDUCTOR_COMMIT"/02-two.log'

    with pytest.raises(StateUnwritable) as refused:
        gates.judge(f"mkdir {planted}", "true")

    assert "02-two.log" in refused.value.message
    assert not gates.tree.path.exists()


def test_a_pipe_in_the_place_of_a_log_keeps_nobody(gates: Bench) -> None:
    with pytest.raises(StateUnwritable):
        gates.judge(f'mkfifo {gates.tree.layout.state_dir}/landings/"$CONDUCTOR_COMMIT"/02-two.log', "true")


@pytest.fixture
def small_disk(gates: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The state directory and the trees of the gates on one disk of 8 MB."""
    state = gates.tree.layout.state_dir
    kept = state.with_name("kept")
    shutil.copytree(state, kept)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "acme", state], capture_output=True, check=False)
    if mounted.returncode:
        kit.skip_where_forbidden("mounting a small disk")
    try:
        shutil.copytree(kept, state, dirs_exist_ok=True)
        monkeypatch.setenv("XDG_CACHE_HOME", str(state / "cache"))
        yield state
    finally:
        subprocess.run(["umount", "--lazy", state], check=True)


@kit.requires("mount")
def test_a_gate_that_fills_the_disk_is_red_and_its_files_make_room(gates: Bench, small_disk: Path) -> None:
    judged = gates.judge("mkdir build; cat /dev/zero >build/full 2>/dev/null")

    assert judged.failed is not None
    assert not gates.tree.path.exists()
    assert shutil.disk_usage(small_disk).free > 4_000_000
    assert gates.judge("git status").passed


@kit.requires("mount")
def test_a_disk_so_full_that_no_log_can_be_written_is_a_refusal_and_not_green(gates: Bench, small_disk: Path) -> None:
    with pytest.raises(StateUnwritable, match="No space left"):
        gates.judge("mkdir build; cat /dev/zero >build/full 2>/dev/null; seq 100000; exit 0")

    assert not gates.tree.path.exists()
    assert shutil.disk_usage(small_disk).free > 4_000_000


@kit.requires("mount")
def test_a_commit_that_the_disk_has_no_room_for_is_refused_and_leaves_the_room(gates: Bench, small_disk: Path) -> None:
    gates.commit({"big": b"x" * 16_000_000})

    with pytest.raises(StateUnwritable) as refused:
        gates.judge("true")

    assert refused.value.hint == f"df -h {small_disk}"
    assert not gates.tree.path.exists()
    assert shutil.disk_usage(small_disk).free > 4_000_000


def test_settling_ends_what_a_killed_landing_left_running(gates: Bench) -> None:
    with orphan(gates) as child:
        judging.settle(gates.tree.layout, "main")
        judging.settle(gates.tree.layout, "main")

        assert child.wait(60) == -15


def test_settling_leaves_the_gates_of_a_landing_that_goes_on_alone(gates: Bench) -> None:
    queue = gates.tree.layout.landing_queue("main")
    with orphan(gates) as child:
        with lease(queue, "prices", seconds=60):
            judging.settle(gates.tree.layout, "main")

            assert child.poll() is None
        child.kill()


def test_settling_a_target_that_never_had_gates_makes_nothing(gates: Bench) -> None:
    judging.settle(gates.tree.layout, "main")

    assert not gates.tree.layout.gates.exists()
    assert not gates.tree.layout.landing_queue("main").exists()


def test_the_next_landing_ends_what_a_killed_one_left_running_before_it_begins(gates: Bench) -> None:
    with orphan(gates) as child:
        assert gates.judge("true").passed

        assert child.wait(60) == -15


def orphan(gates: Bench) -> subprocess.Popen[bytes]:
    """A process as a killed landing leaves it: in the tree, with the tree in its environment, and nobody's child."""
    gates.put()
    environment = {"PATH": "/usr/bin:/bin", "CONDUCTOR_GATE_TREE": str(gates.tree.path)}
    child = subprocess.Popen(["sleep", "600"], cwd=gates.tree.path, env=environment)
    kit.until(lambda: left_over(gates))
    return child
