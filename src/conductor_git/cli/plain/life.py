"""The life of a task as its commands tell it, shared by the plain way in and the ordinary one; imports no Typer."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from conductor_git.cli.here import Here, here, picker
from conductor_git.cli.output import document, narrate, say
from conductor_git.cli.plain.answering import answer_with
from conductor_git.cli.plain.supervised import doing
from conductor_git.errors import BadInput
from conductor_git.names import parse_task_id, short
from conductor_git.run import Run, next_command, utcnow
from conductor_git.wording import several

if TYPE_CHECKING:
    from conductor_git.config.model import Config
    from conductor_git.runner.setup import Listener
    from conductor_git.workflow.spawning.order import Order, Plan


def spawn(  # noqa: PLR0913 - one parameter an option
    *,
    task: str,
    command: list[str] | None = None,
    message: str | None = None,
    prompt_file: Path | None = None,
    agent: str | None = None,
    title: str | None = None,
    base: str | None = None,
    target: str | None = None,
    needs: list[str] | None = None,
    reviews: int | None = None,
    priority: int = 0,
    review: str | None = None,
    existing: bool = False,
    no_start: bool = False,
    dry_run: bool = False,
    trust: bool = False,
    as_json: bool = False,
) -> None:
    """Give a task a branch and a worktree of its own, and start its agent there."""
    from conductor_git.cli.preparing import aloud
    from conductor_git.settings import project_config, require_trusted, without_effect
    from conductor_git.workflow.spawn import spawn as make
    from conductor_git.workflow.spawning.order import Order, plan

    if command == ["-"] and message is None:
        command, message = None, "-"
    place = here()
    by = picker(place)
    config = project_config(place.project)
    if trust:
        require_trusted(config, agree=True)
    order = Order(
        task_id=parse_task_id(task),
        prompt=_prompt(message, prompt_file),
        title=title,
        agent=agent,
        command=tuple(command or ()),
        base=base,
        target=target,
        needs=tuple(map(parse_task_id, needs or ())),
        reviews_required=reviews,
        existing=existing,
        priority=priority,
        parent_task_id=by.speaker,
    )
    wanted = plan(place.project, order, config) if review is None else _plan_review(place, order, config, review)
    if dry_run:
        facts = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(wanted).items()}
        facts["bus"] = wanted.bus.url
        if as_json:
            document(plan=facts)
        else:
            what = f"{wanted.branch} in {wanted.worktree} from {wanted.target}"
            what = f"a review of {wanted.review_of} in {wanted.worktree}" if wanted.review_of else what
            say(f"would make {what} at {short(wanted.base_commit)}")
        return
    for key in without_effect(config):
        narrate("▲", f"`{key}` is set in the config, and this version does not act on it")
    run = make(place.project, wanted, by=by, at=utcnow(), start_agent=not no_start, listener=aloud())
    answer_with(run, run.worktree, as_json=as_json)
    if config.setup and config.pool.size:
        _narrate_setup(place, config)
    _narrate_spawn(run)


def _narrate_setup(place: Here, config: Config) -> None:
    from conductor_git.workflow.spawning.ahead import why_not_ahead

    if why := why_not_ahead(place.project, config):
        narrate("○", f"the pool cannot run the setup beforehand: {why}")


def _plan_review(place: Here, order: Order, config: Config, review: str) -> Plan:
    from conductor_git.workflow.agent_review.spawn import plan_review

    return plan_review(place.project, order, config, parse_task_id(review))


def _narrate_spawn(run: Run) -> None:
    if run.review_of is not None:
        narrate("✓", f"{run.task_id} reviews {run.review_of} at {short(run.base_commit)}")
    else:
        narrate("✓", f"{run.task_id} has the branch {run.branch}, from {run.target} at {short(run.base_commit)}")
    if run.parent_task_id is not None:
        narrate("○", f"it is a sub-task of {run.parent_task_id}")
    narrate("○", f"its worktree is {run.worktree}")
    if run.supervision is not None or run.attempts:
        narrate("◎", doing(run))
    else:
        narrate("↳", f"cd {quote(run.worktree)} && conductor-git start")


def _prompt(message: str | None, prompt_file: Path | None) -> str:
    if message is not None and prompt_file is not None:
        raise BadInput("-m and --prompt-file both give a prompt", hint="conductor-git spawn --help")
    if message == "-" or (prompt_file is not None and str(prompt_file) == "-"):
        return sys.stdin.read()
    if prompt_file is not None:
        try:
            return prompt_file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as unreadable:
            raise BadInput(
                f"the prompt file {prompt_file} cannot be read: {unreadable}", hint=f"ls -l {quote(str(prompt_file))}"
            ) from unreadable
    return message or ""


def start(*, task: str | None = None, as_json: bool = False) -> None:
    """Take the task up: ASSIGNED → WORKING."""
    from conductor_git.workflow.start import start as take_up

    def listening() -> Listener:
        from conductor_git.cli.preparing import aloud  # only where there is a setup to hear of

        return aloud()

    place = here()
    run = take_up(place.project, place.task(task), by=place.actor, at=utcnow(), listening=listening)
    answer_with(run, as_json=as_json)
    narrate("✓", f"{run.task_id} is being worked on in {run.worktree}")


def done(*, task: str | None = None, message: str | None = None, wip: bool = False, as_json: bool = False) -> None:
    """Hand the worktree's HEAD in for review: WORKING → IN_REVIEW."""
    from conductor_git.workflow.finish import finish

    place = here()
    run = finish(place.project, place.task(task), by=place.actor, at=utcnow(), summary=message, wip=wip)
    answer_with(run, run.head_commit or "", as_json=as_json)
    narrate("✓", f"{run.task_id} is in review at {short(run.head_commit)}")
    narrate("↳", f"conductor-git diff {run.task_id}")


