"""The end of an attempt: nothing of it is left running, and what is known of it is on record and on the bus."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from conductor_git import durable, process
from conductor_git.errors import ConductorError
from conductor_git.escape import Fingerprint, fingerprint
from conductor_git.outputlog import log_end
from conductor_git.processtable import out_of_memory_kills
from conductor_git.project import Project
from conductor_git.run import Attempt, End, Outcome, Phase, Run, has_handed_in, how_it_ended
from conductor_git.runner import logs
from conductor_git.runner.agents import limits
from conductor_git.runner.agents.base import Limit
from conductor_git.runner.agents.stream import Stream
from conductor_git.runner.agents.tally import Tally
from conductor_git.runner.child import Child
from conductor_git.runner.stop import GRACE_SECONDS, with_attempt
from conductor_git.runner.supervising.world import World
from conductor_git.transition import message_of, note

_NOT_RUN: Final = (126, 127)
"""What shells end with where a command cannot be run, or is not there."""
_ANSWER_BYTES: Final = 8 << 20
_HEAR_SECONDS: Final = 2.0
_LAST_WORDS: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class Before:
    """What things were like when the attempt began."""

    checkout: Fingerprint
    out_of_memory: int | None

    @classmethod
    def now(cls, project: Project) -> Before:
        return cls(fingerprint(project.git, project.layout, project.repository), out_of_memory_kills())


@dataclass(frozen=True, slots=True)
class Seen:
    """An attempt that is over or about to be: its process, and what it has said."""

    run: Run
    attempt: Attempt
    child: Child
    stream: Stream
    tally: Tally


def settle(project: Project, seen: Seen, end: End, world: World, before: Before) -> Attempt:
    """End what is left of the attempt's processes, and put on record how it ended."""
    attempt = seen.attempt
    process.end_group(seen.child.process.pid, attempt.run_id, grace=GRACE_SECONDS, leader=seen.child.process)
    code = seen.child.reap()
    folder = project.layout.attempt(seen.run.task_id, attempt.run_id)
    for name in logs.NAMES:
        logs.bound(folder / name)
    _hear_out(seen, world)
    attempt = _judged(project, seen, _with_code(attempt, end, code, before), folder, world)
    _keep_answer(folder / "output.md", seen.tally)
    logs.seal_all(folder)
    with suppress(ConductorError):
        _warn_of_escape(project, seen.run, attempt, before.checkout)
    record(project, seen.run, attempt, world)
    return attempt


def _hear_out(seen: Seen, world: World) -> None:
    """Take in the rest of what it has said; where that is more than can be read in time, its last words."""
    enough = world.monotonic() + _HEAR_SECONDS
    for event in seen.stream.finish():
        seen.tally.add(event, world.now())
        if world.monotonic() >= enough:
            break
    else:
        return
    seen.stream.skip(_LAST_WORDS)
    for event in seen.stream.finish():
        seen.tally.add(event, world.now())


def record(project: Project, run: Run, attempt: Attempt, world: World) -> None:
    """Put the attempt's end on record, and tell it on the bus."""
    attempt = replace(attempt, ended_at=world.now())
    run = note(project, run.task_id, lambda now: with_attempt(now, attempt), at=world.now())
    is_good = attempt.end is End.STOPPED or attempt.exit_code == 0
    meta = {"end": str(attempt.end), "exit_code": str(attempt.exit_code), "signal": str(attempt.signal)}
    if attempt.cost_usd is not None:
        meta["cost_usd"] = f"{attempt.cost_usd:.4f}"
    words = f"{attempt.agent} {how_it_ended(run, attempt)}"
    post(project, run, "RUN_STOP" if is_good else "RUN_CRASH", words, attempt, meta)


def post(
    project: Project, run: Run, kind: str, words: str, attempt: Attempt, meta: dict[str, str] | None = None
) -> None:
    """Tell it on the bus; one that takes no messages is no reason to leave an agent alone, or its end unrecorded."""
    with suppress(ConductorError):
        project.bus.append(message_of(run, kind, words, {"agent": attempt.agent} | (meta or {}), attempt.run_id))


def _with_code(attempt: Attempt, end: End, code: int | None, before: Before) -> Attempt:
    killed_by = process.signal_name(code) if code is not None else None
    if killed_by is not None and end is End.EXITED:
        end = End.KILLED
    why = None
    if end is End.KILLED and killed_by == "SIGKILL" and before.out_of_memory is not None:
        kills = out_of_memory_kills()
        why = "the system was out of memory" if kills is not None and kills > before.out_of_memory else None
    if end is End.EXITED and code in _NOT_RUN:
        end = End.UNSTARTABLE
    exit_code = code if code is not None and code >= 0 else None
    return replace(attempt, end=end, exit_code=exit_code, signal=killed_by, why=why)


def _judged(project: Project, seen: Seen, attempt: Attempt, folder: Path, world: World) -> Attempt:
    """With what its agent said of why it ended, and what it cost."""
    tally = seen.tally
    attempt = replace(attempt, cost_usd=tally.cost_usd, tokens_in=tally.tokens_in, tokens_out=tally.tokens_out)
    handed_in = has_handed_in(project.runs.get(seen.run.task_id), attempt)
    if handed_in or attempt.end not in (End.EXITED, End.UNSTARTABLE, End.KILLED):
        return attempt
    errors = log_end(folder / "stderr.log")
    limit, until = tally.limit, tally.until
    if limit is None and attempt.exit_code != 0:
        limit, until = limits.told(errors, world.now()) or (None, None)
    complained = logs.masked((tally.error or "").encode("utf-8", "replace")).decode("utf-8", "replace")
    why = attempt.why or complained or (logs.last_line(errors) if attempt.exit_code != 0 else "") or None
    if limit is None:
        return replace(attempt, why=why)
    end = End.REFUSED if limit is Limit.AUTH else End.LIMITED
    return replace(attempt, end=end, why=why, retry_at=until)


def _keep_answer(path: Path, tally: Tally) -> None:
    """`output.md` is what the agent left there, or else made of what it said; either way without secrets."""
    left = b""
    try:
        left = durable.read_regular(path, _ANSWER_BYTES)
    except FileNotFoundError:
        pass
    except (OSError, ConductorError):
        return  # not a file of a size that anybody would read: it stays as it is
    answer = logs.masked(left if left.strip() else tally.answer().encode("utf-8", "replace"))
    if answer.strip() and answer != left:
        with suppress(ConductorError, OSError):
            durable.write_through(path, answer)


def _warn_of_escape(project: Project, run: Run, attempt: Attempt, before: Fingerprint) -> None:
    after = fingerprint(project.git, project.layout, project.repository)
    changed = before.differs(after, _landings(project))
    if changed:
        words = f"ESCAPE: {project.repository} changed while {run.task_id} ran: {', '.join(changed[:20])}"
        project.bus.append(message_of(run, "ERROR", words, {"warning": "ESCAPE"}, attempt.run_id))


def _landings(project: Project) -> dict[str, str]:
    """Target before → what landed there, of every landing on record that has moved its target, or is about to.

    One that did not land, or had landed before, says of the target before it nothing that would explain a move.
    """
    runs = [run for run in project.runs.scan() if isinstance(run, Run)]
    return {
        landing.target_before: landing.merge_commit
        for run in runs
        for landing in run.landings
        if landing.outcome is Outcome.LANDED or landing.phase is Phase.PUBLISH
        if landing.target_before and landing.merge_commit
    }
