"""The text of server-sent events (pure; the HTML standard, "Server-sent events")."""

from __future__ import annotations

import json
from typing import Any, Final

RETRY_MS: Final = 2000
"""So long a browser waits before it comes again."""


def event(name: str, document: dict[str, Any], event_id: str = "") -> bytes:
    """One event with one line of data. Without `event_id`, what a client resumes from stays as it was."""
    data = json.dumps({"schema": 1, **document}, ensure_ascii=False, separators=(",", ":"), default=str)
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {name}\ndata: {data}\n\n".encode("utf-8", "replace")


def heartbeat(event_id: str = "") -> bytes:
    """A comment, which keeps the connection open, and without any event the place to resume from."""
    place = f"id: {event_id}\n" if event_id else ""
    return f": heartbeat\n{place}\n".encode()


def retry() -> bytes:
    return f"retry: {RETRY_MS}\n\n".encode()
