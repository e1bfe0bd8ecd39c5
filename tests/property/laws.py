"""What holds after every step, whatever it was, and what a command may have changed."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from conductor_git.message import Message
from conductor_git.names import TaskId
from conductor_git.run import Run
from conductor_git.store.reviews import FileReviews
from tests.property.model import DIAGRAM, Task
from tests.property.world import Desk, Facts, World, blob_id, work


def unchanged(before: Facts, after: Facts, *, indexes: bool = True) -> None:
    """A refusal changes nothing at all; without `indexes`, what workers have staged may differ."""
    assert changed_names(before.state, after.state) == set()
    assert before.refs == after.refs
    assert before.commits == after.commits
    assert before.checkout.differences(after.checkout) == []
    if indexes:
        assert before.desks == after.desks
    else:
        assert _unstaged(before.desks) == _unstaged(after.desks)


def _unstaged(desks: Mapping[str, Desk]) -> dict[str, Desk]:
    return {name: replace(desk, index=b"") for name, desk in desks.items()}


def changed_names(before: Mapping[str, object], after: Mapping[str, object]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def bounded(before: Facts, after: Facts, task_id: str, refs: Iterable[str] = (), *, checkout: bool = True) -> None:
    """A command on one task changes its record, the end of the bus, its ports, the named refs, its salvage, its
    worktree; it makes no commit unreachable, and leaves a person's checkout alone."""
    bounded_all(before, after, [task_id], refs, checkout=checkout)


def bounded_all(
    before: Facts, after: Facts, task_ids: Collection[str], refs: Iterable[str] = (), *, checkout: bool = True
) -> None:
    """The same of a command on several tasks."""
    salvage = tuple(f"refs/conductor/salvage/{task_id}/" for task_id in task_ids)
    moved = {ref for ref in changed_names(before.refs, after.refs) if not ref.startswith(salvage)}
    assert moved <= set(refs)
    assert all(ref in after.refs for ref in before.refs if ref.startswith("refs/conductor/")), "a salvage went"
    records = tuple(f"tasks/{task_id}/" for task_id in task_ids)
    elsewhere = {name for name in changed_names(before.state, after.state) if not name.startswith(records)}
    assert elsewhere <= {"MESSAGE-BUS.md", "ports.json"}, elsewhere
    assert after.state.get("MESSAGE-BUS.md", b"").startswith(before.state.get("MESSAGE-BUS.md", b""))
    assert changed_names(before.desks, after.desks) <= set(task_ids)
    assert before.commits - after.commits == set()
    if checkout:
        assert before.checkout.differences(after.checkout) == []


def fast_forwarded(world: World, before: Facts, after: Facts, tip: str, paths: frozenset[str]) -> None:
    """The person's checkout followed its branch to `tip`: `paths` as committed there, all else as it was."""
    old, new = before.checkout, after.checkout
    assert (old.head, old.under_way, old.stashes) == (new.head, new.under_way, new.stashes)
    assert new.tip == tip
    rows = changed_names(_rows(old.index), _rows(new.index))
    assert rows <= paths
    files = {name for path in paths for name in (path, *map(str, PurePosixPath(path).parents))}
    assert changed_names(old.entries, new.entries) <= files
    assert world.unsettled(world.repository, ignored=True) & paths <= staged_as_landed(before, after, paths)


def staged_as_landed(before: Facts, after: Facts, paths: Iterable[str]) -> set[str]:
    """Of `paths`, what a person had staged exactly as it landed, and gone from the disk: git lets it stay so."""
    old, new = before.checkout, after.checkout
    rows = _rows(old.index), _rows(new.index)
    gone = [path for path in paths if path not in old.entries and path not in new.entries]
    return {path for path in gone if rows[0].get(path) == rows[1].get(path) is not None}


def _rows(index: str) -> dict[str, str]:
    return {row.partition("\t")[2]: row.partition("\t")[0] for row in index.split("\n") if row}


def kept(world: World, desk: Desk, before: Facts, after: Facts, commits: Iterable[str]) -> None:
    """Every file that lay in a worktree is in one of `commits` or in a new salvage by its name, and all that was staged
    in it is held by some ref."""
    fresh = [after.refs[ref] for ref in after.refs.keys() - before.refs.keys()]
    trees = {commit for tip in fresh for commit in world.ask("rev-list", "--parents", "-1", tip).split(" ")}
    rows = {row for commit in trees | set(commits) for row in world.tree(commit)}
    assert work(desk) - rows == set(), "a file is gone"
    staged = world.staged(desk) - {blob for _, blob in rows} - {blob_id(b"")}
    # An index in conflict also holds what the two sides come from, which is in the history.
    assert not staged or staged <= set(world.ask("rev-list", "--objects", "--all").split()), "something staged is gone"


