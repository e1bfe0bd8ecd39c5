"""What an agent is told when it is launched: what was asked, and after a first attempt what came back since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from conductor_git import durable
from conductor_git.names import readable, short
from conductor_git.project import Project
from conductor_git.review import Review, Side, Verdict
from conductor_git.run import Event, Run, Step
from conductor_git.store.reviews import FileReviews

PROMPT_BYTES: Final = 16 << 20
_REVIEWS: Final = 20
_REVIEW_CHARACTERS: Final = 16 * 1024
_WORDS: Final = {Verdict.APPROVE: "approves", Verdict.REQUEST_CHANGES: "asks for changes"}
_CAME_BACK: Final = {
    Event.BOUNCE: "Why it did not land",
    Event.UNDO: "Why its landing was taken back",
}


def attempt_prompt(project: Project, run: Run) -> bytes:
    """The prompt of the attempt that is about to begin.

    The first one is what was asked, to the byte. Later ones go on with the reviews of the commit that was handed in
    last, and with why that came back, each of bounded length: the whole is in `ctx` and on the bus.
    """
    asked = durable.read_regular(project.layout.prompt(run.task_id), PROMPT_BYTES)
    if run.review_of is not None:  # its prompt is made anew for each commit, and tells it all
        return asked
    since = _since_hand_in(run)
    if since is None:
        return asked
    handed_in, *after = since
    reviews = [review for review in FileReviews(project.layout).all(run.task_id) if review.commit == handed_in.commit]
    sections = [*_of_reviews(reviews), *_of_steps(after)]
    if not sections:
        return asked
    return asked.rstrip() + readable("\n\n" + "\n\n".join(sections) + "\n").encode()


def _since_hand_in(run: Run) -> Sequence[Step] | None:
    """The step that handed in what was last in review, and those after it."""
    for number in reversed(range(len(run.history))):
        if run.history[number].event in (Event.DONE, Event.SUPERSEDE):
            return run.history[number:]
    return None


def _of_reviews(reviews: Sequence[Review]) -> Iterator[str]:
    if reviews:
        said = "\n\n".join(map(words, reviews[-_REVIEWS:]))
        yield f"## What reviewers said of {short(reviews[-1].commit)}\n\n{said}"


def _of_steps(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.event in _CAME_BACK and step.note:
            yield f"## {_CAME_BACK[step.event]}\n\n{step.note.strip()}"


def words(review: Review) -> str:
    """A review as an agent reads it: who and what, the text, and the comments by path and line."""
    head = f"{review.reviewer} {_WORDS[review.verdict]} (commit {short(review.commit)})"
    lines = [head, *([review.body.strip()] if review.body.strip() else [])]
    for comment in review.comments:
        before = " (as it was before)" if comment.side is Side.OLD else ""
        lines.append(f"- {comment.path}:{comment.line}{before}: {comment.body}")
    text = "\n".join(lines)
    if len(text) <= _REVIEW_CHARACTERS:
        return text
    return f"{text[:_REVIEW_CHARACTERS]}\n… and more of review {review.number}: conductor-git ctx --json"
