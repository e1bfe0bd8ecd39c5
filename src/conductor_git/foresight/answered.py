"""A look ahead for heads that may have been looked at before: then nothing is compared again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import Any

from conductor_git.foresight.foresee import Met, Seen, foresee
from conductor_git.foresight.head import Head
from conductor_git.foresight.memory import Memory
from conductor_git.gitcmd import Git
from conductor_git.names import TaskId


def answered(
    opened: AbstractContextManager[Git], heads: Sequence[Head], memory: Memory, *, most: int | None = None
) -> Seen:
    """`foresee` of exactly these heads, or what it said of them last time; `opened` is entered only where it must look.

    What it could not do in full is not kept.
    """
    question = _question(heads)
    known = memory.answer(question)
    if known is not None:
        return _seen(known)
    with opened as git:
        seen = foresee(git, heads, memory, most=most)
    if not seen.unmerged:
        memory.keep_answer(question, seen)
    return seen


def _question(heads: Sequence[Head]) -> str:
    asked = [(head.task_id, head.target_ref, head.target, head.tip, head.commit) for head in heads]
    return sha256(repr(asked).encode()).hexdigest()


def _seen(answer: Any) -> Seen:
    between, targets, unrelated, _ = answer
    return Seen(tuple(map(_met, between)), tuple(map(_met, targets)), tuple(map(TaskId, unrelated)))


def _met(row: Any) -> Met:
    first, second, files, kinds, uncommitted = row
    return Met(TaskId(first), TaskId(second), tuple(files), tuple(kinds), uncommitted)
