"""The context of a worker, `.worker-ctx.json`, as a frozen value and as bytes (formats.md, "The context"; no I/O).

Decoded by hand, because `heartbeat`, `bus post` and `ctx` read it and a pydantic import costs more than they do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from conductor_git.errors import BadContext, BadTaskId
from conductor_git.names import CommitId, TaskId, parse_task_id

VERSION: Final = 1
LIMIT: Final = 65536
T = TypeVar("T")


class Ports(NamedTuple):
    """The TCP ports that are the worker's own: `base`, `base` + 1, … `count` of them."""

    base: int
    count: int  # type: ignore[assignment]  # formats.md has this name, and nobody counts in a pair of ports


class WorkerContext(NamedTuple):
    """Who a worker is. Paths are absolute; `created_at` is aware; `bus` is a URL such as `file:/…/MESSAGE-BUS.md`."""

    task_id: TaskId
    project_id: str
    generation: int
    branch: str
    target: str
    base_commit: CommitId
    worktree: Path
    repository: Path
    state_dir: Path
    bus: str
    description: str
    created_at: datetime
    ports: Ports | None = None
    version: int = VERSION
    review_of: TaskId | None = None
    """The task that this worker is to review. Its own `branch` is then `HEAD`, as git calls a detached one."""


class _Wrong(ValueError):
    """What a value is not; `_field` adds which key it has."""


def decode(data: bytes, origin: str = ".worker-ctx.json") -> WorkerContext:
    """The context that `data` holds, or `BadContext` that starts with `origin` and names the key.

    Unknown keys are ignored, so that a later minor version can add some. Known ones must be there and be what they
    are: nothing is converted or guessed. Only `ports` and `review_of` may be missing.
    """
    try:
        return _context(_parsed(data))
    except _Wrong as wrong:
        raise BadContext(f"{origin}: {wrong}", hint="conductor-git status", path=origin) from wrong


def encode(context: WorkerContext) -> bytes:
    """`context` as indented JSON in the order of formats.md, at most 64 KiB (`BadContext`).

    A path that is not UTF-8 turns the whole file into ASCII with escapes, which brings its bytes through.
    """
    tree = document(context)
    try:
        data = json.dumps(tree, indent=2, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        data = json.dumps(tree, indent=2).encode()
    if len(data) >= LIMIT:
        raise BadContext(
            f"the context of {context.task_id} would be {len(data)} bytes, more than {LIMIT}",
            hint="conductor-git spawn --help",
        )
    return data + b"\n"


def document(context: WorkerContext) -> dict[str, Any]:
    """`context` as the object that `encode` writes and `ctx --json` shows."""
    ports = context.ports
    tree: dict[str, Any] = {
        "version": context.version,
        "task_id": context.task_id,
        "project_id": context.project_id,
        "generation": context.generation,
        "branch": context.branch,
        "target": context.target,
        "base_commit": context.base_commit,
        "worktree": str(context.worktree),
        "repository": str(context.repository),
        "state_dir": str(context.state_dir),
        "bus": context.bus,
        "description": context.description,
        "created_at": context.created_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }
    if ports is not None:
        tree["ports"] = {"base": ports.base, "count": ports.count}
    return tree if context.review_of is None else tree | {"review_of": context.review_of}


def _parsed(data: bytes) -> Mapping[str, object]:
    if len(data) > LIMIT:
        raise _Wrong(f"{len(data)} bytes, more than {LIMIT}")
    try:
        found = json.loads(data.decode(), object_pairs_hook=_once)
    except json.JSONDecodeError as problem:
        raise _Wrong(f"line {problem.lineno}, column {problem.colno}: not JSON: {problem.msg}") from problem
    except _Wrong:
        raise
    except (ValueError, RecursionError) as problem:
        raise _Wrong("not JSON in UTF-8, or nested too deep") from problem
    if not isinstance(found, dict):
        raise _Wrong("not a JSON object")
    return found


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Wrong("a key stands twice")
    return found


def _context(tree: Mapping[str, object]) -> WorkerContext:
    return WorkerContext(
        version=_field(tree, "version", _version),
        task_id=_field(tree, "task_id", _task_id),
        project_id=_field(tree, "project_id", _name),
        generation=_field(tree, "generation", _count),
        branch=_field(tree, "branch", _name),
        target=_field(tree, "target", _name),
        base_commit=_field(tree, "base_commit", _commit),
        worktree=_field(tree, "worktree", _path),
        repository=_field(tree, "repository", _path),
        state_dir=_field(tree, "state_dir", _path),
        bus=_field(tree, "bus", _some),
        description=_field(tree, "description", _text),
        created_at=_field(tree, "created_at", _time),
        ports=_field(tree, "ports", _ports) if tree.get("ports") is not None else None,
        review_of=_field(tree, "review_of", _task_id) if tree.get("review_of") is not None else None,
    )


def _field(tree: Mapping[str, object], key: str, convert: Callable[[object], T]) -> T:
    if key not in tree:
        raise _Wrong(f"key `{key}` is missing")
    try:
        return convert(tree[key])
    except _Wrong as wrong:
        raise _Wrong(f"key `{key}` {wrong}") from wrong


def _version(value: object) -> int:
    version = _count(value)
    if version != VERSION:
        raise _Wrong(f"is {version}, and this conductor-git reads {VERSION}")
    return version


def _count(value: object) -> int:
    # A bool is an int to isinstance; a generation of `true` is a mistake.
    if type(value) is not int or value < 1:
        raise _Wrong(f"is {_shown(value)}, not a whole number from 1")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"is {_shown(value)}, not a string")
    return value


def _some(value: object) -> str:
    text = _text(value)
    if not text:
        raise _Wrong("is empty")
    return text


def _name(value: object) -> str:
    text = _some(value)
    if any(character < " " or character == "\x7f" for character in text):
        raise _Wrong(f"is {_shown(value)}, which has control characters")
    return text


def _task_id(value: object) -> TaskId:
    try:
        return parse_task_id(_text(value))
    except BadTaskId as bad:
        raise _Wrong(f"holds no task id: {bad.message}") from bad


def _commit(value: object) -> CommitId:
    text = _text(value)
    if len(text) not in (40, 64) or set(text) - set("0123456789abcdef"):
        raise _Wrong(f"is {_shown(value)}, not a full commit id")
    return CommitId(text)


def _path(value: object) -> Path:
    text = _text(value)
    if not text.startswith("/") or "\0" in text:
        raise _Wrong(f"is {_shown(value)}, not an absolute path")
    return Path(text)


def _time(value: object) -> datetime:
    try:
        time = datetime.fromisoformat(_text(value))
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _Wrong(f"is {_shown(value)}, not a time with its zone, such as 2026-11-20T10:15:00.123456Z")


def _ports(value: object) -> Ports:
    if not isinstance(value, dict):
        raise _Wrong(f"is {_shown(value)}, not an object")
    ports = Ports(_field(value, "base", _count), _field(value, "count", _count))
    if ports.base + ports.count > 65536:
        raise _Wrong(f"end at {ports.base + ports.count - 1}, and ports end at 65535")
    return ports


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
