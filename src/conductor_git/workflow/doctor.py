"""doctor: what is not as it should be, and what `--fix` does about it. Works on a project in any state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from conductor_git import durable
from conductor_git.errors import ConductorError
from conductor_git.project import Project
from conductor_git.workflow.diagnosing.branches import BRANCHES
from conductor_git.workflow.diagnosing.codes import CODES
from conductor_git.workflow.diagnosing.config import CONFIG
from conductor_git.workflow.diagnosing.finding import Family, Finding, Mend
from conductor_git.workflow.diagnosing.inside import INSIDE
from conductor_git.workflow.diagnosing.leftovers import LEFTOVERS
from conductor_git.workflow.diagnosing.looking import gathered
from conductor_git.workflow.diagnosing.machine import MACHINE
from conductor_git.workflow.diagnosing.messages import MESSAGES
from conductor_git.workflow.diagnosing.moving import MOVING
from conductor_git.workflow.diagnosing.recorded.interrupted import INTERRUPTED
from conductor_git.workflow.diagnosing.recorded.records import RECORDS
from conductor_git.workflow.diagnosing.recorded.reviews import REVIEWS
from conductor_git.workflow.diagnosing.running import RUNNING
from conductor_git.workflow.diagnosing.worktrees import WORKTREES

FAMILIES: Final[tuple[Family, ...]] = (
    MACHINE,
    MESSAGES,
    MOVING,
    RECORDS,
    REVIEWS,
    INTERRUPTED,
    BRANCHES,
    WORKTREES,
    RUNNING,
    LEFTOVERS,
    CONFIG,
    INSIDE,
)
MENDERS: Final[Mapping[str, Mend]] = {code: mend for family in FAMILIES for code, mend in family.menders.items()}
_ORDER: Final = tuple(CODES)
_ROUNDS: Final = 3 * len(CODES)


@dataclass(frozen=True, slots=True)
class Mended:
    """A finding that `--fix` dealt with, and what it did; `refused` is why it could not, else empty."""

    finding: Finding
    done: str
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Treatment:
    """What `--fix` did, in its order, and what it leaves."""

    mended: tuple[Mended, ...]
    left: tuple[Finding, ...]


def diagnose(project: Project, *, now: datetime) -> tuple[Finding, ...]:
    """Everything found, in the order of `CODES`. Changes nothing but for the lock of the machine's probe.

    Commands may be at work meanwhile: what they are in the middle of is no finding. So whatever is found is looked for
    a second time, and nothing is told of a task that a command has locked.
    """
    found = _look(project, now)
    if not found:
        return ()
    again = {(one.code, one.subject) for one in _look(project, now)}
    return tuple(one for one in found if (one.code, one.subject) in again)


def _look(project: Project, now: datetime) -> tuple[Finding, ...]:
    ground = gathered(project, now=now)
    found = [finding for family in FAMILIES for finding in family.find(ground)]
    kept = [one for one in found if not _is_busy(project, one)]
    return tuple(sorted(kept, key=lambda one: (_ORDER.index(one.code), one.subject)))


def _is_busy(project: Project, finding: Finding) -> bool:
    return finding.task_id is not None and durable.is_locked(project.layout.task_lock(finding.task_id))


def mend(project: Project, *, now: datetime) -> Treatment:
    """Mend what can be mended, and look again until nothing more is to be mended or nothing helps.

    One at a time: another one waits. Each mender takes the lock of the task that it works on and looks for itself, so
    what somebody else mended or changed meanwhile is left alone; a kill in here is gone on with by the next one.
    """
    with durable.lock(project.layout.doctor_lock, seconds=600, purpose="doctor"):
        mended: list[Mended] = []
        tried: set[tuple[str, str]] = set()
        for _ in range(_ROUNDS):
            found = diagnose(project, now=now)
            wanted = [one for one in found if one.is_mendable and (one.code, one.subject) not in tried]
            if not wanted:
                return Treatment(tuple(mended), found)
            # Of one code at a time: what it leaves behind, or clears up, the next look knows.
            first = [one for one in wanted if one.code == wanted[0].code]
            tried |= {(one.code, one.subject) for one in first}
            mended += [_mended(project, one, now) for one in first]
        return Treatment(tuple(mended), diagnose(project, now=now))


def _mended(project: Project, finding: Finding, now: datetime) -> Mended:
    try:
        return Mended(finding, MENDERS[finding.code](project, finding, now))
    except (ConductorError, OSError) as refused:
        return Mended(finding, "", refused.message if isinstance(refused, ConductorError) else str(refused))


def is_well(findings: Sequence[Finding]) -> bool:
    """Nothing is wrong: there may be notes."""
    return all(one.is_note for one in findings)
