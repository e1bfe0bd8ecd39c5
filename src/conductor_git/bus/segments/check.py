"""What `verify` tells of a bus file and its segments; reads all of it, in windows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from conductor_git.bus.base import Report
from conductor_git.bus.findings import Findings
from conductor_git.bus.segments.archived import open_closed
from conductor_git.bus.segments.ending import Ending
from conductor_git.bus.segments.listing import Segment, files, unreadable
from conductor_git.bus.segments.scan import Place, windows
from conductor_git.frames.decoder import Damage
from conductor_git.message import Message


def check(bus: Path, halted: str | None) -> Report:
    try:
        return _checked(bus, halted)
    except OSError as error:
        raise unreadable(bus, error) from error


def _checked(bus: Path, halted: str | None) -> Report:
    findings, torn = Findings(), None
    with files(bus) as known:
        for segment in known.closed:
            _check_closed(segment, findings)
        if known.current is not None:
            torn = _check_file(known.current, bus, findings)
        segments = len(known.closed) + (known.current is not None)
    return findings.report(segments=segments, torn=torn, halted=halted)


def _check_closed(segment: Segment, findings: Findings) -> None:
    """Nobody writes to a closed segment any more: an incomplete message at its end is damage."""
    path, fd = segment.path, open_closed(segment)
    if fd is None:
        findings.damage(path, Damage(0, 0, "a segment that went away while it was read"))
        return
    try:
        torn = _check_file(fd, path, findings)
        if torn is not None:
            findings.damage(path, Damage(torn, os.fstat(fd).st_size - torn, "a message that ends early"))
    finally:
        os.close(fd)


def _check_file(fd: int, path: Path, findings: Findings) -> int | None:
    """Where something begins at the end of the file that was never wholly written, if anything does."""
    ending, unsettled = Ending(fd), list[Damage]()
    for where, found in windows(fd, Place()):
        ending.add(where, found)
        for item in found.items:
            if isinstance(item, Message):
                _settle(path, unsettled, findings)
                unsettled.clear()
                findings.message(item)
            else:
                unsettled.append(item)
    torn = ending.torn()
    _settle(path, [damage for damage in unsettled if torn is None or damage.offset < torn], findings)
    return torn


def _settle(path: Path, unsettled: Iterable[Damage], findings: Findings) -> None:
    for damage in _joined(unsettled):
        findings.damage(path, damage)


def _joined(damage: Iterable[Damage]) -> Iterator[Damage]:
    """Places that touch, as one."""
    whole: Damage | None = None
    for found in damage:
        if whole is not None and found.offset == whole.offset + whole.length:
            whole = Damage(whole.offset, whole.length + found.length, whole.reason)
            continue
        if whole is not None:
            yield whole
        whole = found
    if whole is not None:
        yield whole
