"""`conductor-git hook NAME`: what the hooks of a worker's worktree call; plumbing, which the help does not show."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from conductor_git.actor import worker
from conductor_git.context import WorkerContext
from conductor_git.environment import inherited
from conductor_git.errors import NoContext, NotFound
from conductor_git.identity import find_context
from conductor_git.layout import Layout
from conductor_git.names import readable, short
from conductor_git.workflow.beat import beat

_SAID: Final = {"post-commit": "{commit} {subject}", "post-rewrite": "rebased, now at {commit} {subject}"}
_OF_AGENTS: Final = ("session-start", "tool-use", "stop")
_LONGEST: Final = 200


def hook(*, name: str) -> None:
    """Of git: tell of the commit that HEAD is at, by a heartbeat, and PROGRESS on the bus. Of agents: see `agent.hook`.
    Silent outside a worker's worktree."""
    if name in _OF_AGENTS:
        from conductor_git.cli.agent import hook as of_agents

        of_agents.hook(name)
        return
    if name not in _SAID:
        names = ", ".join((*_SAID, *_OF_AGENTS))
        # Not as a wrong argument: for agents, whose settings may be newer than this program, code 2 means to block.
        raise NotFound(f"there is no hook {name}; there are {names}", hint="conductor-git hooks status")
    try:
        context = find_context(Path.cwd(), inherited()).context
    except NoContext:
        return
    _tell(context, _SAID[name])


def _tell(context: WorkerContext, words: str) -> None:
    from conductor_git.bus.current import CurrentBus
    from conductor_git.gitcmd import Git

    plainly = ("--no-show-signature", "--encoding=UTF-8", "--format=%H%n%s")
    shown = Git(context.worktree).run("log", "-1", *plainly, "HEAD").lines
    subject = readable(shown[1])[:_LONGEST]
    beat(
        Layout(context.state_dir.parent),
        lambda: CurrentBus(context.state_dir),
        context.task_id,
        by=worker(context.task_id, context.generation, inherited()),
        project_id=context.project_id,
        note=words.format(commit=short(shown[0]), subject=subject),
    )
