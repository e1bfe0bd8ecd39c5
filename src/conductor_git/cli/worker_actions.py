"""`heartbeat` and `ctx`, shared by the hot path and the ordinary one; imports nothing heavy."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conductor_git import durable
from conductor_git.actor import COORDINATOR, worker
from conductor_git.cli.output import document, plain, say
from conductor_git.context import WorkerContext
from conductor_git.context import document as context_document
from conductor_git.environment import inherited
from conductor_git.errors import BadInput, NoContext, NotARepository, NotFound
from conductor_git.gitdir import common_dir_of
from conductor_git.identity import find_context
from conductor_git.layout import CONTEXT_NAME, Layout
from conductor_git.names import parse_task_id
from conductor_git.workflow.beat import beat
from conductor_git.workflow.looking.glance import glance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conductor_git.bus.base import Bus
    from conductor_git.review import Review

_NEWS = 10
_LOOKED_THROUGH = 100
"""So many messages of the bus are looked at for what is said to the worker."""


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


def ctx(*, field: str | None = None, export: str | None = None, as_json: bool = False) -> None:
    """Tell a worker who it is, what it is asked, what reviewers said, and what is new on the bus."""
    context = find_context(Path.cwd(), inherited()).context
    facts = context_document(context)
    if field is not None:
        _say_field(facts, field)
    elif export is not None:
        _say_export(context, facts, export)
    else:
        _say_all(context, facts, as_json)


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
    from conductor_git.workflow.looking.news import news, own_runs

    layout = Layout(context.state_dir.parent)
    prompt = _prompt(layout, context)
    state = _state(layout, context)
    reviews, head = _reviews(layout, context)
    bus = _bus(layout)
    recent = bus.tail(_LOOKED_THROUGH)
    told = news(bus, recent, context.task_id, own_runs(layout, context.task_id))[-_NEWS:]
    if as_json:
        from conductor_git.message import message_document

        document(
            context=facts,
            state=state,
            prompt=prompt,
            reviews=[_review_document(review, head) for review in reviews],
            news=[message_document(message) for message in told],
            messages=[message_document(message) for message in recent[-_NEWS:]],
        )
        return
    say(
        plain(
            {
                "task": f"{context.task_id} (generation {context.generation})",
                "asked": context.description,
                "state": state,
                "reviews": context.review_of,
                "branch": context.branch if context.review_of is None else None,
                "target": context.target,
                "worktree": str(context.worktree),
            }
        )
    )
    from conductor_git.cli.words import brief

    _section("prompt", "" if prompt.strip() == context.description else prompt.strip())
    _section("reviews", "\n\n".join(_review_text(review, head) for review in reviews))
    _section("for you", "\n".join(f"{brief(message)}\n          {message.msg_id}" for message in told))
    if recent:
        print("\nnew on the bus", *(brief(message).partition("\n")[0] for message in recent[-_NEWS:]), sep="\n")


def _reviews(layout: Layout, context: WorkerContext) -> tuple[Sequence[Review], str]:
    """The newest reviews and the commit handed in last; of what a reviewer is to judge, what others said before.

    What reads them is imported only where there are some.
    """
    task_id = context.review_of or context.task_id
    if not layout.reviews(task_id).is_dir():
        return (), ""
    from conductor_git.store.reviews import FileReviews

    return FileReviews(layout).all(task_id)[-_NEWS:], glance(layout, task_id, "head_commit")


def _review_document(review: Review, head: str) -> dict[str, Any]:
    from conductor_git.review import is_outdated, to_tree

    return to_tree(review) | {"outdated": is_outdated(review, _commit(head))}


def _review_text(review: Review, head: str) -> str:
    from conductor_git.review import Side, is_outdated

    outdated = " (outdated)" if is_outdated(review, _commit(head)) else ""
    lines = [f"{review.reviewer}: {review.verdict} {review.commit[:10]}{outdated}"]
    lines += [review.body] if review.body else []
    for comment in review.comments:
        before = " before" if comment.side is Side.OLD else ""
        lines.append(f"{comment.path}:{comment.line}{before}: {comment.body}")
    return "\n".join(lines)


def _commit(said: str) -> str | None:
    """What the record says of a commit, which is `null` where there is none."""
    return None if said in ("", "null") else said


def _section(title: str, text: str) -> None:
    if text:
        say(f"\n{title}\n{text}")


def _prompt(layout: Layout, context: WorkerContext) -> str:
    try:
        return durable.read_regular(layout.prompt(context.task_id), 16 << 20).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _state(layout: Layout, context: WorkerContext) -> str:
    try:
        return glance(layout, context.task_id, "state")
    except NotFound:
        return ""
