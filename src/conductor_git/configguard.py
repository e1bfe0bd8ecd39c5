"""The guard on the shared git config: what of it can run a program must be what it was when a worker was spawned.

Every worktree shares `.git/config`, and an agent can write it. So before git runs in a person's checkout, or talks to
a remote, the exec-capable keys are compared.
"""

from __future__ import annotations

import json
from dataclasses import replace

from conductor_git import durable, gitconfig
from conductor_git.errors import ConfigChanged
from conductor_git.gitcmd import Git
from conductor_git.gitconfig import Entries
from conductor_git.layout import Layout
from conductor_git.names import TaskId


def remember(layout: Layout, task_id: TaskId, entries: Entries) -> None:
    """Keep the exec-capable keys as they are now as what `task_id` was spawned with."""
    durable.write_through(layout.config_guard(task_id), json.dumps(gitconfig.executable(entries.local)).encode())


def changed_keys(layout: Layout, task_id: TaskId, entries: Entries) -> tuple[str, ...]:
    """The exec-capable keys that differ from what `task_id` was spawned with; none where nothing was kept."""
    before = _remembered(layout, task_id)
    return () if before is None else gitconfig.changed(before, gitconfig.executable(entries.local))


def filtering(integration: Git, layout: Layout, task_id: TaskId) -> Git:
    """`integration` with the content filters that the repository had when `task_id` was spawned.

    Without them each file that a filter wrote would count as changed. A filter that came since may be the worker's and
    stays unknown.
    """
    before = _remembered(layout, task_id) or {}
    filters = {key: values[-1] for key, values in before.items() if key.startswith("filter.")}
    return replace(integration, config={**integration.config, **filters})


def _remembered(layout: Layout, task_id: TaskId) -> dict[str, list[str]] | None:
    try:
        return dict(json.loads(durable.read_regular(layout.config_guard(task_id), 1 << 20)))
    except FileNotFoundError:
        return None


def require_same(layout: Layout, task_id: TaskId, entries: Entries) -> None:
    """`ConfigChanged` names the keys that a person has to look at first."""
    keys = changed_keys(layout, task_id, entries)
    if keys:
        raise ConfigChanged(
            f"{', '.join(keys)} changed in the repository's git config since {task_id} was spawned, and git would run "
            "what it says",
            hint=f"git config --show-origin --get-all {keys[0]}  # right? then: conductor-git config trust",
            task_id=task_id,
            keys=list(keys),
        )
