"""What can be found out about one task beyond its record. Reads only, and refuses nothing: it is for those who look.

What a question costs is spent only in the states that ask it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from conductor_git import durable, heartbeat, journal
from conductor_git.errors import ConductorError, NotFound
from conductor_git.history import is_contained, tip_of
from conductor_git.message import Message
from conductor_git.names import CommitId, RunId, TaskId
from conductor_git.project import Project
from conductor_git.review import Review
from conductor_git.run import Event, Outcome, Run, State
from conductor_git.workflow.explaining.facts import InTheWay, LogEnd, Need, PushRefused, Question, Tree
from conductor_git.workflow.look import Row
from conductor_git.workflow.looking.health import Health
from conductor_git.workflow.looking.sift import reviewers_of

_LOG_LINES: Final = 20
_HEAD_BYTES: Final = 64 * 1024
_QUESTIONS: Final = 50
"""So many are looked through for one without an answer."""
_LINE: Final = 200
"""Characters of a question that tell which one it is."""
_INTENT_BYTES: Final = 64 * 1024
_LANDINGS: Final = ("merge", "undo")
"""The verbs in the journal that hold a target."""


def tip(project: Project, run: Run) -> CommitId | None:
    return tip_of(project.git, run.branch_ref) if run.review_of is None else None


def tree(project: Project, row: Row, tip: str | None) -> Tree:
    """The worktree of the task; what is uncommitted in it only where somebody may hand that in."""
    run, path = row.run, Path(row.run.worktree)
    if not path.is_dir():
        return Tree(is_there=False)
    if run.state is State.ASSIGNED:
        from conductor_git.readiness import expects_setup

        return Tree(is_to_be_set_up=expects_setup(project.layout, path))
    if run.state.is_final or run.review_of is not None or tip is None or not _may_hand_in(row):
        return Tree()
    from conductor_git.worktree import registered_git_dir, under_way

    try:
        git_dir = registered_git_dir(project.layout, path)
        if git_dir is None:
            return Tree(is_there=False)
        head = durable.read_regular(git_dir / "HEAD", _HEAD_BYTES).decode().strip()
        files = _uncommitted(project, path, git_dir, tip)
    except (ConductorError, OSError, ValueError) as trouble:
        return Tree(trouble=str(trouble))
    where = "" if head == f"ref: {run.branch_ref}" else head.removeprefix("ref: refs/heads/")
    return Tree(under_way=under_way(git_dir), head=where, uncommitted=files)


def _uncommitted(project: Project, path: Path, git_dir: Path, tip: str) -> tuple[str, ...]:
    """As `worktree.uncommitted`, which looks harder: here no index is written, also no copy of it, and no lock taken.

    What is hidden by --assume-unchanged, or staged under a name that is gone from the disk, may be missed.
    """
    from conductor_git import configguard, integration

    looking = configguard.filtering(integration.opened(project.layout, project.git), project.layout)
    git = replace(looking, cwd=path, work_tree=path, index=git_dir / "index")
    exclude = f"--exclude-from={project.layout.common_dir / 'info' / 'exclude'}"
    loose = git.run("ls-files", "-z", "--modified", "--others", "--exclude-standard", exclude).fields
    staged = git.run("diff-index", "--cached", "--name-only", "-z", "--no-ext-diff", tip).fields
    return tuple(sorted({*loose, *staged}))


def _may_hand_in(row: Row) -> bool:
    run = row.run
    if run.state is State.WORKING:
        return row.health not in (Health.ALIVE, Health.SLOW)
    if run.state is State.APPROVED and row.foreseen is not None and row.foreseen.target_files:
        return True
    return run.state in (State.IN_REVIEW, State.APPROVED) and row.tip != run.head_commit


def last_beat(project: Project, run: Run, now: datetime) -> float | None:
    """The seconds since the last sign of life; None where there was none."""
    beat = None if run.state.is_final else _sign_of_life(project, run)
    return None if beat is None else max(0.0, now.timestamp() - beat)


def _sign_of_life(project: Project, run: Run) -> float | None:
    seen = (heartbeat.last_activity(project.layout, run.task_id), heartbeat.last_beat(project.layout, run.task_id))
    return next((at for at in seen if at is not None), None)


def judged(project: Project, run: Run) -> Run | None:
    """The task that `run` is to review."""
    try:
        return project.runs.get(run.review_of) if run.review_of else None
    except ConductorError:
        return None


def reviewers(project: Project, run: Run) -> tuple[Run, ...]:
    return reviewers_of(project, run.task_id) if run.state is State.IN_REVIEW else ()


def person(project: Project, run: Run, reviews: Sequence[Review]) -> str:
    """The name under which `approve` would go on record here; asked for only where it may have approved already."""
    if run.state is not State.IN_REVIEW or not reviews:
        return ""
    return project.git.run("config", "--get", "user.name", ok=(0, 1)).text


def need(project: Project, task_id: TaskId) -> Need | None:
    """The task as a need, or None where it has landed."""
    try:
        state = project.runs.get(task_id).state
    except NotFound:
        return Need(task_id, "not there")
    except ConductorError:
        return Need(task_id, "unknown: its record cannot be read")
    return None if state is State.COMPLETED else Need(task_id, state)


def landing(project: Project, run: Run) -> tuple[TaskId, ...]:
    """Of the tasks with the same target, those whose landing or undo is under way, `run` itself among them.

    What was killed was mended before anybody looks, so what is in the journal is alive.
    """
    if run.state not in (State.APPROVED, State.COMPLETED):
        return ()
    pending = (task_id for task_id in journal.pending(project.layout) if _is_landing(project, task_id))
    return tuple(task_id for task_id in pending if task_id == run.task_id or _target(project, task_id) == run.target)


def _is_landing(project: Project, task_id: TaskId) -> bool:
    try:
        intent = json.loads(durable.read_regular(project.layout.intent(task_id), _INTENT_BYTES))
        return intent["verb"] in _LANDINGS
    except (OSError, ValueError, KeyError, TypeError, ConductorError):
        return False  # it has ended since, or is damaged and says nothing


def _target(project: Project, task_id: TaskId) -> str:
    try:
        return project.runs.get(task_id).target
    except ConductorError:
        return ""


def log(project: Project, run: Run) -> LogEnd | None:
    """The end of the log that says what is wrong: of the gate that was red, or of the attempt that failed."""
    path = _log_path(project, run)
    if path is None:
        return None
    from conductor_git.outputlog import log_end

    return LogEnd(str(path), "\n".join(log_end(path).rstrip().split("\n")[-_LOG_LINES:]))


def _log_path(project: Project, run: Run) -> Path | None:
    last = run.history[-1]
    if run.state is State.WORKING and last.event is Event.BOUNCE and run.landing is not None:
        red = [gate for gate in run.landing.gates if not gate.passed]
        return Path(red[0].log) if red else None
    if run.state is State.FAILED and run.last_attempt is not None:
        folder = project.layout.attempt(run.task_id, run.last_attempt.run_id)
        printed = [path for path in (folder / "stderr.log", folder / "stdout.log") if _size(path)]
        return printed[0] if printed else None
    return None


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def in_the_way(project: Project, run: Run, target_tip: str | None) -> InTheWay | None:
    """Which of the files that blocked the last landing are still changed in the checkout of the target."""
    last = run.landing
    if run.state is not State.APPROVED or last is None or last.outcome is not Outcome.BLOCKED or target_tip is None:
        return None
    from conductor_git.worktree import registered_git_dir

    try:
        there = last.checkout
        if not last.files or there is None:
            return None
        git_dir = registered_git_dir(project.layout, Path(there)) or project.layout.common_dir
        dirty = _uncommitted(project, Path(there), git_dir, target_tip)
    except (ConductorError, OSError):
        return None
    ignored = [path for path in last.files if path not in dirty and _is_untracked(project, target_tip, there, path)]
    return InTheWay(there, tuple(path for path in last.files if path in dirty or path in ignored))


def _is_untracked(project: Project, target_tip: str, checkout: str, path: str) -> bool:
    """Something that git ignores lies where a new file would go."""
    if not os.path.lexists(Path(checkout) / path):
        return False
    return not project.git.run("ls-tree", "-z", "--name-only", target_tip, "--", f":(literal){path}").fields


def question(project: Project, row: Row) -> Question | None:
    """The last question of the task's worker that nobody has answered, from where its work was begun on.

    An agent's questions name its attempt. Where no agent was ever started, whoever asks on the task is its worker.
    """
    run = row.run
    is_at_work = row.health in (Health.ALIVE, Health.SLOW) if run.attempts else run.state is State.WORKING
    if run.state not in (State.ASSIGNED, State.WORKING) or not is_at_work:
        return None
    own: Collection[RunId | None] = {attempt.run_id for attempt in run.attempts} or {None}
    try:
        asked = [one for one in _newest_questions(project, run) if one.run_id in own]
        if not asked:
            return None
        later = project.bus.read(asked[-1].msg_id)
        answered = {parent.msg_id for one in later if _answers(one, own) for parent in one.parents}
    except ConductorError:
        return None
    last = next((one for one in asked if one.msg_id not in answered), None)
    return None if last is None else Question(last.msg_id, _first_line(last.body))


def _newest_questions(project: Project, run: Run) -> list[Message]:
    """Those since the task's last step, the newest first."""
    look = partial(project.bus.tail, types=("QUESTION", "STATE"), task_id=run.task_id)
    if all(one.type == "STATE" for one in look(1)):
        return []  # as in most cases, and a look for more would go back as far as the bus does
    return list(takewhile(lambda one: one.type == "QUESTION", reversed(look(_QUESTIONS))))


