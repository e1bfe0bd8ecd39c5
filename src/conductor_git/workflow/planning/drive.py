"""drive: a plan run to its end, by looking at what is on record, deciding, acting, and sleeping until that changes.

Nothing is remembered but on the disk: after a kill another runner goes on from the records. A task is spawned once,
since its record is; whatever a kill interrupted is mended by the next command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from conductor_git import durable
from conductor_git.errors import ConductorError, LockTimeout, PlanRunning
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.run import Run
from conductor_git.workflow.landing.wish import Listener, Wish
from conductor_git.workflow.mend import mend
from conductor_git.workflow.planning.actions import Action, Halt, Land
from conductor_git.workflow.planning.decide import decide
from conductor_git.workflow.planning.facts import Facts
from conductor_git.workflow.planning.landing import Landings
from conductor_git.workflow.planning.look import Looker
from conductor_git.workflow.planning.perform import Hands
from conductor_git.workflow.planning.standing import Standing
from conductor_git.workflow.planning.waiting import Waiter

FIRST_LOOK: Final = 0.1
"""Seconds after something has happened until we look again unasked: a process can end after its last word."""
SLOWEST_LOOK: Final = 15.0
"""Seconds between two looks while nothing happens: a supervisor that was killed leaves no word."""


@dataclass(frozen=True, slots=True)
class Audience:
    """What a surface wants to hear. Called synchronously, `landing` from a thread of its own; must not raise."""

    stands: Callable[[TaskId, Standing, Run | None], None] = lambda task_id, standing, run: None
    """Hears of each task at the beginning, and whenever it stands elsewhere."""
    did: Callable[[Action], None] = lambda action: None
    refused: Callable[[Action, ConductorError], None] = lambda action, error: None
    landing: Listener = field(default_factory=Listener)


@dataclass(frozen=True, slots=True)
class Result:
    """Where the tasks of a plan stand, in its order, and their records; `is_over` False where we were interrupted."""

    standings: Mapping[TaskId, Standing]
    runs: Mapping[TaskId, Run]
    is_over: bool = True


class Runner:
    """One run of a plan."""

    def __init__(self, hands: Hands, waiter: Waiter, audience: Audience, *, wish: Wish | None = None) -> None:
        self._hands, self._waiter, self._audience = hands, waiter, audience
        self._landings = Landings(hands, wish or Wish(), audience.landing, waiter.wake)
        self._tried: dict[Action, str] = {}
        self._told: dict[TaskId, Standing] = {}
        self._is_interrupted = False

    def interrupt(self) -> None:
        """Start nothing more, and return soon; what is at work goes on. For signal handlers."""
        self._is_interrupted = True
        self._waiter.wake()

    def run(self, *, wait: bool = False) -> Result:
        """Go on until nothing more happens by itself; with `wait`, until nothing is left that a person could decide.

        `PlanRunning` where somebody else runs the plan.
        """
        hands = self._hands
        looker = Looker(hands.project, hands.planned, hands.clock())
        with alone(hands.project.layout, hands.planned.name):
            try:
                return self._to_its_end(looker, wait)
            finally:
                if self._landings.break_off():
                    self._mend()

    def _to_its_end(self, looker: Looker, wait: bool) -> Result:
        pause, before = FIRST_LOOK, None
        while True:
            cursor = self._waiter.cursor()
            self._mend()
            self._tried.update(self._landings.collect())
            facts = looker.facts(dict(self._tried))
            decision = decide(self._hands.planned, facts)
            self._tell(decision.standings, facts)
            is_over = decision.is_over(wait=wait) and not self._landings.is_busy
            if is_over or self._is_interrupted:
                return Result(decision.standings, facts.runs, is_over)
            acted = self._act(decision.actions)
            pause = FIRST_LOOK if acted or facts != before else min(2 * pause, SLOWEST_LOOK)
            before = facts
            if not self._is_interrupted:
                self._waiter.wait(cursor, pause)

    def _mend(self) -> None:
        """What a killed command of others left, such as a worker's `done`: nobody else may come to mend it."""
        mend(self._hands.project, self._hands.clock)

    def _tell(self, standings: Mapping[TaskId, Standing], facts: Facts) -> None:
        for task_id, standing in standings.items():
            told = self._told.get(task_id)
            if told is None or (told.stands, told.why) != (standing.stands, standing.why):
                self._told[task_id] = standing
                self._audience.stands(task_id, standing, facts.runs.get(task_id))

    def _act(self, actions: Sequence[Action]) -> bool:
        """Do them, one after the other, until we are interrupted; whether any was done."""
        self._landings.start(action for action in actions if isinstance(action, Land))
        halts = [action for action in actions if isinstance(action, Halt)]
        with ThreadPoolExecutor(max_workers=max(1, len(halts))) as pool:
            done = list(pool.map(self._done, halts))
        others = (action for action in actions if not isinstance(action, (Land, Halt)))
        done += [self._done(action) for action in others if not self._is_interrupted]
        return any(done)

    def _done(self, action: Action) -> bool:
        """Whether it was done; why not is told, and remembered unless it may pass by itself."""
        try:
            if not self._hands.perform(action):
                return False
        except LockTimeout:
            return False
        except ConductorError as refused:
            self._tried[action] = refused.message
            self._audience.refused(action, refused)
            return False
        self._tried[action] = ""
        self._audience.did(action)
        return True


@contextmanager
def alone(layout: Layout, plan: str) -> Iterator[None]:
    """Hold the lock of the plan, or refuse at once where somebody else runs it (`PlanRunning`)."""
    path = layout.plan_lock(plan)
    durable.make_directory(path.parent)
    try:
        with durable.lock(path, seconds=0, purpose=f"run {plan}"):
            yield
    except LockTimeout as taken:
        if taken.facts.get("path") != str(path):
            raise
        holder = taken.facts.get("holder") or "another process"
        raise PlanRunning(
            f"the plan {plan} is being run already, by {holder}",
            hint="conductor-git status --watch",
            plan=plan,
            holder=taken.facts.get("holder"),
        ) from taken
