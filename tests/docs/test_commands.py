"""docs/commands.md is the commands as they are; their examples parse; no page names a command or option that is not."""

from __future__ import annotations

import os
import re
import shlex
from typing import Any

import pytest
from typer.main import get_command

from conductor_git.cli.commands import ALIASES, TABLE, app
from conductor_git.cli.hot import PLUMBING, parse
from conductor_git.cli.hot import TABLE as PLAIN
from tests.docs.blocks import TOP, pages
from tests.docs.command_tree import Command, commands, page

COMMANDS = {command.words: command for command in commands()}
PAGE = TOP / "docs" / "commands.md"
_MARKED = re.compile(r"(<!-- made by tests/docs -->\n).*?(<!-- end -->)", re.DOTALL)
_NAMED = re.compile(r"""(?<![\w./-])conductor-git ((?:[a-z][a-z-]*)(?: [^`\n"&;|]*)?)""")
_PLANNED = frozenset({"hook"})
"""Commands that the pages name as coming."""
DEFAULTED = frozenset({"wait", "priority"})
"""Parameters that have a value where nobody gives one."""


def test_the_reference_is_made_from_the_commands() -> None:
    before = PAGE.read_text("utf-8")
    after = _MARKED.sub(lambda found: f"{found[1]}\n{page()}\n{found[2]}", before)

    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(after, "utf-8")
    else:
        assert after == before, "UPDATE_DOCS=1 makes it anew"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_the_help_says_what_every_option_is_for(command: Command) -> None:
    assert command.help != ""
    assert command.panel != ""
    assert [parameter for parameter in command.parameters if not parameter.help] == []
    assert [parameter for parameter in command.parameters if parameter.takes_value and not parameter.metavar] == []


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_the_example_of_a_command_parses(command: Command) -> None:
    example = command.epilog.removeprefix("Example: ").partition(" > ")[0]
    program, *words = shlex.split(example)

    assert program == "conductor-git"
    assert tuple(words[: len(command.words)]) == command.words
    command.command.make_context(command.name, words[len(command.words) :])


def complaints(text: str) -> list[str]:
    """What `text` says to type that would be refused before anything is looked at."""
    return [f"conductor-git {found}" for found in _NAMED.findall(text) if not _is_known(found)]


def _is_known(words: str) -> bool:
    first, *rest = words.split()
    if first in _PLANNED:
        return True
    keys = [(first, *rest[:2]), (first, *rest[:1]), (first,)]
    command = next((COMMANDS[key] for key in keys if key in COMMANDS), None)
    if command is None:
        return first in ALIASES or (first in TABLE and not rest) or not _looks_typed(words)
    known = {name for option in command.options for name in option.names} | {"--help", "-h"}
    return all(option in known for option in _options(rest))


def _looks_typed(words: str) -> bool:
    """`conductor-git reads …` in a sentence names no command; with an option, or in the table, it does."""
    return any(word.startswith("-") for word in words.split())


def _options(words: list[str]) -> list[str]:
    ours = words[: words.index("--")] if "--" in words else words
    return [re.split(r"[=\])|,.;:]", word.lstrip("[("))[0] for word in ours if re.match(r"[\[(]*--?[a-z]", word)]


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.relative_to(TOP).as_posix())
def test_a_page_names_only_commands_and_options_that_are(path: Any) -> None:
    assert complaints(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "text", ["run `conductor-git status --every`", "`conductor-git bus post --kind FACT x`", "conductor-git land --now"]
)
def test_an_option_that_is_not_is_seen(text: str) -> None:
    assert complaints(text) != []


def test_every_command_has_its_place_in_the_help() -> None:
    root: Any = get_command(app)

    listed = set(root.list_commands(None))

    assert listed == {command.words[0] for command in COMMANDS.values()}


def _listed(value: object) -> object:
    """Typer's parser has a tuple where nothing was given."""
    return list(value) if isinstance(value, tuple) else value


def ordinary(words: tuple[str, ...]) -> Command:
    return COMMANDS[("request-changes",) if words == ("reject",) else words]


@pytest.mark.parametrize("words", [words for words in PLAIN if words not in PLUMBING], ids=" ".join)
def test_a_command_in_plain_form_takes_the_options_of_the_ordinary_one(words: tuple[str, ...]) -> None:
    """`status` in plain form and by Typer are one command with one set of options."""
    known = {name for option in ordinary(words).options for name in option.names}

    assert set(PLAIN[words].options) == known


@pytest.mark.parametrize(
    "line",
    [
        "spawn fix -m 'a prompt' --title T --base v1 --target next --needs a --needs=b",
        "spawn fix --reviews 2 --priority 3 --existing",
        "spawn fix --prompt-file p.md --agent codex --no-start --dry-run --trust --json",
        "spawn fix --review other -- my-agent --json -m x -- y",
        "spawn fix -m - --",
        "done --wip -m summary",
        "cancel fix --message 'not wanted'",
        "approve fix --commit abc --as ada -m 'well done'",
        "request-changes fix --comment a:1:x --comment b:2:y --comment-old c:3:z",
        "merge --strategy squash --wait 2.5 --no-cleanup --ignore-needs --target next",
        "merge fix --wait 0 --json",
        "undo fix -m why --dry-run --trust",
        "retry fix --reset",
    ],
)
def test_what_is_plain_means_what_it_means_ordinarily(line: str) -> None:
    words = shlex.split(line)
    key, given = (words[0],), words[1:]
    plain, meant = parse(given, PLAIN[key]), ordinary(key).command.make_context(words[0], list(given)).params

    assert plain is not None
    assert {name: _listed(meant[name]) for name in plain} == plain
    assert {name for name, value in meant.items() if value not in (None, False, (), "")} - set(plain) <= DEFAULTED


@pytest.mark.parametrize(
    "line",
    [
        "spawn",
        "spawn fix more",
        "spawn fix -",
        "spawn fix -m=prompt",
        "spawn fix -m --json",
        "spawn fix --reviews 0",
        "spawn fix --priority -3",
        "spawn -- fix my-agent",
        "approve",
        "merge fix --strategy fast",
        "merge --wait -1",
        "merge --wait soon",
        "merge --wait=nan",
        "done --wip=yes",
        "stop fix --help",
    ],
)
def test_what_is_not_surely_meant_is_left_to_the_ordinary_command(line: str) -> None:
    word, *words = shlex.split(line)

    assert parse(words, PLAIN[word,]) is None
