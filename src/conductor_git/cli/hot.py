"""Commands in their plain form, parsed and answered without Typer, whose import costs more than most of them.

Only what is surely meant is understood here: a command of the table, its options with their values, its one
argument. Anything else (`--help`, an unknown option, a missing or wrong value) is left to the ordinary commands, which
call the same functions, so that there is one behaviour and one set of messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple


class Option(NamedTuple):
    """An option by the parameter it fills. `read` gives its value, or None for a text that it does not take."""

    name: str
    read: Callable[[str], object | None] = str
    many: bool = False
    is_flag: bool = False


class Plain(NamedTuple):
    """Where the function of a command is, and what it takes."""

    module: str
    function: str
    options: Mapping[str, Option]
    argument: str | None = None
    is_required: bool = False
    rest: str | None = None
    """The parameter for the words after `--`."""


def _number(text: str) -> int | None:
    return _whole(text) or None


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.replace(".", "", 1).isdecimal() else None


def _path(text: str) -> object:
    from pathlib import Path

    return Path(text)


def _strategy(text: str) -> object | None:
    from conductor_git.run import Strategy

    return next((one for one in Strategy if one == text), None)


def _state(text: str) -> object | None:
    from conductor_git.run import State

    return State(text) if text in State.__members__ else None


def _flag(name: str) -> Option:
    return Option(name, is_flag=True)


_JSON: Final = {"--json": _flag("as_json")}
_BUS: Final = {"--bus": Option("bus"), **_JSON}
_READER: Final = {"--as": Option("reader"), "--ack": _flag("ack")}
_MESSAGES: Final = {
    "--since": Option("since"),
    "--type": Option("kinds", many=True),
    "--task": Option("task"),
    **_READER,
    **_BUS,
}

_WHY: Final = {"--message": Option("message"), "-m": Option("message")}
_LANDING: Final = {
    "--wait": Option("wait", _seconds),
    "--dry-run": _flag("dry_run"),
    "--trust": _flag("trust"),
    **_JSON,
}
_VERDICT: Final = {"--as": Option("as_reviewer"), **_WHY, **_JSON}
_SENT_BACK: Final = Plain(
    "plain.verdicts",
    "request_changes",
    {"--comment": Option("comment", many=True), "--comment-old": Option("comment_old", many=True), **_VERDICT},
    "task",
    is_required=True,
)

TABLE: Final[Mapping[tuple[str, ...], Plain]] = {
    ("spawn",): Plain(
        "plain.life",
        "spawn",
        {
            "--prompt-file": Option("prompt_file", _path),
            "--agent": Option("agent"),
            "--title": Option("title"),
            "--base": Option("base"),
            "--target": Option("target"),
            "--needs": Option("needs", many=True),
            "--reviews": Option("reviews", _number),
            "--priority": Option("priority", _whole),
            "--review": Option("review"),
            "--existing": _flag("existing"),
            "--no-start": _flag("no_start"),
            "--dry-run": _flag("dry_run"),
            "--trust": _flag("trust"),
            **_WHY,
            **_JSON,
        },
        "task",
        is_required=True,
        rest="command",
    ),
    ("start",): Plain("plain.life", "start", _JSON, "task"),
    ("done",): Plain("plain.life", "done", {"--wip": _flag("wip"), **_WHY, **_JSON}, "task"),
    ("fail",): Plain("plain.life", "fail", {**_WHY, **_JSON}, "task"),
    ("cancel",): Plain("plain.life", "cancel", {**_WHY, **_JSON}, "task", is_required=True),
    ("retry",): Plain("plain.life", "retry", {"--reset": _flag("reset"), **_JSON}, "task", is_required=True),
    ("stop",): Plain("plain.supervised", "stop", _JSON, "task", is_required=True),
    ("resume",): Plain("plain.supervised", "resume", _JSON, "task"),
    ("approve",): Plain(
        "plain.verdicts", "approve", {"--commit": Option("commit"), **_VERDICT}, "task", is_required=True
    ),
    ("request-changes",): _SENT_BACK,
    ("reject",): _SENT_BACK,
    ("merge",): Plain(
        "plain.merging",
        "merge",
        {
            "--strategy": Option("strategy", _strategy),
            "--no-cleanup": _flag("no_cleanup"),
            "--ignore-needs": _flag("ignore_needs"),
            "--target": Option("target"),
            **_LANDING,
        },
        "task",
    ),
    ("undo",): Plain("plain.merging", "undo", {**_WHY, **_LANDING}, "task", is_required=True),
    ("heartbeat",): Plain("plain.worker_actions", "heartbeat", {"--note": Option("note"), **_JSON}, "task"),
    ("ctx",): Plain(
        "plain.worker_actions",
        "ctx",
        {"--field": Option("field"), "--export": Option("export"), "--guide": _flag("guide"), **_JSON},
    ),
    ("bus", "post"): Plain(
        "plain.posting",
        "post",
        {
            "--type": Option("kind"),
            "--task": Option("task"),
            "--parent": Option("parents", many=True),
            "--meta": Option("meta", many=True),
            "--attach": Option("attach"),
            "--link": Option("links", many=True),
            **_BUS,
        },
        "body",
    ),
    ("bus", "read"): Plain(
        "plain.messages",
        "read",
        {"--tail": Option("tail", _number), "--limit": Option("limit", _number), "--thread": Option("thread")}
        | _MESSAGES,
    ),
    ("bus", "follow"): Plain("plain.messages", "follow", _MESSAGES),
    ("bus", "ack"): Plain(
        "plain.messages", "acknowledge", {"--as": Option("reader"), **_BUS}, "message", is_required=True
    ),
    ("cd",): Plain("shell.going", "cd", _JSON, "task"),
    ("init",): Plain("shell.going", "init", {"--shell": Option("shell"), "--yes": _flag("yes"), **_JSON}),
    ("hook",): Plain("plain.githook", "hook", {}, "name", is_required=True),
    ("status",): Plain(
        "plain.views",
        "status",
        {"--state": Option("state", _state, many=True), "--all": _flag("everything"), "--watch": _flag("watch")}
        | _JSON,
    ),
    ("show",): Plain("plain.showing", "show", _JSON, "task", is_required=True),
    ("diff",): Plain(
        "plain.texts",
        "diff",
        {"--stat": _flag("stat"), "--name-only": _flag("name_only"), "--comments": _flag("comments"), **_JSON},
        "task",
    ),
    ("log",): Plain(
        "plain.texts",
        "log",
        {
            "--follow": _flag("follow"),
            "-f": _flag("follow"),
            "--attempt": Option("attempt", _number),
            "--stderr": _flag("stderr"),
            **_JSON,
        },
        "task",
        is_required=True,
    ),
}
"""The words of a command → its function, in a module of this package that imports no Typer."""


PLUMBING: Final = frozenset({("hook",)})
"""What only our own hooks call: plain or not at all."""


COMPLETE: Final = ["__complete", "--"]
"""What the shells call, with the words of a line that is being typed after it."""


def answer(arguments: Sequence[str]) -> int | None:
    """Run a command that stands in plain form and return its exit code; None where it does not."""
    if arguments[:2] == COMPLETE:
        from conductor_git.cli.shell.complete import complete

        return complete(arguments[2:])
    for length in (1, 2):
        plain = TABLE.get(tuple(arguments[:length]))
        values = None if plain is None else parse(arguments[length:], plain)
        if plain is not None and values is not None:
            code = getattr(import_module(f"conductor_git.cli.{plain.module}"), plain.function)(**values)
            return code or 0
    return None


def parse(words: Sequence[str], plain: Plain) -> dict[str, Any] | None:
    """The parameters that `words` fill; None where there is anything in them that is not plain."""
    values: dict[str, Any] = {}
    todo = list(words)
    while todo:
        word = todo.pop(0)
        if word == "--" and plain.rest is not None:
            values[plain.rest], todo = todo, []
            continue
        name, equals, given = word.partition("=")
        option = plain.options.get(name)
        if option is None:
            if _is_option(word) or plain.argument is None or plain.argument in values:
                return None
            values[plain.argument] = word
        elif option.is_flag:
            if equals:
                return None
            values[option.name] = True
        elif (equals and not name.startswith("--")) or not _fill(values, option, given if equals else _next(todo)):
            return None
    return None if plain.is_required and plain.argument not in values else values


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _next(todo: list[str]) -> str | None:
    return None if not todo or _is_option(todo[0]) else todo.pop(0)


def _fill(values: dict[str, Any], option: Option, text: str | None) -> bool:
    value = None if text is None else option.read(text)
    if value is None:
        return False
    if option.many:
        values.setdefault(option.name, []).append(value)
    else:
        values[option.name] = value
    return True
