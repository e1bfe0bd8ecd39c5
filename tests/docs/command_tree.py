"""The commands as Typer has them: names, arguments, options and help, and the page that is made from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from typer.main import get_command

from conductor_git.cli.commands import ALIASES, TABLE, app


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option (`names` are its spellings) or an argument (`names` is empty)."""

    names: tuple[str, ...]
    metavar: str
    help: str
    required: bool
    takes_value: bool


@dataclass(frozen=True, slots=True)
class Command:
    """One command by its words after `conductor-git`."""

    words: tuple[str, ...]
    help: str
    panel: str
    epilog: str
    parameters: tuple[Parameter, ...]
    command: Any

    @property
    def name(self) -> str:
        return " ".join(self.words)

    @property
    def options(self) -> tuple[Parameter, ...]:
        return tuple(parameter for parameter in self.parameters if parameter.names)


def commands() -> tuple[Command, ...]:
    """Every command, those of groups one by one, in the order of the help."""
    return tuple(_commands())


def _commands() -> Iterator[Command]:
    root: Any = get_command(app)
    for name in TABLE:
        if name in ALIASES:
            continue
        found = root.get_command(None, name)
        yield from _below((name,), found, found.rich_help_panel)


def _below(words: tuple[str, ...], found: Any, panel: str) -> Iterator[Command]:
    """The command `found`, or those of the group; a group that does something by itself is a command too."""
    inner = getattr(found, "commands", {})
    if not inner or found.invoke_without_command:
        yield _command(words, found, panel)
    for word, command in inner.items():
        yield from _below((*words, word), command, panel)


def _command(words: tuple[str, ...], command: Any, panel: str) -> Command:
    parameters = tuple(map(_parameter, command.params))
    return Command(words, command.help or "", panel, command.epilog or "", parameters, command)


def _parameter(parameter: Any) -> Parameter:
    is_option = parameter.param_type_name == "option"
    names = tuple(parameter.opts) if is_option else ()
    takes_value = not getattr(parameter, "is_flag", False)
    return Parameter(names, parameter.metavar or "", parameter.help or "", parameter.required, takes_value)


def page() -> str:
    """The reference as Markdown: a section a command, grouped as in the help."""
    parts, panel = [], ""
    for command in sorted(commands(), key=lambda command: _panels().index(command.panel)):
        if command.panel != panel:
            panel = command.panel
            parts.append(f"## {panel}\n")
        parts.append(_section(command))
    return "\n".join(parts)


def _panels() -> list[str]:
    return list(dict.fromkeys(command.panel for command in commands()))


def _section(command: Command) -> str:
    arguments = [
        parameter.metavar if parameter.required else f"[{parameter.metavar}]"
        for parameter in command.parameters
        if not parameter.names
    ]
    rows = [
        f"| `{', '.join(option.names)}{f' {option.metavar}' if option.metavar else ''}` | {option.help} |"
        for option in command.options
    ]
    usage = " ".join(["conductor-git", *command.words, *arguments])
    example = command.epilog.removeprefix("Example: ")
    return (
        f"### {command.name}\n\n```\n{usage}\n```\n\n{command.help}\n\n"
        "| option | |\n|---|---|\n" + "\n".join(_escaped(row) for row in rows) + f"\n\n```\n{example}\n```\n"
    )


def _escaped(row: str) -> str:
    """A bar within a cell, as between choices, would end it."""
    head, body, tail = row[:2], row[2:-2], row[-2:]
    first, separator, last = body.rpartition("` | ")
    return head + first.replace("|", "\\|") + separator + last.replace("|", "\\|") + tail
