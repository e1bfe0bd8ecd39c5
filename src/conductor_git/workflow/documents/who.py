"""What a worker is told about itself, as a document and as text; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conductor_git.context import document as context_document

if TYPE_CHECKING:
    from conductor_git.review import Review
    from conductor_git.workflow.looking.whoami import Who


def who_document(who: Who) -> dict[str, Any]:
    """The answer of `ctx`."""
    from conductor_git.message import message_document

    return {
        "context": context_document(who.context),
        "state": who.state,
        "prompt": who.prompt,
        "reviews": [_review_document(review, who.head) for review in who.reviews],
        "news": [message_document(message) for message in who.news],
        "messages": [message_document(message) for message in who.messages],
    }


def _review_document(review: Review, head: str | None) -> dict[str, Any]:
    from conductor_git.review import is_outdated, to_tree

    return to_tree(review) | {"outdated": is_outdated(review, head)}


def review_text(review: Review, head: str | None) -> str:
    """A review for a worker to read: the verdict, what was said, and the comments on lines."""
    from conductor_git.review import Side, is_outdated

    outdated = " (outdated)" if is_outdated(review, head) else ""
    lines = [f"{review.reviewer}: {review.verdict} {review.commit[:10]}{outdated}"]
    lines += [review.body] if review.body else []
    for comment in review.comments:
        before = " before" if comment.side is Side.OLD else ""
        lines.append(f"{comment.path}:{comment.line}{before}: {comment.body}")
    return "\n".join(lines)
