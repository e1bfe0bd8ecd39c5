"""The table of commands and its lazy resolution: only the module of the command that runs is imported."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_command_name, get_group
from typer.models import CommandInfo

from conductor_git import __version__
from conductor_git.cli import sigterm
from conductor_git.cli.options import panel
from conductor_git.errors import BadInput

TABLE: Final = {
    "spawn": "work",
    "start": "work",
    "heartbeat": "work",
    "done": "work",
    "fail": "work",
    "cancel": "work",
    "retry": "work",
    "approve": "reviewing",
    "request-changes": "reviewing",
    "reject": "reviewing",
    "diff": "reviewing",
    "merge": "landing",
    "queue": "landing",
    "undo": "landing",
    "status": "looking",
    "wait": "wait",
    "show": "looking",
    "log": "looking",
    "conflicts": "foresight",
    "ctx": "worker",
    "agents": "roster",
    "run": "run",
    "attach": "attach",
    "stop": "agents",
    "resume": "agents",
    "bus": "bus",
    "config": "settings",
    "hooks": "hooks",
    "init": "beginning",
    "cd": "changing",
    "restore": "care",
    "doctor": "doctor",
    "gc": "gc",
    "serve": "serve",
    "mcp": "mcp",
    "demo": "demo",
}
"""Command → module of this package. A module holds one Typer app; `bus` and `config` are groups of their own."""

_USAGE_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[1]
"""The class of every complaint about arguments, which Typer does not export under its own name."""

GROUPS: Final = {"bus": "bus", "config": "care", "hooks": "care", "serve": "look"}
"""The commands that are groups of their own, and the panel of the help that each stands in."""
_BUS_COMMANDS: Final = ("post", "read", "follow", "ack", "verify", "copy")
ALIASES: Final = frozenset({"reject"})


class Commands(TyperGroup):
    """A Typer group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is Typer's
        return [name for name in TABLE if name not in ALIASES]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the same
        module = TABLE.get(cmd_name)
        if module is None:
            return None
        found: typer.Typer = import_module(f"conductor_git.cli.{module}").app
        if cmd_name not in GROUPS:
            return _alone(found, cmd_name)
        group: Any = get_group(found)
        group.name, group.rich_help_panel = cmd_name, panel(GROUPS[cmd_name])
        return group


def _alone(app: typer.Typer, name: str) -> Any:
    """The command `name` of `app`; to make the others of its module besides costs more than some commands do."""
    own = typer.Typer()
    own.registered_commands = [info for info in app.registered_commands if _name(info) == name]
    return get_group(own).commands[name]


def _name(info: CommandInfo) -> str:
    return info.name or get_command_name(getattr(info.callback, "__name__", ""))


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Run many coding agents on one git repository: a worktree each, reviewed commits, landings that lose nothing.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"conductor-git {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Run many coding agents on one git repository."""


def dispatch(arguments: list[str]) -> int:
    """Parse and run one command; usage errors become `BadInput`, a requested exit its code."""
    sigterm.obey()
    try:
        result = get_command(app).main(args=arguments, prog_name="conductor-git", standalone_mode=False)
    except typer.Abort:
        return 130
    except typer.Exit as left:
        return left.exit_code
    except SystemExit as left:
        if isinstance(left.__context__, BrokenPipeError):
            raise left.__context__ from None  # Typer makes an exit code of 1 of it; our boundary ends quietly
        raise
    except _USAGE_ERROR as usage:
        raise _bad_usage(usage, arguments) from usage
    return result if isinstance(result, int) else 0


def _meant(arguments: list[str]) -> str | None:
    """The command that comes nearest to one that is not there."""
    if not arguments or arguments[0].startswith("-") or arguments[0] in TABLE:
        return None
    from difflib import get_close_matches

    return next(iter(get_close_matches(arguments[0], TABLE, n=1)), None)


def _bad_usage(usage: Any, arguments: list[str]) -> BadInput:
    if (meant := _meant(arguments)) is not None:
        return BadInput(f"there is no command {arguments[0]}", hint=f"conductor-git {meant} --help")
    words = [word for word in arguments[:2] if word in TABLE or word in _BUS_COMMANDS]
    said = usage.format_message() or "which command?"  # without any, Typer has printed the help and says nothing
    return BadInput(said, hint=" ".join(["conductor-git", *words, "--help"]))
