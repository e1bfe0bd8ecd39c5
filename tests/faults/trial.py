"""One trial: a stage, a kill, the next command, the same command again, and the task driven to its end."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests import kit
from tests.faults.aftermath import findings, landed_whole, unsaved_is_kept
from tests.faults.scenes import DATES, SCENES, Scene, Stage, build, copy, to_the_end
from tests.faults.tracer import Killed, Point, Tracer

_MORE_TRIES: Final = 3
_BUG: Final = 3


@dataclass
class Theatre:
    """A directory with one stage, and a template of each scene, made when it is first asked for."""

    place: Path
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
            scene = SCENES[name]
            others = self.points(scene.like) if scene.like else ()
            if scene.killed and scene.like:
                self._set(SCENES[scene.like])
                self.tracer.kill(scene.killed.first(others), SCENES[scene.like].command, self.stage.main)
            else:
                shutil.rmtree(self.stage.root, ignore_errors=True)
                build(self.stage, scene)
            self.stage.root.rename(self._template(scene))
            self._set(scene)
            found = self.tracer.points(scene.command, self.stage.main)
            known = set() if scene.killed else {point.deed for point in others}
            self._points[name] = tuple(point for point in found if point.deed not in known)
        return self._points[name]

    def trial(self, name: str, point: Point) -> list[str]:
        """Kill the scene's command at `point`; what is wrong afterwards, each with the moment it was seen."""
        scene, stage = SCENES[name], self.stage
        self.points(name)
        before, killed = self._killed(scene, point)
        wrong = [f"a bug was reported: {killed.err}"] if killed.code == _BUG else []
        moment = "at first"
        try:
            stage.ask("status", "--all", "--json")
            moment = "after status"
            wrong += _at(moment, findings(stage, before))
            moment = "again"
            stage.ask(*scene.command, ok=scene.again)
            wrong += _at("after the second try", findings(stage, before))
            moment = "on the way to the end"
            run = to_the_end(stage, scene)
            wrong += _at("at the end", [*findings(stage, before), *landed_whole(stage, run)])
            if (self._template(scene) / "acme.worktrees" / "fix-login" / "unsaved.txt").exists():
                wrong += [] if unsaved_is_kept(stage) else ["unsaved.txt is lost"]
        except AssertionError as failed:
            wrong.append(f"{moment}: {failed}")
        return [*wrong, f"(the killed command ended with {killed.code}: {killed.err.strip()})"] if wrong else []

    def _killed(self, scene: Scene, point: Point) -> tuple[kit.Snapshot, Killed]:
        self._set(SCENES[scene.like] if scene.killed and scene.like else scene)
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
