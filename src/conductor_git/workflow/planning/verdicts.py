"""Whose verdict a task in review waits for, by the policy of its plan (no I/O)."""

from __future__ import annotations

from conductor_git.config.plan import Policy
from conductor_git.names import short
from conductor_git.review import Review, Verdict, current
from conductor_git.run import Run, State
from conductor_git.workflow.planning.actions import Action, Approve, Ask, Recall
from conductor_git.workflow.planning.facts import Facts, Stands
from conductor_git.workflow.planning.planned import Planned, PlannedTask
from conductor_git.workflow.planning.resuming import resumed
from conductor_git.workflow.planning.standing import Standing, waits


def in_review(planned: Planned, facts: Facts, task: PlannedTask, run: Run) -> Standing:
    """Where a task stands whose commit is in review, and who is asked about it."""
    if task.approval.policy is Policy.GATES:
        return _by_the_plan(planned, facts, run)
    if task.approval.policy is Policy.QUORUM:
        return _by_agents(planned, facts, task, run)
    return waits(f"in review at {short(run.head_commit)}; conductor-git approve {run.task_id}")


def recalls(facts: Facts) -> list[Action]:
    """The reviewers' tasks that look at what is not in review any more."""
    found: list[Action] = []
    for task_id, reviewers in facts.reviewers.items():
        run = facts.runs.get(task_id)
        wanted = run.head_commit if run is not None and run.state in (State.IN_REVIEW, State.APPROVED) else None
        late = [one for one in reviewers if not one.state.is_final and one.base_commit != wanted]
        found += [Recall(one.task_id, len(one.history)) for one in late]
    return found


def plan_reviewer(name: str) -> str:
    """The reviewer's name under which the plan `name` approves."""
    return f"plan:{name}"


def _by_the_plan(planned: Planned, facts: Facts, run: Run) -> Standing:
    assert run.head_commit is not None
    action = Approve(run.task_id, run.head_commit, len(run.history))
    given = _approvals(facts, run)
    if refused := facts.tried.get(action):
        return waits(f"could not be approved: {refused}")
    if plan_reviewer(planned.name) in given or action in facts.tried:
        return waits(_more_needed(run, len(given)))
    return Standing(Stands.REVIEWING, "", (action,))


def _by_agents(planned: Planned, facts: Facts, task: PlannedTask, run: Run) -> Standing:
    """So many reviewers' tasks at once as verdicts are missing; of agents that were not asked about this commit yet."""
    assert run.head_commit is not None
    reviewers = [one for one in facts.reviewers_of(run.task_id) if one.base_commit == run.head_commit]
    given = _approvals(facts, run) & {one.task_id for one in reviewers}
    looking = [one for one in reviewers if not one.state.is_final and not _is_stuck(planned, facts, one)]
    missing = task.approval.quorum - len(given) - len(looking)
    asked = {one.agent for one in reviewers if not one.state.is_final or one.updated_at >= run.history[-1].at}
    others = [name for name in task.reviewers if name not in authors(run) | asked]
    review = facts.next_review[run.task_id]
    wanted = [Ask(run.task_id, review, name, run.head_commit) for name in others if missing > 0]
    action = next((action for action in wanted if action not in facts.tried), None)
    if action is not None:
        # One at a time: the id of the next one is known once this one is there.
        return Standing(Stands.REVIEWING, _so_far(len(given), task), (action,))
    if looking:
        return Standing(Stands.REVIEWING, _so_far(len(given), task))
    if missing <= 0:
        return waits(_more_needed(run, len(_approvals(facts, run))))
    return waits(f"{_so_far(len(given), task)}, and no other can be asked{_trouble(facts, wanted, reviewers)}")


def _is_stuck(planned: Planned, facts: Facts, reviewer: Run) -> bool:
    standing = resumed(planned, facts, reviewer)
    return standing is not None and standing.stands is Stands.WAITING


def authors(run: Run) -> set[str | None]:
    """The agents that have worked on the task."""
    return {run.agent, *(attempt.agent for attempt in run.attempts)}


def _approvals(facts: Facts, run: Run) -> set[str]:
    """Who has approved what is in review since it was handed in."""
    found = current(facts.reviews.get(run.task_id, ()))
    return {review.reviewer for review in found if _counts(review, run)}


def _counts(review: Review, run: Run) -> bool:
    is_of_it = review.commit == run.head_commit and review.at >= run.history[-1].at
    return is_of_it and review.verdict is Verdict.APPROVE


def _more_needed(run: Run, given: int) -> str:
    return f"{given} of {run.reviews_required} approvals; conductor-git approve {run.task_id}"


def _so_far(given: int, task: PlannedTask) -> str:
    return f"{given} of {task.approval.quorum} agents approved"


def _trouble(facts: Facts, wanted: list[Ask], reviewers: list[Run]) -> str:
    ended = [f"{one.task_id}: {one.reason}" for one in reviewers if one.reason]
    refused = [f"{action.agent}: {facts.tried[action]}" for action in wanted if facts.tried.get(action)]
    return "".join(f"; {said}" for said in (*ended, *refused))
