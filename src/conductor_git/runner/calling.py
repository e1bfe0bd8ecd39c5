"""Which agent is meant by a name here, and how the config has it called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git.config.model import Agent, Config
from conductor_git.environment import inherited
from conductor_git.errors import AgentFailed
from conductor_git.names import TaskId
from conductor_git.run import Run
from conductor_git.runner.agents import found, registry
from conductor_git.runner.agents.base import Adapter, Ask
from conductor_git.runner.agents.command import Command
from conductor_git.settings import require_trusted

_PLAIN: Final = Agent()


@dataclass(frozen=True, slots=True)
class Calling:
    """An agent, and what the config says of how it is called."""

    adapter: Adapter
    settings: Agent = _PLAIN

    @property
    def keys(self) -> frozenset[str] | None:
        """The variables with providers' keys that it may have; None for a command that the config says nothing of."""
        if isinstance(self.adapter, Command) and self.adapter.keeps_environment:
            return None
        return frozenset(self.adapter.keys)

    def ask(
        self, prompt: Path, worktree: Path, output: Path, *, writable: tuple[Path, ...], attended: bool = False
    ) -> Ask:
        return Ask(
            prompt,
            worktree,
            output,
            model=self.settings.model,
            args=self.settings.args,
            permissive=self.settings.permissive,
            attended=attended,
            writable=writable,
        )


def calling(config: Config, agent: str, command: tuple[str, ...] = ()) -> Calling:
    """The agent called `agent`, or `command` under that name.

    `BadInput` for a name that nobody knows; `Untrusted` where the config says how it is called and nobody has agreed
    to that on this machine.
    """
    if command:
        return Calling(registry.adapter(agent, command=command))
    settings = config.agents.named.get(agent, _PLAIN)
    if settings.command or settings.args or settings.permissive:
        require_trusted(config)
    return Calling(registry.adapter(agent, settings, configured=config.agents.named), settings)


def calling_for(config: Config, run: Run, agent: str) -> Calling:
    """As `calling`, for an agent of `run`: a command that it was spawned with goes by the name of its agent."""
    return calling(config, agent, run.command if agent == run.agent else ())


def require_usable(config: Config, task_id: TaskId, agents: Sequence[str], command: tuple[str, ...] = ()) -> None:
    """Refuse agents that nobody knows, or none of which can be launched here, before anything is made for them.

    What a command is in the worktree cannot be looked up before that is there; the supervisor finds out. Versions are
    not asked for: that is the supervisor's too.
    """
    known = [calling(config, agent, command if agent == agents[0] else ()) for agent in agents]
    problems = [problem for called in known if (problem := _problem(called))]
    if known and len(problems) == len(known):
        program = known[0].adapter.program
        looks = f"command -v {quote(program)}" if command else "conductor-git agents --check"
        is_prompt = len(command) == 1 and " " in program
        raise AgentFailed(
            "; ".join(problems),
            hint=f"conductor-git spawn {task_id} -m {quote(program)}" if is_prompt else looks,
            task_id=task_id,
            command=list(command),
        )


def _problem(called: Calling) -> str:
    program = called.adapter.program
    if "/" in program and not program.startswith("/"):
        return ""
    return found.find(called.adapter, inherited(), start=False).problem
