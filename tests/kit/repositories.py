"""Small real repositories, the same to the byte on every machine and in every run."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

IDENTITY: Final = "Test Person <person@example.org>"
FIRST_COMMIT_AT: Final = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

_COMMITS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("Start the shop", {"README.md": "# Acme\n\nA shop.\n", ".gitignore": "*.log\n/build/\n"}),
    (
        "Add the price list",
        {
            "src/prices.py": "PRICES = {\n    'apple': 3,\n    'pear': 4,\n}\n",
            "src/main.py": "from prices import PRICES\n\nprint(PRICES)\n",
        },
    ),
    (
        "Describe how to run it",
        {"docs/how to run.md": "Run `./run.sh`.\n", "run.sh": "#!/bin/sh\nexec python3 src/main.py\n"},
    ),
)


def git(path: Path, *arguments: str, stdin: str = "", ok: tuple[int, ...] = (0,)) -> str:
    """Run git in `path` and return what it printed, without the last newline.

    An exit code outside `ok` fails the test with the command and what git said. This is the tests' own git: hooks of
    the repository run, and nothing of conductor-git is in between.
    """
    data = stdin.encode("utf-8", "surrogateescape")
    done = subprocess.run(["git", *arguments], cwd=path, input=data, capture_output=True, check=False)
    out, err = (stream.decode("utf-8", "surrogateescape") for stream in (done.stdout, done.stderr))
    assert done.returncode in ok, f"git {' '.join(arguments)} in {path} ended with {done.returncode}:\n{err}{out}"
    return out.removesuffix("\n")


def make_repository(path: Path) -> Path:
    """Make a repository at `path`: branch main, three commits, six files.

    One file is executable, one has spaces in its name, and .gitignore ignores `*.log` and `build/`. The commit ids are
    always the same, since the dates are fixed.
    """
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--initial-branch=main")
    for number, (subject, files) in enumerate(_COMMITS):
        _write(path, files)
        git(path, "add", "--all")
        _commit(path, subject, FIRST_COMMIT_AT + timedelta(hours=number))
    return path


def copy_repository(template: Path, path: Path) -> Path:
    """A repository at `path` as `template` was made, to every byte but what its index says about the files' inodes."""
    shutil.copytree(template, path, symlinks=True)
    git(path, "update-index", "--refresh")
    return path


def _write(path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755 if text.startswith("#!") else 0o644)


def _commit(path: Path, subject: str, at: datetime) -> None:
    date = at.isoformat()
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    subprocess.run(["git", "commit", "--quiet", "-m", subject], cwd=path, env=os.environ | dates, check=True)
