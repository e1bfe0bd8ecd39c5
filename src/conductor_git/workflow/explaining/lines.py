"""Lines that say the same in every state: how a log ends, what lies ahead of a branch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conductor_git.names import short
from conductor_git.wording import counted, listed
from conductor_git.workflow.explaining.facts import Facts, LogEnd


def within_files(files: Sequence[str]) -> str:
    return f" in {listed(files)}" if files else ""


def ending(log: LogEnd | None) -> Iterator[str]:
    """Where a log is, and how it ends."""
    if log is not None and log.text.strip():
        yield f"its log ends, in {log.path}:\n{log.text.rstrip()}"
    elif log is not None:
        yield f"nothing can be read in its log {log.path}"


def foresight(facts: Facts) -> Iterator[str]:
    """What a branch would run into if it landed now, and how far its target has gone on."""
    run = facts.run
    if facts.target_tip is None:
        yield f"its target {run.target} does not exist any more"
    elif facts.behind:
        yield f"{run.target} has {counted(facts.behind, 'commit')} that its branch has not"
    if facts.target_files:
        yield f"its branch would conflict with {run.target}{within_files(facts.target_files)}"
    for met in facts.collides:
        yield f"it collides with {met.other}{within_files(met.files)}"
    for need in facts.needs:
        yield f"it needs {need.task_id}, which is {need.standing}"


def moved(facts: Facts) -> Iterator[str]:
    """That the branch is not at the commit that was handed in."""
    run = facts.run
    if facts.tip is None:
        yield f"its branch {run.branch} is gone; it was at {short(run.head_commit)}"
    elif facts.tip != run.head_commit:
        yield f"its branch is at {short(facts.tip)} now, and no word on {short(run.head_commit)} counts for that"
