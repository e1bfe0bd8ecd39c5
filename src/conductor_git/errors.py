"""Every refusal of the package: one tree, with a stable code and exit code each and its facts as data.

An error says what happened (`message`), carries the facts a script needs (`facts`), and names the next command
to run (`hint`). docs/exit-codes.md lists the exit codes; a test compares it with this module.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ConductorError(Exception):
    """What every surface catches: a refusal with a code, facts and the next command.

    `facts` holds JSON values only and is merged into the `error` document of `--json`.
    """

    code: ClassVar[str] = "REFUSED"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts

    def document(self) -> dict[str, Any]:
        """The `error` object of cli.md: code, message, hint and the facts."""
        return {"code": self.code, "message": self.message, "hint": self.hint, **self.facts}


class BadInput(ConductorError):
    """An argument, id or option that cannot be what was meant; nothing was looked at yet."""

    code, exit_code = "BAD_INPUT", 2


class BadTaskId(BadInput):
    code = "BAD_TASK_ID"


class NotARepository(ConductorError):
    """No git repository where one is needed, or one of a kind that cannot carry workers."""

    code = "NOT_A_REPOSITORY"


class UnbornRepository(ConductorError):
    """The repository has no commit, so a worker would have nothing to start from."""

    code = "UNBORN_REPOSITORY"


class GitTooOld(ConductorError):
    code = "GIT_TOO_OLD"


class GitFailed(ConductorError):
    """A git command ended in a way that its caller had no answer for."""

    code = "GIT_FAILED"


class GitKilled(GitFailed):
    """A git process of ours was ended by a signal, so what it was at may be half done and its locks still lie there.

    Nobody undoes that on the spot: the intent stays in the journal, and the next command mends it as after a kill of
    our own.
    """

    code = "GIT_KILLED"


class StateUnwritable(ConductorError):
    """The state directory refused a write: read-only, no space, no permission."""

    code = "STATE_UNWRITABLE"


class Unfinished(StateUnwritable):
    """What was asked for is done and on record, and what follows from it could not be written.

    The intent of the operation stays in the journal, so the next command that can write finishes it.
    """


class BadRecord(ConductorError):
    """A run-info.yaml or review that cannot be read; names file, line and column, breaks no other task."""

    code = "BAD_RECORD"


class BadConfig(ConductorError):
    code = "BAD_CONFIG"


class BadPlan(ConductorError):
    """A plan that cannot be run as it is written. Facts: `problems`, all that were found, with line and key."""

    code = "BAD_PLAN"


class PlanRunning(ConductorError):
    """Somebody runs the plan already. Facts: `plan`, `holder`."""

    code = "PLAN_RUNNING"


class Untrusted(ConductorError):
    """Commands of the project's config were not yet agreed to on this machine."""

    code = "UNTRUSTED_COMMANDS"


class BadContext(ConductorError):
    """A `.worker-ctx.json` that cannot be read, or that belongs to another worktree."""

    code = "BAD_CONTEXT"


class NoContext(ConductorError):
    """Nothing here says which worker this is; the message names the places looked at."""

    code = "NO_CONTEXT"


class TaskExists(ConductorError):
    code = "TASK_EXISTS"


class BranchExists(ConductorError):
    code = "BRANCH_EXISTS"


class PathExists(ConductorError):
    """The worktree's path is taken by something that this spawn did not make."""

    code = "PATH_EXISTS"


class InTheWay(ConductorError):
    """A restore would overwrite what is there. Facts: `path`, `files`, and `branch` and `commit` where it moved."""

    code = "IN_THE_WAY"


class BaseNotFound(ConductorError):
    code, exit_code = "BASE_NOT_FOUND", 18


class UnsafePath(ConductorError):
    """A path that conductor-git must not remove or write: outside its root, a link, the main checkout."""

    code = "UNSAFE_PATH"


class FamilyLimit(ConductorError):
    """A worker may not spawn this sub-task. Facts: `parent_task_id`, and `limit`, the key that says so."""

    code = "FAMILY_LIMIT"


class TaskEnded(ConductorError):
    """A task that was waited for has ended without getting there. Facts: `ended`, `missing`."""

    code = "TASK_ENDED"


class SelfReview(ConductorError):
    code = "SELF_REVIEW"


class WrongWorker(ConductorError):
    """A worker speaks for its own task and its sub-tasks, and hands in, ends or fails nobody else's."""

    code = "WRONG_WORKER"


class WrongReviewer(ConductorError):
    """A verdict under a name that is another's, or of a reviewer's task on what it was not spawned for."""

    code = "WRONG_REVIEWER"


