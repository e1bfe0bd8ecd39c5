"""doctor: what is not as it should be, what is at stake, and what mends it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from conductor_git.cli import sigterm
from conductor_git.cli.here import context_here
from conductor_git.cli.options import Json, panel
from conductor_git.cli.output import document, narrate, say
from conductor_git.errors import BadContext
from conductor_git.project import Project, open_project, project_at
from conductor_git.run import utcnow
from conductor_git.wording import counted
from conductor_git.workflow.diagnosing.finding import Finding
from conductor_git.workflow.doctor import Mended, Treatment, diagnose, is_well, mend

app = typer.Typer()

FOUND: Final = 21
"""The exit code where something is wrong that was not mended."""


@app.command(rich_help_panel=panel("care"), epilog="Example: conductor-git doctor --fix")
def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended without losing anything.")] = False,
    as_json: Json = False,
) -> None:
    """Compare records, bus, git, disk, processes and config, and tell what is wrong; exit code 21 if anything is."""
    sigterm.obey()
    project, now = _project_here(), utcnow()
    treated = mend(project, now=now) if fix else Treatment((), diagnose(project, now=now))
    well = is_well(treated.left)
    if as_json:
        findings, mended = list(map(_document, treated.left)), list(map(_mended_document, treated.mended))
        document(healthy=well, findings=findings, mended=mended)
    else:
        _tell(treated, fix=fix)
    if not well:
        raise typer.Exit(FOUND)


def _project_here() -> Project:
    """As other commands open it, and nothing is mended by the way: that is what this one tells of."""
    try:
        found = context_here()
    except BadContext as bad:
        narrate("▲", bad.message)
        found = None
    return open_project(Path.cwd()) if found is None else project_at(found.state_dir.parent, found.repository)


def _tell(treated: Treatment, *, fix: bool) -> None:
    for one in treated.mended:
        _tell_mended(one)
    for finding in treated.left:
        say(f"{finding.code}  {finding.sentence}")
        narrate("○" if finding.is_note else "▲", f"at stake: {finding.stake}")
        narrate("↳", _way_out(finding, fix=fix))
    if not treated.left:
        say("nothing is wrong" if not treated.mended else "nothing is wrong any more")
        return
    notes = sum(one.is_note for one in treated.left)
    wrong = len(treated.left) - notes
    told = [counted(wrong, "finding")] if wrong else []
    narrate("▲" if wrong else "○", ", ".join([*told, *([counted(notes, "note")] if notes else [])]))


def _tell_mended(one: Mended) -> None:
    if one.refused:
        narrate("▲", f"{one.finding.code}: {one.finding.sentence}; this could not be mended: {one.refused}")
    elif one.done:
        narrate("✓", f"{one.finding.code}: {one.done}")


def _way_out(finding: Finding, *, fix: bool) -> str:
    return "conductor-git doctor --fix" if finding.is_mendable and not fix else finding.command


def _document(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "subject": finding.subject,
        "task_id": finding.task_id,
        "message": finding.sentence,
        "stake": finding.stake,
        "note": finding.is_note,
        "mendable": finding.is_mendable,
        "command": finding.command,
    }


def _mended_document(one: Mended) -> dict[str, Any]:
    return {**_document(one.finding), "done": one.done or None, "refused": one.refused or None}
