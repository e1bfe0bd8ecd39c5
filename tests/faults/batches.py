"""Scenes in which several tasks land together, and what must hold there: all, some or none landed, and each is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from conductor_git.names import TaskId
from conductor_git.run import Event, Run, State
from tests import kit
from tests.faults.aftermath import in_order
from tests.faults.scenes import Scene, Stage

TASKS: Final = ("ash", "birch", "cedar")
BROUGHT: Final = {
    "ash": {"src/ash.txt": "made by ash\n", "run.sh": "#!/bin/sh\nexec python3 src/ash.py\n"},
    "birch": {"src/birch.txt": "made by birch\n", "README.md": "# Acme\n\nWith a birch.\n"},
    "cedar": {"src/cedar.txt": "made by cedar\n", "docs/how to run.md": "As ever.\n"},
}
MINE: Final = {"scribble.txt": "mine\n", "src/prices.py": "PRICES = {}\n"}
"""What the person has in the checkout: nothing that any of the tasks touches."""
RED: Final = "birch"
GATE: Final = "gates:\n  - {name: look, run: 'test -f run.sh && ! test -f red.txt'}\n"
BOUNCED: Final = 14
LANDED_BY: Final = ("Land", "Undo")


def place(stage: Stage, name: str) -> Path:
    return stage.root / "acme.worktrees" / name


def _write(here: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)


def _commit(here: Path, files: dict[str, str], subject: str) -> None:
    _write(here, files)
    kit.git(here, "add", "--all")
    kit.git(here, "commit", "--quiet", "-m", subject)


def _approved(stage: Stage, name: str, *, red: bool = False) -> None:
    stage.ask("spawn", name)
    stage.ask("start", name)
    _commit(place(stage, name), BROUGHT[name] | ({"red.txt": "red\n"} if red else {}), f"work: {name}")
    stage.ask("done", name)
    stage.ask("approve", name)


def _three(stage: Stage) -> None:
    for name in TASKS:
        _approved(stage, name)
    _commit(stage.main, {"docs/news.md": "News.\n"}, "work: meanwhile on the target")


def _away(stage: Stage) -> None:
    """The target is checked out nowhere."""
    kit.git(stage.main, "switch", "--quiet", "--create", "dev", "HEAD~1")


def _green(stage: Stage) -> None:
    _commit(stage.main, {".conductor.yaml": GATE}, "work: a gate")
    _three(stage)
    _away(stage)


def _red(stage: Stage) -> None:
    _commit(stage.main, {".conductor.yaml": GATE}, "work: a gate")
    for name in TASKS:
        _approved(stage, name, red=name == RED)
    _away(stage)


def _in_use(stage: Stage) -> None:
    """The target is checked out by a person who has changes of their own that no landing touches."""
    _three(stage)
    _write(stage.main, MINE)


def _landed(stage: Stage) -> None:
    """All three have landed, the first of them is to be undone below the others."""
    _three(stage)
    stage.ask("merge")


def _undo(stage: Stage) -> None:
    _landed(stage)
    _away(stage)


def _undo_in_use(stage: Stage) -> None:
    _landed(stage)
    _write(stage.main, MINE)


BATCHES: Final = {
    scene.name: scene
    for scene in (
        Scene("batch-gated", ("merge", "--trust"), _green, options=("--trust",)),
        Scene("batch-red", ("merge", "--trust"), _red, (0, BOUNCED), ("--trust",), "batch-gated"),
        Scene("batch-checked-out", ("merge",), _in_use, like="batch-gated"),
        Scene("undo", ("undo", "ash"), _undo, again=(0, 12)),
        Scene("undo-checked-out", ("undo", "ash"), _undo_in_use, again=(0, 12), like="undo"),
    )
}


class Batch:
    """The judge of these scenes."""

    def findings(self, stage: Stage, before: kit.Snapshot) -> list[str]:
        runs = _runs(stage)
        return [
            *in_order(stage),
            *_registered(stage, runs),
            *_told(stage, runs),
            *_nothing_phantom(stage, runs),
            *_same_checkout(stage, before),
        ]

    def drive(self, stage: Stage, scene: Scene) -> None:
        """Land what waits; take back what was to be taken back."""
        stage.ask("merge", *scene.options, ok=(0, BOUNCED))
        if scene.command[0] == "undo" and stage.project.runs.get(TaskId("ash")).state is State.COMPLETED:
            stage.ask(*scene.command)

    def shortfalls(self, stage: Stage, scene: Scene, template: Path) -> list[str]:  # noqa: ARG002 - as `Judge`
        expected = dict.fromkeys(TASKS, State.COMPLETED)
        expected |= {"ash": State.CANCELLED} if scene.command[0] == "undo" else {}
        expected |= {RED: State.WORKING} if scene.name == "batch-red" else {}
        found = {str(run.task_id): run.state for run in _runs(stage)}
        return [] if found == expected else [f"the tasks are {found}"]


def _runs(stage: Stage) -> list[Run]:
    project = stage.project
    return [project.runs.get(task_id) for task_id in project.runs.task_ids()]


def _registered(stage: Stage, runs: list[Run]) -> Iterator[str]:
    """A task has its worktree, its registration and its branch until it has landed; undone, its branch."""
    live = [str(run.task_id) for run in runs if not run.state.is_final]
    folders = sorted(entry.name for entry in (stage.main / ".git").glob("worktrees/*"))
    places = sorted(entry.name for entry in (stage.root / "acme.worktrees").glob("*"))
    if not folders == places == live:
        yield f"registered worktrees are {folders}, folders {places}, and the live tasks {live}"
    branches = kit.git(stage.main, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/heads/worker").split()
    if branches != [str(run.task_id) for run in runs if run.state is not State.COMPLETED]:
        yield f"the branches are {branches}"


def _told(stage: Stage, runs: list[Run]) -> Iterator[str]:
    report = stage.project.bus.verify()
    if not report.is_sound:
        yield f"the bus is damaged: {report}"
    messages = list(stage.project.bus.read(None, None, (), None))
    kinds = {"LANDED": Event.MERGE, "BOUNCED": Event.BOUNCE, "UNDONE": Event.UNDO}
    for run in runs:
        mine = [message for message in messages if message.task_id == run.task_id]
        steps = [(message.meta["step"], message.meta["to"]) for message in mine if message.type == "STATE"]
        if steps != [(str(number), str(step.state)) for number, step in enumerate(run.history, 1)]:
            yield f"the bus tells {steps} of {run.task_id}, the record {run.history}"
        for kind, event in kinds.items():
            told = sum(message.type == kind for message in mine)
            if told != sum(step.event is event for step in run.history):
                yield f"{kind} of {run.task_id} was told {told} times"


def _nothing_phantom(stage: Stage, runs: list[Run]) -> Iterator[str]:
    """The landings on the target are those on record, whole, and what is red was never there."""
    log = kit.git(stage.main, "log", "--first-parent", "--format=%H %s", "main").splitlines()
    there = {line.split(" ", 1)[0] for line in log if line.split(" ")[1] in LANDED_BY}
    landed = {str(run.merge_commit) for run in runs if run.merge_commit}
    undone = {str(run.undo.merge_commit) for run in runs if run.state is State.CANCELLED and run.undo}
    if there != landed | undone:
        yield f"the target holds {there}, the records tell of {landed} landed and {undone} undone"
    for run in runs:
        for name, text in BROUGHT[run.task_id].items():
            is_there = kit.git(stage.main, "cat-file", "blob", f"main:{name}", ok=(0, 128)) + "\n" == text
            if is_there != (run.state is State.COMPLETED):
                yield f"{run.task_id} is {run.state}, and {name} says otherwise"
    tips = kit.git(stage.main, "reflog", "show", "--format=%H", "refs/heads/main").split()
    if any(kit.git(stage.main, "ls-tree", tip, "--", "red.txt") for tip in tips):
        yield "something red was on the target"


def _same_checkout(stage: Stage, before: kit.Snapshot) -> Iterator[str]:
    """What the person had is as it was; a checkout of the target is where the target is, and clean beside that."""
    after = kit.snapshot(stage.main)
    if after.head != "ref: refs/heads/main":
        yield from (f"the main checkout changed: {line}" for line in before.differences(after))
        return
    if (after.under_way, after.stashes, after.head) != (before.under_way, before.stashes, before.head):
        yield f"the main checkout is at {after.head}, in the middle of {after.under_way}, with {after.stashes}"
    for name in MINE:
        if after.entries.get(name) != before.entries.get(name):
            yield f"the person's {name} changed"
    status = kit.git(stage.main, "--no-optional-locks", "status", "--porcelain")
    if status != " M src/prices.py\n?? scribble.txt":
        yield f"the checkout of the target is {status!r}"
