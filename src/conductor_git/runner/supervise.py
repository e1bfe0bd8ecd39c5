"""The supervisor: launches one attempt, keeps the heartbeat, and records how it ended, whatever happens to it.

Run as `python -m conductor_git.runner.supervise COMMON_DIR REPOSITORY TASK`, in a session of its own.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final

from conductor_git import durable, journal, process
from conductor_git.errors import AgentFailed, ConductorError, IllegalTransition
from conductor_git.escape import Fingerprint, fingerprint
from conductor_git.heartbeat import touch
from conductor_git.names import RunId, TaskId, parse_task_id
from conductor_git.processtable import identify
from conductor_git.project import Project, project_at
from conductor_git.run import Attempt, Event, Run, State, utcnow
from conductor_git.runner.environment import agent_environment
from conductor_git.runner.prompt import attempt_prompt
from conductor_git.runner.stop import GRACE_SECONDS, with_attempt
from conductor_git.transition import message_of, move, note

BEAT_SECONDS: Final = 5.0
_SUPERVISOR: Final = "supervisor"
_ENDING_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(Exception):
    """A signal asked us to end; raised in the main thread wherever it is."""


def main(arguments: list[str]) -> int:
    common_dir, repository, task = arguments
    project = project_at(Path(common_dir), Path(repository))
    # Held back until the attempt is on record and its end is seen to, so that no signal falls between the two.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    for number in _ENDING_SIGNALS:
        signal.signal(number, _stop)
    supervise(project, parse_task_id(task))
    return 0


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature is signal's
    raise Stopped(signal.Signals(number).name)


def supervise(project: Project, task_id: TaskId) -> None:
    """One attempt from launch to recorded end. Only a kill of this very process leaves the end to `recover`."""
    run = _take_up(project, task_id)
    attempt = _first_entry(project, run)
    with _shielded_end(project, run, attempt) as ending:
        ending.child = _launched(project, run, attempt)
        attempt = _with_process(attempt, ending.child)
        ending.attempt = attempt
        note(project, task_id, lambda now: with_attempt(now, attempt), at=utcnow())
        _post(project, run, "RUN_START", f"{attempt.agent} started: {' '.join(run.command)}", attempt)
        with _beating(project, task_id):
            ending.child.wait()


def _take_up(project: Project, task_id: TaskId) -> Run:
    run = project.runs.get(task_id)
    if run.state is not State.ASSIGNED:
        return run
    with journal.operation(project.layout, task_id, "start"):
        return move(project, task_id, Event.START, at=utcnow(), by=_SUPERVISOR)


def _first_entry(project: Project, run: Run) -> Attempt:
    now = utcnow()
    run_id = RunId(f"{now.strftime('%Y%m%d-%H%M%S%f')}-{os.getpid()}-{len(run.attempts) + 1}")
    attempt = Attempt(
        run_id=run_id,
        agent=run.agent or "command",
        pid=None,
        pid_started=None,
        pgid=None,
        started_at=now,
        supervisor=identify(os.getpid()),
    )
    note(project, run.task_id, lambda current: with_attempt(current, attempt), at=now)
    return attempt


def _launched(project: Project, run: Run, attempt: Attempt) -> process.Child:
    folder = project.layout.attempt(run.task_id, attempt.run_id)
    durable.make_directory(folder)
    prompt = folder / "prompt.md"
    durable.write_through(prompt, attempt_prompt(project, run))
    return process.launch(
        run.command,
        cwd=Path(run.worktree),
        environment=agent_environment(project, run, attempt.run_id),
        stdout=folder / "stdout.log",
        stderr=folder / "stderr.log",
        stdin=prompt,
    )


def _with_process(attempt: Attempt, child: process.Child) -> Attempt:
    identity = identify(child.pid)
    started = identity.started if identity else None
    return replace(attempt, pid=child.pid, pid_started=started, pgid=child.pid)


class _Ending:
    """What is known of the attempt when it ends."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.child: process.Child | None = None


