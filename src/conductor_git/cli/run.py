"""run: the tasks of a plan, each with its agent, in order, reviewed and landed as the plan says."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from conductor_git.cli import planned as telling
from conductor_git.cli.here import Here, here, picker, reviewer
from conductor_git.cli.options import Json, panel
from conductor_git.cli.output import narrate
from conductor_git.errors import BadInput
from conductor_git.run import utcnow

if TYPE_CHECKING:
    from conductor_git.config.model import Config
    from conductor_git.workflow.planning.drive import Runner
    from conductor_git.workflow.planning.planned import Planned

app = typer.Typer()


@app.command(rich_help_panel=panel("work"), epilog="Example: conductor-git run plans/checkout.yaml --dry-run")
def run(
    plan: Annotated[Path, typer.Argument(metavar="PLAN.yaml", help="The plan.", show_default=False)],
    wait: Annotated[bool, typer.Option("--wait", help="Wait for people too, until every task has ended.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the tasks in order and what would start.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Agree to run the commands of the config.")] = False,
    as_json: Json = False,
) -> None:
    """Run the tasks of a plan: as many agents at once as it says, until all has landed or waits for a person."""
    from conductor_git.settings import project_config, require_trusted
    from conductor_git.workflow.planning.prepare import changed_prompts, prepare

    place = here()
    if (worker := picker(place).speaker) is not None:
        raise BadInput(
            f"a plan is run by the coordinator, and here speaks the worker of {worker}",
            hint="conductor-git spawn --help",
            task_id=worker,
        )
    config = project_config(place.project)
    planned = prepare(place.project, config, plan)
    if dry_run:
        telling.tell_dry_run(place.project, planned, as_json)
        return
    require_trusted(config, agree=trust)
    for task_id in changed_prompts(place.project, planned):
        narrate("▲", f"{task_id} was asked something else than {plan} says now; what it was asked stands")
    runner = _runner(place, config, planned, trust)
    ended_by = _Interrupting(runner)
    result = runner.run(wait=wait)
    if ended_by.signal is not None and not result.is_over:
        telling.tell_interrupted(planned, result, plan)
        raise typer.Exit(128 + ended_by.signal)
    raise typer.Exit(telling.tell_result(planned, result, as_json))


def _runner(place: Here, config: Config, planned: Planned, trust: bool) -> Runner:
    from conductor_git.workflow.landing.wish import Wish
    from conductor_git.workflow.planning.drive import Runner
    from conductor_git.workflow.planning.perform import Hands
    from conductor_git.workflow.planning.verdicts import plan_reviewer
    from conductor_git.workflow.planning.waiting import BusWaiter

    hands = Hands(
        project=place.project,
        planned=planned,
        config=config,
        by=picker(place),
        approver=reviewer(place, plan_reviewer(planned.name)),
        clock=utcnow,
    )
    return Runner(hands, BusWaiter(place.project.bus), telling.audience(planned), wish=Wish(trust=trust))


class _Interrupting:
    """^C and SIGTERM let the runner end in order; a second one ends it at once."""

    def __init__(self, runner: Runner) -> None:
        self.signal: int | None = None
        self._runner = runner
        self._before = {number: signal.signal(number, self._told) for number in (signal.SIGINT, signal.SIGTERM)}

    def _told(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature is signal's
        self.signal = number
        for each, handler in self._before.items():
            signal.signal(each, handler)
        self._runner.interrupt()
