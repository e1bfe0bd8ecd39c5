"""Requests that may come twice: the same `Idempotency-Key` is answered with what was answered first, for a day."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import Depends, Header
from pydantic import BaseModel

from conductor_git import directories, durable
from conductor_git.server.api.asking import Asking
from conductor_git.server.document import Document
from conductor_git.server.refusals import IdempotencyConflict

KEPT: Final = timedelta(days=1)
_LIMIT: Final = 4 * 1024 * 1024
_SECONDS: Final = 600.0

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="The same key with the same body is answered as the first time, and nothing is done again.",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        examples=["5f0c1a9e"],
    ),
]


def _key(idempotency_key: Key = None) -> str | None:
    return idempotency_key


OnceKey = Annotated[str | None, Depends(_key)]


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where the answer to one key of one token lies, and what was asked."""

    path: Path
    lock: Path
    key: str
    request: str


def once(asking: Asking, key: str | None, route: str, body: BaseModel, make: Callable[[], Document]) -> Document:
    """`make()`, or what it answered before to the same `key` of the same token; `IdempotencyConflict` for another body.

    Requests with one key follow one another. Only what was done is kept: a refusal changed nothing, and may be tried
    again. A kill between the change and the keeping of its answer leaves the change without it.
    """
    if key is None:
        return make()
    kept = _kept(asking, key, f"{route}\n{body.model_dump_json()}")
    with durable.lock(kept.lock, seconds=_SECONDS, purpose="an answer to keep"):
        known = _read(kept, asking.now())
        if known is not None:
            return known
        made = make()
        _keep(kept, made, asking.now())
    return made


def _kept(asking: Asking, key: str, request: str) -> _Kept:
    layout = asking.project.layout
    name = sha256(f"{asking.who.token_id}\n{key}".encode()).hexdigest()
    # A lock is never removed, so a fixed number of them serves all keys.
    return _Kept(
        layout.answered / f"{name}.json",
        layout.locks / "answered" / name[:2],
        key,
        sha256(request.encode()).hexdigest(),
    )


def _read(kept: _Kept, now: datetime) -> Document | None:
    try:
        found: dict[str, Any] = json.loads(durable.read_regular(kept.path, _LIMIT))
        at = datetime.fromisoformat(found["at"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    if now - at >= KEPT:
        return None
    if found["request"] != kept.request:
        raise IdempotencyConflict(
            f"the Idempotency-Key {kept.key} came with another request before", hint="use a new key", key=kept.key
        )
    headers = {**found["headers"], "Idempotency-Replayed": "true"}
    return Document(found["document"], found["status"], headers)


def _keep(kept: _Kept, made: Document, now: datetime) -> None:
    headers = {name: made.headers[name] for name in ("ETag", "Location") if name in made.headers}
    document = json.loads(bytes(made.body))
    facts = {"at": now.isoformat(), "request": kept.request, "status": made.status_code, "headers": headers}
    durable.make_directory(kept.path.parent)
    durable.replace(kept.path, json.dumps({**facts, "document": document}).encode(), mode=0o600)
    _drop_old(kept.path.parent, now)


def _drop_old(folder: Path, now: datetime) -> None:
    for path in directories.matching(folder, "*.json"):
        try:
            is_old = now.timestamp() - path.stat().st_mtime > KEPT.total_seconds()
        except FileNotFoundError:
            continue
        if is_old:
            path.unlink(missing_ok=True)
