"""What an agent finds in its environment: who it is, the bus, the fence, and `conductor-git` on its path."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from conductor_git import environment, fence, leases
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
    return worker_environment(project, run, keys) | attempt_variables(project, run, run_id)


def worker_environment(project: Project, run: Run, keys: frozenset[str] | None) -> dict[str, str]:
    """As `agent_environment`, without what belongs to one attempt: what the setup of a worktree finds."""
    inherited = _off_other_checkouts(
        project, Path(run.worktree), _without_ours(environment.without_git(environment.inherited()))
    )
    if keys is not None:
        inherited = {name: value for name, value in inherited.items() if name in keys or name not in provider_keys()}
    hooks = fence.materialise(project.layout.hooks, remotes(project))
    return (
        inherited
        | identity_variables(project, run)
        | own_variables(project, run)
        | fence.environment(
            hooks=hooks,
            branch_ref=run.branch_ref,
            common_dir=project.layout.common_dir,
            original_hooks=original_hooks(project),
        )
        | {"PATH": _with_ours(project, inherited), "PWD": run.worktree}
    )


def taskless_environment(project: Project, worktree: Path) -> dict[str, str]:
    """What a setup finds in a worktree that is no task's yet: nothing of a task, no port, and no provider's key."""
    ours = _without_ours(environment.without_git(environment.inherited()))
    inherited = _off_other_checkouts(project, worktree, ours)
    inherited = {name: value for name, value in inherited.items() if name not in provider_keys()}
    return inherited | {"PATH": _with_ours(project, inherited), "PWD": str(worktree)}


def _off_other_checkouts(project: Project, worktree: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """`variables` without what has a person's or another worker's checkout tested in the place of the worker's.

    A virtual environment that is active there is none for the worker; nor are programs from its directories.
    """

    def is_elsewhere(text: str) -> bool:
        path = Path(text)
        ours = path.is_relative_to(worktree)
        return not ours and any(map(path.is_relative_to, (project.repository, worktree.parent)))

    kept = dict(variables)
    if is_elsewhere(kept.get("VIRTUAL_ENV", "")):
        for name in ("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT"):
            kept.pop(name, None)
    for name in {"PATH", "PYTHONPATH", "NODE_PATH"} & kept.keys():
        kept[name] = ":".join(part for part in kept[name].split(":") if not is_elsewhere(part))
    return {name: value for name, value in kept.items() if value or variables[name] == ""}


def attempt_variables(project: Project, run: Run, run_id: RunId) -> dict[str, str]:
    return {
        "CONDUCTOR_RUN_ID": run_id,
        "CONDUCTOR_OUTPUT": str(project.layout.attempt(run.task_id, run_id) / "output.md"),
    }


def own_variables(project: Project, run: Run) -> dict[str, str]:
    """What of the machine is the worker's own: its temporary directory, and its ports where it has some."""
    own = {"TMPDIR": str(leases.temporary(project.layout, run.task_id))}
    held = leases.leased(project.layout).get(run.task_id)
    if held is not None:
        own |= {"CONDUCTOR_PORT_BASE": str(held.ports.base), "CONDUCTOR_PORT_COUNT": str(held.ports.count)}
    return own


def identity_variables(project: Project, run: Run) -> dict[str, str]:
    return {
        "CONDUCTOR_WORKER_CTX": str(Path(run.worktree) / CONTEXT_NAME),
        "CONDUCTOR_TASK_ID": run.task_id,
        "CONDUCTOR_PROJECT_ID": run.project_id,
        "CONDUCTOR_BUS": project.bus.url,
        "CONDUCTOR_GENERATION": str(run.generation),
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


def _with_ours(project: Project, variables: Mapping[str, str]) -> str:
    # The interpreter's directory holds the conductor-git script of the same installation.
    ours, path = str(Path(sys.executable).parent), variables.get("PATH", "")
    if not path or ours in path.split(":"):
        return path or ours
    # Where we are installed in the project itself, its programs come last: the worker has, or makes, its own.
    return f"{path}:{ours}" if Path(ours).is_relative_to(project.repository) else f"{ours}:{path}"
