"""The gates of a target on a stack of landings: run on its top, told as they end, and what a red one means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conductor_git.errors import GateFailed
from conductor_git.landing import gates
from conductor_git.landing.gates import Case, Judged
from conductor_git.names import CommitId
from conductor_git.outputlog import log_end
from conductor_git.run import GateResult, Outcome, Run
from conductor_git.settings import require_trusted
from conductor_git.transition import message_of
from conductor_git.workflow.landing.ground import Ground
from conductor_git.workflow.landing.wish import Terms


def judged(terms: Terms, found: Ground, commit: CommitId, runs: Sequence[Run]) -> Judged:
    """Run the gates that the target's config names on `commit`, which brings `runs`, until one is red.

    Where it names none nothing is read: the verdict has no tree and no results, and has passed. `Untrusted` where
    nobody on this machine has agreed to them, unless the wish is to agree now.
    """
    if not found.config.gates:
        return Judged(commit, "", ())
    require_trusted(found.config, agree=terms.wish.trust)
    tasks = tuple(run.task_id for run in runs)

    def tell(result: GateResult) -> None:
        word = "passed" if result.passed else "failed"
        meta = {"gate": result.name, "exit_code": str(result.exit_code), "seconds": str(result.seconds)}
        together = {"tasks": " ".join(tasks)} if len(tasks) > 1 else {}
        terms.project.bus.append(message_of(runs[-1], "GATE", f"gate {result.name} {word}", meta | together))
        terms.listener.gate(result, tasks)

    case = Case(found.target, commit, tasks, found.tip)
    return gates.judge(found.looking, terms.project.layout, found.config.gates, case, tell, terms.listener.gating)


def require_green(terms: Terms, found: Ground, commit: CommitId, run: Run) -> Judged:
    """What the gates said of `commit`; `GateFailed` about `run` where one is red."""
    verdict = judged(terms, found, commit, [run])
    if not verdict.passed:
        raise gate_failed(run, verdict)
    return verdict


def why_red(verdict: Judged) -> str:
    failed = verdict.failed
    assert failed is not None
    how = "ran into its time limit" if failed.exit_code is None else f"failed with exit code {failed.exit_code}"
    return f"gate {failed.name} {how} on the merged tree: {failed.command}"


def gate_failed(run: Run, verdict: Judged) -> GateFailed:
    failed = verdict.failed
    assert failed is not None
    return GateFailed(
        why_red(verdict),
        hint=f"conductor-git show {run.task_id}",
        task_id=run.task_id,
        outcome=str(Outcome.GATE_FAILED),
        gate=failed.name,
        gate_exit_code=failed.exit_code,
        log=failed.log,
        log_end=log_end(Path(failed.log)),
    )
