"""restore: what a removal has kept comes back."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from conductor_git.cli.documents import task_document
from conductor_git.cli.here import here
from conductor_git.cli.options import Json, panel
from conductor_git.cli.output import answer, document, narrate, say, table
from conductor_git.errors import BadInput
from conductor_git.names import parse_task_id, readable, short
from conductor_git.record import format_time
from conductor_git.run import State, utcnow
from conductor_git.salvage.kept import quoted
from conductor_git.store.archived import Archived, archived
from conductor_git.wording import age, counted
from conductor_git.workflow.restore import Restored
from conductor_git.workflow.restore import restore as bring_back
from conductor_git.workflow.restoring.lost import Kept, Lost, Removed, lost

app = typer.Typer()

_SHOWN = 20


@app.command(rich_help_panel=panel("care"), epilog="Example: conductor-git restore fix-login --into ../fix-login-again")
def restore(
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="The task; without one, what there is.", show_default=False)
    ] = None,
    salvage: Annotated[
        str | None, typer.Option("--salvage", metavar="REF|TIME", help="Which salvage, if not the newest that fits.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="DIR", help="Restore into a new, plain worktree.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be made.")] = False,
    as_json: Json = False,
) -> None:
    """Bring back a removed worker with its uncommitted work; without TASK, list what can be brought back."""
    place = here()
    if task is None:
        if salvage is not None or into is not None:
            raise BadInput("of which TASK? without one, `restore` lists what there is", hint="conductor-git restore")
        _list(lost(place.project), archived(place.project.layout), as_json)
        return
    target = None if into is None else Path.cwd() / into
    restored = bring_back(place.project, parse_task_id(task), at=utcnow(), wanted=salvage, into=target, dry_run=dry_run)
    if as_json:
        document(dry_run=dry_run, restored=_restored_document(restored), task=task_document(restored.run))
    else:
        _tell(restored)


def _list(found: Lost, records: tuple[Archived, ...], as_json: bool) -> None:
    if as_json:
        document(
            salvage=[_kept_document(kept) for kept in found.kept],
            removed=[_removed_document(one) for one in found.removed],
            archived=[{"task_id": one.task_id, "path": str(one.path), "back": one.back} for one in records],
        )
        return
    if not found.kept and not found.removed:
        say("there is nothing to bring back")
    else:
        _table(found)
    if records:
        narrate("○", f"{counted(len(records), 'record')} in the archive; the newest of them comes back by:")
        narrate("↳", max(records, key=lambda one: one.path.stat().st_mtime).back)


def _table(found: Lost) -> None:
    now = utcnow()
    rows = [_kept_row(kept, age((now - kept.salvaged.at).total_seconds())) for kept in found.kept]
    rows += [_removed_row(one, age((now - one.run.updated_at).total_seconds())) for one in found.removed]
    print(table(("TASK", "AGE", "WHAT", "SALVAGE", "COMMIT", "WHY"), rows, sys.stdout))
    narrate("↳", f"conductor-git restore {(found.kept[-1].salvaged if found.kept else found.removed[0].run).task_id}")


def _kept_row(kept: Kept, how_old: str) -> tuple[str, ...]:
    one = kept.salvaged
    what = "commits" if one.note is None else counted(kept.files, "file")
    if one.note and one.note.left_out:
        what += f", {len(one.note.left_out)} too large"
    why = one.note.why if one.note else "commits that a branch was about to leave"
    return one.task_id, how_old, what, one.time, short(one.commit), why


def _removed_row(one: Removed, how_old: str) -> tuple[str, ...]:
    return one.run.task_id, how_old, "worker", "", short(one.commit), f"{one.run.state}: {_gone(one)}"


def _gone(one: Removed) -> str:
    if one.commit is None:
        return "worktree and branch are gone, and so are its commits"
    gone = [what for what, there in (("worktree", one.has_worktree), ("branch", one.has_branch)) if not there]
    return f"{' and '.join(gone)} {'are' if len(gone) > 1 else 'is'} gone"


def _kept_document(kept: Kept) -> dict[str, Any]:
    one = kept.salvaged
    return {
        "task_id": one.task_id,
        "ref": one.ref,
        "time": one.time,
        "at": format_time(one.at),
        "commit": one.commit,
        "head_commit": one.head,
        "head": (one.note.head or None) if one.note else None,
        "kind": "commits" if one.note is None else "files",
        "why": (one.note.why or None) if one.note else None,
        "is_rest": one.note is not None and one.note.is_rest,
        "under_way": (one.note.under_way or None) if one.note else None,
        "files": kept.files,
        "left_out": list(map(readable, one.note.left_out)) if one.note else [],
    }


def _removed_document(one: Removed) -> dict[str, Any]:
    return {
        "task_id": one.run.task_id,
        "state": str(one.run.state),
        "branch": one.run.branch,
        "has_branch": one.has_branch,
        "worktree": one.run.worktree,
        "has_worktree": one.has_worktree,
        "commit": one.commit,
        "source": one.source or None,
    }


def _restored_document(restored: Restored) -> dict[str, Any]:
    plan = restored.plan
    return {
        "path": str(plan.path),
        "commit": plan.commit,
        "branch": plan.branch.removeprefix("refs/heads/") or None,
        "makes_branch": plan.makes_branch.removeprefix("refs/heads/") or None,
        "is_task": plan.is_task,
        "salvage": plan.salvage.ref if plan.salvage else None,
        "files": restored.files,
        "left_out": list(map(readable, _left_out(restored))),
        "other_salvages": plan.others,
    }


def _left_out(restored: Restored) -> tuple[str, ...]:
    salvage = restored.plan.salvage
    return salvage.note.left_out if salvage and salvage.note else ()


def _tell(restored: Restored) -> None:
    plan, run = restored.plan, restored.run
    at = f"{plan.branch.removeprefix('refs/heads/') or 'a detached HEAD'} at {short(plan.commit)}"
    if restored.files is None:
        say(f"would bring back {run.task_id} in {plan.path}, on {at}")
    else:
        answer(str(plan.path))
        narrate("✓", f"{run.task_id} is back in {plan.path}, on {at}")
    if plan.salvage is not None:
        files = "" if restored.files is None else f"{counted(restored.files, 'file')} of "
        narrate("○", f"{files}{plan.salvage.ref}")
    for path in _left_out(restored)[:_SHOWN]:
        narrate("▲", f"too large to have been kept: {quoted(path)}")
    if len(_left_out(restored)) > _SHOWN:
        narrate("▲", f"and {len(_left_out(restored)) - _SHOWN} more")
    if plan.salvage is not None and plan.salvage.note is not None and plan.salvage.note.under_way:
        narrate("▲", f"{plan.salvage.note.under_way} was under way there: look before you go on")
    if plan.others:
        narrate("○", f"{counted(plan.others, 'other salvage')} of {run.task_id}: conductor-git restore")
    if restored.files is not None:
        narrate("↳", _next(restored))


def _next(restored: Restored) -> str:
    path = shlex.quote(str(restored.plan.path))
    if restored.plan.is_task and restored.run.state in (State.FAILED, State.CANCELLED):
        return f"conductor-git retry {restored.run.task_id}"
    return f"git -C {path} status"