def fail(*, task: str | None = None, message: str | None = None, as_json: bool = False) -> None:
    """Give the task up; its branch and worktree stay."""
    from conductor_git.workflow.end import fail as give_up

    place = here()
    run = give_up(place.project, place.task(task), by=place.actor, at=utcnow(), why=message)
    _ended(place, run, as_json)


def cancel(*, task: str, message: str | None = None, as_json: bool = False) -> None:
    """End a task that is not wanted any more; its branch and worktree stay."""
    from conductor_git.workflow.end import cancel as call_off

    place = here()
    run = call_off(place.project, place.task(task), by=place.actor, at=utcnow(), why=message)
    _ended(place, run, as_json)


def _ended(place: Here, run: Run, as_json: bool) -> None:
    from conductor_git.workflow.family.kin import children

    answer_with(run, as_json=as_json)
    what = f"{run.worktree} stays as it is"
    what = what if run.review_of else f"the branch {run.branch} and {run.worktree} stay as they are"
    narrate("✓", f"{run.task_id} is {run.state}; {what}")
    if living := [child for child in children(place.project, run.task_id) if not child.state.is_final]:
        said = several([f"{child.task_id} ({child.state})" for child in living])
        narrate("▲", f"what it had spawned goes on: {said}")
        narrate("↳", f"conductor-git cancel {living[0].task_id}")
    narrate("↳", next_command(run))


def retry(*, task: str, reset: bool = False, as_json: bool = False) -> None:
    """Start a failed or cancelled task again, as a new generation."""
    from conductor_git.cli.preparing import aloud
    from conductor_git.workflow.retry import retry as again

    place = here()
    run, kept = again(place.project, place.task(task), by=place.actor, at=utcnow(), reset=reset, listener=aloud())
    answer_with(run, as_json=as_json)
    narrate("✓", f"{run.task_id} starts again as generation {run.generation} in {run.worktree}")
    if kept and kept.ref:
        narrate("○", f"the former work is kept in {kept.ref}")
