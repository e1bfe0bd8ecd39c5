"""Where an agent's program is, which version, and whether it can be used as things are: nothing is started but that."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git import process
from conductor_git.errors import AgentFailed
from conductor_git.runner.agents.base import Adapter
from conductor_git.runner.agents.registry import provider_keys

_SECONDS: Final = 10.0
_VERSION: Final = re.compile(r"(?<![\w.])v?(\d{1,9}(?:\.\d{1,9})+)")
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of an agent; `problem` says why it cannot be used, and is empty where it can."""

    name: str
    path: str | None
    """Where its program is; None where it is not to be found."""
    version: str | None
    """None where it was not asked for, or is not told."""
    problem: str
    has_key: bool
    """Whether a variable of `keys` is set; an agent that people log in to can do without."""
    keys: tuple[str, ...]


class _Program(NamedTuple):
    """A program as it lay on the disk, and what it was asked."""

    path: str
    inode: int
    changed_ns: int
    size: int
    command: tuple[str, ...]
    oldest: tuple[int, ...]


_versions: dict[_Program | None, str | None] = {}


def find(adapter: Adapter, environment: Mapping[str, str], *, start: bool = True, remember: bool = False) -> Finding:
    """Look for the agent's program on the PATH of `environment`, and for its key; with `start`, ask for its version.

    A version command gets ten seconds, runs in the root directory (a project's own files decide nothing), and has no
    other provider's keys. A program whose path is relative to the worktree cannot be looked for before that is there.

    With `remember`, one that told this process a version that will do is asked again only once its file is another one:
    what it starts in its turn, and its environment, are taken to be the same.
    """
    has_key = any(environment.get(key) for key in adapter.keys)
    path = _located(adapter.program, environment)
    if path is None:
        return _finding(adapter, None, None, f"{adapter.program} is not installed, or not on PATH", has_key)
    version, problem = None, ""
    if start and adapter.version_command and Path(path).is_absolute():
        version, problem = (_remembered if remember else _asked)(adapter, path, environment)
    if not problem and adapter.needs_key and not has_key:
        problem = f"no key: {' or '.join(adapter.keys)} has to be set"
    return _finding(adapter, path, version, problem, has_key)


def _finding(adapter: Adapter, path: str | None, version: str | None, problem: str, has_key: bool) -> Finding:
    return Finding(adapter.name, path, version, problem, has_key, adapter.keys)


def _located(program: str, environment: Mapping[str, str]) -> str | None:
    if "/" in program and not program.startswith("/"):
        return program
    return shutil.which(program, path=environment.get("PATH", ""))


def _remembered(adapter: Adapter, path: str, environment: Mapping[str, str]) -> tuple[str | None, str]:
    """As `_asked`; what failed is not remembered, since it may be mended elsewhere."""
    program = _program(adapter, path)
    if program in _versions:
        return _versions[program], ""
    version, problem = _asked(adapter, path, environment)
    if program is not None and not problem:
        _versions[program] = version
    return version, problem


def _program(adapter: Adapter, path: str) -> _Program | None:
    try:
        seen = Path(path).stat()
    except OSError:  # removed since it was found
        return None
    command, oldest = tuple(adapter.version_command), tuple(adapter.oldest)
    return _Program(path, seen.st_ino, seen.st_mtime_ns, seen.st_size, command, oldest)


def _asked(adapter: Adapter, path: str, environment: Mapping[str, str]) -> tuple[str | None, str]:
    """Its version, and why it cannot be used."""
    command = [path, *adapter.version_command[1:]]
    own = {name: value for name, value in environment.items() if name in adapter.keys or name not in provider_keys()}
    try:
        done = process.capture(command, cwd=Path("/"), environment=own, seconds=_SECONDS)
    except AgentFailed as failed:
        return None, failed.message
    if done.code != 0:
        said = [line.strip() for line in (done.err or done.out).splitlines() if line.strip()]
        told = f": {said[-1][:_SHOWN]}" if said else " and said nothing"
        return None, f"`{shlex.join(adapter.version_command)}` ended with {done.code}{told}"
    found = _VERSION.search(done.out) or _VERSION.search(done.err)
    if found is None:
        return None, ""
    version = found[1]
    if tuple(map(int, version.split("."))) < adapter.oldest:
        needed = ".".join(map(str, adapter.oldest))
        return version, f"{adapter.program} is {version}, and {needed} or newer is needed"
    return version, ""
