"""merge: landing, told while it is on its way."""

from __future__ import annotations

from typing import Annotated

import typer

from conductor_git.cli.documents import task_document
from conductor_git.cli.here import here
from conductor_git.cli.options import Json, Task, panel
from conductor_git.cli.output import answer, counted, document, narrate, say, took
from conductor_git.errors import PushRejected
from conductor_git.names import short
from conductor_git.run import GateResult, Outcome, Run, Strategy, utcnow
from conductor_git.workflow.land import Landed, Listener, Wish, land
from conductor_git.workflow.landing.cleanup import Fate

app = typer.Typer()


@app.command(rich_help_panel=panel("review"), epilog="Example: conductor-git merge fix-login --strategy squash")
def merge(
    task: Task,
    strategy: Annotated[
        Strategy | None, typer.Option(metavar="merge|squash|rebase", help="By default what the config says.")
    ] = None,
    no_cleanup: Annotated[bool, typer.Option("--no-cleanup", help="Leave the worktree and the branch.")] = False,
    wait: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for the target.")] = 600,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell whether and what it would land.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Agree to run the gates of the target's config.")] = False,
    as_json: Json = False,
) -> None:
    """Land an approved task on its target: merged in memory, gated as merged, published by compare-and-swap."""

    place = here()
    wish = Wish(strategy=strategy, cleanup=not no_cleanup, wait_seconds=wait, dry_run=dry_run, trust=trust)
    listener = Listener(waiting=_waiting, gate=_gate)
    landed = land(place.project, place.task(task), by=place.actor, at=utcnow, wish=wish, listener=listener)
    _answer(landed, dry_run, as_json)


def _answer(landed: Landed, dry_run: bool, as_json: bool) -> None:
    run = landed.run
    if landed.push_error:
        raise PushRejected(
            f"{run.task_id} is on {run.target}, and the push was refused: {landed.push_error}",
            hint=f"git fetch && git push  # from {run.target}",
            task_id=run.task_id,
            outcome=str(Outcome.PUSH_REJECTED),
            merge_commit=run.merge_commit,
        )
    if as_json:
        document(
            outcome=str(landed.outcome),
            dry_run=dry_run,
            files=list(landed.paths),
            cleanup=None if landed.fate is None else _fate_document(landed.fate),
            task=task_document(run),
        )
        return
    if dry_run:
        say(f"{run.task_id} would land on {run.target} with {counted(len(landed.paths), 'changed file')}")
        return
    answer(run.merge_commit or "")
    before = "was already" if landed.outcome is Outcome.ALREADY_LANDED else "is"
    narrate("✓", f"{run.task_id} {before} on {run.target} as {short(run.merge_commit)}")
    if landed.fate is not None:
        _tell_fate(run, landed.fate)


def _fate_document(fate: Fate) -> dict[str, bool | str | None]:
    return {
        "worktree_removed": fate.worktree_removed,
        "branch_deleted": fate.branch_deleted,
        "salvage": (fate.salvage.ref if fate.salvage else "") or fate.kept_commits or None,
        "kept_because": fate.kept_because or None,
    }


def _tell_fate(run: Run, fate: Fate) -> None:
    worktree = "is removed" if fate.worktree_removed else f"stays at {run.worktree}"
    branch = "is deleted" if fate.branch_deleted else f"stays ({run.branch})"
    narrate("○", f"the worktree {worktree}, the branch {branch}")
    if fate.salvage is not None and fate.salvage.ref:
        narrate("○", f"what was uncommitted is kept in {fate.salvage.ref}")
    if fate.kept_commits:
        narrate("○", f"the commits as they were reviewed are kept in {fate.kept_commits}")
    if fate.kept_because:
        narrate("▲", fate.kept_because)


def _waiting(ahead: str, count: int) -> None:
    narrate("◎", f"waiting for the landing of {ahead}" + (f" and {count - 1} more" if count > 1 else ""))


def _gate(result: GateResult) -> None:
    narrate("✓" if result.passed else "✗", f"gate {result.name} ({took(result.seconds)})")
