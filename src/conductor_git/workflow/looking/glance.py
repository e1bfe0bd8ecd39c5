"""glance: a single value of a task's record, without its YAML, for the commands that an agent runs at every step."""

from __future__ import annotations

import re
from typing import Final

from conductor_git import durable
from conductor_git.layout import Layout
from conductor_git.names import TaskId

_RECORD_BYTES: Final = 64 * 1024


def glance(layout: Layout, task_id: TaskId, key: str) -> str:
    """What the record says of `key`, empty where it does not; `NotFound` where there is no such task.

    For keys of the top level whose values are a number or a name on one line, such as `state` and `review_of`.
    """
    try:
        record = durable.read_regular(layout.run_info(task_id), _RECORD_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        from conductor_git.store.archived import unknown_task

        raise unknown_task(layout, task_id) from None
    found = re.search(rb"^%b: ('?)([\w.-]+)" % key.encode(), record, re.MULTILINE)
    # A name that is the word null stands in quotes.
    return "" if found is None or found.groups() == (b"", b"null") else found[2].decode()
