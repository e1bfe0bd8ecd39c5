"""init: whether workers can stand in a repository, what it is made of, and what to do next. Safe to repeat."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from conductor_git import durable, gitcmd
from conductor_git.environment import inherited
from conductor_git.history import objects
from conductor_git.layout import CONFIG_NAME
from conductor_git.project import Project, current_branch, require_commits
from conductor_git.settings import resolved
from conductor_git.wording import listed
from conductor_git.workflow.agents import known_agents
from conductor_git.workflow.beginning.suggestion import Way, suggestion, ways
from conductor_git.workflow.doctor import diagnose


@dataclass(frozen=True, slots=True)
class Ground:
    """What `look` found. `suggestion` is the config that could be written, None where there is one already."""

    config: Path
    """Where it is, or would be written."""
    is_writable: bool
    """Nobody commits what lies in a bare repository itself."""
    kinds: tuple[str, ...]
    facts: tuple[str, ...]
    warnings: tuple[str, ...]
    suggestion: str | None
    next_command: str


def look(project: Project, start: Path, *, now: datetime) -> Ground:
    """Look at git, the repository, its file system, its config and the agents of this machine.

    Of a bare repository the worktree around `start` is looked at, and whether HEAD has a config. Refuses what no worker
    can start from: git that is too old, no commit, a config that cannot be read. Makes nothing but files of locks in
    the state directory.
    """
    gitcmd.require_recent()
    require_commits(project)
    resolved(project)
    checkout = _checkout(project, start)
    found, agents = ways(checkout), _agents(project)
    config = checkout / CONFIG_NAME
    is_there = os.path.lexists(config) or (project.is_bare and objects(project.git, f"HEAD:{CONFIG_NAME}") != (None,))
    return Ground(
        config,
        checkout != project.layout.common_dir,
        tuple(way.kind for way in found),
        tuple(_facts(project, found, agents)),
        tuple(_warnings(project, agents, now)),
        None if is_there else suggestion(found, current_branch(project)),
        _next(project, agents),
    )


def _checkout(project: Project, start: Path) -> Path:
    if not project.is_bare:
        return project.repository
    top = gitcmd.Git(start).run("rev-parse", "--show-toplevel", ok=(0, 128)).text
    return Path(top) if top else project.repository


def write_config(project: Project, ground: Ground) -> bool:
    """Write the suggestion where there is still nothing of that name; whether it was written. Durable."""
    assert ground.suggestion is not None
    with durable.lock(project.layout.locks / "init", purpose="init"):
        if os.path.lexists(ground.config):
            return False
        durable.replace(ground.config, ground.suggestion.encode())
    return True


def _agents(project: Project) -> tuple[str, ...]:
    """The known agents whose program is on PATH; nothing is started."""
    known = known_agents(project, inherited(), check=False)
    return tuple(one.finding.name for one in known if one.finding.path and not one.finding.problem)


def _facts(project: Project, found: tuple[Way, ...], agents: tuple[str, ...]) -> Iterator[str]:
    branch = current_branch(project)
    yield f"{project.repository}, on {branch or 'a detached HEAD'}; worktrees will lie beside it"
    if found:
        yield f"it looks like {listed([f'{way.kind} ({way.sign})' for way in found])}"
    if agents:
        yield f"agents here: {listed(agents)}"


def _warnings(project: Project, agents: tuple[str, ...], now: datetime) -> Iterator[str]:
    """What `doctor` finds, and what only somebody who begins has to know."""
    for finding in diagnose(project, now=now):
        yield f"{finding.sentence}; {finding.stake}: {finding.command}"
    if current_branch(project) is None:
        yield "HEAD is detached, so every spawn has to name its --target"
    if not agents:
        yield "no known agent is installed; any command can be one: conductor-git spawn TASK -- COMMAND"


def _next(project: Project, agents: tuple[str, ...]) -> str:
    if project.runs.task_ids():
        return "conductor-git status"
    how = f"--agent {agents[0]}" if agents else "-- my-agent"
    return f"conductor-git spawn fix-login -m 'Fix the login redirect loop' {how}"
