"""Setup: the config's commands for a new worktree, run in it before its agent starts.

A file in the worktree's git dir says that they are still to run, for as long as they are. So whoever starts the worker
finds it, whatever was killed before, and a worktree that was taken from the pool, set up, has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conductor_git import brought, durable, journal, process, worktree
from conductor_git.config.duration import format_duration
from conductor_git.environment import inherited
from conductor_git.errors import IllegalTransition, SetupFailed
from conductor_git.include import Included
from conductor_git.masking import secret_values
from conductor_git.outputlog import log_end
from conductor_git.project import Project
from conductor_git.readiness import expects_setup, is_ready
from conductor_git.run import Event, Run, State, utcnow
from conductor_git.runner.environment import worker_environment
from conductor_git.settings import project_config, require_trusted
from conductor_git.transition import message_of, move

if TYPE_CHECKING:  # pydantic; who ends a task looks in here for what is left of its setup, and reads no config
    from conductor_git.config.model import SetupStep

TREE_VARIABLE: Final = "CONDUCTOR_SETUP_TREE"
"""What every process of a setup carries: the path of its worktree."""
_BY: Final = "setup"
_NO_KEYS: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a setup step ended; `exit_code` None means that its time was over, or that we were told to end."""

    name: str
    command: str
    exit_code: int | None
    seconds: float
    log: str

    @property
    def passed(self) -> bool:
        return self.exit_code == 0


@dataclass(frozen=True, slots=True)
class Listener:
    """What a surface wants to hear while a worktree is made ready. Called synchronously; must not raise."""

    included: Callable[[Included], None] = lambda came: None
    began: Callable[[SetupStep, Path], None] = lambda step, log: None
    """A step, and the file that its output goes to."""
    ended: Callable[[StepResult], None] = lambda result: None
    interrupted: Callable[[SetupStep, Run], None] = lambda step, run: None
    """We were, in a step; it is ended, and it and the rest are still to run."""


DEAF: Final = Listener()


def digest(steps: Sequence[SetupStep]) -> str:
    """What a setup is: two worktrees of one commit that had the same one are set up alike."""
    return sha256(repr([(step.name, step.run) for step in steps]).encode("utf-8", "surrogatepass")).hexdigest()


def set_up(
    project: Project, run: Run, *, listener: Listener = DEAF, give_up: Callable[[], bool] = lambda: False
) -> Run:
    """Run the setup steps of the task's worktree, if they are still to run; returns the task.

    One after the other, each with its log, its time limit and the environment of an agent without any provider's key.
    The first that is red raises `SetupFailed`: the task is FAILED then, and its worktree stays. Nothing that a step
    started goes on after it, also where we were killed and this is the next call. Where `give_up` says so, or we are
    interrupted, the rest is still to run. `Untrusted` where nobody has agreed to the steps.
    """
    layout, path = project.layout, Path(run.worktree)
    if not expects_setup(layout, path):
        return run
    config = project_config(project)
    require_trusted(config)
    most = sum(step.timeout_seconds for step in config.setup)
    with durable.lock(layout.setup_lock(run.task_id), seconds=most, purpose="setup"):
        if not expects_setup(layout, path):
            return run  # somebody was faster
        process.end_carrying(TREE_VARIABLE, run.worktree)
        for step in config.setup:
            listener.began(step, _log(project, run, step))
            try:
                result = _result(project, run, step, give_up)
            except KeyboardInterrupt:
                listener.interrupted(step, run)
                raise
            if not result.passed and give_up():
                return run
            listener.ended(result)
            if not result.passed:
                raise _failed(project, run, step, result)
        _over(project, run, path)
    return run


def end_setup(project: Project, run: Run) -> None:
    """End what a setup of the task still has running, also one whose spawn was killed. Call it once the task is over:
    whoever waits for the step finds it red then, and the task where it is."""
    if expects_setup(project.layout, Path(run.worktree)):
        process.end_carrying(TREE_VARIABLE, run.worktree)


def _result(project: Project, run: Run, step: SetupStep, give_up: Callable[[], bool]) -> StepResult:
    log = _log(project, run, step)
    durable.make_directory(log.parent)
    code, seconds = process.run_limited(
        step.run,
        cwd=Path(run.worktree),
        environment=worker_environment(project, run, _NO_KEYS) | {TREE_VARIABLE: run.worktree},
        log=log,
        seconds=step.timeout_seconds,
        secrets=secret_values(inherited()),
        give_up=give_up,
    )
    return StepResult(step.name, step.run, code, round(seconds, 3), str(log))


def _log(project: Project, run: Run, step: SetupStep) -> Path:
    return project.layout.setup_logs(run.task_id) / f"{step.name}.log"


def _over(project: Project, run: Run, path: Path) -> None:
    """What the setup made can be made again; and there is nothing more to run."""
    git_dir = worktree.registered_git_dir(project.layout, path)
    if git_dir is None:
        return  # a step took the worktree away; whoever starts the agent says so
    if run.generation == 1 and not run.attempts:  # later, ignored files can be an agent's
        there = replace(project.git, cwd=path, git_dir=git_dir, work_tree=path)
        brought.remember(git_dir, path, there.run("ls-files", "-zoi", "--exclude-standard").fields)
    is_ready(git_dir)


def _failed(project: Project, run: Run, step: SetupStep, result: StepResult) -> SetupFailed:
    """The task has failed; told with the end of the log."""
    how = f"ended with exit code {result.exit_code}"
    if result.exit_code is None:
        how = f"did not end within {format_duration(step.timeout_seconds)} and was killed"
    end = log_end(Path(result.log))
    last = next((line for line in reversed(end.splitlines()) if line.strip()), "")
    reason = f"the setup step {step.name} {how}" + (f": {last.strip()[:200]}" if last else "")
    with suppress(IllegalTransition), journal.operation(project.layout, run.task_id, "fail"):
        if project.runs.get(run.task_id).state in (State.ASSIGNED, State.WORKING):
            move(
                project,
                run.task_id,
                Event.FAIL,
                at=utcnow(),
                by=_BY,
                note=reason,
                also=lambda now: replace(now, reason=reason),
            )
    state = project.runs.get(run.task_id).state
    is_over = f"is {state} by now" if state is not State.FAILED else "has failed"
    body = f"the setup step {step.name} {how}: {step.run}\n\nits log, {result.log}, ends:\n\n{end}"
    project.bus.append(message_of(run, "ERROR", body, {"event": "setup", "step": step.name}))
    return SetupFailed(
        f"{run.task_id} {is_over}: the setup step {step.name} {how}; its worktree {run.worktree} is kept",
        hint=f"conductor-git retry {run.task_id}  # once {step.name} can pass; its log: {result.log}",
        task_id=run.task_id,
        step=step.name,
        exit_code=result.exit_code,
        log=result.log,
        log_end=end,
        worktree=run.worktree,
    )
