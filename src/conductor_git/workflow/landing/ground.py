"""The target as a landing finds it: everything that is decided by it, read at one moment and held from there on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conductor_git import gitconfig, integration
from conductor_git.config.model import Config
from conductor_git.errors import BaseNotFound
from conductor_git.gitcmd import Git
from conductor_git.history import objects, tree_of
from conductor_git.layout import CONFIG_NAME
from conductor_git.names import CommitId, TaskId
from conductor_git.project import Project
from conductor_git.run import Run, Strategy
from conductor_git.settings import config_in


@dataclass(frozen=True, slots=True)
class Ground:
    """A target at one commit: its config, and where the branches that are to land on it are."""

    target: str
    tip: CommitId
    tree: str
    config: Config
    entries: gitconfig.Entries
    looking: Git
    """The integration repository."""
    branch_tips: Mapping[TaskId, CommitId | None]

    @property
    def ref(self) -> str:
        return f"refs/heads/{self.target}"

    @property
    def gate_trailers(self) -> tuple[str, ...]:
        """What a commit on this target says of its gates. They pass, or no ref ever comes to it."""
        return tuple(f"Gate: {gate.name} passed" for gate in self.config.gates)

    def strategy(self, wished: Strategy | None) -> Strategy:
        return wished or Strategy(self.config.merge)


def ground(project: Project, target: str, runs: Sequence[Run] = ()) -> Ground:
    """Read `target` and the branches of `runs`; `BaseNotFound` where the target is gone.

    All objects in one process. Were one of them to move right then, publishing by compare-and-swap starts over.
    """
    ref = f"refs/heads/{target}"
    revisions = [f"{ref}^{{commit}}", f"{ref}:{CONFIG_NAME}", *(f"{run.branch_ref}^{{commit}}" for run in runs)]
    tip, config_file, *branches = objects(project.git, *revisions)
    if tip is None:
        raise BaseNotFound(
            f"the target branch {target} does not exist any more",
            hint=f"git branch {shlex.quote(target)} {runs[0].base_commit}" if runs else "git branch --list",
            target=target,
        )
    entries = integration.shared_config(project.git)
    return Ground(
        target=target,
        tip=CommitId(tip.name),
        tree=tree_of(tip),
        config=config_in(CommitId(tip.name), config_file),
        entries=entries,
        looking=integration.opened(project.layout, project.git, entries),
        branch_tips={
            run.task_id: CommitId(branch.name) if branch else None for run, branch in zip(runs, branches, strict=True)
        },
    )
