"""The agents of a project: which there are, and why one cannot be used here. Starts nothing and asks nobody."""

from __future__ import annotations

from dataclasses import dataclass, field

from conductor_git.config.model import Config
from conductor_git.environment import inherited
from conductor_git.errors import BadInput
from conductor_git.runner.agents import found, registry
from conductor_git.runner.agents.base import Adapter


@dataclass(frozen=True, slots=True)
class Crew:
    config: Config
    _troubles: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that can be meant: the known agents, and those with a command in the config."""
        own = [name for name, agent in self.config.agents.named.items() if agent.command]
        return tuple(dict.fromkeys([*own, *registry.KNOWN]))

    def trouble(self, name: str) -> str:
        """Why the agent of this name cannot be used; empty where it can, as far as that is seen without starting it."""
        if name not in self._troubles:
            self._troubles[name] = self._looked_for(name)
        return self._troubles[name]

    def only_answers(self, name: str) -> bool:
        adapter = self._adapter(name)
        return adapter is not None and not adapter.edits

    def _looked_for(self, name: str) -> str:
        adapter = self._adapter(name)
        return "it is not known" if adapter is None else found.find(adapter, inherited(), start=False).problem

    def _adapter(self, name: str) -> Adapter | None:
        try:
            return registry.adapter(name, self.config.agents.named.get(name))
        except BadInput:
            return None
