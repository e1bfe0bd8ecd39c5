"""The heartbeat of a supervised task: from a thread of its own, whatever the supervisor is waiting for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from conductor_git import heartbeat
from conductor_git.layout import Layout
from conductor_git.names import TaskId

BEAT_SECONDS: Final = 5.0


@contextmanager
def beating(layout: Layout, task_id: TaskId) -> Iterator[None]:
    """Touch the heartbeat now and every `BEAT_SECONDS` until the block ends."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(BEAT_SECONDS):
            heartbeat.touch(layout, task_id)

    heartbeat.touch(layout, task_id)
    heartbeat.touch_activity(layout, task_id)
    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
