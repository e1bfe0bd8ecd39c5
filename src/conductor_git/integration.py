"""The integration repository: where everything that looks at a worker's content is computed.

All worktrees share `.git/config`, and an agent can write it. So merges, diffs and statuses run with GIT_DIR on a
private bare repository, whose config we write and whose objects are the project's own.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from conductor_git import directories, durable, gitconfig
from conductor_git.errors import GitFailed
from conductor_git.gitcmd import Git
from conductor_git.layout import Layout

_OWN_FILES: Final = ("objects/info/alternates", "config", "HEAD")
"""HEAD last: it is what makes git take the directory for a repository."""
_SCRATCH: Final = "scratch"
_AMONG_US: Final = threading.Lock()
_HELD: Final = "held"


def shared_config(git: Git) -> gitconfig.Entries:
    """What the config files say, the repository's own apart (reading a config runs nothing of it)."""
    entries = gitconfig.parse(git.run("config", "--list", "-z", "--show-scope", "--includes").fields)
    if git.git_dir is None or not gitconfig.has_worktree_config(entries.local):
        return entries
    return replace(entries, elsewhere=_of_worktrees(git, git.git_dir))


def _of_worktrees(git: Git, common_dir: Path) -> gitconfig.Pairs:
    # git copies the main checkout's file to each worktree that is made, so most are the same.
    files: dict[bytes, Path] = {}
    for path in directories.matching(common_dir, "worktrees/*/config.worktree"):
        with suppress(FileNotFoundError):
            files[path.read_bytes()] = path
    pairs: list[tuple[str, str]] = []
    for path in files.values():
        try:
            said = git.run("config", "--file", str(path), "--list", "-z", "--includes")
        except GitFailed:
            if path.exists():
                raise
            continue  # its worktree was removed meanwhile
        pairs += gitconfig.parse_file(said.fields)
    return tuple(pairs)


def opened(layout: Layout, project_git: Git, entries: gitconfig.Entries | None = None) -> Git:
    """A `Git` on the integration repository, made or brought up to date with `entries`.

    Without `entries` an existing one is taken as it is. Several processes may call it at once: each file is replaced
    whole, with the same bytes.
    """
    path = layout.integration
    if entries is not None or not (path / "HEAD").is_file():
        _write(path, layout, (shared_config(project_git) if entries is None else entries).local)
    _share_shallow(path, layout)
    return replace(project_git, cwd=path, git_dir=path, objects=layout.common_dir / "objects")


def _share_shallow(path: Path, layout: Layout) -> None:
    """Let the history end where the project's does; the link leads nowhere once that has fetched the rest of it."""
    link, theirs = path / "shallow", layout.common_dir / "shallow"
    if theirs.exists() and not link.is_symlink():
        with suppress(FileExistsError):
            link.symlink_to(theirs)


def _write(path: Path, layout: Layout, pairs: gitconfig.Pairs) -> None:
    for part in ("refs/heads", "objects/info", "info"):
        durable.make_directory(path / part)
    texts = (f"{layout.common_dir / 'objects'}\n", _config(pairs), "ref: refs/heads/none\n")
    for name, text in zip(_OWN_FILES, texts, strict=True):
        _settle(layout, path / name, text)


def _lock(layout: Layout) -> Path:
    return layout.locks / "integration"


def _config(pairs: gitconfig.Pairs) -> str:
    extensions = {key.lower(): value for key, value in pairs}
    object_format = extensions.get("extensions.objectformat", "")
    head = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n\tlogAllRefUpdates = false\n"
    if object_format:
        head += f"[extensions]\n\tobjectFormat = {object_format}\n"
    return head + gitconfig.safe_copy(pairs)


def _settle(layout: Layout, path: Path, text: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    if not path.is_file() or path.read_bytes() != data:
        with durable.lock(_lock(layout), purpose="integration"):
            durable.replace(path, data)


@contextmanager
def looking_at(integration: Git, worktree: Path, index: Path) -> Iterator[Git]:
    """A `Git` on the files of `worktree` with a private copy of its index; the worker's own index is not touched.

    The copy keeps the index's times, because git compares them with the files' to tell a racily clean entry.
    """
    with _scratch(integration.cwd / _SCRATCH) as scratch:
        copy = scratch / "index"
        if index.is_file():
            shutil.copy2(index, copy)
        yield replace(integration, cwd=worktree, work_tree=worktree, index=copy)


@contextmanager
def scratch_objects(integration: Git) -> Iterator[Git]:
    """`integration` with a place of its own for what it writes: new objects are not flushed and go with the block."""
    with _scratch(integration.cwd / _SCRATCH) as scratch:
        objects = scratch / "objects"
        (objects / "info").mkdir(parents=True)
        (objects / "info" / "alternates").write_bytes(os.fsencode(f"{integration.objects}\n"))
        settings = {**integration.config, "core.fsync": "none", "core.looseCompression": "0"}
        yield replace(integration, objects=objects, config=settings)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A directory for the block, whose lock tells `drop_scratch` after a kill that nobody uses it any more."""
    place = folder / os.urandom(8).hex()
    with ExitStack() as used:
        with _scratches(folder):
            used.enter_context(durable.lock(place / _HELD, purpose="scratch"))
        try:
            yield place
        finally:
            with _scratches(folder):
                shutil.rmtree(place)


@contextmanager
def _scratches(folder: Path) -> Iterator[None]:
    """Held while scratch directories come and go: the lock in one says nothing of one that is half made or removed.

    Our own threads, of which many come at once, wait for one another and not for the file, which is asked in turns.
    """
    with _AMONG_US, durable.lock(folder.with_name(f"{folder.name}-lock"), purpose="scratch directories"):
        yield


def drop_scratch(layout: Layout) -> None:
    """Remove the scratch directories whose users were killed."""
    folder = layout.integration / _SCRATCH
    if not folder.is_dir():
        return
    with _scratches(folder):
        for place in _abandoned(folder):
            shutil.rmtree(place)


def stale_scratch(layout: Layout) -> tuple[Path, ...]:
    """The scratch directories whose users were killed."""
    folder = layout.integration / _SCRATCH
    if not folder.is_dir():
        return ()
    with _scratches(folder):
        return tuple(_abandoned(folder))


def _abandoned(folder: Path) -> Iterator[Path]:
    for place in directories.matching(folder, "*"):
        with durable.try_lock(place / _HELD) as descriptor:
            if descriptor is not None:
                yield place


def drop_temporaries(layout: Layout) -> None:
    """Remove what a killed writer of the repository's own files left."""
    with durable.lock(_lock(layout), purpose="integration"):
        for name in _OWN_FILES:
            durable.drop_temporaries(layout.integration / name)
