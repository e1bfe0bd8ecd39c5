"""Questions to the history: where a ref is, what holds what, how far branches and targets have grown apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from conductor_git.gitcmd import Git
from conductor_git.names import CommitId

_BREAK: Final = "\x01"
Graph = Mapping[str, Sequence[str]]
"""Commit → parents; parents outside the graph are common to every tip asked about."""


def tip_of(git: Git, ref: str) -> CommitId | None:
    """The commit that the full ref name `ref` points at, or None."""
    done = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", ok=(0, 1))
    return CommitId(done.text) if done.code == 0 else None


@dataclass(frozen=True, slots=True)
class Object:
    """An object of the store: its id, its kind (`commit`, `blob`, …) and its bytes."""

    name: str
    kind: str
    data: bytes


def objects(git: Git, *revisions: str) -> tuple[Object | None, ...]:
    """What each of `revisions` names, None where it names nothing, all in one process.

    `refs/replace/`, which a worker can write, is not obeyed: an object is what its id says.
    """
    stdin = "".join(f"{revision}\n" for revision in revisions).encode("utf-8", "surrogateescape")
    output = git.run("cat-file", "--batch", stdin=stdin, extra={"GIT_NO_REPLACE_OBJECTS": "1"}).out
    return parse_objects(output, len(revisions))


def tree_at(git: Git, commit: str) -> str:
    """The tree of `commit`, which has to be there."""
    return git.run("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}").text


def tree_of(commit: Object) -> str:
    """The tree that a commit object names in its first line."""
    return commit.data[: commit.data.index(b"\n")].decode().removeprefix("tree ")


def parse_objects(output: bytes, count: int) -> tuple[Object | None, ...]:
    """The output of `git cat-file --batch` for `count` revisions: `ID KIND SIZE` and the bytes, or one line why not."""
    found: list[Object | None] = []
    rest = output
    for _ in range(count):
        head, _, rest = rest.partition(b"\n")
        match head.decode("utf-8", "replace").split(" "):
            case [name, kind, size] if size.isdigit():
                found.append(Object(name, kind, rest[: int(size)]))
                rest = rest[int(size) + 1 :]
            case _:
                found.append(None)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Branches:
    """Every branch with its tip, and the one that HEAD is on (None: detached, or not born yet)."""

    current: str | None
    tips: Mapping[str, CommitId]


def branches(git: Git) -> Branches:
    """All branches in one process."""
    listing = git.run("for-each-ref", "--format=%(HEAD)%(objectname) %(refname:lstrip=2)", "refs/heads/").lines
    tips = {name: CommitId(tip) for tip, _, name in (line[1:].partition(" ") for line in listing)}
    current = next((line.partition(" ")[2] for line in listing if line.startswith("*")), None)
    return Branches(current, tips)


def is_contained(git: Git, commit: CommitId, target: CommitId) -> bool:
    """`commit` is `target` or one of its ancestors."""
    return git.run("merge-base", "--is-ancestor", commit, target, ok=(0, 1)).code == 0


def apart(git: Git, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, int]]:
    """For each (branch tip, target tip): how many commits only the branch has (ahead), and only the target (behind)."""
    wanted = sorted(set(pairs))
    tips = sorted({tip for pair in wanted for tip in pair})
    if not tips:
        return {}
    graph = _graph(git, tips)
    reach = {tip: _reachable(graph, tip) for tip in tips}
    return {(tip, target): (len(reach[tip] - reach[target]), len(reach[target] - reach[tip])) for tip, target in wanted}


def _graph(git: Git, tips: Sequence[str]) -> Graph:
    base = git.run("merge-base", "--octopus", *tips, ok=(0, 1)).text if len(tips) > 1 else tips[0]
    revisions = [*tips, *([f"^{base}"] if base else [])]
    listing = git.run("rev-list", "--parents", "--stdin", stdin="\n".join(revisions).encode()).lines
    return {commit: parents for commit, *parents in (line.split(" ") for line in listing)}


def _reachable(graph: Graph, tip: str) -> frozenset[str]:
    seen: set[str] = set()
    todo = [tip]
    while todo:
        commit = todo.pop()
        if commit in graph and commit not in seen:
            seen.add(commit)
            todo.extend(graph[commit])
    return frozenset(seen)


def tips_of(git: Git, refs: Iterable[str]) -> dict[str, str]:
    """The commits of those `refs` (full names) that exist, in one process."""
    wanted = set(refs)
    if not wanted:
        return {}
    listing = git.run("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/").lines
    found = dict(line.split(" ") for line in listing)
    return {ref: found[ref] for ref in wanted if ref in found}


class Tips(NamedTuple):
    """The commit of every branch by its full name. `is_own`: none is a name for a ref that is no branch."""

    tips: dict[str, str]
    is_own: bool


def branch_tips(git: Git) -> Tips:
    """Every branch with its commit, in one process."""
    listing = git.run("for-each-ref", "--format=%(refname) %(objectname) %(symref)", "refs/heads/").lines
    found = [line.split(" ") for line in listing]
    is_own = all(not symref or symref.startswith("refs/heads/") for _, _, symref in found)
    return Tips({ref: tip for ref, tip, _ in found}, is_own)


def changed_counts(git: Git, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """For each (old, new) pair of commits: how many paths differ, all pairs in one process."""
    wanted = sorted(set(pairs))
    if not wanted:
        return {}
    # `--stdin` takes a commit and the parent to compare it with, whether or not it is one.
    stdin = "".join(f"{new} {old}\n" for old, new in wanted).encode()
    how = ("-r", "--name-only", "--no-renames", "--always", "--format=%x01")
    text = git.run("diff-tree", "--stdin", *how, stdin=stdin).text
    return dict(zip(wanted, counted(text), strict=True))


def counted(text: str) -> list[int]:
    """How many paths stand after each break in the output of `diff-tree --name-only`; git quotes one in a path."""
    return [sum(map(bool, part.split("\n"))) for part in text.split(_BREAK)[1:]]
