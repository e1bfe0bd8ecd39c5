"""What lies in live worktrees and makes them speak of another place: editable installs, and the stash. Runs nothing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Final
from urllib.parse import unquote, urlsplit

from conductor_git import directories, durable
from conductor_git.errors import ConductorError
from conductor_git.run import Run
from conductor_git.workflow.diagnosing.finding import Family, Finding, Ground

_LIMIT: Final = 1 << 20
_PACKAGES: Final = ("lib/python*/site-packages", "lib64/python*/site-packages", "Lib/site-packages")
_ENTRY: Final = re.compile(r"(?:WIP on|On) ([^:]+): (.*)", re.DOTALL)


def _find(ground: Ground) -> Iterator[Finding]:
    for run in ground.live:
        yield from _editable(ground, run)
    yield from _stashed(ground)


def _editable(ground: Ground, run: Run) -> Iterator[Finding]:
    top = Path(run.worktree)
    others = [ground.project.repository, *(Path(other.worktree) for other in ground.live if other != run)]
    for environment in _environments(top):
        for said, path in _installed_from(environment):
            there = next((other for other in others if _is_within(path, other) and not _is_within(path, top)), None)
            if there is not None:
                words = f"{said} in {environment} imports from {path}, and not from the worktree of {run.task_id}"
                command = f"cd {quote(str(top))} && {quote(str(environment / 'bin' / 'pip'))} install -e ."
                yield Finding("EDITABLE_ELSEWHERE", f"{run.task_id}:{said}", words, command, run.task_id)
                break


def _environments(top: Path) -> Iterator[Path]:
    """The virtual environments at the top of the worktree and one folder below."""
    for pattern in ("*/pyvenv.cfg", "*/*/pyvenv.cfg"):
        for marker in directories.matching(top, pattern):
            if marker.is_file():
                yield marker.parent


def _installed_from(environment: Path) -> Iterator[tuple[str, Path]]:
    """(file, directory) for each place outside its packages that the environment imports from."""
    for packages in (found for pattern in _PACKAGES for found in directories.matching(environment, pattern)):
        for file in directories.matching(packages, "*.pth"):
            for text in _read(file).splitlines():
                if text.startswith("/"):
                    yield file.name, Path(text.strip())
        for file in directories.matching(packages, "*.dist-info/direct_url.json"):
            if (path := _directory(_read(file))) is not None:
                yield file.parent.name, path


def _directory(text: str) -> Path | None:
    """The directory of an editable install, by PEP 610."""
    try:
        found = json.loads(text)
        is_editable = found["dir_info"].get("editable") is True
        return Path(unquote(urlsplit(found["url"]).path)) if is_editable else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(path: Path) -> str:
    try:
        return durable.read_regular(path, _LIMIT).decode("utf-8", "replace")
    except (OSError, ConductorError):
        return ""


def _is_within(path: Path, top: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(top))


def _stashed(ground: Ground) -> Iterator[Finding]:
    """Entries of the stash that were made on a worker's branch, as their messages say."""
    if not (ground.layout.common_dir / "logs" / "refs" / "stash").exists():
        return
    git = ground.project.git
    branches = {run.branch: run for run in ground.runs}
    for number, text in enumerate(git.run("log", "-g", "-z", "--format=%gs", "refs/stash", "--", ok=(0, 128)).fields):
        made = _ENTRY.match(text.strip("\n"))
        run = None if made is None else branches.get(made[1])
        if run is not None:
            said = f"stash@{{{number}}} was made on {run.branch}"
            command = f"git stash show --patch 'stash@{{{number}}}'"
            yield Finding("STASHED", f"stash@{{{number}}}", said, command, run.task_id)


INSIDE = Family(_find, {})
