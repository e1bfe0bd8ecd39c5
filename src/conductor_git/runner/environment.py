"""What an agent finds in its environment: who it is, the bus, the fence, and `conductor-git` on its path."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from conductor_git import environment, fence
from conductor_git.layout import CONTEXT_NAME
from conductor_git.names import RunId
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.runner.agents.registry import provider_keys


def agent_environment(project: Project, run: Run, run_id: RunId, keys: frozenset[str] | None) -> dict[str, str]:
    """The environment of an attempt: ours without git's and our own variables, plus those of formats.md.

    Of the variables that hold a provider's key, the agent gets `keys`; None leaves it all of them. The fence comes with
    it, so that the agent's git commands move no ref but its branch.
    """
    inherited = _without_ours(environment.without_git(environment.inherited()))
    if keys is not None:
        inherited = {name: value for name, value in inherited.items() if name in keys or name not in provider_keys()}
    hooks = fence.materialise(project.layout.hooks, remotes(project))
    return (
        inherited
        | identity_variables(project, run, run_id)
        | fence.environment(
            hooks=hooks,
            branch_ref=run.branch_ref,
            common_dir=project.layout.common_dir,
            original_hooks=original_hooks(project),
        )
        | {"PATH": _with_ours(inherited), "PWD": run.worktree}
    )


def identity_variables(project: Project, run: Run, run_id: RunId) -> dict[str, str]:
    return {
        "CONDUCTOR_WORKER_CTX": str(Path(run.worktree) / CONTEXT_NAME),
        "CONDUCTOR_TASK_ID": run.task_id,
        "CONDUCTOR_PROJECT_ID": run.project_id,
        "CONDUCTOR_RUN_ID": run_id,
        "CONDUCTOR_BUS": project.bus.url,
        "CONDUCTOR_GENERATION": str(run.generation),
        "CONDUCTOR_OUTPUT": str(project.layout.attempt(run.task_id, run_id) / "output.md"),
    }


def supervisor_environment() -> dict[str, str]:
    """Ours, without what makes us a worker: a supervisor belongs to no attempt, also where an agent asked for it.

    Nor does it go by git's variables, or by settings that an agent may have put into its own environment.
    """
    ours = environment.without_git(environment.inherited())
    return _without_ours(ours) if "CONDUCTOR_RUN_ID" in ours else ours


def _without_ours(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if not name.startswith("CONDUCTOR_")}


def original_hooks(project: Project) -> Path:
    """The hooks directory that git would use in this repository without the fence."""
    return Path(replace(project.git, hooks=True).run("rev-parse", "--git-path", "hooks").text)


def remotes(project: Project) -> list[str]:
    """The names of the repository's remotes."""
    return project.git.run("remote").lines


def _with_ours(variables: Mapping[str, str]) -> str:
    # The interpreter's directory holds the conductor-git script of the same installation.
    ours, path = str(Path(sys.executable).parent), variables.get("PATH", "")
    return path if ours in path.split(":") else f"{ours}:{path}" if path else ours