def _first_line(text: str) -> str:
    first, _, more = text.strip().partition("\n")
    return f"{first[:_LINE]}…" if more or len(first) > _LINE else first


def _answers(message: Message, own: Collection[RunId | None]) -> bool:
    """What a worker adds to its own question is no answer to it; of one without an attempt nobody can tell."""
    return None in own or message.run_id not in own


def push_refused(project: Project, run: Run) -> PushRefused | None:
    """The remote that did not take what has landed, where that is the last that was told of it and still so."""
    if run.state is not State.COMPLETED or run.landing is None or run.landing.outcome is not Outcome.LANDED:
        return None
    try:
        told = project.bus.tail(1, types=("LANDED", "ERROR"), task_id=run.task_id)
    except ConductorError:
        return None
    if not told or told[0].meta.get("outcome") != Outcome.PUSH_REJECTED:
        return None
    remote = told[0].meta.get("remote", "")
    return None if _has_it(project, run, remote) else PushRefused(remote, told[0].body.strip().partition("\n")[0])


def _has_it(project: Project, run: Run, remote: str) -> bool:
    """As far as is known here, the remote has been given it since."""
    there = tip_of(project.git, f"refs/remotes/{remote}/{run.target}")
    return there is not None and run.merge_commit is not None and is_contained(project.git, run.merge_commit, there)


def evidence(project: Project, run: Run) -> dict[str, Any] | None:
    """The document of the last landing, or of what took it back; None where there was none."""
    last = run.undo or run.landing
    if last is None or not last.landing_id:
        return None
    from conductor_git.landing.evidence import read

    return read(project.layout, last.landing_id)
