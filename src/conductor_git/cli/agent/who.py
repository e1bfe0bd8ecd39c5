"""What a worker is told about itself, in words; imports little."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conductor_git.cli.output import plain
from conductor_git.cli.words import brief
from conductor_git.workflow.documents.who import review_text

if TYPE_CHECKING:
    from conductor_git.workflow.looking.whoami import Who


def text_of(who: Who) -> str:
    """What `ctx` says to its worker."""
    context = who.context
    known = {
        "task": f"{context.task_id} (generation {context.generation})",
        "asked": context.description,
        "state": who.state,
        "reviews": context.review_of,
        "branch": context.branch if context.review_of is None else None,
        "target": context.target,
        "worktree": str(context.worktree),
    }
    prompt = who.prompt.strip()
    parts = {
        "prompt": "" if prompt == context.description else prompt,
        "reviews": "\n\n".join(review_text(review, who.head) for review in who.reviews),
        "for you": "\n".join(f"{brief(message)}\n          {message.msg_id}" for message in who.news),
        "new on the bus": "\n".join(brief(message).partition("\n")[0] for message in who.messages),
    }
    return "\n\n".join([plain(known), *(f"{title}\n{text}" for title, text in parts.items() if text)])
