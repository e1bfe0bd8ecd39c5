"""What came back since the last hand-in: the reviews of that commit, and why it did not land or was taken back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from conductor_git.names import short
from conductor_git.project import Project
from conductor_git.review import Review, Side, Verdict
from conductor_git.run import Event, Run, Step
from conductor_git.store.reviews import FileReviews
from conductor_git.workflow.prompting.quoting import words_of

_REVIEWS: Final = 20
_REVIEW_CHARACTERS: Final = 16 * 1024
_STEPS: Final = 5
_WORDS: Final = {Verdict.APPROVE: "approves", Verdict.REQUEST_CHANGES: "asks for changes"}
_CAME_BACK: Final = {
    Event.BOUNCE: "Why it did not land",
    Event.UNDO: "Why its landing was taken back",
}


def what_came_back(project: Project, run: Run) -> str:
    """The last reviews of the commit that was handed in last, and why that came back; empty before a first hand-in.

    Each is of bounded length: the whole is in `ctx` and on the bus.
    """
    since = _since_hand_in(run)
    if not since:
        return ""
    handed_in, *after = since
    reviews = [review for review in FileReviews(project.layout).all(run.task_id) if review.commit == handed_in.commit]
    return "\n\n".join([*_of_reviews(reviews), *_of_steps(after[-_STEPS:])])


def words(review: Review) -> str:
    """A review as an agent reads it: who and what, the text, and the comments by path and line."""
    head = f"{review.reviewer} {_WORDS[review.verdict]} (commit {short(review.commit)})"
    lines = [head, *([review.body.strip()] if review.body.strip() else [])]
    for comment in review.comments:
        before = " (as it was before)" if comment.side is Side.OLD else ""
        lines.append(f"- {comment.path}:{comment.line}{before}: {comment.body}")
    more = f"\n… and more of review {review.number}: conductor-git ctx --json"
    return words_of("\n".join(lines), _REVIEW_CHARACTERS, more)


def _since_hand_in(run: Run) -> Sequence[Step]:
    """The step that handed in what was last in review, and those after it."""
    for number in reversed(range(len(run.history))):
        if run.history[number].event in (Event.DONE, Event.SUPERSEDE):
            return run.history[number:]
    return ()


def _of_reviews(reviews: Sequence[Review]) -> Iterator[str]:
    if reviews:
        said = "\n\n".join(map(words, reviews[-_REVIEWS:]))
        yield f"## What reviewers said of {short(reviews[-1].commit)}\n\n{said}"


def _of_steps(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.event in _CAME_BACK and step.note:
            yield f"## {_CAME_BACK[step.event]}\n\n{words_of(step.note.strip(), _REVIEW_CHARACTERS)}"
