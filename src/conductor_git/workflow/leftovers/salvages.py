"""Salvage refs over their retention."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from shlex import quote
from typing import Final

from conductor_git import durable
from conductor_git.errors import BadRecord, GitFailed, GitKilled
from conductor_git.history import tip_of
from conductor_git.layout import SALVAGE_REFS
from conductor_git.names import CommitId, TaskId, short
from conductor_git.project import Project
from conductor_git.run import Run, State
from conductor_git.salvage.kept import Salvaged, salvaged
from conductor_git.workflow.leftovers.kind import IN_USE, Found, Held, Kind, Leftover, Since

NAME: Final = "salvage"


def _find(project: Project, since: Since) -> Found:
    """Those older than the retention, without those that alone hold a commit that a record still needs."""
    old = [one for one in salvaged(project.git) if one.at < since.before]
    reasons = dict(_needed(project, old)) if old else {}
    return Found(
        tuple(_leftover(project, one) for one in old if one.ref not in reasons),
        tuple(Held(NAME, one.ref, reasons[one.ref]) for one in old if one.ref in reasons),
    )


def _leftover(project: Project, one: Salvaged) -> Leftover:
    why = "older than the retention, and no record needs what it alone holds"
    size, back = _alone(project, one), f"git update-ref {quote(one.ref)} {one.commit}"
    return Leftover(NAME, one.ref, why, one.at, commit=one.commit, task_id=one.task_id, size=size, back=back)


def _alone(project: Project, one: Salvaged) -> int:
    """The bytes of the store that no other ref but salvages holds; git itself frees them, in a later `git gc`."""
    others = ("--not", f"--exclude={SALVAGE_REFS}*", "--all")
    return int(project.git.run("rev-list", "--disk-usage", "--objects", one.commit, *others).text or 0)


def _needed(project: Project, old: Sequence[Salvaged]) -> Iterator[tuple[str, str]]:
    """Ref and reason of those that have to stay."""
    refs = {one.ref for one in old}
    for run in project.runs.scan():
        if isinstance(run, BadRecord):
            task_id = run.facts.get("task_id")
            yield from ((one.ref, "the record of its task cannot be read") for one in old if one.task_id == task_id)
        elif run.state is not State.COMPLETED:
            for commit in _commits(run):
                holders = _holders(project, commit)
                if holders and holders <= refs:
                    yield from ((ref, f"it alone holds {short(commit)} of {run.task_id}") for ref in holders)


def _commits(run: Run) -> set[CommitId]:
    """What a task that can still land, or be tried again, may be asked for."""
    return {commit for commit in (run.head_commit, run.approved_commit, run.base_commit) if commit}


def _holders(project: Project, commit: CommitId) -> set[str]:
    # 129: the commit itself is not there any more.
    return set(project.git.run("for-each-ref", "--format=%(refname)", f"--contains={commit}", ok=(0, 129)).lines)


def _remove(project: Project, leftover: Leftover, at: datetime) -> str:  # noqa: ARG001 - as every kind
    """Delete the ref by compare-and-swap; under the lock of its task, so that no restore is reading it."""
    assert leftover.commit is not None
    with durable.try_lock(project.layout.task_lock(leftover.task_id or TaskId(NAME))) as held:
        if held is None:
            return IN_USE
        try:
            project.holding(held).git.run("update-ref", "--no-deref", "-d", leftover.name, leftover.commit)
        except GitKilled:
            raise
        except GitFailed:
            return "" if tip_of(project.git, leftover.name) is None else "it has changed meanwhile"
    return ""


SALVAGES: Final = Kind(NAME, "salvage ref", _find, _remove)
