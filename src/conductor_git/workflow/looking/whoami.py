"""whoami: what a worker is told about itself: context, prompt, reviews, what is new; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from conductor_git import durable
from conductor_git.context import WorkerContext
from conductor_git.errors import NotFound
from conductor_git.layout import Layout
from conductor_git.message import Message
from conductor_git.workflow.looking.glance import glance
from conductor_git.workflow.looking.news import news, own_runs

if TYPE_CHECKING:
    from conductor_git.review import Review

_NEWS: Final = 10
_LOOKED_THROUGH: Final = 100
"""So many messages of the bus are looked at for what is said to the worker."""
_PROMPT_LIMIT: Final = 16 << 20


class Who(NamedTuple):
    """A worker as it stands. `news` is what is said to it, `messages` the last ones on the bus, both oldest first;
    `head` the commit that was handed in last, which tells reviews of it from outdated ones."""

    context: WorkerContext
    state: str
    prompt: str
    reviews: Sequence[Review]
    head: str | None
    news: Sequence[Message]
    messages: Sequence[Message]


def whoami(context: WorkerContext) -> Who:
    """All that the worker of `context` is told. Reads only, and the record without YAML."""
    from conductor_git.bus.current import CurrentBus

    layout = Layout(context.state_dir.parent)
    reviews, head = _reviews(layout, context)
    bus = CurrentBus(context.state_dir)
    recent = bus.tail(_LOOKED_THROUGH)
    told = news(bus, recent, context.task_id, own_runs(layout, context.task_id))
    return Who(
        context=context,
        state=state_of(layout, context),
        prompt=_prompt(layout, context),
        reviews=reviews,
        head=head,
        news=told[-_NEWS:],
        messages=recent[-_NEWS:],
    )


def state_of(layout: Layout, context: WorkerContext) -> str:
    """The state of the worker's task; empty where it has no record."""
    try:
        return glance(layout, context.task_id, "state")
    except NotFound:
        return ""


def _reviews(layout: Layout, context: WorkerContext) -> tuple[Sequence[Review], str | None]:
    """The newest reviews and the commit handed in last; of what a reviewer is to judge, what others said before.

    What reads them is imported only where there are some.
    """
    task_id = context.review_of or context.task_id
    if not layout.reviews(task_id).is_dir():
        return (), None
    from conductor_git.store.reviews import FileReviews

    head = glance(layout, task_id, "head_commit")
    return FileReviews(layout).all(task_id)[-_NEWS:], None if head in ("", "null") else head


def _prompt(layout: Layout, context: WorkerContext) -> str:
    try:
        return durable.read_regular(layout.prompt(context.task_id), _PROMPT_LIMIT).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
