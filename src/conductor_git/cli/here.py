"""Where a command runs and who gives it: the project, and the worker whose worktree this is, if it is one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conductor_git import journal
from conductor_git.actor import COORDINATOR, Actor, worker
from conductor_git.cli import sigterm
from conductor_git.cli.output import narrate
from conductor_git.context import WorkerContext
from conductor_git.environment import inherited, variable
from conductor_git.errors import BadContext, BadInput, BadTaskId, ConductorError, NoContext
from conductor_git.identity import find_context
from conductor_git.names import TaskId, parse_task_id
from conductor_git.project import Project, open_project, project_at
from conductor_git.run import utcnow


@dataclass(frozen=True, slots=True)
class Here:
    """A project and the actor in it; `context` is set inside a worker's worktree."""

    project: Project
    actor: Actor
    context: WorkerContext | None

    def task(self, named: str | None) -> TaskId:
        """The task that the command is about: the named one, or the worktree's own."""
        if named is not None:
            return parse_task_id(named)
        if self.context is None:
            raise BadInput(
                "which TASK? it can be left out only inside a worker's worktree", hint="conductor-git status"
            )
        return self.context.task_id


def here() -> Here:
    """Open the project around the current directory, first mending what a killed command left.

    A context that is damaged or was copied from elsewhere is refused: it would speak for the wrong worker. SIGTERM is
    obeyed from here on.
    """
    sigterm.obey()
    found = context_here()
    if found is None:
        opened = Here(open_project(Path.cwd()), COORDINATOR, None)
    else:
        opened = Here(project_at(found.state_dir.parent, found.repository), actor_of(found), found)
    mend(opened.project)
    return opened


def onlooker() -> Here:
    """As `here`, for commands that only look: a bad context does not keep them from looking."""
    try:
        return here()
    except BadContext as bad:
        narrate("▲", bad.message)
        opened = Here(open_project(Path.cwd()), COORDINATOR, None)
        mend(opened.project)
        return opened


def context_here() -> WorkerContext | None:
    try:
        return find_context(Path.cwd(), inherited()).context
    except NoContext:
        return None


def actor_of(context: WorkerContext) -> Actor:
    return worker(context.task_id, context.generation, inherited())


def mend(project: Project) -> None:
    """Finish or take back what was interrupted; imports the machinery for it only when there is something."""
    if not journal.pending(project.layout):
        return
    from conductor_git.workflow.recover import recover

    try:
        for task_id in recover(project, at=utcnow()):
            narrate("○", f"an interrupted command on {task_id} was mended")
    except ConductorError as refused:
        # One task's trouble breaks no other task's command; it is tried again by the next one.
        narrate("▲", f"an interrupted command could not be mended: {refused.message}")


def reviewer(place: Here, named: str | None) -> Actor:
    """Who reviews: `--as`, else the git user. A worker keeps its identity, and its task's id is its name by default."""
    from conductor_git.review import parse_reviewer

    mine = _speakers(place)
    worker = mine[0] if mine else None
    generation = place.actor.generation if worker == place.actor.worker else None
    name = named if named is not None else worker or _git_user(place)
    return Actor(parse_reviewer(name), worker, generation, mine[1:])


def picker(place: Here) -> Actor:
    """Who picks a reviewer: the actor, with every other worker that may be speaking."""
    return place.actor._replace(also=_speakers(place))


def _speakers(place: Here) -> tuple[TaskId, ...]:
    """The tasks whose workers may be speaking: by the environment that an agent's children keep, and by the place."""
    by_place = [] if place.actor.worker is None else [place.actor.worker]
    by_environment = []
    if variable("CONDUCTOR_PROJECT_ID") in (None, place.project.project_id):
        with suppress(BadTaskId):
            said = parse_task_id(variable("CONDUCTOR_TASK_ID") or "")
            by_environment = [said] if place.project.layout.run_info(said).is_file() else []
    return tuple(dict.fromkeys([*by_environment, *by_place]))


def _git_user(place: Here) -> str:
    return place.project.git.run("config", "--get", "user.name", ok=(0, 1)).text or variable("USER") or "coordinator"