class StaleGeneration(ConductorError):
    """The command comes from a worker whose task was retried since."""

    code = "STALE_GENERATION"


class WorktreeBusy(ConductorError):
    """A rebase, merge or the like is under way in the worktree, or its HEAD is not on its branch."""

    code = "WORKTREE_BUSY"


class RepositoryMoved(ConductorError):
    """The repository lies elsewhere than where its worktrees were made: moved, renamed, or a copy."""

    code = "REPOSITORY_MOVED"


class HookRefused(ConductorError):
    """A hook of the project refused the commit of `done --wip`."""

    code = "HOOK_REFUSED"


class OwnFiles(ConductorError):
    """A landing would bring a file of conductor-git itself into the project."""

    code = "OWN_FILES"


class NeedsUnmet(ConductorError):
    """A task cannot land before the tasks that it needs. Facts: `needs`, those that have not landed."""

    code = "NEEDS_UNMET"


class NothingToUndo(ConductorError):
    """The task's landing brought nothing of its own to the target, so there is nothing to take back."""

    code = "NOTHING_TO_UNDO"


class HookChanged(ConductorError):
    """A hook file is not as conductor-git left it, so it is neither replaced nor removed. Facts: `files`."""

    code = "HOOK_CHANGED"


class ConfigChanged(ConductorError):
    """A key of the shared git config that can run a program changed since a person agreed to it."""

    code = "GIT_CONFIG_CHANGED"


class BusDamaged(ConductorError):
    """The bus is not a plain file, or an earlier flush failed and `doctor` has not looked since."""

    code = "BUS_DAMAGED"


class BusMoved(ConductorError):
    """Somebody moved the bus to another backend. Facts: `url`, where it goes on."""

    code = "BUS_MOVED"


class TooLarge(ConductorError):
    code = "TOO_LARGE"


class UnknownCursor(ConductorError):
    code, exit_code = "UNKNOWN_CURSOR", 18


class DirtyWorktree(ConductorError):
    """Going on would leave work behind that no commit holds. Facts: `files`."""

    code, exit_code = "DIRTY_WORKTREE", 10


class NothingToReview(ConductorError):
    code, exit_code = "NOTHING_TO_REVIEW", 11


class IllegalTransition(ConductorError):
    """The state does not allow the event. Facts: `state`, `event`."""

    code, exit_code = "ILLEGAL_TRANSITION", 12


class Conflict(ConductorError):
    """The merge of target and approved commit conflicts. Facts: `files`."""

    code, exit_code = "CONFLICT", 13


class GateFailed(ConductorError):
    code, exit_code = "GATE_FAILED", 14


class Blocked(ConductorError):
    """A checkout of the target has changes that the landing would overwrite. Facts: `files`."""

    code, exit_code = "BLOCKED", 15


class Superseded(ConductorError):
    """The branch is not at the approved commit any more. Facts: `approved_commit`, `head_commit`."""

    code, exit_code = "SUPERSEDED", 16


class LockTimeout(ConductorError):
    """A lock was not to be had in time. Facts: `path`, `seconds`, `holder`."""

    code, exit_code = "LOCK_TIMEOUT", 17


class WaitTimeout(ConductorError):
    """Tasks that were waited for are not there yet. Facts: `missing`, with the state of each, and `seconds`."""

    code, exit_code = "WAIT_TIMEOUT", 17


class NotFound(ConductorError):
    code, exit_code = "NOT_FOUND", 18


class AgentFailed(ConductorError):
    """The agent's command could not be started, or ended badly."""

    code, exit_code = "AGENT_FAILED", 19


class SetupFailed(ConductorError):
    """A setup step of a new worktree was red. Facts: `task_id`, `step`, `exit_code`, `log`, `log_end`."""

    code, exit_code = "SETUP_FAILED", 19


class PushRejected(ConductorError):
    code, exit_code = "PUSH_REJECTED", 20


class StaleRevision(ConductorError):
    """What was to be changed has changed since it was read. Facts: `expected`, `revision`."""

    code = "STALE_REVISION"


class DemoFailed(ConductorError):
    """Something in `demo` was not as it was told. Facts: `checks`, or what the command that failed had to say."""

    code = "DEMO_FAILED"


class PortsTaken(ConductorError):
    """No worker's share of ports is free. Facts: `base`, `per_worker`."""

    code = "PORTS_TAKEN"


class ExtraMissing(ConductorError):
    """The command needs packages that were not installed. Facts: `extra`, `missing`."""

    code = "EXTRA_MISSING"
