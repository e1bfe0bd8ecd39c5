"""`heartbeat` and `ctx`, shared by the hot path and the ordinary one; imports nothing heavy."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conductor_git.actor import COORDINATOR, worker
from conductor_git.cli.output import document, say
from conductor_git.context import WorkerContext
from conductor_git.context import document as context_document
from conductor_git.environment import inherited
from conductor_git.errors import BadInput, NoContext, NotARepository
from conductor_git.gitdir import common_dir_of
from conductor_git.identity import find_context
from conductor_git.layout import CONTEXT_NAME, Layout
from conductor_git.names import parse_task_id
from conductor_git.workflow.beat import beat

if TYPE_CHECKING:
    from conductor_git.bus.base import Bus


def heartbeat(*, task: str | None = None, note: str | None = None, as_json: bool = False) -> None:
    """Say that the worker is alive."""
    layout, context = _layout_here()
    if task is None and context is None:
        raise BadInput("which TASK? it can be left out only inside a worker's worktree", hint="conductor-git status")
    task_id = parse_task_id(task) if task is not None else context.task_id  # type: ignore[union-attr]
    actor = worker(context.task_id, context.generation, inherited()) if context else COORDINATOR
    project_id = context.project_id if context else layout.common_dir.parent.name
    beat(layout, lambda: _bus(layout), task_id, by=actor, project_id=project_id, note=note)
    if as_json:
        document(task={"task_id": task_id})


def _bus(layout: Layout) -> Bus:
    # A beat without a note needs no bus, and its modules are half of what a beat would cost.
    from conductor_git.bus.current import CurrentBus

    return CurrentBus(layout.state_dir)


def _layout_here() -> tuple[Layout, WorkerContext | None]:
    try:
        context = find_context(Path.cwd(), inherited()).context
    except NoContext:
        common = common_dir_of(Path.cwd())
        if common is None:
            raise NotARepository(f"{Path.cwd()} is not inside a git repository", hint="git init") from None
        return Layout(common), None
    return Layout(context.state_dir.parent), context


def ctx(*, field: str | None = None, export: str | None = None, guide: bool = False, as_json: bool = False) -> None:
    """Tell a worker who it is, what it is asked, what reviewers said, and what is new on the bus."""
    if guide:
        _say_guide(as_json)
        return
    context = find_context(Path.cwd(), inherited()).context
    facts = context_document(context)
    if field is not None:
        _say_field(facts, field)
    elif export is not None:
        _say_export(context, facts, export)
    else:
        _say_all(context, facts, as_json)


def _say_guide(as_json: bool) -> None:
    """Anywhere: somebody may want it for an AGENTS.md."""
    from conductor_git.cli.agent.guiding import guide

    try:
        text = guide(find_context(Path.cwd(), inherited()).context)
    except NoContext:
        text = guide(None)
    if as_json:
        document(guide=text)
    else:
        say(text)


def _say_field(facts: dict[str, Any], field: str) -> None:
    if field not in facts:
        raise BadInput(f"the context has no field {field!r}; it has {', '.join(facts)}", hint="conductor-git ctx")
    say(str(facts[field]))


def _say_export(context: WorkerContext, facts: dict[str, Any], form: str) -> None:
    if form == "json":
        document(context=facts)
        return
    if form != "sh":
        raise BadInput(f"--export takes sh or json, not {form!r}", hint="conductor-git ctx --export sh")
    variables = {
        "CONDUCTOR_WORKER_CTX": str(context.worktree / CONTEXT_NAME),
        "CONDUCTOR_TASK_ID": context.task_id,
        "CONDUCTOR_PROJECT_ID": context.project_id,
        "CONDUCTOR_BUS": context.bus,
        "CONDUCTOR_GENERATION": str(context.generation),
    }
    say("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()))


def _say_all(context: WorkerContext, facts: dict[str, Any], as_json: bool) -> None:
    from conductor_git.workflow.documents.who import who_document
    from conductor_git.workflow.looking.whoami import whoami

    who = whoami(context)
    if as_json:
        document(**who_document(who) | {"context": facts})
        return
    from conductor_git.cli.agent.who import text_of

    say(text_of(who))
