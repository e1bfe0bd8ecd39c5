"""gc: what nobody needs any more is shown, and goes with --yes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from conductor_git.cli.here import here
from conductor_git.cli.options import Json, panel
from conductor_git.cli.output import columns, document, narrate, say
from conductor_git.config.duration import parse_duration
from conductor_git.errors import BadInput
from conductor_git.layout import SALVAGE_REFS
from conductor_git.project import Project
from conductor_git.record import format_time
from conductor_git.run import utcnow
from conductor_git.settings import project_config
from conductor_git.wording import age, counted, size
from conductor_git.workflow.gc import KINDS, Collected, Keep, Plan, collect, plan
from conductor_git.workflow.leftovers.kind import Leftover

app = typer.Typer()


@app.command(rich_help_panel=panel("care"), epilog="Example: conductor-git gc --yes")
def gc(
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this it is only shown.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go, as without any option.")] = False,
    keep: Annotated[
        str | None, typer.Option("--keep", metavar="TIME", help="The retention, such as 30d; by default the config's.")
    ] = None,
    drop_archives: Annotated[
        str | None,
        typer.Option("--drop-archives", metavar="TIME", help="Drop for good what gc archived longer ago than this."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what nobody needs any more, and with --yes remove it: merged branches, old salvages, logs, records."""
    if yes and dry_run:
        raise BadInput("--yes removes and --dry-run does not", hint="conductor-git gc --dry-run")
    project, now = here().project, utcnow()
    wanted = plan(project, keep=_retention(project, keep, drop_archives), now=now)
    done = collect(project, wanted, at=now) if yes else None
    if as_json:
        document(**_document(wanted, done))
        return
    rows = [
        (one.kind, age((now - one.since).total_seconds()), size(one.size) if one.size else "", _brief(one), one.why)
        for one in wanted.leftovers
    ]
    if rows:
        say(columns(("KIND", "AGE", "SIZE", "NAME", "WHY IT MAY GO"), rows))  # whole: the reason is what counts
    else:
        say("there is nothing to remove")
    _tell(wanted, done)
    if rows and done is None:
        options = [*(["--keep", keep] if keep else []), *(["--drop-archives", drop_archives] if drop_archives else [])]
        narrate("↳", " ".join(["conductor-git gc --yes", *options]))


def _brief(one: Leftover) -> str:
    """Its name in one column; the whole of it stands in the document."""
    return one.path.name if one.path is not None else one.name.removeprefix(SALVAGE_REFS)


def _retention(project: Project, keep: str | None, drop_archives: str | None) -> Keep:
    kept = Keep.by(project_config(project)) if keep is None else Keep.all(_seconds("--keep", keep))
    if drop_archives is None:
        return kept
    archives = _seconds("--drop-archives", drop_archives)
    return Keep(kept.salvage, kept.worktrees, kept.records, kept.segments, archives)


def _seconds(option: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as wrong:
        raise BadInput(f"{option} {wrong}", hint=f"conductor-git gc {option} 30d") from wrong


def _tell(wanted: Plan, done: Collected | None) -> None:
    for held in wanted.held:
        narrate("○", f"{held.kind} {held.name} stays: {held.why}")
    for left in done.left if done else ():
        narrate("▲", f"{left.kind} {left.name} stays: {left.why}")
    gone = wanted.leftovers if done is None else done.removed
    if not gone:
        return
    total = sum(one.size for one in gone)
    said = f"{_counts(gone)}: {size(total)}"
    narrate("○" if done is None else "✓", f"would remove {said}" if done is None else f"removed {said}")
    for kind in KINDS:
        back = [one.back for one in gone if one.kind == kind.name and one.back]
        if len(back) == 1:
            narrate("○", f"the {kind.noun} comes back by: {back[0]}")
        elif back:
            narrate("○", f"{counted(len(back), kind.noun)} come back one by one, the first by: {back[0]}")


def _counts(removed: tuple[Leftover, ...]) -> str:
    numbers = ((kind.noun, sum(one.kind == kind.name for one in removed)) for kind in KINDS)
    return ", ".join(counted(number, noun) for noun, number in numbers if number)


def _document(wanted: Plan, done: Collected | None) -> dict[str, Any]:
    removed = done.removed if done else ()
    return {
        "dry_run": done is None,
        "keep_seconds": wanted.keep.document(),
        "bytes": wanted.size,
        "leftovers": [
            {
                "kind": one.kind,
                "name": one.name,
                "task_id": one.task_id,
                "commit": one.commit,
                "since": format_time(one.since),
                "why": one.why,
                "bytes": one.size,
                "back": one.back or None,
                "removed": one in removed,
            }
            for one in wanted.leftovers
        ],
        "held": [{"kind": one.kind, "name": one.name, "why": one.why} for one in wanted.held],
        "left": [{"kind": one.kind, "name": one.name, "why": one.why} for one in (done.left if done else ())],
    }
