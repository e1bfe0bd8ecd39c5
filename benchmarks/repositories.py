"""Repositories to measure on, the same to the byte in every run, with a history, kept between runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

VERSION: Final = 1
"""Goes up when what is generated changes, so that kept repositories are made anew."""
COMMITS: Final = 50
_CHANGED: Final = 10
_PER_DIRECTORY: Final = 40
_LINES: Final = 30
_FIRST: Final = 1_767_600_000


def kept_in() -> Path:
    """The directory for generated repositories: under the temporary one of the machine, one for each user."""
    path = Path(tempfile.gettempdir()) / f"conductor-git-benchmarks-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def template(files: int) -> Path:
    """A bare repository of `files` files in directories of 40, about 1 KB each, with 50 commits; made once."""
    path = kept_in() / f"template-{VERSION}-{files}.git"
    if not (path / "complete").exists():
        shutil.rmtree(path, ignore_errors=True)
        git(kept_in(), "init", "--quiet", "--bare", "--initial-branch=main", str(path))
        git(path, "fast-import", "--quiet", stdin=b"".join(_stream(files)))
        (path / "complete").touch()
    return path


def repository(files: int, path: Path) -> Path:
    """A fresh checkout at `path` with the history of `template(files)` in it."""
    git(path.parent, "clone", "--quiet", "--no-local", str(template(files)), str(path))
    git(path, "remote", "remove", "origin")
    return path


def git(path: Path, *arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["git", *arguments], cwd=path, input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"git {' '.join(arguments)} in {path}: {done.stderr.decode('utf-8', 'replace')}")
    return done.stdout.decode().strip()


def name_of(number: int) -> str:
    directory = number // _PER_DIRECTORY
    return f"part{directory // 40:02d}/module{directory % 40:02d}/file{number:05d}.txt"


def _stream(files: int) -> Iterator[bytes]:
    """The input of `git fast-import`."""
    yield from _commit(0, range(files))
    for commit in range(1, COMMITS):
        yield from _commit(commit, sorted({(commit * 7919 + step * 104729) % files for step in range(_CHANGED)}))


def _commit(number: int, changed: range | list[int]) -> Iterator[bytes]:
    message = f"Change {number}\n".encode()
    yield b"commit refs/heads/main\n"
    yield b"committer Test Person <person@example.org> %d +0000\n" % (_FIRST + number * 3600)
    yield b"data %d\n%s" % (len(message), message)
    for file in changed:
        text = "".join(f"line {line} of file {file}, as of {number}\n" for line in range(_LINES)).encode()
        yield b"M 100644 inline %s\ndata %d\n%s\n" % (name_of(file).encode(), len(text), text)
