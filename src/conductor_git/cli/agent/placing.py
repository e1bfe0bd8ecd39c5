"""What `hooks install`, `uninstall` and `status` do with `--agents`."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conductor_git.cli.output import answer, columns, document, narrate, say
from conductor_git.fence import SOURCE
from conductor_git.project import Project
from conductor_git.wording import counted

if TYPE_CHECKING:
    from conductor_git.workflow.agent_hooks.install import Found


def install(project: Project, *, as_json: bool) -> None:
    from conductor_git.workflow.agent_hooks import install as agent_hooks

    found = agent_hooks.install(project)
    if as_json:
        document(**_document(found, installed=True))
        return
    answer(f"in {counted(len(found), 'worktree')}")
    narrate("✓", "agents that people start in workers' worktrees know their task, also in worktrees yet to be spawned")
    narrate(
        "▲", "newer Codex takes hooks from your home and the main checkout, not from a worktree; give it ours at home:"
    )
    narrate("↳", f"mkdir -p ~/.codex && cp -n {shlex.quote(str(SOURCE / 'agents' / 'codex.json'))} ~/.codex/hooks.json")
    _tell_path()
    _tell_skipped(found)


def _tell_path() -> None:
    """An agent that is started here would complain at every event that there is no such command."""
    if shutil.which("conductor-git") is None:
        narrate("▲", "conductor-git is not on the PATH here, and an agent that is started so cannot call it:")
        narrate("↳", f"export PATH={shlex.quote(str(Path(sys.argv[0]).absolute().parent))}:$PATH")


def uninstall(project: Project, *, as_json: bool) -> None:
    from conductor_git.workflow.agent_hooks import install as agent_hooks

    found = agent_hooks.uninstall(project)
    if as_json:
        document(**_document(found, installed=False))
        return
    answer(f"out of {counted(len(found), 'worktree')}")
    narrate("✓", "agents' settings in workers' worktrees are as they would be without ours")
    _tell_skipped(found)


def status(project: Project, *, as_json: bool) -> None:
    from conductor_git.workflow.agent_hooks import install as agent_hooks

    found, installed = agent_hooks.status(project), agent_hooks.is_installed(project.layout)
    if as_json:
        document(**_document(found, installed=installed))
        return
    if not installed:
        say("no hooks of agents are installed")
        narrate("↳", "conductor-git hooks install --agents")
        return
    say(columns(("TASK", "SETTINGS"), [(one.task_id, ", ".join(one.files) or "none") for one in found]))


def _tell_skipped(found: Sequence[Found]) -> None:
    for one in found:
        for left in one.skipped:
            narrate("▲", f"{one.worktree / left.path} was left alone: {left.why}")


def _document(found: Sequence[Found], *, installed: bool) -> dict[str, Any]:
    return {
        "installed": installed,
        "worktrees": [
            {
                "task_id": one.task_id,
                "worktree": str(one.worktree),
                "files": list(one.files),
                "skipped": [{"path": left.path, "why": left.why} for left in one.skipped],
            }
            for one in found
        ],
    }
