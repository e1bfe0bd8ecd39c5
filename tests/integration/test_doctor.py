"""doctor: each finding made on purpose, found, mended, and gone; a healthy project has none, also with live workers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from conductor_git.layout import CANONICAL_CONTEXT_NAME, CONTEXT_NAME, Layout
from tests import kit
from tests.integration import pooled
from tests.integration.ailing import doctor, is_as_it_was, mended, record_of
from tests.kit import tasks


@pytest.fixture
def worker(repository: Path) -> Path:
    """The worktree of the live task `prices`, with one commit and an uncommitted file."""
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.write(worktree, {"idea.txt": "idea\n"})
    return worktree


def test_a_healthy_project_has_no_findings(repository: Path) -> None:
    assert doctor(repository)["findings"] == []
    tasks.spawn(repository, "prices")
    tasks.approved(repository, "search", {"src/search.py": "A = 1\n"})
    tasks.approved(repository, "landed", {"src/landed.py": "A = 1\n"})
    tasks.landed(tasks.merge(repository, "landed"))
    tasks.spawn(repository, "ended")
    kit.conductor("cancel", "ended", cwd=repository)
    kit.conductor("hooks", "install", cwd=repository)

    assert doctor(repository)["findings"] == []
    assert doctor(repository, "--fix") == {"schema": 1, "healthy": True, "findings": [], "mended": []}


def test_ports_and_a_pool_are_no_findings(repository: Path) -> None:
    pooled.configured(repository, "pool: {size: 1}\nports: {per_worker: 2}\n")
    tasks.approved(repository, "landed", {"src/landed.py": "A = 1\n"})
    tasks.spawn(repository, "prices")
    tasks.landed(tasks.merge(repository, "landed"))
    kit.until(lambda: list(repository.parent.glob("acme.worktrees/.*")))

    assert doctor(repository)["findings"] == []
    assert doctor(repository, "--fix")["mended"] == []


def test_a_bare_repository_with_worktrees_only_has_no_findings(repository: Path, tmp_path: Path) -> None:
    kit.git(tmp_path, "clone", "--quiet", "--bare", str(repository), "bare/acme.git")
    kit.git(tmp_path / "bare" / "acme.git", "worktree", "add", "--quiet", str(tmp_path / "bare" / "main"), "main")
    assert kit.conductor("spawn", "prices", cwd=tmp_path / "bare" / "main").code == 0

    assert doctor(tmp_path / "bare" / "main")["findings"] == []


Break = Callable[[Path, Path], None]


def _damage(repository: Path, _: Path) -> None:
    record_of(repository).write_bytes(record_of(repository).read_bytes() + b"landing: [\n")


def _cut(repository: Path, _: Path) -> None:
    data = record_of(repository).read_bytes()
    record_of(repository).write_bytes(data[: len(data) // 2])


def _overwrite(repository: Path, _: Path) -> None:
    record_of(repository).write_bytes(os.urandom(2000))


def _no_record(repository: Path, _: Path) -> None:
    record_of(repository).unlink()


def _folder_for_a_record(repository: Path, _: Path) -> None:
    record_of(repository).unlink()
    record_of(repository).mkdir()


def _no_task(repository: Path, _: Path) -> None:
    shutil.rmtree(record_of(repository).parent)


def _other_state(repository: Path, _: Path) -> None:
    record_of(repository).write_text(record_of(repository).read_text().replace("state: WORKING", "state: APPROVED", 1))


def _no_git_file(_: Path, worktree: Path) -> None:
    (worktree / ".git").unlink()


def _other_git_file(_: Path, worktree: Path) -> None:
    (worktree / ".git").write_text("gitdir: /nowhere\n")


def _pruned(repository: Path, _: Path) -> None:
    shutil.rmtree(repository / ".git" / "worktrees" / "prices")


def _half_an_entry(repository: Path, _: Path) -> None:
    (repository / ".git" / "worktrees" / "prices" / "gitdir").unlink()


def _no_context(repository: Path, worktree: Path) -> None:
    (worktree / CONTEXT_NAME).write_text("{")
    (repository / ".git" / "worktrees" / "prices" / CANONICAL_CONTEXT_NAME).write_text("{")


def _no_branch(repository: Path, _: Path) -> None:
    kit.git(repository, "update-ref", "-d", "refs/heads/worker/prices")


def _torn(repository: Path, _: Path) -> None:
    bus = Layout(repository / ".git").state_dir / "MESSAGE-BUS.md"
    bus.write_bytes(bus.read_bytes() + b"---\nmsg_id: MSG-2026")


def _halted(repository: Path, _: Path) -> None:
    bus = Layout(repository / ".git").state_dir / "MESSAGE-BUS.md.halted"
    bus.write_text("a flush failed at 2026-11-20T10:00:00.000000000Z: No space left on device\n")


def _odd_setting(repository: Path, _: Path) -> None:
    (Layout(repository / ".git").state_dir / "bus.setting").write_text("carrier pigeon\n")


def _damaged_bus(repository: Path, _: Path) -> None:
    bus = Layout(repository / ".git").state_dir / "MESSAGE-BUS.md"
    data = bytearray(bus.read_bytes())
    place = data.index(b"(start by")
    data[place : place + 4] = b"\xff\xfe\xff\xfe"
    bus.write_bytes(data)


def _killed(repository: Path, _: Path) -> None:
    journal = Layout(repository / ".git").journal
    journal.mkdir(exist_ok=True)
    (journal / "prices.json").write_text('{"verb": "done", "facts": {}}')


def _broken_integration(repository: Path, _: Path) -> None:
    kit.conductor("diff", "prices", cwd=repository)
    (Layout(repository / ".git").integration / "config").write_text("[core\n")


def _old_hooks(repository: Path, _: Path) -> None:
    kit.conductor("hooks", "install", cwd=repository)
    (Layout(repository / ".git").installed_hooks / "pre-push").unlink()


BREAKS: dict[Break, tuple[str, ...]] = {
    _damage: ("BAD_RECORD",),
    _cut: ("BAD_RECORD",),
    _overwrite: ("BAD_RECORD",),
    _no_record: ("TASK_WITHOUT_RECORD",),
    _folder_for_a_record: ("BAD_RECORD",),
    _no_task: ("WORKTREE_WITHOUT_RECORD",),
    _other_state: ("RECORD_CONTRADICTS",),
    _no_git_file: ("GIT_FILE_CHANGED",),
    _other_git_file: ("GIT_FILE_CHANGED",),
    _pruned: ("REGISTRATION_GONE",),
    _half_an_entry: ("REGISTRATION_GONE",),
    _no_context: ("CONTEXT_BAD",),
    _no_branch: ("BRANCH_GONE",),
    _torn: ("BUS_TORN",),
    _halted: ("BUS_HALTED",),
    _odd_setting: ("BUS_UNREADABLE",),
    _damaged_bus: ("BUS_DAMAGED", "STATE_UNTOLD"),
    _killed: ("INTERRUPTED",),
    _broken_integration: ("INTEGRATION_BROKEN",),
    _old_hooks: ("HOOKS_CHANGED",),
}


@pytest.mark.parametrize("harm", BREAKS, ids=lambda harm: harm.__name__.strip("_"))
def test_what_is_broken_is_found_mended_and_gone(repository: Path, worker: Path, harm: Break) -> None:
    tip = kit.git(worker, "rev-parse", "HEAD")
    harm(repository, worker)

    mended(repository, *BREAKS[harm])

    is_as_it_was(repository, worker, tip)
    assert kit.conductor("bus", "post", "still there", cwd=worker).code == 0


def test_where_no_log_has_a_branch_any_more_it_is_said_how_to_look_for_what_was_committed_later(
    repository: Path, worker: Path
) -> None:
    shutil.rmtree(worker)
    kit.git(repository, "worktree", "prune")
    kit.git(repository, "branch", "-D", "worker/prices")

    done = kit.conductor("doctor", "--fix", cwd=repository)

    assert done.code == 0, done.out
    base = tasks.record(repository, "prices").base_commit
    assert kit.git(repository, "rev-parse", "worker/prices") == base
    assert "commits after it, if there were any, no log has: git fsck --lost-found" in done.err


def test_a_record_that_went_back_is_brought_to_where_the_bus_says(repository: Path, worker: Path) -> None:
    before = record_of(repository).read_bytes()
    (worker / "idea.txt").unlink()
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    record_of(repository).write_bytes(before)

    mended(repository, "RECORD_BEHIND")

    run = tasks.record(repository, "prices")
    tip = kit.git(worker, "rev-parse", "HEAD")
    assert (run.state, run.head_commit, run.approved_commit) == ("APPROVED", tip, tip)
    tasks.landed(tasks.merge(repository, "prices"))
