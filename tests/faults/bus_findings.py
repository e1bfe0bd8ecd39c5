"""What is wrong with a bus after a fault: what was acknowledged in vain, lost, made up, or does not go on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from conductor_git.errors import BusDamaged, ConductorError
from conductor_git.message import Message
from tests.faults.failing import FLUSHES, LINE, Ended, Stage, body

AFTER: Final = Message(type="FACT", body="after the fault", task_id="after")

_OF: Final = re.compile(r"\d+<([^>]*)>")
_PATHS: Final = re.compile(r'"([^"]*)"')
_LOG: Final = "-wal"
_TOLD: Final = re.compile(r'1<[^>]*>, "MSG-')


def false_acknowledgements(stage: Stage, run: Ended) -> list[str]:
    """The ids that the program told and that are not on the bus as told, or were told before a flush of them."""
    found = {message.msg_id: message.body for message in stage.bus.read()}
    told = [(line, body(number)) for number, line in enumerate(run.said, 1) if line.startswith("MSG-")]
    wrong = [f"{msg_id} was acknowledged and is not there" for msg_id, text in told if found.get(msg_id) != text]
    return wrong + [f"acknowledged before {path} was flushed" for path in _told_unflushed(stage, run.log)]


def findings(stage: Stage, run: Ended, before: list[Message], *, killed: bool = False) -> list[str]:
    """What is wrong with the bus after a fault, beyond false acknowledgements; appends one more message to it."""
    try:
        wrong = [] if killed else list(_untyped(run))
        wrong += _contents(stage, run, before)
        return wrong + list(_goes_on(stage, halted=not killed and _is_of_a_flush(run.injected)))
    except ConductorError as refused:
        return [f"the bus could not be used afterwards: {refused.code} {refused.message}"]


def _is_of_a_flush(call: str) -> bool:
    # A directory is opened for nothing else.
    return any(flush in call for flush in FLUSHES) or "O_DIRECTORY" in call


def _untyped(run: Ended) -> Iterator[str]:
    if run.code != 0 or "Traceback" in run.err:
        yield f"ended with {run.code}: {run.err}"
    elif len(run.said) != 2:
        yield f"said {run.said}"


def _contents(stage: Stage, run: Ended, before: list[Message]) -> Iterator[str]:
    messages = list(stage.bus.read())
    if messages[: len(before)] != before:
        yield "messages from before the fault are gone"
    new = [message.body for message in messages[len(before) :]]
    if new not in ([], [body(1)], [body(2)], [body(1), body(2)]):
        yield f"the bus holds what nobody appended: {new}, and said was {run.said}"


def _goes_on(stage: Stage, *, halted: bool) -> Iterator[str]:
    """The next append works, or, where `halted` is a reason, is refused for the halt; and `verify` says the same."""
    try:
        last = stage.bus.append(AFTER)
    except BusDamaged as refused:
        if not (halted and stage.bus.verify().halted):
            yield f"the next append is refused: {refused.message}"
        return
    if [message.msg_id for message in stage.bus.tail(1)] != [last]:
        yield "the next append is not the last message"
    report = stage.bus.verify()
    if not report.is_sound or report.torn is not None:
        yield f"verify: {report}"


@dataclass
class _Disk:
    """What a power cut could take, by the log of the calls: files and directories with changes that nobody flushed.

    A flush of a changed file that failed counts for ever: the kernel may have dropped the pages, and a second flush
    would be in vain. The quarantine holds nothing that was acknowledged, what SQLite maps as memory is made anew, and
    what its log holds may be missing from the database for as long as the log is there: it is all written again.
    """

    existing: set[str]
    dirty: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    logs: set[str] = field(default_factory=set)

    def see(self, call: str, rest: str) -> None:
        of, paths, is_error = _OF.match(rest), _PATHS.findall(rest), " = -1 " in rest
        if call in FLUSHES and of:
            self._flush(of[1], is_error)
        elif is_error or not (of or paths):
            return
        elif call in ("write", "pwrite64") and of and not rest.startswith(("1<", "2<")):
            self._write(of[1], at_start=", 0) = " in rest)
        elif call == "mkdir" or (call == "openat" and "O_CREAT" in rest):
            self._name(paths[0])
        elif call.startswith("rename"):
            self.dirty = {paths[1] if path == paths[0] else path for path in self.dirty}
            self._name(paths[1])
        elif call.startswith("unlink"):
            self._log_goes(paths[0])
            self.dirty.discard(paths[0])
            self.failed.discard(paths[0])

    def in_danger(self) -> set[str]:
        logged = {log.removesuffix(_LOG) for log in self.logs}
        return {path for path in (self.dirty - logged) | self.failed if not _is_idle(path)}

    def _write(self, path: str, *, at_start: bool) -> None:
        if path.endswith(_LOG):
            if at_start:
                self._log_goes(path)
            self.logs.add(path)
        self.dirty.add(path)

    def _log_goes(self, path: str) -> None:
        """SQLite begins or removes its log only when all of it is in the database, flushed."""
        self.logs.discard(path)
        self.failed |= {path.removesuffix(_LOG)} & self.dirty

    def _flush(self, path: str, is_error: bool) -> None:
        if not is_error:
            self.dirty.discard(path)
        elif not Path(path).is_dir() and f"{path}{_LOG}" not in self.logs:
            self.failed |= {path} & self.dirty

    def _name(self, path: str) -> None:
        if path not in self.existing and not _is_idle(path):
            self.existing.add(path)
            self.dirty.add(str(Path(path).parent))


def _is_idle(path: str) -> bool:
    return path.endswith("-shm") or "/quarantine" in path


def _told_unflushed(stage: Stage, log: list[str]) -> Iterator[str]:
    """The files and directories that a power cut could set back once an id was told."""
    existing = {str(stage.directory / name) for name in stage.names}
    disk = _Disk(existing, logs={path for path in existing if path.endswith(_LOG)})
    start = max((at for at, line in enumerate(log) if '"READY\\n"' in line), default=0)
    for call, rest in (match.groups() for match in map(LINE.match, log[start:]) if match):
        if call == "write" and _TOLD.match(rest):
            yield from sorted(disk.in_danger())
        disk.see(call, rest)
