"""Where a benchmark runs: a scratch directory, a repository with tasks in it, and the yardstick's git."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.repositories import git, kept_in, name_of, repository
from conductor_git.actor import COORDINATOR, Actor
from conductor_git.config.model import Config
from conductor_git.gitcmd import Git
from conductor_git.names import TaskId
from conductor_git.project import Project, open_project
from conductor_git.run import Run, utcnow
from conductor_git.settings import project_config
from conductor_git.workflow.finish import finish
from conductor_git.workflow.review import approve
from conductor_git.workflow.spawn import spawn
from conductor_git.workflow.spawning.order import Order, plan
from conductor_git.workflow.start import start

REVIEWER = Actor("ada")


@dataclass(slots=True)
class Scene:
    """A repository under coordination. Every task and yardstick gets a number of its own."""

    files: int
    project: Project
    config: Config
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def repository(self) -> Path:
        return self.project.repository

    def git(self, *arguments: str) -> str:
        """The yardstick's git: called as ours is, with the same environment and `core.fsync`, and no more."""
        return Git(self.repository).run(*arguments).text

    def task_id(self) -> TaskId:
        return TaskId(f"task-{next(self.numbers):05d}")

    def spawn(self, task_id: TaskId, *command: str) -> Run:
        wanted = plan(self.project, Order(task_id, prompt="Measure\n", command=command), self.config)
        return spawn(self.project, wanted, by=COORDINATOR, at=utcnow())

    def committed(self, task_id: TaskId) -> Run:
        """A task with a commit in which one file is changed, which no other task touches, and one is new."""
        run = self.spawn(task_id)
        start(self.project, task_id, by=COORDINATOR, at=utcnow())
        place = Path(run.worktree)
        file = place / name_of(int(task_id.rpartition("-")[2]) * 31 % self.files)
        file.write_text(file.read_text() + f"{task_id}\n")
        (place / f"{task_id}.txt").write_text("new\n" * 20)
        git(place, "add", "--all")
        git(place, "commit", "--quiet", "-m", f"Work of {task_id}")
        return self.project.runs.get(task_id)

    def approved(self, task_id: TaskId) -> Run:
        self.committed(task_id)
        finish(self.project, task_id, by=COORDINATOR, at=utcnow())
        return approve(self.project, task_id, by=REVIEWER, at=utcnow())

    def forget(self, task_id: TaskId) -> None:
        """Take away all there is of a task, so that the next one finds the repository as this one did."""
        run = self.project.runs.get(task_id)
        self.forget_worktree(Path(run.worktree), run.branch)
        shutil.rmtree(self.project.layout.task(task_id))

    def forget_worktree(self, path: Path, branch: str) -> None:
        shutil.rmtree(path, ignore_errors=True)
        git(self.repository, "worktree", "prune")
        if git(self.repository, "for-each-ref", f"refs/heads/{branch}"):
            git(self.repository, "branch", "-D", branch)


@contextmanager
def scene(files: int) -> Iterator[Scene]:
    """A scratch repository of `files` files, gone when the block ends."""
    with tempfile.TemporaryDirectory(dir=kept_in(), prefix="run-") as scratch:
        project = open_project(repository(files, Path(scratch) / "acme"))
        yield Scene(files, project, project_config(project))


def run_silently(command: list[str], cwd: Path) -> None:
    """Run a command as a process of its own and wait for its end; a failure ends the benchmark."""
    null = subprocess.DEVNULL
    done = subprocess.run(command, cwd=cwd, stdin=null, stdout=null, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode('utf-8', 'replace')}")
