"""gc: what nobody needs any more goes; first a plan, then exactly that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from conductor_git.config.duration import format_duration
from conductor_git.message import Message
from conductor_git.project import Project
from conductor_git.workflow.leftovers.files import LOGS, QUARANTINE, SCRATCH
from conductor_git.workflow.leftovers.kind import Held, Kind, Leftover, Since
from conductor_git.workflow.leftovers.salvages import SALVAGES

KINDS: Final[tuple[Kind, ...]] = (SALVAGES, LOGS, QUARANTINE, SCRATCH)
_IN_ONE_MESSAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """What may go, and what is old and stays; `keep` is the retention in seconds."""

    keep: float
    leftovers: tuple[Leftover, ...]
    held: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class Collected:
    """What went, and what was in use, or had changed, when its turn came."""

    removed: tuple[Leftover, ...]
    left: tuple[Leftover, ...]


def plan(project: Project, *, keep: float, now: datetime) -> Plan:
    """Find everything that is older than `keep` seconds and that no record needs. Reads only."""
    since = Since(now, max(now - timedelta(seconds=keep), datetime.min.replace(tzinfo=UTC)))
    found = [kind.find(project, since) for kind in KINDS]
    return Plan(
        keep,
        tuple(leftover for one in found for leftover in one.leftovers),
        tuple(held for one in found for held in one.held),
    )


def collect(project: Project, wanted: Plan) -> Collected:
    """Remove what `wanted` names, and nothing else. The ids of the commits are told on the bus before they go."""
    _tell(project, wanted)
    kinds = {kind.name: kind for kind in KINDS}
    removed, left = list[Leftover](), list[Leftover]()
    for leftover in wanted.leftovers:
        (removed if kinds[leftover.kind].remove(project, leftover) else left).append(leftover)
    return Collected(tuple(removed), tuple(left))


def _tell(project: Project, wanted: Plan) -> None:
    refs = [leftover for leftover in wanted.leftovers if leftover.commit is not None]
    for start in range(0, len(refs), _IN_ONE_MESSAGE):
        project.bus.append(_message(project, refs[start : start + _IN_ONE_MESSAGE], wanted.keep))


def _message(project: Project, refs: Sequence[Leftover], keep: float) -> Message:
    old = f"gc removes what was salvaged over {format_duration(keep)} ago"
    lines = [
        f"{old}; until git drops the commits, `git branch NAME COMMIT` brings one back:",
        "",
        *(f"{leftover.commit} {leftover.name}" for leftover in refs),
    ]
    return Message(type="FACT", body="\n".join(lines), project_id=project.project_id, meta={"gc": str(len(refs))})
