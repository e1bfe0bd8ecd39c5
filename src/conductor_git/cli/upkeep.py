"""`bus verify` and `bus copy`: whether all that was posted is there, and how to take it elsewhere."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from conductor_git.bus.address import parse_address
from conductor_git.cli import posting
from conductor_git.cli.output import counted, document, narrate, say
from conductor_git.errors import BusDamaged, ConductorError

if TYPE_CHECKING:
    from conductor_git.bus.base import Bus, Report

_MOVED = "moved to "


def verify(*, bus: str | None = None, as_json: bool = False) -> None:
    """Check every message's frame, length, checksum and order."""
    log = posting.open_bus(bus).bus
    report = log.verify()
    if _is_broken(report):
        if not as_json:
            _tell_damage(log, report)
        raise _damaged(log, report)
    if as_json:
        document(**_findings(report))
        return
    say(f"{_messages(report)}, all whole and in order")
    if report.halted:
        narrate("○", f"this bus takes no more messages: it has {report.halted}")
    if report.torn is not None:
        narrate("○", f"an unfinished message at the end (byte {report.torn}) goes to the quarantine at the next post")


def _is_broken(report: Report) -> bool:
    """A bus that moved elsewhere takes no messages either, and nothing is wrong with it."""
    return not report._replace(halted=None).is_sound or not (report.halted or _MOVED).startswith(_MOVED)


def _tell_damage(log: Bus, report: Report) -> None:
    for spot in report.damage:
        name, damage = spot.path.name, spot.damage
        narrate("▲", f"{name}: byte {damage.offset}, {counted(damage.length, 'byte')}: {damage.reason}")
    if report.damaged > len(report.damage):
        narrate("▲", f"and {report.damaged - len(report.damage)} more")
    for msg_id in report.disordered:
        narrate("▲", f"{msg_id} does not come after the message before it")
    if report.recovered:
        narrate("○", f"{counted(report.recovered, 'message')} past damage can be read, and nothing acts on them")
    if report.halted:
        narrate("▲", f"{_path(log).name} takes no messages: {report.halted}")


def _damaged(log: Bus, report: Report) -> ConductorError:
    wrong = (
        counted(report.damaged, "damaged place") if report.damaged else "",
        f"{counted(len(report.disordered), 'message')} out of order" if report.disordered else "",
        "a flush that failed" if report.halted else "",
    )
    found = " and ".join(filter(None, wrong))
    words = f"the bus has {found}; {_messages(report)} can be read"
    return BusDamaged(words, hint=_way_out(log, report), **_findings(report))


def _way_out(log: Bus, report: Report) -> str:
    """What a person runs next: look at the damaged bytes, or take messages again after the disk was looked at."""
    path = _path(log)
    if report.halted:
        return f"rm {quote(str(path.with_name(f'{path.name}.halted')))}, once the disk is trusted again"
    if report.damage and log.url.startswith("file:"):
        spot = report.damage[0]
        start, length = spot.damage.offset + 1, spot.damage.length
        return f"tail -c +{start} {quote(str(spot.path))} | head -c {length}"
    return f"conductor-git bus read --bus {quote(log.url)}"


def _findings(report: Report) -> dict[str, Any]:
    return {
        "messages": report.messages,
        "segments": report.segments,
        "recovered": report.recovered,
        "damaged": report.damaged,
        "damage": [{"path": str(spot.path), **spot.damage._asdict()} for spot in report.damage],
        "disordered": list(report.disordered),
        "torn": report.torn,
        "halted": report.halted,
    }


def _messages(report: Report) -> str:
    segments = f" in {report.segments} segments" if report.segments > 1 else ""
    return f"{counted(report.messages, 'message')}{segments}"


def _path(log: Bus) -> Path:
    return parse_address(log.url).path


def copy(*, source: str, target: str, as_json: bool = False) -> None:
    """Copy a bus, ids kept; from the project's own to its other backend, move it."""
    raise NotImplementedError
