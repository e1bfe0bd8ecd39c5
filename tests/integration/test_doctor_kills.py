"""A kill of `doctor --fix` at a change that it makes on the disk: the next one ends well, and nothing is lost."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from conductor_git.layout import Layout
from tests import kit
from tests.integration.ailing import doctor, record_of
from tests.kit import tasks
from tests.kit.console import console_script

CALLS: Final = "rename,renameat,renameat2,unlink,unlinkat,mkdir"
NAMES: Final = ("prices", "search", "gone", "unknown", "approved")
KILLED: Final = (-9, 137)


def broken(repository: Path) -> dict[str, str]:
    """Much is broken at once; the tips of the tasks' branches."""
    for name in NAMES[:-1]:
        tasks.commit(tasks.spawn(repository, name), {f"{name}.txt": f"{name}\n"})
    tasks.approved(repository, "approved", {"approved.txt": "1\n"})
    tips = {name: kit.git(repository, "rev-parse", f"worker/{name}") for name in NAMES}
    layout = Layout(repository / ".git")
    record_of(repository, "prices").write_text("broken: [\n")
    record_of(repository, "search").unlink()
    shutil.rmtree(layout.reviews("approved"))  # type: ignore[arg-type]
    shutil.rmtree(repository.parent / "acme.worktrees" / "gone")
    shutil.rmtree(repository / ".git" / "worktrees" / "unknown")
    kit.git(repository, "update-ref", "-d", "refs/heads/worker/prices")
    (layout.state_dir / "MESSAGE-BUS.md.halted").write_text("a flush failed\n")
    return tips


def killed(repository: Path, when: int) -> bool:
    """Run `doctor --fix` with a SIGKILL at its change number `when`; whether it came that far."""
    strace = [
        "strace",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={CALLS}",
        "-e",
        f"inject={CALLS}:signal=KILL:when={when}",
    ]
    command = [*strace, str(console_script()), "doctor", "--fix", "--json"]
    return subprocess.run(command, cwd=repository, capture_output=True, check=False).returncode in KILLED


def ends_well(repository: Path, tips: dict[str, str]) -> None:
    done = doctor(repository, "--fix")
    assert ([one["refused"] for one in done["mended"] if one["refused"]], done["findings"]) == ([], [])
    assert {name: kit.git(repository, "rev-parse", f"worker/{name}") for name in NAMES} == tips
    states = {name: str(tasks.record(repository, name).state) for name in NAMES}
    assert states == dict.fromkeys(NAMES[:-1], "WORKING") | {"approved": "IN_REVIEW"}
    for name in NAMES:
        assert (repository.parent / "acme.worktrees" / name / f"{name}.txt").is_file()
    assert doctor(repository, "--fix")["mended"] == []


@kit.requires("strace")
@pytest.mark.faults
def test_kills_one_after_the_other_are_gone_on_from(repository: Path) -> None:
    tips = broken(repository)

    fired = [killed(repository, when) for when in (3, 6, 9, 13, 18)]

    assert fired.count(True) >= 3
    ends_well(repository, tips)


@pytest.mark.faults
@pytest.mark.timeout(1800)
@kit.requires("strace")
def test_a_kill_at_every_change_is_mended_by_the_next(repository: Path, tmp_path: Path) -> None:
    when, fired = 0, True
    while fired:
        when += 1
        place = kit.copy_repository(repository, tmp_path / str(when) / "acme")
        tips = broken(place)
        fired = killed(place, when)
        ends_well(place, tips)
    assert when > 20
