"""decide: what the runner of a plan does next, and where each task stands, from what is on record (no I/O).

The same plan and facts always give the same decision, so a runner that was killed and started again goes on where the
other one was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conductor_git.names import TaskId
from conductor_git.run import Run, State
from conductor_git.workflow.planning.actions import Action, Approve, Halt, Land, Recall, Spawn
from conductor_git.workflow.planning.facts import Facts, Stands, attempts_of
from conductor_git.workflow.planning.planned import Planned, PlannedTask, in_order
from conductor_git.workflow.planning.resuming import left_alone, resumed, tidied
from conductor_git.workflow.planning.standing import Standing, waits
from conductor_git.workflow.planning.verdicts import in_review, recalls


@dataclass(frozen=True, slots=True)
class Decision:
    """`actions` in the order in which they are done, and where each task stands before them."""

    actions: tuple[Action, ...]
    standings: Mapping[TaskId, Standing]

    def is_over(self, *, wait: bool = False) -> bool:
        """Nothing is going to happen by itself any more; with `wait`, nothing that a person could let happen either."""
        stands = [standing.stands for standing in self.standings.values()]
        open_to_people = wait and any(stand in (Stands.WAITING, Stands.HELD) for stand in stands)
        return not self.actions and not open_to_people and not any(stand.goes_on for stand in stands)


def decide(planned: Planned, facts: Facts) -> Decision:
    """What to do now: at most so many agents at once, tasks that were begun before new ones."""
    broken = _broken(planned, facts) if planned.fail_fast else ""
    standings: dict[TaskId, Standing] = {}
    for task in in_order(planned):
        standings[task.task_id] = _standing(planned, facts, task, standings, broken)
    ordered = {task.task_id: standings[task.task_id] for task in planned.tasks}
    if broken:
        return Decision(_halts(facts, broken), ordered)
    wanted = [action for standing in ordered.values() for action in standing.actions]
    wanted += _for_reviewers(planned, facts)
    wanted += [action for run in facts.all_runs for action in tidied(facts, run)]
    fresh = tuple(action for action in wanted if action not in facts.tried)
    return Decision(_within(planned, facts, fresh), ordered)


def _for_reviewers(planned: Planned, facts: Facts) -> list[Action]:
    late = recalls(facts)
    recalled = {action.task_id for action in late}
    looking = (run for runs in facts.reviewers.values() for run in runs if run.task_id not in recalled)
    found = (resumed(planned, facts, run) for run in looking)
    return [*late, *(action for standing in found if standing for action in standing.actions)]


def _broken(planned: Planned, facts: Facts) -> str:
    """Why nothing more starts under `fail_fast`; empty where nothing has failed."""
    for task in planned.tasks:
        run = facts.runs.get(task.task_id)
        if run is not None and run.state is State.FAILED:
            return f"{task.task_id} failed, and the plan says fail_fast"
        if refused := facts.tried.get(Spawn(task.task_id)):
            return f"{task.task_id} could not be started ({refused}), and the plan says fail_fast"
    return ""


def _halts(facts: Facts, why: str) -> tuple[Action, ...]:
    going = [run for run in facts.all_runs if run.task_id in facts.alive or left_alone(facts, run)]
    halts = [Halt(run.task_id, attempts_of(run), why) for run in going]
    return tuple(halt for halt in halts if halt not in facts.tried)


def _standing(
    planned: Planned, facts: Facts, task: PlannedTask, known: Mapping[TaskId, Standing], broken: str
) -> Standing:
    run = facts.runs.get(task.task_id)
    if unusable := facts.unusable.get(task.task_id):
        return waits(unusable)
    if run is None:
        return Standing(Stands.NEVER, broken) if broken else _unstarted(facts, task, known)
    return _ended(run) if run.state.is_final else _begun(planned, facts, task, run, broken)


def _begun(planned: Planned, facts: Facts, task: PlannedTask, run: Run, broken: str) -> Standing:
    if broken and run.task_id not in facts.alive:
        return waits(f"{broken}; it goes on when the plan is run again after a retry of that")
    if run.state is State.IN_REVIEW:
        return in_review(planned, facts, task, run)
    if run.state is State.APPROVED:
        return _approved(facts, run)
    return resumed(planned, facts, run) or Standing(Stands.AT_WORK)


_ENDS = {State.COMPLETED: Stands.LANDED, State.FAILED: Stands.FAILED, State.CANCELLED: Stands.CANCELLED}


def _ended(run: Run) -> Standing:
    return Standing(_ENDS[run.state], run.reason or "")


def _unstarted(facts: Facts, task: PlannedTask, known: Mapping[TaskId, Standing]) -> Standing:
    before = {need: known.get(need) or _outside(facts.outside.get(need)) for need in task.before}
    for need, standing in before.items():
        if standing.stands in (Stands.FAILED, Stands.CANCELLED, Stands.NEVER):
            return Standing(Stands.NEVER, f"needs {need}, which {_what_became(standing)}")
    missing = [need for need, standing in before.items() if standing.stands is not Stands.LANDED]
    if held := [need for need in missing if not before[need].stands.goes_on]:
        return Standing(Stands.HELD, f"needs {held[0]}, which waits for a person")
    if missing:
        return Standing(Stands.PENDING, f"after {', '.join(missing)}")
    action = Spawn(task.task_id)
    if action in facts.tried:
        return waits(f"could not be started: {facts.tried[action] or 'its record is gone'}")
    return Standing(Stands.PENDING, "waits for a place", (action,))


def _outside(run: Run | None) -> Standing:
    if run is None:
        return Standing(Stands.NEVER, "there is no such task")
    return _ended(run) if run.state.is_final else waits("")


def _what_became(standing: Standing) -> str:
    words = {Stands.FAILED: "failed", Stands.CANCELLED: "was cancelled", Stands.NEVER: "cannot start"}
    return f"{words[standing.stands]}: {standing.why}" if standing.why else words[standing.stands]


def _approved(facts: Facts, run: Run) -> Standing:
    action = Land(run.task_id, run.target, len(run.history))
    refused = facts.tried.get(action)
    if refused is not None:
        return waits(f"approved, and did not land: {refused or 'it waits for what it needs'}")
    return Standing(Stands.LANDING, f"on {run.target}", (action,))


def _within(planned: Planned, facts: Facts, wanted: tuple[Action, ...]) -> tuple[Action, ...]:
    """The actions that there is a place for: what starts no agent, then what was begun, then new tasks by priority."""
    free = planned.workers - sum(facts.is_busy(run) for run in facts.all_runs)
    starting = [action for action in wanted if _starts_an_agent(action)]
    starting.sort(key=lambda action: _urgency(planned, action))
    return (*(action for action in wanted if not _starts_an_agent(action)), *starting[: max(0, free)])


def _starts_an_agent(action: Action) -> bool:
    return not isinstance(action, (Approve, Land, Recall, Halt))


def _urgency(planned: Planned, action: Action) -> tuple[bool, int]:
    task = planned.by_id.get(action.task_id)
    return (isinstance(action, Spawn), -task.priority if task else 0)
