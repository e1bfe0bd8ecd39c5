"""What lets a browser in: one-time codes of login links, and the sessions that its cookie stands for.

Both are in the memory of one server and end with it; only hashes are kept. A session ends with its token too, because
whoever asks is looked up by that token at every request.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from conductor_git.server.access.tokens import digest

SESSION: Final = timedelta(days=7)
CODE: Final = timedelta(hours=1)
MOST_SESSIONS: Final = 1000
_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that was let in with the token `token_id`; `csrf` is what its forms have to show."""

    token_id: str
    csrf: str
    until: datetime

    def is_shown_by(self, csrf: str) -> bool:
        return hmac.compare_digest(self.csrf.encode(), csrf.encode("utf-8", "surrogateescape"))


@dataclass(frozen=True, slots=True)
class Sessions:
    """Any thread may call these; over `MOST_SESSIONS` the oldest one ends."""

    clock: Callable[[], datetime]
    _open: dict[str, Session] = field(default_factory=dict, init=False)
    _codes: dict[str, tuple[str, datetime]] = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def code(self, token_id: str) -> str:
        """A code that opens one session of the token `token_id`, once, within an hour."""
        code = secrets.token_urlsafe(_BYTES)
        with self._lock:
            self._codes[digest(code)] = (token_id, self.clock() + CODE)
        return code

    def redeem(self, code: str) -> str | None:
        """The token that `code` was made for; None where it was used before, is too old, or is no code."""
        with self._lock:
            token_id, until = self._codes.pop(digest(code), ("", self.clock()))
        return token_id if self.clock() < until else None

    def open(self, token_id: str) -> str:
        """Begin a session; returns what its cookie holds."""
        value = secrets.token_urlsafe(_BYTES)
        session = Session(token_id, secrets.token_urlsafe(_BYTES), self.clock() + SESSION)
        with self._lock:
            while len(self._open) >= MOST_SESSIONS:
                del self._open[next(iter(self._open))]
            self._open[digest(value)] = session
        return value

    def find(self, value: str) -> Session | None:
        """The session whose cookie holds `value`; None where it has ended."""
        with self._lock:
            session = self._open.get(digest(value))
        return session if session is not None and self.clock() < session.until else None

    def close(self, value: str) -> None:
        with self._lock:
            self._open.pop(digest(value), None)
