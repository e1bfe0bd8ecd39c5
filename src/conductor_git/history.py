"""Questions to the history: where a ref is, what holds what, how far branches and targets have grown apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from conductor_git.gitcmd import Git
from conductor_git.names import CommitId

Graph = Mapping[str, Sequence[str]]
"""Commit → parents; parents outside the graph are common to every tip asked about."""


def tip_of(git: Git, ref: str) -> CommitId | None:
    """The commit that the full ref name `ref` points at, or None."""
    done = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", ok=(0, 1))
    return CommitId(done.text) if done.code == 0 else None


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


def changed_counts(git: Git, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """For each (old, new) pair of commits: how many paths differ, all pairs in one process."""
    wanted = sorted(set(pairs))
    if not wanted:
        return {}
    trees = "".join(f"{old}^{{tree}}\n{new}^{{tree}}\n" for old, new in wanted)
    ids = git.run("cat-file", "--batch-check=%(objectname)", stdin=trees.encode()).lines
    keys = list(zip(ids[::2], ids[1::2], strict=True))
    stdin = "".join(f"{old} {new}\n" for old, new in keys).encode()
    output = git.run("diff-tree", "--stdin", "-r", "--name-only", "--no-renames", stdin=stdin).lines
    return dict(zip(wanted, _counted(output, keys), strict=True))


def _counted(output: Sequence[str], keys: Sequence[tuple[str, str]]) -> list[int]:
    """git prints a line `old new` before the paths of each pair, in the order asked."""
    headers = {f"{old} {new}" for old, new in keys}
    counts: list[int] = []
    for line in output:
        if line in headers:
            counts.append(0)
        elif counts and line:
            counts[-1] += 1
    return counts
