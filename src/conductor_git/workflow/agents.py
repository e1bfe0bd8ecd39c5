"""agents: which agents can be called here, where they are, whether they can be used, and how they would be called."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from conductor_git.config.model import Agent, Config
from conductor_git.errors import BadInput, Untrusted
from conductor_git.project import Project
from conductor_git.runner.agents import registry
from conductor_git.runner.agents.base import Adapter, Ask, Launch
from conductor_git.runner.agents.found import Finding, find
from conductor_git.settings import project_config, require_trusted

_PLAIN = Agent()


@dataclass(frozen=True, slots=True)
class Known:
    """An agent by name. `adapter` and `launch` are None where the config names it and nothing says how to call it."""

    finding: Finding
    adapter: Adapter | None
    launch: Launch | None
    """How it is called for unattended work, with `prompt.md` and `output.md` for the files of an attempt."""
    is_configured: bool
    is_default: bool
    was_tried: bool
    """Whether its program was started to ask for its version."""

    @property
    def is_usable(self) -> bool | None:
        """None where only a look at PATH was taken, and that found its program."""
        return False if self.finding.problem else True if self.was_tried else None


def known_agents(project: Project, environment: Mapping[str, str], *, check: bool) -> tuple[Known, ...]:
    """The agents that are known, then those that only the config names.

    Starts nothing, but with `check` every known agent's version command, all at once; a command of the config never.
    """
    config = project_config(project)
    only_here = set(config.agents.named) - set(registry.KNOWN)
    looking = _Looking(config, environment, project.layout.common_dir, check)
    with ThreadPoolExecutor(max_workers=16) as pool:
        return tuple(pool.map(looking.at, [*registry.KNOWN, *sorted(only_here)]))


@dataclass(frozen=True, slots=True)
class _Looking:
    config: Config
    environment: Mapping[str, str]
    common_dir: Path
    check: bool

    def at(self, name: str) -> Known:
        return _known(self, name, self.config.agents.named.get(name))


def _known(looking: _Looking, name: str, settings: Agent | None) -> Known:
    is_default = looking.config.agents.default == name
    try:
        adapter = registry.adapter(name, settings)
    except BadInput:
        problem = "no command in the config, and no agent is known by that name"
        return Known(Finding(name, None, None, problem, False, ()), None, None, True, is_default, False)
    finding = find(adapter, looking.environment, start=looking.check)
    if not finding.problem and settings is not None:
        finding = _agreed(looking.config, settings, finding)
    launch = adapter.launch(_ask(settings or _PLAIN, looking.common_dir))
    return Known(finding, adapter, launch, settings is not None, is_default, looking.check)


def _agreed(config: Config, settings: Agent, finding: Finding) -> Finding:
    """With the problem that nobody agreed on this machine to what the config lets it do."""
    if settings.command or settings.args or settings.permissive:
        try:
            require_trusted(config)
        except Untrusted:
            problem = "not agreed to on this machine: conductor-git config trust"
            return Finding(finding.name, finding.path, finding.version, problem, finding.has_key, finding.keys)
    return finding


def _ask(settings: Agent, common_dir: Path) -> Ask:
    return Ask(
        prompt=Path("prompt.md"),
        worktree=Path(),
        output=Path("output.md"),
        model=settings.model,
        args=settings.args,
        permissive=settings.permissive,
        writable=(common_dir,),
    )
