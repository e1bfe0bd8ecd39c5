"""The ids of the package as types, with the rule each must obey."""

from __future__ import annotations

import re
from typing import Final, NewType

from conductor_git.errors import BadTaskId

TaskId = NewType("TaskId", str)
RunId = NewType("RunId", str)
CommitId = NewType("CommitId", str)
"""A full object id, 40 or 64 hex digits."""

MAX_TASK_ID: Final = 64
_TASK_ID: Final = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{MAX_TASK_ID - 1}}}", re.ASCII)


def parse_task_id(text: str) -> TaskId:
    """`text` as a task id, or `BadTaskId` with the rule it breaks.

    The rule is narrower than git's for refs, so that one id is a branch, a directory and a URL segment alike, on
    file systems that fold case as well.
    """
    if not _TASK_ID.fullmatch(text) or ".." in text or text.endswith((".lock", ".")):
        raise BadTaskId(
            f"{text!r} is not a task id: 1 to 64 of a-z 0-9 . _ -, starting with a letter or digit, without '..', "
            "not ending in '.' or '.lock'",
            hint="choose a name such as fix-login",
            task_id=text,
        )
    return TaskId(text)


def short(commit: str | None) -> str:
    """The first ten digits of a commit for people; a record always holds the whole id."""
    return (commit or "")[:10]


def readable(text: str) -> str:
    """`text` as UTF-8 can hold it: the bytes of a file name that are no text are told as U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def is_text(text: str) -> bool:
    """Whether UTF-8 can hold `text`: a file name need not be text, and its odd bytes are lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
