"""Merge bases of many pairs of commits at once, out of one listing of the history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from conductor_git.gitcmd import Git

Pair = tuple[str, str]
_NOTHING: Final[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """Commits with their parents, down to `common`, a commit that is in the history of all of them (or None).

    A parent that is not listed is `common` or one of its ancestors.
    """

    parents: Mapping[str, Sequence[str]]
    common: str | None


def merge_bases(git: Git, pairs: Iterable[Pair]) -> dict[Pair, tuple[str, ...]]:
    """All best common ancestors of each pair, in two processes; none where the histories are unrelated."""
    wanted = sorted(set(pairs))
    tips = sorted({tip for pair in wanted for tip in pair})
    if not tips:
        return {}
    listing = _listed(git, tips)
    reach = {target: _reach(listing, [target]) for target in sorted({target for _, target in wanted})}
    return {(tip, target): bases(listing, tip, reach[target]) for tip, target in wanted}


def _listed(git: Git, tips: Sequence[str]) -> Listing:
    common = git.run("merge-base", "--octopus", *tips, ok=(0, 1)).text if len(tips) > 1 else tips[0]
    revisions = [*tips, *([f"^{common}"] if common else [])]
    lines = git.run("rev-list", "--parents", "--stdin", stdin="\n".join(revisions).encode()).lines
    return Listing({commit: parents for commit, *parents in (line.split(" ") for line in lines)}, common or None)


def bases(listing: Listing, tip: str, target_reach: frozenset[str]) -> tuple[str, ...]:
    """The best common ancestors of `tip` and a commit with the listed history `target_reach`, sorted."""
    met: set[str] = set()
    seen: set[str] = set()
    todo = [tip]
    while todo:
        commit = todo.pop()
        if commit in target_reach:
            met.add(commit)
        elif commit not in listing.parents:
            met.add(listing.common or commit)
        elif commit not in seen:
            seen.add(commit)
            todo.extend(listing.parents[commit])
    older = {
        other for commit in met if len(met) > 1 for other in _reach(listing, listing.parents.get(commit, _NOTHING))
    }
    return tuple(sorted(met - older))


def _reach(listing: Listing, commits: Iterable[str]) -> frozenset[str]:
    """`commits` and what is listed of their history, with the first ancestors that are not."""
    seen: set[str] = set()
    todo = list(commits)
    while todo:
        commit = todo.pop()
        if commit not in seen:
            seen.add(commit)
            todo.extend(listing.parents.get(commit, _NOTHING))
    return frozenset(seen)
