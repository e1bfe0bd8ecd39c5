"""What must hold after a kill, once the next command has run; each finding is one line that says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from conductor_git.landing.gates import TREE_VARIABLE
from conductor_git.processtable import carrying
from conductor_git.project import Project
from conductor_git.run import Event, Run, State
from tests import kit
from tests.faults.scenes import BRANCH, DELETED, TASK, WORK, Stage

_OWN_LOCKS: Final = ("conductor/locks/", "run-info.yaml.lock")
_GATES: Final = "conductor/gates/"
"""What lies there is ours alone, and every use of it begins by putting it right."""
_PROBE_BYTES: Final = 4
"""Python tries its TMPDIR with such a file before it uses it; a kill in between leaves that file, which is not ours."""


def findings(stage: Stage, before: kit.Snapshot) -> list[str]:
    """Everything that is not as it must be while no command runs; `before` is the main checkout before the kill."""
    project = stage.project
    run = stage.run()
    return [
        *in_order(stage),
        *_registered(stage, run),
        *_told(project, run),
        *_same_checkout(stage, before, run),
    ]


def in_order(stage: Stage) -> list[str]:
    """What must not be there whatever the tasks were: locks, leftovers, lost commits."""
    return [*_unlocked(stage.project), *_no_leftovers(stage, stage.project), *_no_lost_commit(stage)]


def _unlocked(project: Project) -> Iterator[str]:
    common = project.layout.common_dir
    for file in [*common.rglob("*.lock"), *common.glob("packed-refs.new")]:
        name = str(file.relative_to(common))
        own = name.startswith((_OWN_LOCKS[0], _GATES)) or name.endswith(_OWN_LOCKS[1])
        if not own and "quarantine/" not in name:
            yield f"a lock is left: {name}"


def _no_leftovers(stage: Stage, project: Project) -> Iterator[str]:
    layout = project.layout
    yield from (f"the journal still has {file.name}" for file in layout.journal.glob("*"))
    for file in stage.root.rglob(".*.tmp"):
        if not file.is_relative_to(stage.trusted):
            yield f"a temporary file is left: {file}"
    yield from (f"a landing left {file}" for file in layout.state_dir.glob("landings/*/index*"))
    yield from (f"a landing left {file}" for file in layout.state_dir.glob("landings/*/held"))
    for tree in layout.gates.glob("*"):
        yield from (f"a gate still runs: {process}" for process in carrying(TREE_VARIABLE, str(tree)))
    for file in stage.temporary.rglob("*"):
        if file.is_dir() or file.stat().st_size > _PROBE_BYTES:
            yield f"TMPDIR still has {file}"


def _no_lost_commit(stage: Stage) -> Iterator[str]:
    """No commit that is anybody's work is unreachable.

    The merge commit of a landing that was given up may be: it holds nothing that the branch and the target do not,
    and the next landing makes its own. `Task-Id` marks those; `base`, `ours` and `theirs` are the steps of a rebase.
    """
    report = kit.git(stage.main, "fsck", "--unreachable", "--no-reflogs", "--no-progress", ok=(0, 1, 2, 4, 8))
    for line in report.splitlines():
        kind, what, *rest = line.split(" ")
        if kind != "unreachable":
            yield f"git fsck: {line}"
        elif what == "commit":
            message = kit.git(stage.main, "show", "-s", "--format=%B", rest[0])
            given_up = "Task-Id:" in message or message.strip() in ("base", "ours", "theirs", f"salvage of {TASK}")
            if not given_up and not _is_held(stage, rest[0]):
                yield f"a commit is lost: {rest[0]} {message!r}"


def _is_held(stage: Stage, commit: str) -> bool:
    """What `commit` holds is held elsewhere: by the worktree's index, or by a commit that a ref reaches.

    That is so for the commit of a `done --wip` that was killed before the branch moved to it: nobody was told of it,
    what it holds lies in the worktree, and the next `done --wip` commits that.
    """
    tree = kit.git(stage.main, "rev-parse", f"{commit}^{{tree}}")
    held = set(kit.git(stage.main, "log", "--all", "--format=%T").split())
    if stage.worktree.is_dir():
        held.add(kit.git(stage.worktree, "write-tree"))
    return tree in held


def _folder(entry: Path) -> str:
    """The directory that the registration is of, whose name it need not have: one from the pool keeps its first."""
    said = entry / "gitdir"
    return Path(said.read_text().strip()).parent.name if said.is_file() else entry.name


def _registered(stage: Stage, run: Run | None) -> Iterator[str]:
    """Worktree, registration and branch are all there, or none of them is, as the record says."""
    live = run is not None and run.state is not State.COMPLETED
    common = stage.main / ".git"
    expected = [TASK] if live else []
    folders = sorted(map(_folder, common.glob("worktrees/*")))
    if folders != expected:
        yield f"registered worktrees are {folders}, not {expected}"
    places = sorted(entry.name for entry in stage.worktree.parent.glob("*"))
    if places != expected:
        yield f"worktree folders are {places}, not {expected}"
    listed = kit.git(stage.main, "worktree", "list", "--porcelain")
    if "prunable" in listed or listed.count("worktree ") != 1 + len(expected):
        yield f"git worktree list says {listed!r}"
    if live and kit.git(stage.worktree, "symbolic-ref", "HEAD") != f"refs/heads/{BRANCH}":
        yield "the worktree is not on its branch"
    if live and not (stage.worktree / ".worker-ctx.json").exists():
        yield "the worktree has no context"
    branches = kit.git(stage.main, "for-each-ref", "--format=%(refname:short)", "refs/heads/worker").split()
    if branches != ([BRANCH] if live or (run is None and _was_there(stage)) else []):
        yield f"the branches are {branches} and the task is {run.state if run else 'not there'}"


def _was_there(stage: Stage) -> bool:
    return "work: earlier" in kit.git(stage.main, "log", "--format=%s", "--all")


def _told(project: Project, run: Run | None) -> Iterator[str]:
    report = project.bus.verify()
    if not report.is_sound:
        yield f"the bus is damaged: {report}"
    messages = list(project.bus.read(None, None, (), None))
    told = [(message.meta["step"], message.meta["to"]) for message in messages if message.type == "STATE"]
    written = [(str(number), str(step.state)) for number, step in enumerate(run.history, 1)] if run else []
    if told != written:
        yield f"the bus tells {told}, the record {written}"
    landed = sum(message.type == "LANDED" for message in messages)
    if landed != sum(step == str(State.COMPLETED) for _, step in written):
        yield f"LANDED was told {landed} times"
    bounced = sum(message.type == "BOUNCED" for message in messages)
    if run is not None and bounced != sum(step.event is Event.BOUNCE for step in run.history):
        yield f"BOUNCED was told {bounced} times"


def _same_checkout(stage: Stage, before: kit.Snapshot, run: Run | None) -> Iterator[str]:
    """The main checkout is what it was; where the target is checked out there, it may be forward to what landed."""
    after = kit.snapshot(stage.main)
    if run is not None and run.state is State.COMPLETED and after.head == "ref: refs/heads/main":
        landed = {*WORK, DELETED, "docs", "src", "src/new", "unsaved.txt", "run.sh", "earlier.txt"}
        after = replace(after, tip=before.tip, index=before.index, index_bytes=before.index_bytes)
        after, before = (
            replace(shot, entries={path: entry for path, entry in shot.entries.items() if path not in landed})
            for shot in (after, before)
        )
        touched = kit.git(stage.main, "status", "--porcelain", "--", *landed)
        if touched:
            yield f"the fast-forwarded checkout is not clean: {touched!r}"
    yield from (f"the main checkout changed: {line}" for line in before.differences(after))


def landed_whole(stage: Stage, run: Run) -> list[str]:
    """What is missing of the worker's work on the target once the task has landed."""
    wrong = [name for name, text in WORK.items() if kit.git(stage.main, "show", f"main:{name}") != text.rstrip("\n")]
    if kit.git(stage.main, "ls-tree", "main", "--", DELETED):
        wrong.append(DELETED)
    if run.merge_commit not in kit.git(stage.main, "rev-list", "main").split():
        wrong.append(f"merge commit {run.merge_commit}")
    return [f"not on the target as it was handed in: {name}" for name in wrong]


def unsaved_is_kept(stage: Stage) -> bool:
    """`unsaved.txt` is on the target, or a salvage ref holds it, or it still lies in the worktree."""
    refs = kit.git(stage.main, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage", "refs/heads").split()
    held = [ref for ref in refs if kit.git(stage.main, "ls-tree", "--name-only", ref, "--", "unsaved.txt")]
    return bool(held) or Path(stage.worktree, "unsaved.txt").exists()