def hold(world: World, tasks: dict[str, Task]) -> None:
    """The invariants."""
    project = world.project
    assert list(project.runs.task_ids()) == sorted(tasks)
    for target, commits in world.targets.items():
        assert world.holding(target) == commits, f"{target} holds what nobody approved, or lost something"
    messages = list(project.bus.read())
    for task in tasks.values():
        run = project.runs.get(task.task_id)
        told = [message for message in messages if message.task_id == task.task_id]
        _record_agrees(run, task)
        _reviews_agree(world, task, told)
        _bus_agrees(run, told)
        if task.state == "COMPLETED":
            assert task.merged in world.targets[task.target]
    _bus_is_sound(world)
    _nothing_left_over(world)


def _record_agrees(run: Run, task: Task) -> None:
    assert [str(step.event) for step in run.history] == task.events
    assert (run.state, run.generation) == (task.state, task.generation)
    assert (run.base_commit, run.head_commit) == (task.base, task.head)
    assert (run.approved_commit, run.merge_commit) == (task.approved, task.merged)
    assert (run.target, run.branch, run.worktree) == (task.target, task.branch, str(task.worktree))
    assert (run.needs, run.priority) == (task.needs, task.priority)
    states = ["ASSIGNED"]
    for event in task.events[1:]:
        states.append(DIAGRAM[states[-1], event])
    assert [str(step.state) for step in run.history] == states
    assert [step.revision for step in run.history] == sorted({step.revision for step in run.history})
    assert run.revision >= run.history[-1].revision


def _reviews_agree(world: World, task: Task, messages: list[Message]) -> None:
    stored = FileReviews(world.project.layout).all(task.task_id)
    told = [message for message in messages if message.type == "REVIEW"]
    assert [(one.reviewer, str(one.verdict), one.commit) for one in stored] == task.verdicts
    assert [(one.meta["reviewer"], one.meta["verdict"], one.meta["commit"]) for one in told] == task.verdicts


def _bus_agrees(run: Run, messages: list[Message]) -> None:
    """The STATE messages, replayed, are the history; each landing and each bounce was told once."""
    told = [message for message in messages if message.type == "STATE"]
    came_from = ["-", *(str(step.state) for step in run.history)]
    assert [
        (one.meta["event"], one.meta["from"], one.meta["to"], one.meta["by"], one.meta.get("commit")) for one in told
    ] == [
        (str(step.event), origin, str(step.state), step.by, step.commit)
        for step, origin in zip(run.history, came_from, strict=False)
    ]
    kinds = {"merge": "LANDED", "bounce": "BOUNCED", "undo": "UNDONE"}
    outcomes = [message for message in messages if message.type in kinds.values()]
    assert [(one.type, one.meta.get("commit")) for one in outcomes] == [
        (kinds[step.event], step.commit) for step in run.history if step.event in kinds
    ]


def _bus_is_sound(world: World) -> None:
    report = world.project.bus.verify()
    assert report.is_sound
    assert (report.torn, report.recovered) == (None, 0)


def _nothing_left_over(world: World) -> None:
    layout = world.project.layout
    git_locks = [path for path in _files(world.common, "objects", "conductor") if path.endswith((".lock", ".new"))]
    assert git_locks == []
    assert [path for path in _files(layout.integration, "objects") if path.endswith((".lock", ".tmp"))] == []
    assert [path for path in _files(layout.state_dir, "integration.git") if path.endswith(".tmp")] == []
    assert not (world.common / "MERGE_HEAD").exists()
    for place in (layout.journal, layout.quarantine):
        assert not place.exists() or list(place.iterdir()) == [], place


def _files(top: Path, *but: str) -> Iterator[str]:
    for place, directories, files in os.walk(top):
        if Path(place) == top:
            directories[:] = [name for name in directories if name not in but]
        yield from (f"{place}/{name}" for name in files)


def registered(world: World, task_id: TaskId) -> bool:
    return (world.common / "worktrees" / task_id).is_dir()
