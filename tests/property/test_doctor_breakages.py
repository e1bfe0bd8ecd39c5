"""Random breakages of a state directory: `doctor --fix` ends with a healthy one, and no commit is unreachable."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from conductor_git.layout import CANONICAL_CONTEXT_NAME, CONTEXT_NAME, Layout
from conductor_git.project import open_project
from conductor_git.run import utcnow
from conductor_git.workflow.doctor import diagnose, is_well, mend
from tests import kit
from tests.kit import tasks

TASKS: Final = ("alder", "birch", "cedar", "done")
"""One that works, one in review, one approved, one landed."""


class Patient:
    """A repository with a task in each of several states, each with a commit of its own."""

    def __init__(self, template: Path, place: Path) -> None:
        self.repository = kit.copy_repository(template, place / "acme")
        self.layout = Layout(self.repository / ".git")
        tasks.commit(tasks.spawn(self.repository, "alder"), {"alder.txt": "1\n"})
        tasks.commit(tasks.spawn(self.repository, "birch"), {"birch.txt": "1\n"})
        tasks.hand_in(self.repository, "birch")
        tasks.approved(self.repository, "cedar", {"cedar.txt": "1\n"})
        tasks.approved(self.repository, "done", {"done.txt": "1\n"})
        tasks.landed(tasks.merge(self.repository, "done"))

    def worktree(self, task: str) -> Path:
        return self.repository.parent / "acme.worktrees" / task

    def entry(self, task: str) -> Path:
        return self.layout.common_dir / "worktrees" / task

    def commits(self) -> set[str]:
        """All that refs and worktrees hold."""
        return set(kit.git(self.repository, "rev-list", "--all", "HEAD").split())


Harm = Callable[[Patient, str, int], None]


def _spoil(path: Path, at: int) -> None:
    """Overwrite some bytes of `path` at a part `at` of a hundred of it."""
    if path.is_file():
        data = bytearray(path.read_bytes())
        place = len(data) * at // 100
        data[place : place + 7] = b"\x00{: [\xff\n"
        path.write_bytes(data)


def _cut(path: Path, at: int) -> None:
    if path.is_file():
        path.write_bytes(path.read_bytes()[: path.stat().st_size * at // 100])


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


HARMS: Final[dict[str, Harm]] = {
    "spoil record": lambda one, task, at: _spoil(one.layout.tasks / task / "run-info.yaml", at),
    "cut record": lambda one, task, at: _cut(one.layout.tasks / task / "run-info.yaml", at),
    "remove record": lambda one, task, at: _remove(one.layout.tasks / task / "run-info.yaml"),
    "remove task": lambda one, task, at: _remove(one.layout.tasks / task),
    "remove worktree": lambda one, task, at: _remove(one.worktree(task)),
    "remove git file": lambda one, task, at: _remove(one.worktree(task) / ".git"),
    "spoil git file": lambda one, task, at: _spoil(one.worktree(task) / ".git", at),
    "remove context": lambda one, task, at: _remove(one.worktree(task) / CONTEXT_NAME),
    "spoil context": lambda one, task, at: _spoil(one.entry(task) / CANONICAL_CONTEXT_NAME, at),
    "remove entry": lambda one, task, at: _remove(one.entry(task)),
    "spoil entry": lambda one, task, at: _spoil(one.entry(task) / "gitdir", at),
    "spoil head": lambda one, task, at: _spoil(one.entry(task) / "HEAD", at),
    "spoil bus": lambda one, task, at: _spoil(one.layout.state_dir / "MESSAGE-BUS.md", at),
    "cut bus": lambda one, task, at: _cut(one.layout.state_dir / "MESSAGE-BUS.md", at),
    "halt bus": lambda one, task, at: tasks.write(one.layout.state_dir, {"MESSAGE-BUS.md.halted": "failed\n"}),
    "spoil setting": lambda one, task, at: tasks.write(one.layout.state_dir, {"bus.setting": "no bus\n"}),
    "leave intent": lambda one, task, at: tasks.write(one.layout.journal, {f"{task}.json": "{"}),
    "spoil integration": lambda one, task, at: _spoil(one.layout.integration / "config", at),
    "remove integration": lambda one, task, at: _remove(one.layout.integration / "objects"),
    "remove locks": lambda one, task, at: _remove(one.layout.locks),
    "remove reviews": lambda one, task, at: _remove(one.layout.tasks / task / "reviews"),
}

breakages = st.lists(
    st.tuples(st.sampled_from(sorted(HARMS)), st.sampled_from(TASKS), st.integers(0, 99)), min_size=1, max_size=4
)
_PATIENT: Final = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),  # to shrink one costs minutes
    derandomize=True,
    print_blob=True,
)


def heals(template: Path, harms: list[tuple[str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        patient = Patient(template, Path(place))
        before = patient.commits()
        for name, task, at in harms:
            HARMS[name](patient, task, at)

        done = mend(open_project(patient.repository), now=utcnow())

        assert is_well(done.left), done
        assert diagnose(open_project(patient.repository), now=utcnow()) == done.left
        assert before <= patient.commits()
        kit.git(patient.repository, "fsck", "--strict", "--no-dangling")


@settings(_PATIENT, max_examples=10)
@given(harms=breakages)
def test_a_sample_of_breakages_is_healed(repository: Path, harms: list[tuple[str, str, int]]) -> None:
    heals(repository, harms)


@pytest.mark.faults
@pytest.mark.timeout(1800)
@settings(_PATIENT, max_examples=100)
@given(harms=breakages)
def test_a_hundred_breakages_are_healed(repository: Path, harms: list[tuple[str, str, int]]) -> None:
    heals(repository, harms)