@contextmanager
def _shielded_end(project: Project, run: Run, attempt: Attempt) -> Iterator[_Ending]:
    """However the block ends, no process of the attempt is left and its end is on record."""
    before = fingerprint(project.git, project.layout, project.repository)
    ending, end = _Ending(attempt), "exited"
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING_SIGNALS)
        yield ending
    except Stopped:
        end = "stopped"
    except AgentFailed as unstartable:
        end = "unstartable"
        _post(project, run, "ERROR", unstartable.message, attempt)
    _ignore_signals()
    _settle(project, run, ending, end, before)


def _ignore_signals() -> None:
    for number in _ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _settle(project: Project, run: Run, ending: _Ending, end: str, before: Fingerprint) -> None:
    child, attempt = ending.child, ending.attempt
    if child is not None:
        process.end_group(child.pid, attempt.run_id, grace=GRACE_SECONDS, leader=attempt.process)
        code = child.wait()
        killed_by = process.signal_name(code)
        end = end if end == "stopped" or killed_by is None else "killed"
        attempt = replace(attempt, exit_code=code if code >= 0 else None, signal=killed_by)
    attempt = replace(attempt, ended_at=utcnow(), end=end)
    with suppress(ConductorError):  # the end is recorded, also where the checkout cannot be looked at
        _warn_of_escape(project, run, attempt, before)
    run = note(project, run.task_id, lambda now: with_attempt(now, attempt), at=utcnow())
    good = end == "stopped" or attempt.exit_code == 0
    _post(project, run, "RUN_STOP" if good else "RUN_CRASH", _how(attempt), attempt)
    if not good:
        _fail(project, run, attempt)


def _how(attempt: Attempt) -> str:
    how = f"signal {attempt.signal}" if attempt.signal else f"exit code {attempt.exit_code}"
    return f"{attempt.agent} was stopped" if attempt.end == "stopped" else f"{attempt.agent} ended with {how}"


def _fail(project: Project, run: Run, attempt: Attempt) -> None:
    """An agent that ended badly before it handed anything in fails its task; after `done` its end changes nothing."""
    if run.state not in (State.ASSIGNED, State.WORKING):
        return
    why = f"the agent could not be started: {run.command[0]}" if attempt.end == "unstartable" else _how(attempt)
    try:
        with journal.operation(project.layout, run.task_id, "fail"):
            move(
                project,
                run.task_id,
                Event.FAIL,
                at=utcnow(),
                by=_SUPERVISOR,
                note=why,
                also=lambda now: replace(now, reason=why),
            )
    except IllegalTransition:
        return  # it was cancelled or finished meanwhile, and that stands


def _warn_of_escape(project: Project, run: Run, attempt: Attempt, before: Fingerprint) -> None:
    after = fingerprint(project.git, project.layout, project.repository)
    changed = before.differs(after, _landings(project))
    if changed:
        words = f"ESCAPE: {project.repository} changed while {run.task_id} ran: {', '.join(changed[:20])}"
        message = message_of(run, "ERROR", words, {"warning": "ESCAPE"}, attempt.run_id)
        project.bus.append(message)


def _landings(project: Project) -> dict[str, str]:
    """Target before → what landed there, of every landing on record."""
    runs = [run for run in project.runs.scan() if isinstance(run, Run)]
    landings = (landing for run in runs for landing in (run.landing, run.undo, run.join))
    return {
        landing.target_before: landing.merge_commit
        for landing in landings
        if landing and landing.target_before and landing.merge_commit
    }


def _post(project: Project, run: Run, kind: str, words: str, attempt: Attempt) -> None:
    meta = {"agent": attempt.agent}
    if attempt.ended_at is not None:
        meta |= {"end": attempt.end or "", "exit_code": str(attempt.exit_code), "signal": str(attempt.signal)}
    project.bus.append(message_of(run, kind, words, meta, attempt.run_id))


@contextmanager
def _beating(project: Project, task_id: TaskId) -> Iterator[None]:
    """Touch the heartbeat now and every `BEAT_SECONDS` until the block ends, from a thread of its own."""
    done = threading.Event()

    def beat() -> None:
        while True:
            touch(project.layout, task_id)
            if done.wait(BEAT_SECONDS):
                return

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ConductorError as refused:
        sys.exit(f"{refused.code}: {refused.message}")
