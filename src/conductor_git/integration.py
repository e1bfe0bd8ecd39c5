"""The integration repository: where everything that looks at a worker's content is computed.

All worktrees share `.git/config`, and an agent can write it. So merges, diffs and statuses run with GIT_DIR on a
private bare repository, whose config we write and whose objects are the project's own.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from conductor_git import durable, gitconfig
from conductor_git.gitcmd import Git
from conductor_git.layout import Layout


def shared_config(git: Git) -> gitconfig.Entries:
    """What the config files say, the repository's own apart (reading a config runs nothing of it)."""
    return gitconfig.parse(git.run("config", "--list", "-z", "--show-scope", "--includes").fields)


def opened(layout: Layout, project_git: Git, entries: gitconfig.Entries | None = None) -> Git:
    """A `Git` on the integration repository, made or brought up to date with `entries`.

    Without `entries` an existing one is taken as it is. Several processes may call it at once: each file is replaced
    whole, with the same bytes.
    """
    path = layout.integration
    if entries is not None or not (path / "HEAD").is_file():
        _write(path, layout, (shared_config(project_git) if entries is None else entries).local)
    return replace(project_git, cwd=path, git_dir=path, objects=layout.common_dir / "objects")


def _write(path: Path, layout: Layout, pairs: gitconfig.Pairs) -> None:
    for part in ("refs/heads", "objects/info", "info"):
        durable.make_directory(path / part)
    _settle(path / "objects" / "info" / "alternates", f"{layout.common_dir / 'objects'}\n")
    _settle(path / "config", _config(pairs))
    # HEAD last: it is what makes git take the directory for a repository.
    _settle(path / "HEAD", "ref: refs/heads/none\n")


def _config(pairs: gitconfig.Pairs) -> str:
    extensions = {key.lower(): value for key, value in pairs}
    object_format = extensions.get("extensions.objectformat", "")
    head = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n\tlogAllRefUpdates = false\n"
    if object_format:
        head += f"[extensions]\n\tobjectFormat = {object_format}\n"
    return head + gitconfig.safe_copy(pairs)


def _settle(path: Path, text: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    if not path.is_file() or path.read_bytes() != data:
        durable.replace(path, data)


@contextmanager
def looking_at(integration: Git, worktree: Path, index: Path) -> Iterator[Git]:
    """A `Git` on the files of `worktree` with a private copy of its index; the worker's own index is not touched.

    The copy keeps the index's times, because git compares them with the files' to tell a racily clean entry.
    """
    with tempfile.TemporaryDirectory(prefix="conductor-git-") as scratch:
        copy = Path(scratch) / "index"
        if index.is_file():
            shutil.copy2(index, copy)
        yield replace(integration, cwd=worktree, work_tree=worktree, index=copy)
