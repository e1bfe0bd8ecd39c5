"""Agents that can be called, as documents."""

from __future__ import annotations

from typing import Any

from conductor_git.environment import inherited
from conductor_git.workflow.agents import Known


def agent_document(agent: Known) -> dict[str, Any]:
    """An agent: where it is, whether it can be used, and how it would be called."""
    finding, launch = agent.finding, agent.launch
    return {
        "name": finding.name,
        "default": agent.is_default,
        "configured": agent.is_configured,
        "path": finding.path,
        "version": finding.version,
        "usable": agent.is_usable,
        "problem": finding.problem or None,
        "edits": None if agent.adapter is None else agent.adapter.edits,
        "command": None if launch is None else list(launch.command),
        "stdin": None if launch is None or launch.stdin is None else str(launch.stdin),
        "environment": {} if launch is None else dict(launch.environment),
        "keys": list(finding.keys),
        "keys_set": set_keys(agent),
        "needs_key": agent.adapter is not None and agent.adapter.needs_key,
    }


def set_keys(agent: Known) -> list[str]:
    """The names of the variables that hold a key for it; their values are told nowhere."""
    variables = inherited()
    return [key for key in agent.finding.keys if variables.get(key)]
