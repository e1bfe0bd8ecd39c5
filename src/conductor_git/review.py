"""The verdict of one reviewer on one commit, its form on disk, and who approves what (no I/O)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from conductor_git.errors import BadInput, TooLarge
from conductor_git.names import CommitId, readable
from conductor_git.record import BadField, Fields, format_time

VERSION: Final = 1
_COMMENT: Final = re.compile(r"(?P<path>.+?):(?P<line>[0-9]{1,9}):(?P<body>.+)", re.DOTALL)
_LONGEST_NAME: Final = 100
MOST_COMMENTS: Final = 1000
MOST_TEXT: Final = 256 * 1024
"""Bytes of all texts of a review together; who has more to say attaches a file to a message."""


class Verdict(StrEnum):
    """A field that the reviewer sets; never words that somebody finds in a text."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"


class Side(StrEnum):
    """Which file a line number counts in: as the commit has it, or as it was before."""

    NEW = "new"
    OLD = "old"


@dataclass(frozen=True, slots=True)
class LineComment:
    """A remark on one line (from 1) of a file, by its path in the repository."""

    path: str
    line: int
    body: str
    side: Side = Side.NEW


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer said of exactly `commit`. `number` counts the reviews of a task from 1, in order of time."""

    number: int
    reviewer: str
    verdict: Verdict
    commit: CommitId
    body: str
    at: datetime
    comments: tuple[LineComment, ...] = ()


def to_tree(review: Review) -> dict[str, Any]:
    """`review` as what `strictyaml.write` takes."""
    return {
        "version": VERSION,
        "number": review.number,
        "reviewer": review.reviewer,
        "verdict": review.verdict,
        "commit": review.commit,
        "at": format_time(review.at),
        "body": review.body,
        "comments": [
            {"path": comment.path, "side": comment.side, "line": comment.line, "body": comment.body}
            for comment in review.comments
        ],
    }


def from_tree(tree: object) -> Review:
    """The review that `tree` holds, or `BadField`; unknown keys are ignored, a newer version is refused."""
    fields = Fields(tree, "")
    version = fields.integer("version")
    if version != VERSION:
        raise BadField(f"`version` is {version}, and this conductor-git reads {VERSION}")
    return Review(
        number=fields.integer("number"),
        reviewer=fields.text("reviewer"),
        verdict=fields.enum("verdict", Verdict),
        commit=fields.commit("commit"),
        body=fields.text("body"),
        at=fields.time("at"),
        comments=fields.each("comments", _comment),
    )


def _comment(fields: Fields) -> LineComment:
    return LineComment(
        path=fields.text("path"),
        side=fields.enum("side", Side),
        line=fields.integer("line"),
        body=fields.text("body"),
    )


def current(reviews: Iterable[Review]) -> tuple[Review, ...]:
    """The last review of each reviewer, by number: a later verdict replaces the earlier one, whatever its commit."""
    latest: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda review: review.number):
        latest[_person(review.reviewer)] = review
    return tuple(sorted(latest.values(), key=lambda review: review.number))


def approvals(reviews: Iterable[Review], commit: CommitId) -> tuple[str, ...]:
    """The distinct reviewers whose last verdict approves exactly `commit`, in the order they gave it."""
    return tuple(
        review.reviewer for review in current(reviews) if review.verdict is Verdict.APPROVE and review.commit == commit
    )


def is_same_reviewer(one: str, other: str) -> bool:
    """One person in two spellings (`Ada`, `ada `) is one reviewer, and cannot be a quorum, or review itself."""
    return _person(one) == _person(other)


def _person(name: str) -> str:
    # Folding case can undo the normal form (`ŉ`), so it is taken again.
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def is_outdated(review: Review, head: str | None) -> bool:
    """Said of another commit than `head`, the one handed in last; nothing is while none was."""
    return head is not None and review.commit != head


def ready(text: str) -> str:
    """`text` as a record, a message and a prompt can all hold it; `BadInput` for a NUL byte, which none of them can."""
    if "\0" in text:
        raise BadInput("the text of a review holds no NUL byte", hint="conductor-git request-changes --help")
    return readable(text)


def require_bounded(body: str, comments: Collection[LineComment]) -> None:
    """`TooLarge` for more than anybody reads: 1000 comments, or 256 KiB of text in all."""
    if len(comments) > MOST_COMMENTS:
        raise TooLarge(
            f"a review holds at most {MOST_COMMENTS} comments, and this one has {len(comments)}",
            hint="conductor-git request-changes --help",
            limit=MOST_COMMENTS,
        )
    size = len(body.encode()) + sum(len(comment.body.encode()) + len(comment.path.encode()) for comment in comments)
    if size > MOST_TEXT:
        raise TooLarge(
            f"a review holds at most {MOST_TEXT} bytes of text, and this one has {size}",
            hint="conductor-git bus post --attach PATH",
            limit=MOST_TEXT,
        )


def parse_reviewer(text: str) -> str:
    """`text` as a reviewer's name: some printable characters in one line (`BadInput`)."""
    name = text.strip()
    if not _person(name) or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise BadInput(
            f"{text[:_LONGEST_NAME]!r} is no reviewer's name: 1 to {_LONGEST_NAME} printable characters in one line",
            hint="--as ada",
        )
    return name


def parse_comment(text: str, side: Side = Side.NEW) -> LineComment:
    """The `PATH:LINE:TEXT` of `--comment`; the first `:LINE:` counts, so that a text may hold colons (`BadInput`)."""
    found = _COMMENT.fullmatch(text)
    if found is None or int(found["line"]) < 1 or not found["body"].strip():
        raise BadInput(
            f"{text[:200]!r} is not PATH:LINE:TEXT, with a line from 1",
            hint="--comment 'src/login.py:42:this never ends'",
            comment=text[:200],
        )
    return LineComment(path_inside(found["path"]), int(found["line"]), found["body"].strip(), side)


def path_inside(path: str) -> str:
    """`path` as git names it, relative to the top of the repository (`BadInput`)."""
    parts = [part for part in path.split("/") if part != "."]
    if not all(parts) or ".." in parts or not parts or {"\0", "\n"} & set(path):
        raise BadInput(
            f"{path[:200]!r} is not a path in the repository, from its top",
            hint="--comment 'src/login.py:42:this never ends'",
            path=path[:200],
        )
    return "/".join(parts)
