"""What completion knows of the commands is what the commands are; `UPDATE_DOCS=1 pytest tests/docs` makes it anew."""

from __future__ import annotations

import os

from conductor_git.cli.shell.spelling import PAGE, spelled
from tests.docs.command_tree import Command, Parameter, commands


def _line(command: Command) -> str:
    arguments = " ".join(
        parameter.metavar.strip("[]").partition(" ")[0] for parameter in command.parameters if not parameter.names
    )
    return f"{command.name}\t{arguments}\t{command.help.partition(chr(10))[0]}"


def _option(option: Parameter) -> str:
    return f"{' '.join(option.names)}\t{option.metavar if option.takes_value else ''}\t{option.help}"


def test_the_spelling_is_made_from_the_commands() -> None:
    lines = [line for command in commands() for line in (_line(command), *map(_option, command.options))]
    made = "".join(f"{line}\n" for line in lines)

    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(made, "utf-8")
    else:
        assert PAGE.read_text("utf-8") == made, "UPDATE_DOCS=1 makes it anew"
    assert {" ".join(words) for words in spelled(made)} == {command.name for command in commands()}
