"""What is killed: each scene is a project brought to the moment before one command, and the way on from any state."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from conductor_git.project import Project, open_project
from conductor_git.run import Run, State
from tests import kit
from tests.faults.tracer import Hits, Wanted

TASK: Final = "fix-login"
BRANCH: Final = f"worker/{TASK}"
WORK: Final = {"src/new/deep.txt": "made by the worker\n", "src/main.py": "print('changed by the worker')\n"}
DELETED: Final = "docs/how to run.md"
CONFLICT: Final = 13
DATES: Final = {"GIT_AUTHOR_DATE": "2026-02-01T10:00:00Z", "GIT_COMMITTER_DATE": "2026-02-01T10:00:00Z"}
"""Of every commit, so that each stage of a scene has the same ids: two stages then have the same points."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A directory that everything of one trial lies in: the project `acme`, its worktrees, a place for TMPDIR."""

    root: Path

    @property
    def main(self) -> Path:
        return self.root / "acme"

    @property
    def worktree(self) -> Path:
        return self.root / "acme.worktrees" / TASK

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    @property
    def trusted(self) -> Path:
        """Where it stands what the person has agreed to: of many projects, so that no command tidies up there."""
        return self.root / "state"

    @property
    def environment(self) -> dict[str, str]:
        """Where commands put what is not the project's: temporary files, the gates that were agreed to, the trees in
        which they run. All of it is the stage's, so that every kill finds what the recording found."""
        cache = {"XDG_CACHE_HOME": str(self.root / "cache")}
        return {"TMPDIR": str(self.temporary), "XDG_STATE_HOME": str(self.trusted), **cache}

    @property
    def project(self) -> Project:
        return open_project(self.main)

    def run(self) -> Run | None:
        """The task's record, or None where there is no such task."""
        project = self.project
        return project.runs.get(project.runs.task_ids()[0]) if project.runs.task_ids() else None

    def ask(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> kit.Completed:
        """conductor-git in the main checkout; an exit code outside `ok` fails the test."""
        done = kit.conductor(*arguments, cwd=self.main, env=self.environment)
        assert done.code in ok, f"conductor-git {' '.join(arguments)} ended with {done.code}:\n{done.err}{done.out}"
        return done


@dataclass(frozen=True, slots=True)
class Scene:
    """`command` is killed after `prepare`; `again` are the exit codes that repeating it afterwards may have.

    What a variant does as the scene `like` does it is left to that one; `options` go with every later `merge`.
    """

    name: str
    command: tuple[str, ...]
    prepare: Callable[[Stage], None]
    again: tuple[int, ...] = (0,)
    options: tuple[str, ...] = ()
    like: str | None = None
    killed: Wanted | None = None
    """Where the command of the scene `like` was killed before: what is killed here is the recovery from that."""


def build(stage: Stage, scene: Scene) -> None:
    """Make the stage from nothing up to the moment before the scene's command."""
    stage.temporary.mkdir(parents=True)
    kit.make_repository(stage.main)
    with pytest.MonkeyPatch.context() as patch:
        for name, date in DATES.items():
            patch.setenv(name, date)
        scene.prepare(stage)


def to_the_end(stage: Stage, scene: Scene) -> Run:
    """Drive the task from whatever state it is in until it has landed; every command on the way must do its part."""
    for _ in range(12):
        run = stage.run()
        if run is not None and run.state is State.COMPLETED:
            return run
        _step(stage, scene, run)
    raise AssertionError(f"{scene.name} does not come to its end: {stage.run()}")


def _step(stage: Stage, scene: Scene, run: Run | None) -> None:
    state = run.state if run else None
    if state is None:
        stage.ask("spawn", TASK, *(scene.command[2:] if scene.command[0] == "spawn" else ()))
    elif state is State.ASSIGNED:
        stage.ask("start", TASK)
    elif state is State.WORKING:
        work(stage)
        stage.ask("done", TASK)
    elif state is State.IN_REVIEW:
        stage.ask("approve", TASK)
    else:
        stage.ask("merge", TASK, *scene.options, ok=(0, CONFLICT))


def work(stage: Stage) -> None:
    """Commit the worker's changes on its branch, where they are not committed yet, on top of the target if it must."""
    for name, text in WORK.items():
        file = stage.worktree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (stage.worktree / DELETED).unlink(missing_ok=True)
    kit.git(stage.worktree, "add", "--all")
    if kit.git(stage.worktree, "status", "--porcelain"):
        kit.git(stage.worktree, "commit", "--quiet", "-m", "work: the login is fixed")
    if kit.git(stage.worktree, "merge-tree", "--write-tree", "HEAD", "main", ok=(0, 1)).count("CONFLICT"):
        kit.git(stage.worktree, "merge", "--quiet", "-X", "ours", "-m", "work: resolved", "main")


def _nothing(stage: Stage) -> None:
    """The first command of all, on a project that conductor-git has never seen."""


def _own_branch(stage: Stage) -> None:
    """Somebody's branch with a commit that `spawn --existing` goes on with."""
    kit.git(stage.main, "switch", "--quiet", "--create", BRANCH)
    (stage.main / "earlier.txt").write_text("earlier\n")
    kit.git(stage.main, "add", "--all")
    kit.git(stage.main, "commit", "--quiet", "-m", "work: earlier")
    kit.git(stage.main, "switch", "--quiet", "main")


def _worked(stage: Stage) -> None:
    stage.ask("spawn", TASK)
    stage.ask("start", TASK)
    work(stage)


def _unsaved(stage: Stage) -> None:
    _worked(stage)
    (stage.worktree / "unsaved.txt").write_text("not committed yet\n")
    (stage.worktree / "run.sh").write_text("#!/bin/sh\nexit 0\n")


def _approved(stage: Stage) -> None:
    """Approved, with a commit on the target meanwhile, so that the landing is a true merge."""
    _worked(stage)
    _meanwhile(stage, "docs/news.md", "News.\n")
    stage.ask("done", TASK)
    stage.ask("approve", TASK)


def _meanwhile(stage: Stage, name: str, text: str) -> None:
    (stage.main / name).parent.mkdir(exist_ok=True)
    (stage.main / name).write_text(text)
    kit.git(stage.main, "add", "--all")
    kit.git(stage.main, "commit", "--quiet", "-m", "work: meanwhile on the target")


def _in_use(stage: Stage) -> None:
    """The target is checked out by a person who has changes of their own that the landing does not touch."""
    _approved(stage)
    (stage.main / "README.md").write_text("# Acme\n\nBeing rewritten.\n")
    (stage.main / "scribble.txt").write_text("mine\n")


def _elsewhere(stage: Stage) -> None:
    """The target is checked out nowhere."""
    _approved(stage)
    kit.git(stage.main, "switch", "--quiet", "--create", "dev", "HEAD~1")


def _leftovers(stage: Stage) -> None:
    """There is more in the worktree than was handed in: salvage must keep it."""
    _elsewhere(stage)
    (stage.worktree / "unsaved.txt").write_text("not handed in\n")


def _gated(stage: Stage) -> None:
    (stage.main / ".conductor.yaml").write_text("version: 1\ngates:\n  - {name: look, run: 'test -f run.sh'}\n")
    kit.git(stage.main, "add", "--all")
    kit.git(stage.main, "commit", "--quiet", "-m", "work: a gate")
    _elsewhere(stage)


def _conflicting(stage: Stage) -> None:
    _worked(stage)
    _meanwhile(stage, "src/main.py", "print('changed on the target')\n")
    stage.ask("done", TASK)
    stage.ask("approve", TASK)


def _variant(name: str, prepare: Callable[[Stage], None], *options: str, again: tuple[int, ...] = (0,)) -> Scene:
    return Scene(f"merge-{name}", ("merge", TASK, *options), prepare, again, options, "merge-not-checked-out")


def _recovery(like: str, killed: Wanted, name: str = "") -> Scene:
    return Scene(f"recovery-{like}{name}", ("status", "--all"), _nothing, like=like, killed=killed)


SCENES: Final = {
    scene.name: scene
    for scene in (
        Scene("spawn", ("spawn", TASK), _nothing, again=(0, 1)),
        Scene("done", ("done", TASK), _worked),
        Scene("done-wip", ("done", TASK, "--wip"), _unsaved),
        Scene("merge-checked-out", ("merge", TASK), _in_use),
        Scene("merge-not-checked-out", ("merge", TASK), _elsewhere),
        Scene("spawn-existing", ("spawn", TASK, "--existing"), _own_branch, again=(0, 1), like="spawn"),
        _recovery("spawn", Wanted(Hits.TREE, "reset --hard", "write", "src/main.py")),
        _recovery("merge-checked-out", Wanted(Hits.TREE, "read-tree", "write", "src/main.py"), "-before"),
        _recovery("merge-checked-out", Wanted(Hits.TREE, "conductor-git", "rename", "landings/"), "-after"),
        _recovery("merge-not-checked-out", Wanted(Hits.TREE, "worktree remove", "unlink", 'fix-login/.git"')),
        _variant("squash", _elsewhere, "--strategy", "squash"),
        _variant("rebase", _elsewhere, "--strategy", "rebase"),
        _variant("leftovers", _leftovers),
        _variant("gated", _gated, "--trust"),
        _variant("conflict", _conflicting, again=(0, 12, CONFLICT)),
    )
}


def copy(template: Path, stage: Path) -> None:
    """Put `template` where `stage` is, times and links as they are: the paths written in a project must stay right."""
    subprocess.run(["rm", "-rf", os.fspath(stage)], check=True)
    subprocess.run(["cp", "-a", os.fspath(template), os.fspath(stage)], check=True)
