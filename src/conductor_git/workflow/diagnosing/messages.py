"""The bus: whether it can be read and posted to, what in it is damaged, and whether its clock is ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git import durable
from conductor_git.bus.address import parse_address
from conductor_git.bus.base import Report
from conductor_git.bus.current import current_address, own_address, set_current
from conductor_git.bus.halt import moved_to
from conductor_git.errors import BadConfig, ConductorError, StateUnwritable
from conductor_git.layout import BUS_NAMES, BUS_SETTING
from conductor_git.message import Message, id_time
from conductor_git.project import Project
from conductor_git.wording import counted
from conductor_git.workflow.diagnosing.finding import Family, Finding, Ground, set_aside

_AHEAD_SECONDS: Final = 60.0
_LIMIT: Final = 1 << 20


def _find(ground: Ground) -> Iterator[Finding]:
    try:
        report = ground.project.bus.verify()
    except (ConductorError, OSError) as unreadable:
        yield _unreadable(ground.project, unreadable)
        return
    yield from _reported(ground.project, report)
    yield from _ahead(ground)


def _unreadable(project: Project, error: ConductorError | OSError) -> Finding:
    words = error.message if isinstance(error, ConductorError) else str(error)
    setting = project.layout.state_dir / BUS_SETTING
    if isinstance(error, BadConfig):
        return Finding("BUS_UNREADABLE", str(setting), words, f"cat {quote(str(setting))}")
    path = str(_path(project))
    return Finding("BUS_UNREADABLE", path, f"the bus cannot be read: {words}", f"ls -l {quote(path)}", facts=_STUCK)


_STUCK: Final = {"stuck": True}


def _path(project: Project) -> Path:
    return parse_address(project.bus.url).path


def _reported(project: Project, report: Report) -> Iterator[Finding]:
    path = _path(project)
    if report.failed_flush:
        said = f"{path.name} takes no message: {report.failed_flush}"
        yield Finding("BUS_HALTED", str(path), said, "conductor-git bus verify")
    if report.torn is not None and _stays_torn(project, report.torn):
        said = f"{path.name} ends with a message that was never wholly written, from byte {report.torn} on"
        yield Finding("BUS_TORN", str(path), said, "conductor-git bus verify")
    if (report.damaged or report.disordered) and _fingerprint(report) != _noted(project):
        wrong = [counted(report.damaged, "damaged place")] if report.damaged else []
        wrong += [f"{counted(len(report.disordered), 'message')} out of order"] if report.disordered else []
        yield Finding("BUS_DAMAGED", str(path), f"the bus has {' and '.join(wrong)}", "conductor-git bus verify")


def _stays_torn(project: Project, torn: int) -> bool:
    """Not a writer at work: it holds the lock of the file for the length of its write."""
    path = _path(project)
    return not (path.is_file() and durable.is_locked(path)) and project.bus.verify().torn == torn


def _ahead(ground: Ground) -> Iterator[Finding]:
    for message in ground.project.bus.tail(1):
        at = id_time(message.msg_id)
        ahead = 0.0 if at is None else at / 1e9 - ground.now.timestamp()
        if ahead > _AHEAD_SECONDS:
            said = f"the last message of the bus is {ahead:.0f} s in the future of this clock"
            yield Finding("CLOCK_BEHIND", message.msg_id, said, "date --utc")


def _fingerprint(report: Report) -> list[object]:
    return [report.damaged, len(report.disordered), *(str(spot.damage.offset) for spot in report.damage)]


def _noted(project: Project) -> object:
    try:
        return json.loads(durable.read_regular(project.layout.known_damage, _LIMIT))
    except (OSError, ValueError, ConductorError):
        return None


def _note_damage(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    """Nothing is cut out of a bus. What is known now is not told again; what comes to it is."""
    durable.replace(project.layout.known_damage, json.dumps(_fingerprint(project.bus.verify())).encode())
    return "took note of the damage: only what comes to it is told from now on"


def _lift(project: Project, finding: Finding, at: datetime) -> str:
    """Take messages again, once the whole bus was read and the disk has taken a flush in its directory."""
    halt = project.bus.halt
    reason = halt.reason
    if reason is None or moved_to(reason):
        return ""
    project.bus.verify()
    probe = project.layout.state_dir / "doctor-probe"
    durable.replace(probe, finding.sentence.encode())
    durable.remove(probe)
    halt.lift()
    _post(project, f"the bus takes messages again since {at:%Y-%m-%dT%H:%M:%SZ}; it had stopped: {reason}")
    return "the bus takes messages again: all of it could be read, and the disk took a flush"


def _move_torn(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    _post(project, "doctor has looked at the bus")
    return "moved what was torn to the quarantine"


def _post(project: Project, words: str) -> None:
    project.bus.append(Message(type="FACT", body=words, project_id=project.project_id, meta={"doctor": "bus"}))


def _set_again(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    """Let the bus in force be the one that is there; of two, the one that has not moved to the other."""
    state_dir = project.layout.state_dir
    try:
        current_address(state_dir)
    except BadConfig:
        here = [backend for backend, name in BUS_NAMES.items() if (state_dir / name).exists()]
        left = [backend for backend in here if not (state_dir / f"{BUS_NAMES[backend]}.halted").exists()]
        if len(left) > 1:
            raise StateUnwritable(
                f"{' and '.join(left)} can both be the bus in force", hint=f"ls -l {quote(str(state_dir))}"
            ) from None
        set_aside(project.layout, state_dir / BUS_SETTING, "bus")
        set_current(state_dir, own_address(state_dir, (left or here or ["file"])[0]))
        return f"the bus in force is {project.bus.url}"
    return ""


MESSAGES = Family(
    _find,
    {"BUS_UNREADABLE": _set_again, "BUS_HALTED": _lift, "BUS_TORN": _move_torn, "BUS_DAMAGED": _note_damage},
)
