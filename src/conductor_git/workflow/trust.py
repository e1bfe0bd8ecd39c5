"""config trust: a person agrees to what may run here, in the project's config and in the repository's git config."""

from __future__ import annotations

from conductor_git import configguard
from conductor_git.config.model import Config
from conductor_git.history import tip_of
from conductor_git.integration import shared_config
from conductor_git.project import Project, current_branch
from conductor_git.settings import project_config, target_config, trust


def commands(project: Project) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What the checkout's config and the target's would run; most often the same."""
    return tuple(dict.fromkeys(entry for config in _configs(project) for entry in config.commands))


def _configs(project: Project) -> list[Config]:
    config = project_config(project)
    target = config.target or current_branch(project)
    tip = tip_of(project.git, f"refs/heads/{target}") if target else None
    return [config] if tip is None else [config, target_config(project, tip)]


def agree(project: Project) -> tuple[str, ...]:
    """Trust the commands, and agree to the exec-capable git config keys as they are.

    Returns the git config keys that were agreed to otherwise before.
    """
    for config in _configs(project):
        if config.commands:
            trust(config)
    entries = shared_config(project.git)
    changed = configguard.changed_keys(project.layout, entries)
    configguard.agree(project.layout, entries)
    return changed
