"""The whole look ahead: the heads in, the collisions out, merging only what was never merged before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from conductor_git.foresight.ancestry import merge_bases
from conductor_git.foresight.changed import Changed, Own, Span, changes, own
from conductor_git.foresight.collide import of_their_own
from conductor_git.foresight.head import Head, spans
from conductor_git.foresight.meeting import Meeting, meetings
from conductor_git.foresight.memory import Memory
from conductor_git.foresight.merging import Clashes, Pair, merges
from conductor_git.gitcmd import Git
from conductor_git.names import TaskId


class Met(NamedTuple):
    """Two workers whose merge conflicts, or one and its target (then the second is empty); paths and kinds sorted."""

    first: TaskId
    second: TaskId
    files: tuple[str, ...]
    kinds: tuple[str, ...]
    uncommitted: bool
    """Uncommitted work of one of them is in the way."""


class Seen(NamedTuple):
    """All collisions, sorted by task; `unrelated` have no history in common with their target, and `unmerged` pairs
    could not be merged, or were too many for one look."""

    between: tuple[Met, ...] = ()
    targets: tuple[Met, ...] = ()
    unrelated: tuple[TaskId, ...] = ()
    unmerged: tuple[Meeting, ...] = ()


class _Scene(NamedTuple):
    heads: Mapping[TaskId, Head]
    bases: Mapping[Span, tuple[str, ...]]
    owns: Mapping[TaskId, Own]
    loose: Mapping[TaskId, frozenset[str]]
    """The paths of uncommitted work."""

    def bases_of(self, task_id: TaskId) -> tuple[str, ...]:
        head = self.heads[task_id]
        return self.bases[head.tip, head.target]

    def pair(self, meeting: Meeting) -> Pair:
        return _pair(*(self.heads[task_id].commit for task_id in meeting))

    def between_bases(self, meeting: Meeting) -> Pair | None:
        """The bases to compare by themselves: two workers for different targets, started from different commits."""
        one, other = (self.heads[task_id] for task_id in meeting)
        first, second = (self.bases_of(task_id)[0] for task_id in meeting)
        return None if one.target_ref == other.target_ref or first == second else _pair(first, second)


def foresee(git: Git, heads: Sequence[Head], memory: Memory, *, most: int | None = None) -> Seen:
    """What would conflict if it were merged now; writes to the object store of `git`, which is to be a scratch one.

    `most` limits how many merges are made that are not remembered; the rest is told as `unmerged` and done next time.
    """
    scene = _scene(git, heads)
    related = [head for head in heads if head.task_id in scene.owns]
    found = meetings(scene.owns)
    ahead = [
        head for head in related if scene.owns[head.task_id].paths and head.target not in scene.bases_of(head.task_id)
    ]
    merged = _merged(git, memory, [*_against_targets(ahead), *_between(scene, found)], most)
    between = [met for meeting in found if (met := _met(scene, meeting, merged))]
    return Seen(
        tuple(between),
        tuple(met for head in ahead if (met := _against(scene, head, merged))),
        tuple(head.task_id for head in heads if head.task_id not in scene.owns),
        tuple(meeting for meeting in found if scene.pair(meeting) not in merged),
    )


def _scene(git: Git, heads: Sequence[Head]) -> _Scene:
    bases = merge_bases(git, spans(heads))
    related = [head for head in heads if bases[head.tip, head.target]]
    grown = [(head, [(base, head.commit) for base in bases[head.tip, head.target]]) for head in related]
    loose = {head.task_id: (head.tip, head.commit) for head in related if head.is_uncommitted}
    changed = changes(git, [*chain.from_iterable(listed for _, listed in grown), *loose.values()])
    return _Scene(
        {head.task_id: head for head in heads},
        bases,
        {head.task_id: own(chain.from_iterable(changed[span] for span in listed)) for head, listed in grown},
        {task_id: _paths(changed[span]) for task_id, span in loose.items()},
    )


def _paths(changed: Sequence[Changed]) -> frozenset[str]:
    return frozenset(change.path for change in changed)


def _against_targets(heads: Sequence[Head]) -> Iterator[Pair]:
    return (_pair(head.target, head.commit) for head in heads)


def _between(scene: _Scene, found: Sequence[Meeting]) -> Iterator[Pair]:
    for meeting in found:
        yield scene.pair(meeting)
        if bases := scene.between_bases(meeting):
            yield bases


def _merged(git: Git, memory: Memory, wanted: Sequence[Pair], most: int | None) -> dict[Pair, Clashes]:
    pairs = list(dict.fromkeys(wanted))
    known = memory.merges(pairs)
    fresh = merges(git, [pair for pair in pairs if pair not in known][:most])
    memory.keep(known | fresh)
    return known | fresh


def _met(scene: _Scene, meeting: Meeting, merged: Mapping[Pair, Clashes]) -> Met | None:
    first, second = meeting
    pair = scene.pair(meeting)
    clashes = merged.get(pair, ())
    if clashes and scene.bases_of(first) != scene.bases_of(second):
        bases = scene.between_bases(meeting)
        excused = {clash.path for clash in merged.get(bases, ())} if bases else set()
        sides = meeting if scene.heads[first].commit == pair[0] else (second, first)
        clashes = of_their_own(clashes, scene.owns[sides[0]], scene.owns[sides[1]], excused)
    return _told(scene, clashes, first, second)


def _against(scene: _Scene, head: Head, merged: Mapping[Pair, Clashes]) -> Met | None:
    return _told(scene, merged.get(_pair(head.target, head.commit), ()), head.task_id)


def _told(scene: _Scene, clashes: Clashes, first: TaskId, second: TaskId = TaskId("")) -> Met | None:  # noqa: B008
    if not clashes:
        return None
    files = tuple(sorted({clash.path for clash in clashes} - {""}))
    near = {path for clash in clashes for path in (clash.path, *clash.near)}
    loose = scene.loose.get(first, frozenset()) | scene.loose.get(second, frozenset())
    kinds = tuple(sorted({kind for clash in clashes for kind in clash.kinds}))
    return Met(first, second, files, kinds, not loose.isdisjoint(near))


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)
