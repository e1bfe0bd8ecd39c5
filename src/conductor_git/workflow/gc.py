"""gc: what nobody needs any more goes; first a plan, then exactly that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Final

from conductor_git.config.duration import format_duration
from conductor_git.config.model import Config
from conductor_git.message import Message
from conductor_git.project import Project
from conductor_git.workflow.leftovers.archives import ARCHIVES
from conductor_git.workflow.leftovers.files import LOGS, QUARANTINE, SCRATCH
from conductor_git.workflow.leftovers.finished import BRANCHES, WORKTREES
from conductor_git.workflow.leftovers.gatetrees import GATE_TREES
from conductor_git.workflow.leftovers.kind import Held, Kind, Leftover, Since
from conductor_git.workflow.leftovers.records import RECORDS
from conductor_git.workflow.leftovers.salvages import SALVAGES
from conductor_git.workflow.leftovers.segments import SEGMENTS

KINDS: Final[tuple[Kind, ...]] = (
    WORKTREES,
    BRANCHES,
    GATE_TREES,
    SALVAGES,
    LOGS,
    QUARANTINE,
    SCRATCH,
    RECORDS,
    SEGMENTS,
    ARCHIVES,
)
"""In the order in which they go: a branch after the worktree that has it checked out."""
_IN_ONE_MESSAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Keep:
    """The retentions in seconds. Without one, `archives` are never dropped."""

    salvage: float
    worktrees: float
    records: float
    segments: float
    archives: float | None = None

    @classmethod
    def by(cls, config: Config) -> Keep:
        return cls(config.salvage.keep, config.gc.worktrees, config.gc.records, config.gc.segments)

    @classmethod
    def all(cls, seconds: float) -> Keep:
        """The same for everything but the archives."""
        return cls(seconds, seconds, seconds, seconds)

    def document(self) -> dict[str, float | None]:
        return asdict(self)

    def of(self, kind: Kind) -> float | None:
        found: float | None = {field.name: getattr(self, field.name) for field in fields(self)}[kind.keep]
        return found


@dataclass(frozen=True, slots=True)
class Plan:
    """What may go, and what is old and stays."""

    keep: Keep
    leftovers: tuple[Leftover, ...]
    held: tuple[Held, ...]

    @property
    def size(self) -> int:
        return sum(leftover.size for leftover in self.leftovers)


@dataclass(frozen=True, slots=True)
class Collected:
    """What went; and what was in use, or had changed, when its turn came, with why."""

    removed: tuple[Leftover, ...]
    left: tuple[Held, ...]


def plan(project: Project, *, keep: Keep, now: datetime) -> Plan:
    """Find everything that is older than its retention and that no record needs. Reads only."""
    found = [kind.find(project, _since(seconds, now)) for kind in KINDS if (seconds := keep.of(kind)) is not None]
    return Plan(
        keep,
        tuple(leftover for one in found for leftover in one.leftovers),
        tuple(held for one in found for held in one.held),
    )


def _since(seconds: float, now: datetime) -> Since:
    try:
        return Since(now, now - timedelta(seconds=seconds))
    except OverflowError:
        return Since(now, datetime.min.replace(tzinfo=UTC))


def collect(project: Project, wanted: Plan, *, at: datetime) -> Collected:
    """Remove what `wanted` names, and nothing else. The ids of the commits are told on the bus before they go."""
    _tell(project, wanted)
    kinds = {kind.name: kind for kind in KINDS}
    order = [kind.name for kind in KINDS]
    removed, left = list[Leftover](), list[Held]()
    for leftover in sorted(wanted.leftovers, key=lambda one: order.index(one.kind)):
        if why := kinds[leftover.kind].remove(project, leftover, at):
            left.append(Held(leftover.kind, leftover.name, why))
        else:
            removed.append(leftover)
    return Collected(tuple(removed), tuple(left))


def _tell(project: Project, wanted: Plan) -> None:
    refs = [leftover for leftover in wanted.leftovers if leftover.commit is not None]
    for start in range(0, len(refs), _IN_ONE_MESSAGE):
        project.bus.append(_message(project, refs[start : start + _IN_ONE_MESSAGE], wanted.keep))


def _message(project: Project, refs: Sequence[Leftover], keep: Keep) -> Message:
    old = f"gc removes branches that are merged, and what was salvaged over {format_duration(keep.salvage)} ago"
    lines = [
        f"{old}; until git drops the commits, these bring them back:",
        "",
        *(f"    {leftover.back}" for leftover in refs),
    ]
    return Message(type="FACT", body="\n".join(lines), project_id=project.project_id, meta={"gc": str(len(refs))})
