"""SIGKILL in the middle of a landing: the next command, whatever it is, finds it landed or not, and mends the rest."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from conductor_git.layout import Layout
from conductor_git.processtable import carrying
from tests import kit
from tests.kit import tasks
from tests.kit.interposed import KILL_CALLER, happened, interpose

OLD = "PRICES = {\n    'apple': 3,\n    'pear': 4,\n}\n"
NEW = OLD.replace("3", "30")
STEPS = {
    "the merge is computed": "merge-tree",
    "the merge commit is written": "commit-tree",
    "the gate's tree is made": "read-tree --reset",
    "the checkout's files are written": "read-tree -m -u",
    "the target moves": "update-ref",
    "the worktree is removed": "worktree remove",
    "the branch is deleted": "update-ref --no-deref -d",
}

LANDING = "$(ps -o ppid= -p $PPID)"
"""Who runs the gate: its parent is a shell between the two."""
KILLS = {"before": {"before": f"{KILL_CALLER}; exit 1"}, "after": {"after": KILL_CALLER}}


def scene(repository: Path) -> Path:
    """The approved task `prices`, a gate, and a person on the target with unfinished work."""
    tasks.commit(repository, {".conductor.yaml": "gates:\n  - name: look\n    run: test -f src/new.py\n"})
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    worktree = tasks.approved(repository, "prices", {"src/prices.py": NEW, "src/new.py": "NEW = 1\n"})
    tasks.write(repository, {"README.md": b"mine,\r\nunfinished", "idea.txt": "mine\n"})
    return worktree


@pytest.mark.parametrize("when", KILLS)
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_is_mended_by_the_next_command(
    repository: Path, tmp_path: Path, step: str, when: str
) -> None:
    scene(repository)
    unfinished = kit.snapshot(repository)
    env = interpose(tmp_path / "bin", STEPS[step], **KILLS[when])

    assert tasks.merge(repository, "prices", env=env).code == -signal.SIGKILL
    assert happened(tmp_path / "bin")
    looked = kit.conductor("status", "--json", "--all", cwd=repository)

    assert looked.code == 0, looked
    require_whole(repository, unfinished)
    run = tasks.record(repository, "prices")
    if run.state == "COMPLETED":
        require_landed(repository)
    else:
        assert run.state == "APPROVED"
        assert kit.snapshot(repository) == unfinished
    tasks.landed(tasks.merge(repository, "prices"), "LANDED" if run.state == "APPROVED" else "ALREADY_LANDED")
    require_whole(repository, unfinished)
    require_landed(repository)


@pytest.mark.parametrize("when", KILLS)
def test_a_kill_around_the_move_of_a_target_that_is_checked_out_nowhere_is_mended_too(
    repository: Path, tmp_path: Path, when: str
) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    kit.git(repository, "switch", "--quiet", "-c", "mine")
    before = kit.snapshot(repository)
    env = interpose(tmp_path / "bin", "update-ref --no-deref -m conductor-git: land", **KILLS[when])

    assert tasks.merge(repository, "prices", env=env).code == -signal.SIGKILL
    assert kit.conductor("bus", "read", cwd=repository).code == 0
    assert kit.conductor("show", "prices", cwd=repository).code == 0

    run = tasks.record(repository, "prices")
    assert run.state == ("APPROVED" if when == "before" else "COMPLETED")
    assert run.merge_commit == (None if when == "before" else kit.git(repository, "rev-parse", "main"))
    assert kit.snapshot(repository) == before
    assert locks_of_git(repository) == journal(repository) == []


@pytest.mark.parametrize("step", ["the checkout's files are written", "the target moves", "the worktree is removed"])
def test_a_git_process_that_lives_longer_than_its_killed_landing_does_no_harm(
    repository: Path, tmp_path: Path, step: str
) -> None:
    scene(repository)
    unfinished = kit.snapshot(repository)
    env = interpose(tmp_path / "bin", STEPS[step], before=KILL_CALLER)

    assert tasks.merge(repository, "prices", env=env).code == -signal.SIGKILL
    tasks.merge(repository, "prices")

    kit.until(lambda: kit.conductor("status", cwd=repository).code == 0 and not journal(repository))
    require_whole(repository, unfinished)
    require_landed(repository)


def journal(repository: Path) -> list[Path]:
    return list(Layout(repository / ".git").journal.glob("*.json"))


def require_whole(repository: Path, unfinished: kit.Snapshot) -> None:
    """The person's own work is as it was, and nothing of the interrupted landing lies about."""
    now = kit.snapshot(repository)
    assert now.under_way == unfinished.under_way
    for name in ("README.md", "idea.txt", "run.sh"):
        assert now.entries[name] == unfinished.entries[name]
    assert kit.git(repository, "--no-optional-locks", "status", "--porcelain") == " M README.md\n?? idea.txt"
    assert kit.git(repository, "fsck", "--no-dangling", "--no-progress") == ""
    assert locks_of_git(repository) == []
    assert journal(repository) == []
    assert carrying("CONDUCTOR_GATE_TREE", gate_tree(repository)) == set()
    assert kit.git(repository, "for-each-ref", "refs/heads/", "--format=%(refname)").splitlines() in (
        ["refs/heads/main"],
        ["refs/heads/main", "refs/heads/worker/prices"],
    )


