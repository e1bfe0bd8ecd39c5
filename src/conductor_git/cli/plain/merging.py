"""What merge and undo do, shared by the plain way in and the ordinary one; imports no Typer."""

from __future__ import annotations

from conductor_git.cli import landed
from conductor_git.cli.here import here
from conductor_git.cli.output import answer, document, narrate, say
from conductor_git.errors import BadInput
from conductor_git.names import short
from conductor_git.run import Strategy, utcnow
from conductor_git.wording import counted
from conductor_git.workflow.landing.wish import WAIT_SECONDS, Wish


def merge(  # noqa: PLR0913 - one parameter an option
    *,
    task: str | None = None,
    strategy: Strategy | None = None,
    no_cleanup: bool = False,
    wait: float = WAIT_SECONDS,
    dry_run: bool = False,
    trust: bool = False,
    ignore_needs: bool = False,
    target: str | None = None,
    as_json: bool = False,
) -> int:
    """Land an approved task, or without TASK all of them; returns the exit code."""
    place = here()
    wish = Wish(
        strategy=strategy,
        cleanup=not no_cleanup,
        wait_seconds=wait,
        dry_run=dry_run,
        trust=trust,
        ignore_needs=ignore_needs,
    )
    if task is not None:
        if target is not None:
            raise BadInput("a TASK has its target; --target is for the queue", hint=f"conductor-git merge {task}")
        from conductor_git.workflow.land import land

        done = land(place.project, place.task(task), by=place.actor, at=utcnow, wish=wish, listener=landed.listener())
        landed.tell_one(done, dry_run, as_json)
        return 0
    from conductor_git.workflow.queue import process

    listener = landed.listener(landed.teller(dry_run))
    processed = process(place.project, by=place.actor, at=utcnow, target=target, wish=wish, listener=listener)
    return landed.tell_all(processed, dry_run, as_json)


def undo(
    *,
    task: str,
    message: str | None = None,
    wait: float = WAIT_SECONDS,
    dry_run: bool = False,
    trust: bool = False,
    as_json: bool = False,
) -> None:
    """Take a landing back by a new commit on its target; `retry` then goes on with the change."""
    from conductor_git.workflow.documents.landing import undone_document
    from conductor_git.workflow.undo import undo as take_back

    place = here()
    wish = Wish(wait_seconds=wait, dry_run=dry_run, trust=trust)
    undone = take_back(
        place.project,
        place.task(task),
        by=place.actor,
        at=utcnow,
        why=message or "",
        wish=wish,
        listener=landed.listener(),
    )
    run = undone.run
    facts = undone_document(undone, dry_run=dry_run)
    if as_json:
        document(**facts)
    elif dry_run:
        say(f"{run.task_id} would be taken off {run.target} with {counted(len(undone.paths), 'changed file')}")
    else:
        answer(undone.commit)
        narrate("✓", f"{run.task_id} is taken off {run.target} again by {short(undone.commit)}")
        narrate("↳", f"conductor-git retry {run.task_id}")
