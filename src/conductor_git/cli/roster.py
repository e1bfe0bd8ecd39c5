"""agents: which can be called, where they are, and how they are called."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from conductor_git.cli.here import onlooker
from conductor_git.cli.options import Json, panel
from conductor_git.cli.output import document, narrate, printable, table
from conductor_git.environment import inherited
from conductor_git.wording import counted
from conductor_git.workflow.documents.agent import agent_document, set_keys

if TYPE_CHECKING:
    from conductor_git.workflow.agents import Known

app = typer.Typer()
_HEADER = ("AGENT", "VERSION", "USABLE", "KEY", "CALLED")


@app.command(rich_help_panel=panel("look"), epilog="Example: conductor-git agents --check")
def agents(
    check: Annotated[bool, typer.Option("--check", help="Start each one to ask for its version.")] = False,
    as_json: Json = False,
) -> None:
    """The agents that can be called: installed or not, version, usable or why not, and how they are called.

    Without --check nothing is started.
    """
    from conductor_git.workflow.agents import known_agents

    found = known_agents(onlooker().project, inherited(), check=check)
    if as_json:
        document(agents=[agent_document(agent) for agent in found])
        return
    print(printable(table(_HEADER, [_row(agent) for agent in found], sys.stdout)))
    usable = sum(agent.is_usable is not False for agent in found)
    if check:
        narrate("✓" if usable else "○", f"{counted(usable, 'agent')} can be used here")
    else:
        narrate("○", f"{counted(usable, 'agent')} installed; --check asks each one for its version")


def _row(agent: Known) -> tuple[str, ...]:
    finding = agent.finding
    stands = {None: "installed", True: "yes"}.get(agent.is_usable, finding.problem)
    name = f"{finding.name} (default)" if agent.is_default else finding.name
    return (name, finding.version or "", stands, ", ".join(set_keys(agent)), _called(agent))


def _called(agent: Known) -> str:
    """The command line as a shell would have it."""
    if agent.launch is None:
        return ""
    variables = [f"{name}={shlex.quote(value)}" for name, value in agent.launch.environment.items()]
    stdin = ["<", shlex.quote(str(agent.launch.stdin))] if agent.launch.stdin else []
    return " ".join([*variables, shlex.join(agent.launch.command), *stdin])