def gate_tree(repository: Path) -> str:
    return str(Layout(repository / ".git").gate_tree("main"))


def locks_of_git(repository: Path) -> list[Path]:
    """Every lock but our own, which are files for good and locked by the kernel."""
    layout = Layout(repository / ".git")
    found = (repository / ".git").rglob("*.lock")
    return [path for path in found if not path.is_relative_to(layout.locks) and path.name != "run-info.yaml.lock"]


def require_landed(repository: Path) -> None:
    run = tasks.record(repository, "prices")
    assert run.merge_commit == kit.git(repository, "rev-parse", "main")
    assert run.landing is not None
    assert run.landing.phase == "ended"
    assert kit.git(repository, "log", "--first-parent", "--format=%s", "-1", "main") == "Land prices: prices"
    assert (repository / "src/prices.py").read_text() == NEW
    assert (repository / "src/new.py").read_text() == "NEW = 1\n"
    assert not Path(run.worktree).exists()
    assert kit.git(repository, "branch", "--list", "worker/*") == ""
    assert len(tasks.told(repository, "LANDED", "prices")) == 1
    steps = [line for line in tasks.told(repository, "STATE", "prices") if "COMPLETED" in line]
    assert len(steps) == 1


def test_a_landing_killed_in_a_gate_is_taken_back_and_can_be_landed(repository: Path) -> None:
    tasks.commit(repository, {".conductor.yaml": f"gates:\n  - name: kill\n    run: kill -KILL {LANDING}\n"})
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    before = kit.snapshot(repository)

    assert tasks.merge(repository, "prices", "--trust").code == -signal.SIGKILL
    assert kit.conductor("status", cwd=repository).code == 0

    assert kit.snapshot(repository) == before
    assert tasks.record(repository, "prices").state == "APPROVED"
    assert journal(repository) == []
    assert carrying("CONDUCTOR_GATE_TREE", gate_tree(repository)) == set()
    assert kit.git(repository, "worktree", "list").count("\n") == 1


def test_recovery_ends_the_gate_that_a_killed_landing_left_running(repository: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "never"
    os.mkfifo(pipe)
    tasks.commit(repository, {".conductor.yaml": f"gates:\n  - name: wait\n    run: cat {pipe}\n"})
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tree = gate_tree(repository)
    with subprocess.Popen(["conductor-git", "merge", "prices"], cwd=repository, stderr=subprocess.DEVNULL) as landing:
        kit.until(lambda: carrying("CONDUCTOR_GATE_TREE", tree))
        landing.kill()

    assert kit.conductor("status", cwd=repository).code == 0

    assert carrying("CONDUCTOR_GATE_TREE", tree) == set()
    assert tasks.record(repository, "prices").state == "APPROVED"


def test_an_interrupt_in_a_gate_ends_with_130_and_leaves_nothing_behind(repository: Path) -> None:
    tasks.commit(
        repository, {".conductor.yaml": f"gates:\n  - name: stop\n    run: kill -INT {LANDING}; cat /dev/zero >&-\n"}
    )
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    before = kit.snapshot(repository)

    assert tasks.merge(repository, "prices", "--trust").code == 130

    assert kit.snapshot(repository) == before
    assert kit.conductor("status", cwd=repository).code == 0
    assert tasks.record(repository, "prices").state == "APPROVED"
    assert journal(repository) == []


@pytest.mark.parametrize("when", KILLS)
def test_a_landing_that_a_power_cut_left_on_record_alone_is_settled_by_the_next_merge(
    repository: Path, tmp_path: Path, when: str
) -> None:
    scene(repository)
    unfinished = kit.snapshot(repository)
    env = interpose(tmp_path / "bin", STEPS["the target moves"], **KILLS[when])
    assert tasks.merge(repository, "prices", env=env).code == -signal.SIGKILL
    # The journal is not fsynced: after a power cut the record, which is, may be all that tells of the landing.
    layout = Layout(repository / ".git")
    for intent in layout.journal.iterdir():
        intent.unlink()

    tasks.landed(tasks.merge(repository, "prices"), "LANDED")

    require_whole(repository, unfinished)
    require_landed(repository)
