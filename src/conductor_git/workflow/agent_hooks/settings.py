"""The settings of an agent, with our hooks and without: texts in, texts out (no I/O but the package's own files).

Claude Code, Codex and Gemini CLI have one shape for it: `hooks` → event → groups → `hooks`, each with its `command`.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from conductor_git.fence import SOURCE

_OURS: Final = "conductor-git hook "
"""How the command of each of our hooks begins."""


class Home(NamedTuple):
    """Where an agent looks for settings of the directory that it works in, other than those of the person."""

    agent: str
    folder: str
    file: str

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.file}"


HOMES: Final = (
    Home("claude", ".claude", "settings.local.json"),
    Home("codex", ".codex", "hooks.json"),
    Home("gemini", ".gemini", "settings.json"),
)


def fragment(agent: str) -> dict[str, Any]:
    """`hooks/agents/AGENT.json` of the package: event → groups."""
    found: dict[str, Any] = json.loads((SOURCE / "agents" / f"{agent}.json").read_text("utf-8"))["hooks"]
    return found


def with_ours(before: bytes | None, agent: str) -> bytes | None:
    """The settings with our hooks behind those that are there; None where they cannot be read as such settings."""
    tree = _read(before)
    if tree is None:
        return None
    hooks = _without(tree.get("hooks", {}))
    for event, groups in fragment(agent).items():
        hooks[event] = [*hooks.get(event, []), *groups]
    return _written({**tree, "hooks": hooks})


def without_ours(now: bytes) -> bytes | None:
    """The settings as somebody has edited them since, without our hooks; None where they cannot be read any more."""
    tree = _read(now)
    if tree is None:
        return None
    hooks = _without(tree.get("hooks", {}))
    rest = {key: value for key, value in tree.items() if key != "hooks"}
    return _written({**rest, "hooks": hooks} if hooks else rest)


def _read(data: bytes | None) -> dict[str, Any] | None:
    """The settings, an empty object where there are none; None for what is no JSON, or has hooks of another shape."""
    if data is None or not data.strip():
        return {}
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) and _has_known_shape(tree.get("hooks", {})) else None


def _has_known_shape(hooks: object) -> bool:
    return isinstance(hooks, dict) and all(isinstance(groups, list) for groups in hooks.values())


def _without(hooks: dict[str, Any]) -> dict[str, Any]:
    left = {event: [group for group in groups if not _is_ours(group)] for event, groups in hooks.items()}
    return {event: groups for event, groups in left.items() if groups or not hooks[event]}


def _is_ours(group: object) -> bool:
    hooks = group.get("hooks") if isinstance(group, dict) else None
    if not isinstance(hooks, list) or not hooks:
        return False
    return all(isinstance(hook, dict) and str(hook.get("command", "")).startswith(_OURS) for hook in hooks)


def _written(tree: dict[str, Any]) -> bytes:
    return f"{json.dumps(tree, indent=2)}\n".encode()
