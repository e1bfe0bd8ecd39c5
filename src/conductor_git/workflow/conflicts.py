"""conflicts: which live workers will collide with each other or with their target, before either is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from os import cpu_count
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git import configguard, integration
from conductor_git.errors import BadRecord
from conductor_git.foresight import snapshot
from conductor_git.foresight.answered import answered
from conductor_git.foresight.foresee import Seen
from conductor_git.foresight.head import Head, Tip, branch_tips
from conductor_git.foresight.memory import Memory
from conductor_git.foresight.order import landing_order
from conductor_git.foresight.rules import rules
from conductor_git.gitcmd import Git
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run

MOST_AT_A_GLANCE: Final = 2000
"""How many merges `collisions` makes in one call for commits it meets for the first time: about a second's work."""
_TOO_MANY: Final = "not compared with all others yet: conductor-git conflicts"


@dataclass(frozen=True, slots=True)
class Collision:
    """Another live worker with which a merge would conflict, and the paths, sorted."""

    other: TaskId
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What one worker would run into."""

    others: tuple[Collision, ...] = ()
    """By task id of the other."""
    target_files: tuple[str, ...] = ()
    """The paths in which it would conflict with its target's tip."""
    note: str = ""
    """Why less was looked at than asked for, e.g. uncommitted work that could not be read; empty otherwise."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """All that can be foreseen now. `notes` says of a task why less was looked at, or that it could not be at all."""

    runs: Mapping[TaskId, Run]
    """The live workers, by task id."""
    seen: Seen
    order: tuple[TaskId, ...]
    notes: Mapping[str, str]


def collisions(project: Project, runs: Sequence[Run], *, uncommitted: bool) -> Mapping[TaskId, Foreseen]:
    """What each live worker among `runs` would run into, by task; every live one is in the answer.

    Posts nothing. Without `uncommitted` only the branch tips are looked at: that is cheap, and where nothing moved
    since the last look it starts three git processes. Only so many merges are made in one call; whoever was not
    compared with all others says so in its note.
    """
    live = _live(runs)
    seen, notes = _look(project, live, uncommitted, MOST_AT_A_GLANCE)
    others: dict[TaskId, list[Collision]] = {run.task_id: [] for run in live}
    for met in seen.between:
        others[met.first].append(Collision(met.second, met.files))
        others[met.second].append(Collision(met.first, met.files))
    targets = {met.first: met.files for met in seen.targets}
    return {
        task_id: Foreseen(
            tuple(sorted(met, key=lambda one: one.other)), targets.get(task_id, ()), notes.get(task_id, "")
        )
        for task_id, met in others.items()
    }


def prospect(project: Project) -> Prospect:
    """What all live workers would run into, uncommitted work included. Tells nobody."""
    runs, bad = [], {}
    for found in project.runs.scan():
        if isinstance(found, BadRecord):
            bad[str(found.facts["task_id"])] = "its record cannot be read"
        else:
            runs.append(found)
    live = _live(runs)
    seen, notes = _look(project, live, True, None)
    order = landing_order(live, [(met.first, met.second) for met in seen.between], {met.first for met in seen.targets})
    return Prospect({run.task_id: run for run in live}, seen, order, {**bad, **notes})


def _live(runs: Iterable[Run]) -> list[Run]:
    """Those that may still land something: not final, and not reviewers."""
    return sorted(
        (run for run in runs if not run.state.is_final and run.review_of is None), key=lambda run: run.task_id
    )


def _look(project: Project, live: Sequence[Run], uncommitted: bool, most: int | None) -> tuple[Seen, dict[str, str]]:
    if not live:
        return Seen(), {}
    heads, notes = _heads(live, branch_tips(project.git))
    bare = integration.opened(project.layout, project.git)
    memory = Memory(project.layout, rules(bare))
    if uncommitted and heads:
        with integration.scratch_objects(bare) as git:
            heads = _with_uncommitted(project, git, {run.task_id: run for run in live}, heads)
            seen = answered(nullcontext(git), [known.head for known in heads], memory, most=most)
    else:
        seen = answered(integration.scratch_objects(bare), [known.head for known in heads], memory, most=most)
    notes |= {known.head.task_id: known.head.note for known in heads if known.head.note}
    notes |= dict.fromkeys(seen.unrelated, "its branch has no history in common with its target")
    for task_id in (task_id for meeting in seen.unmerged for task_id in meeting):
        notes.setdefault(task_id, _TOO_MANY if most else "git could not merge it with all others")
    return seen, notes


class _Known(NamedTuple):
    head: Head
    tree: str
    """Of its branch's tip."""


def _heads(live: Sequence[Run], tips: Mapping[str, Tip]) -> tuple[list[_Known], dict[str, str]]:
    heads, notes = [], {}
    for run in live:
        tip, target = tips.get(run.branch_ref), tips.get(run.target_ref)
        if tip is None:
            notes[str(run.task_id)] = f"its branch {run.branch} is gone"
        elif target is None:
            notes[str(run.task_id)] = f"its target {run.target} is gone"
        else:
            head = Head(run.task_id, run.target_ref, target.commit, tip.commit, tip.commit)
            heads.append(_Known(head, tip.tree))
    return heads, notes


def _with_uncommitted(project: Project, git: Git, runs: Mapping[TaskId, Run], heads: Sequence[_Known]) -> list[_Known]:
    registered = snapshot.registrations(project.layout)

    def look(known: _Known) -> snapshot.Work:
        run = runs[known.head.task_id]
        place, git_dir = Path(run.worktree), registered.get(run.worktree)
        reason = snapshot.unreadable(place, git_dir, run.branch_ref)
        if reason or git_dir is None:
            return snapshot.Work("", reason)
        filtering = configguard.filtering(git, project.layout)
        return snapshot.work(filtering, project.layout, place, git_dir)

    with ThreadPoolExecutor(cpu_count() or 1) as pool:
        works = list(pool.map(look, heads))
    trees = {
        known.head.task_id: (work.tree, known.head.tip)
        for known, work in zip(heads, works, strict=True)
        if work.tree not in ("", known.tree)
    }
    made = snapshot.commits(git, trees)
    return [
        known._replace(head=replace(known.head, commit=made.get(known.head.task_id, known.head.tip), note=_note(work)))
        for known, work in zip(heads, works, strict=True)
    ]


def _note(work: snapshot.Work) -> str:
    return work.note if work.tree or not work.note else f"only what it committed was looked at: {work.note}"
