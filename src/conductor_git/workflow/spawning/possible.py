"""What of a repository a new worktree could not show as it is: refused before anything is made."""

from __future__ import annotations

import shlex

from conductor_git.errors import BadConfig, UnsafePath
from conductor_git.ground.case import clashes, folds_case
from conductor_git.ground.files import Files
from conductor_git.names import CommitId, short
from conductor_git.project import Project


def require_possible(project: Project, files: Files, commit: CommitId) -> Files:
    """`files`, or a refusal: a sparse directory that `commit` does not have, names that this file system cannot tell
    apart."""
    if files.sparse:
        _require_directories(project, files.sparse, commit)
    if folds_case(project.layout.common_dir):
        _require_distinct(project, commit)
    return files


def _require_directories(project: Project, wanted: tuple[str, ...], commit: CommitId) -> None:
    names = [f"{commit}:{name}" for name in wanted]
    stdin = "".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape")
    said = project.git.run("cat-file", "--batch-check=%(objecttype)", stdin=stdin).lines
    for name, kind in zip(wanted, said, strict=True):
        if kind != "tree":
            raise BadConfig(
                f"`sparse` names {name}, which is no directory in {short(commit)}",
                hint=f"git ls-tree -d --name-only -r {short(commit)}",
                directory=name,
                commit=commit,
            )


def _require_distinct(project: Project, commit: CommitId) -> None:
    found = clashes(project.git.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit).fields)
    if found:
        told = "; ".join(" and ".join(group) for group in found[:5])
        raise UnsafePath(
            f"{short(commit)} has paths that differ in case only, and this file system keeps one of each: {told}",
            hint=f"git mv {shlex.quote(found[0][1])} {shlex.quote(f'{found[0][1]}.renamed')}",
            commit=commit,
            clashes=[list(group) for group in found[:50]],
        )
