"""`bus verify` and `bus copy`: whether all that was posted is there, and how to take it elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from conductor_git import directories
from conductor_git.bus import current
from conductor_git.bus.address import Address, open_bus, parse_address
from conductor_git.bus.halt import moved_to
from conductor_git.cli.output import answer, document, narrate, say
from conductor_git.cli.plain import posting
from conductor_git.errors import BusDamaged, ConductorError, NotFound
from conductor_git.layout import BUS_NAMES, archive_beside
from conductor_git.wording import counted

if TYPE_CHECKING:
    from conductor_git.bus.base import Bus, Report
    from conductor_git.bus.copy import Copied


def verify(*, bus: str | None = None, as_json: bool = False) -> None:
    """Check every message's frame, length, checksum and order."""
    log = posting.open_bus(bus).bus
    report = log.verify()
    if not report.is_sound:
        if not as_json:
            _tell_damage(log, report)
        raise _damaged(log, report)
    if as_json:
        document(**_findings(report))
        return
    say(f"{_messages(report)}, all whole and in order")
    _tell_archived(log)
    if report.halted:
        narrate("○", f"this bus takes no more messages: it has {report.halted}")
    if report.torn is not None:
        narrate("○", f"an unfinished message at the end (byte {report.torn}) goes to the quarantine at the next post")


def _tell_archived(log: Bus) -> None:
    """Segments that `gc` archived are no part of the bus any more, and nobody is to take them for lost."""
    path = _path(log)
    folder = archive_beside(path)
    count = len(directories.matching(folder, f"{path.stem}.MSG-*{path.suffix}.gz")) if log.is_text else 0
    if count:
        narrate("○", f"{counted(count, 'older segment')} {'is' if count == 1 else 'are'} in the archive: ls {folder}")


def _tell_damage(log: Bus, report: Report) -> None:
    for spot in report.damage:
        damage, unit = spot.damage, "byte" if log.is_text else "row"
        # Of a database as a whole SQLite says what is wrong without a place.
        place = f" {unit} {damage.offset}, {counted(damage.length, 'byte')}:" if damage.length else ""
        narrate("▲", f"{spot.path.name}:{place} {damage.reason}")
    if report.damaged > len(report.damage):
        narrate("▲", f"and {report.damaged - len(report.damage)} more")
    for msg_id in report.disordered:
        narrate("▲", f"{msg_id} does not come after the message before it")
    if report.recovered:
        narrate("○", f"{counted(report.recovered, 'message')} past damage can be read, and nothing acts on them")
    if report.failed_flush:
        narrate("▲", f"{_path(log).name} takes no messages: {report.failed_flush}")
        narrate("○", "its last messages may be lost; once the disk can be trusted, remove the marker")


def _damaged(log: Bus, report: Report) -> ConductorError:
    wrong = (
        counted(report.damaged, "damaged place") if report.damaged else "",
        f"{counted(len(report.disordered), 'message')} out of order" if report.disordered else "",
        "a flush that failed" if report.failed_flush else "",
    )
    found = " and ".join(filter(None, wrong))
    words = f"the bus has {found}; {_messages(report)} can be read"
    return BusDamaged(words, hint=_way_out(log, report), **_findings(report))


def _way_out(log: Bus, report: Report) -> str:
    """What a person runs next: look at the damaged bytes, or take messages again after the disk was looked at."""
    path = _path(log)
    if report.failed_flush:
        return f"rm {quote(str(path.with_name(f'{path.name}.halted')))}"
    if report.damage and log.is_text:
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
    """Copy a bus, ids kept; from one of the project's own to the other, move it: the project goes on with that one."""
    origin, goal = _address(source), _address(target)
    is_move = source in BUS_NAMES and target in BUS_NAMES
    if not is_move and not os.path.lexists(origin.path):
        raise NotFound(f"there is no bus at {origin.path}", hint=f"ls -ld {quote(str(origin.path.parent))}")
    from conductor_git.bus.copy import copy as copied

    result = copied(open_bus(origin), open_bus(goal), move=is_move)
    if is_move:
        current.set_current(goal.path.parent, goal)
    if as_json:
        document(source=origin.url, target=goal.url, moved=is_move, **result._asdict())
        return
    answer(goal.url)
    _tell_copied(result, origin, goal, is_move)


def _address(text: str) -> Address:
    """The bus that is named: by path or URL, or the project's own on a backend, by the backend's name alone."""
    if text not in BUS_NAMES:
        return parse_address(text)
    state_dir = posting.state_dir_here()
    return current.own_address(state_dir, text, current.current_address(state_dir).segment_bytes)


def _tell_copied(result: Copied, origin: Address, goal: Address, is_move: bool) -> None:
    came = f"{counted(result.messages, 'message')} and {counted(result.readers, 'cursor')}"
    narrate("✓", f"{came} {'moved' if is_move else 'copied'} from {origin.url} to {goal.url}")
    if result.recovered:
        narrate("○", f"{counted(result.recovered, 'message')} found past damage came along, marked as such")
    if result.damaged:
        narrate("▲", f"{counted(result.damaged, 'damaged place')} of {origin.url} could not be read")
    if result.attachments_left:
        narrate("▲", f"{counted(result.attachments_left, 'message')} came along without the attachment they name")
    for reader in result.readers_left:
        narrate("▲", f"{reader} begins anew: its cursor names no message of {origin.url}")
    if result.halted and not moved_to(result.halted):
        narrate("▲", f"{origin.url} had stopped taking messages: {result.halted}")
    if is_move:
        narrate("○", f"the project goes on there; let .conductor.yaml say so too: bus: {{backend: {goal.backend}}}")
