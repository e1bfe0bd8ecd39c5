"""How the files of a commit are written into a new worktree: all or a part of them, with how many processes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from conductor_git.gitcmd import Git

if TYPE_CHECKING:
    from conductor_git.config.model import Config


@dataclass(frozen=True, slots=True)
class Files:
    """What the config says of it; the default is what git does by itself, with the pointers of LFS left as they are.

    `sparse` are the directories of a sparse checkout in cone mode, none for all files. `workers` None leaves
    `checkout.workers` to git's own config, `submodules` None to what the repository has of them.
    """

    sparse: tuple[str, ...] = ()
    workers: int | None = None
    lfs: bool = False
    submodules: bool | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """For git commands that write files: whether git-lfs fetches contents or leaves its pointers."""
        return {"GIT_LFS_SKIP_SMUDGE": "0" if self.lfs else "1"}


def files_of(config: Config) -> Files:
    return Files(config.sparse, config.checkout.workers, config.lfs, config.submodules)


def write(inside: Git, files: Files, alone: AbstractContextManager[object]) -> None:
    """Write the files of HEAD into the worktree that `inside` runs in, whose index is empty.

    `alone` is held while git may write the shared config: a sparse checkout turns `extensions.worktreeConfig` on, and
    git itself then moves `core.bare` and `core.worktree` to the main checkout's own file, so that they go on to mean
    that one alone. The patterns are in the new worktree's own files.
    """
    narrow(inside, files, alone)
    if files.workers is not None:
        inside = replace(inside, config={**inside.config, "checkout.workers": str(files.workers)})
    inside.run("reset", "--hard", "--quiet", "--no-recurse-submodules", extra=files.environment)


def narrow(inside: Git, files: Files, alone: AbstractContextManager[object]) -> None:
    """Make the checkout a sparse one where `files` says so; a file that differs from the index stays where it is."""
    if files.sparse:
        listing = "".join(f"{directory}\n" for directory in files.sparse)
        with alone:
            inside.run("sparse-checkout", "set", "--cone", "--stdin", stdin=listing.encode("utf-8", "surrogateescape"))
