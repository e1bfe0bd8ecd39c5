"""One attempt while it runs: its output is read, its limits are kept, its silence is told, its end is seen."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from conductor_git.config.duration import format_duration
from conductor_git.config.model import Limits
from conductor_git.errors import ConductorError
from conductor_git.heartbeat import last_activity, move_activity, touch_activity
from conductor_git.project import Project
from conductor_git.run import Attempt, End, Run, State, has_handed_in
from conductor_git.runner import logs
from conductor_git.runner.agents.stream import Stream
from conductor_git.runner.agents.tally import Tally
from conductor_git.runner.child import Child
from conductor_git.runner.supervising import series
from conductor_git.runner.supervising.world import World
from conductor_git.transition import message_of

_LOOK_SECONDS: Final = 1.0
_READ_SECONDS: Final = 0.5
"""So long at most we take in what was said before we look up: an agent can print faster than anybody reads."""
_SLEPT_SECONDS: Final = 5.0


@dataclass(slots=True)
class Watch:
    """What is watched, and what was seen of it. A living agent is never ended for being quiet."""

    project: Project
    run: Run
    attempt: Attempt
    child: Child
    world: World
    limits: Limits
    stream: Stream
    tally: Tally
    _sizes: dict[Path, int] = field(default_factory=dict)
    _stamp: tuple[int, int] = (0, 0)
    _is_at_work: bool = True
    _is_quiet: bool = False
    _apart: float | None = None

    def until_over(self) -> End:
        """Return how it ended, or why it is to be ended now."""
        began = self.world.monotonic() - (self.world.now() - self.attempt.started_at).total_seconds()
        ends, left_work = began + self.limits.attempt_time, None
        while True:
            is_behind = self.look()
            now = self.world.monotonic()
            if self.world.is_told_to_end:
                return End.STOPPED
            if self.child.is_over:
                return End.EXITED
            if self._costs_too_much():
                return End.COST
            if now >= ends:
                return End.TIMED_OUT
            if not self._still_at_work():
                left_work = now if left_work is None else left_work
                if now - left_work >= self.limits.after_done:
                    return End.EXITED
            self.world.wait(0.0 if is_behind else min(_LOOK_SECONDS, ends - now), self.child)

    def look(self) -> bool:
        """Take in what it has said since the last look; returns whether there was too much of it for one look."""
        if self._has_grown():
            touch_activity(self.project.layout, self.run.task_id, self.world.now().timestamp())
        is_behind = self._take_in()
        self._allow_for_sleep()
        self._tell_silence()
        return is_behind

    def _take_in(self) -> bool:
        enough = self.world.monotonic() + _READ_SECONDS
        for event in self.stream.read():
            self.tally.add(event, self.world.now())
            if self.world.monotonic() >= enough:
                return True
        return False

    def _allow_for_sleep(self) -> None:
        """Time that the machine slept through is nobody's silence: the last sign of activity is moved by it."""
        now = self.world.now().timestamp()
        # The time of day goes on while the machine sleeps, the monotonic clock of Linux does not.
        before, self._apart = self._apart, now - self.world.monotonic()
        if before is not None and self._apart - before > _SLEPT_SECONDS:
            move_activity(self.project.layout, self.run.task_id, self._apart - before, now=now)

    def _has_grown(self) -> bool:
        has_grown = False
        folder = self.project.layout.attempt(self.run.task_id, self.attempt.run_id)
        for path in (folder / "stdout.log", folder / "stderr.log"):
            try:
                size = path.lstat().st_size
            except OSError:
                continue
            has_grown |= size > self._sizes.get(path, 0)
            self._sizes[path] = size
            logs.bound(path)
        return has_grown

    def _tell_silence(self) -> None:
        """Say once that nothing has come for too long; again only after something has."""
        last = last_activity(self.project.layout, self.run.task_id)
        quiet = 0.0 if last is None else self.world.now().timestamp() - last
        is_quiet = quiet > self.limits.quiet_after and self._is_at_work
        if is_quiet and not self._is_quiet:
            words = f"{self.attempt.agent} has given no sign for {format_duration(self.limits.quiet_after)}"
            with suppress(ConductorError):  # a bus that takes no messages is no reason to leave an agent alone
                self.project.bus.append(message_of(self.run, "INFO", words, {"event": "quiet"}, self.attempt.run_id))
        self._is_quiet = is_quiet

    def _costs_too_much(self) -> bool:
        if self.limits.cost_usd is None or self.tally.cost_usd is None:
            return False
        before = series.cost(self.run)  # of the attempts that have ended
        return before + self.tally.cost_usd >= self.limits.cost_usd

    def _still_at_work(self) -> bool:
        """Whether the task is still its worker's: read anew only where the record has changed."""
        try:
            status = self.project.layout.run_info(self.run.task_id).stat()
            stamp = (status.st_ino, status.st_mtime_ns)
            if stamp != self._stamp:
                run = self.project.runs.get(self.run.task_id)
                at_work = run.state in (State.ASSIGNED, State.WORKING)
                self._is_at_work = at_work and not has_handed_in(run, self.attempt)
                self._stamp = stamp
        except (OSError, ConductorError):
            pass  # a record that cannot be read now is no reason to end an agent
        return self._is_at_work
