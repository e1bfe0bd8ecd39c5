"""One trial: a stage, a kill, the next command, the same command again, and the task driven to its end."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from tests import kit
from tests.faults.aftermath import findings, landed_whole, unsaved_is_kept
from tests.faults.scenes import DATES, SCENES, Scene, Stage, build, copy, to_the_end
from tests.faults.tracer import Killed, Point, Tracer

_MORE_TRIES: Final = 3
_BUG: Final = 3


class Judge(Protocol):
    """Who knows what must hold in a kind of scene."""

    def findings(self, stage: Stage, before: kit.Snapshot) -> list[str]:
        """Everything that is not as it must be while no command runs."""

    def drive(self, stage: Stage, scene: Scene) -> None:
        """Go on to the end, by commands that must all do their part."""

    def shortfalls(self, stage: Stage, scene: Scene, template: Path) -> list[str]:
        """What is missing at the end."""


class OneTask:
    """The scenes of one task, which lands at last."""

    def findings(self, stage: Stage, before: kit.Snapshot) -> list[str]:
        return findings(stage, before)

    def drive(self, stage: Stage, scene: Scene) -> None:
        to_the_end(stage, scene)

    def shortfalls(self, stage: Stage, scene: Scene, template: Path) -> list[str]:  # noqa: ARG002 - as `Judge`
        run = stage.run()
        assert run is not None
        wrong = landed_whole(stage, run)
        if (template / "acme.worktrees" / "fix-login" / "unsaved.txt").exists() and not unsaved_is_kept(stage):
            wrong.append("unsaved.txt is lost")
        return wrong


@dataclass
class Theatre:
    """A directory with one stage, and a template of each scene, made when it is first asked for."""

    place: Path
    scenes: Mapping[str, Scene] = field(default_factory=lambda: SCENES)
    judge: Judge = field(default_factory=OneTask)
    alike: Sequence[str] = ()
    """Names of tasks: of what git does alike for several of them, only the first and the last time are points."""
    missed: list[Point] = field(default_factory=list)
    """Points that were not reached: whether git writes an index again depends on the tick of the clock."""
    _points: dict[str, tuple[Point, ...]] = field(default_factory=dict)
    _tracer: Tracer | None = None

    @property
    def stage(self) -> Stage:
        return Stage(self.place / "stage")

    @property
    def tracer(self) -> Tracer:
        if self._tracer is None:
            self._tracer = Tracer(self.place / "tracer", DATES | self.stage.environment)
        return self._tracer

    def points(self, name: str) -> tuple[Point, ...]:
        """Every point of the scene, without those of the scene that it is a variant of."""
        if name not in self._points:
            scene = self.scenes[name]
            others = self.points(scene.like) if scene.like else ()
            if scene.killed and scene.like:
                self._set(self.scenes[scene.like])
                self.tracer.kill(scene.killed.first(others), self.scenes[scene.like].command, self.stage.main)
            else:
                shutil.rmtree(self.stage.root, ignore_errors=True)
                build(self.stage, scene)
            self.stage.root.rename(self._template(scene))
            self._set(scene)
            found = self.tracer.points(scene.command, self.stage.main)
            known = set() if scene.killed else {self._deed(point) for point in others}
            several = bool(self.alike)
            fresh = [point for point in found if self._deed(point) not in known or (several and point.process == 0)]
            self._points[name] = tuple(self._ends(fresh) if self.alike else fresh)
        return self._points[name]

    def _deed(self, point: Point) -> tuple[str, ...]:
        names = "|".join(self.alike)
        return tuple(re.sub(names, "#", word) for word in point.deed) if names else point.deed

    def _ends(self, points: Sequence[Point]) -> Iterator[Point]:
        """All that conductor-git does itself; of git's, the first and the last of those that do the same."""
        last = {self._deed(point): point for point in points}
        first = {self._deed(point): point for point in reversed(points)}
        ends = {*first.values(), *last.values()}
        return (point for point in points if point.process == 0 or point in ends)

    def sweep(self, name: str, points: Sequence[Point], note: Callable[[str, object], None]) -> list[str]:
        """What is wrong after a kill at each of `points`; `missed` are those of them that were not reached.

        How many there are, and how many were missed, is told to `note`.
        """
        self.missed.clear()
        note("kill points", len(points))
        wrong = [f"{point}\n    " + "\n    ".join(found) for point in points if (found := self.trial(name, point))]
        note("kills missed", len(self.missed))
        return wrong

    def trial(self, name: str, point: Point) -> list[str]:
        """Kill the scene's command at `point`; what is wrong afterwards, each with the moment it was seen."""
        scene, stage, judge = self.scenes[name], self.stage, self.judge
        self.points(name)
        before, killed = self._killed(scene, point)
        wrong = [f"a bug was reported: {killed.err}"] if killed.code == _BUG else []
        moment = "at first"
        try:
            stage.ask("status", "--all", "--json")
            moment = "after status"
            wrong += _at(moment, judge.findings(stage, before))
            moment = "again"
            stage.ask(*scene.command, ok=scene.again)
            wrong += _at("after the second try", judge.findings(stage, before))
            moment = "on the way to the end"
            judge.drive(stage, scene)
            left = judge.shortfalls(stage, scene, self._template(scene))
            wrong += _at("at the end", [*judge.findings(stage, before), *left])
        except AssertionError as failed:
            wrong.append(f"{moment}: {failed}")
        return [*wrong, f"(the killed command ended with {killed.code}: {killed.err.strip()})"] if wrong else []

    def _killed(self, scene: Scene, point: Point) -> tuple[kit.Snapshot, Killed]:
        self._set(self.scenes[scene.like] if scene.killed and scene.like else scene)
        before = kit.snapshot(self.stage.main)
        self._set(scene)
        killed = self.tracer.kill(point, scene.command, self.stage.main)
        for _ in range(_MORE_TRIES):
            if killed.fired:
                return before, killed
            self._set(scene)
            killed = self.tracer.kill(point, scene.command, self.stage.main)
        self.missed += [] if killed.fired else [point]
        return before, killed

    def _set(self, scene: Scene) -> None:
        copy(self._template(scene), self.stage.root)

    def _template(self, scene: Scene) -> Path:
        return self.place / f"template-{scene.name}"


def _at(moment: str, found: Sequence[str]) -> list[str]:
    return [f"{moment}: {finding}" for finding in found]
