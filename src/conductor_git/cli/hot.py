"""The hot commands, called at every tool use of an agent: parsed and answered without Typer, YAML or pydantic.

Only the plain forms are understood here. Anything else (`--help`, an unknown option, a missing value) is left to the
ordinary commands, which call the same functions, so that there is one behaviour and one set of messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Spec = Mapping[str, tuple[str, str]]
"""Option → (name, kind); kinds are `value`, `values` and `flag`."""

_HEARTBEAT: Final[Spec] = {"--note": ("note", "value"), "--json": ("as_json", "flag")}
_CTX: Final[Spec] = {"--field": ("field", "value"), "--export": ("export", "value"), "--json": ("as_json", "flag")}
_POST: Final[Spec] = {
    "--type": ("kind", "value"),
    "--task": ("task", "value"),
    "--parent": ("parents", "values"),
    "--meta": ("meta", "values"),
    "--attach": ("attach", "value"),
    "--link": ("links", "values"),
    "--bus": ("bus", "value"),
    "--json": ("as_json", "flag"),
}


def answer(arguments: Sequence[str]) -> int | None:
    """Run a hot command and return its exit code; None where the arguments are not a plain hot command."""
    match arguments:
        case ["heartbeat", *rest]:
            return _call(parse(rest, _HEARTBEAT, "task"), _heartbeat)
        case ["ctx", *rest]:
            return _call(parse(rest, _CTX, None), _ctx)
        case ["bus", "post", *rest]:
            return _call(parse(rest, _POST, "body"), _post)
        case _:
            return None


def parse(words: Sequence[str], spec: Spec, positional: str | None) -> dict[str, Any] | None:
    """The options of `spec` and at most one positional in `words`; None where there is anything else."""
    values: dict[str, Any] = {}
    todo = list(words)
    while todo:
        word = todo.pop(0)
        option, equals, given = word.partition("=")
        if option in spec:
            name, kind = spec[option]
            if kind == "flag":
                if equals:
                    return None
                values[name] = True
                continue
            if not equals:
                if not todo or (todo[0].startswith("-") and todo[0] != "-"):
                    return None
                given = todo.pop(0)
            if kind == "values":
                values.setdefault(name, []).append(given)
            else:
                values[name] = given
        elif positional is None or positional in values or (word.startswith("-") and word != "-"):
            return None
        else:
            values[positional] = word
    return values


def _call(values: dict[str, Any] | None, command: Callable[..., None]) -> int | None:
    if values is None:
        return None
    command(**values)
    return 0


def _heartbeat(**values: Any) -> None:
    from conductor_git.cli.worker_actions import heartbeat

    heartbeat(**values)


def _ctx(**values: Any) -> None:
    from conductor_git.cli.worker_actions import ctx

    ctx(**values)


def _post(**values: Any) -> None:
    from conductor_git.cli.posting import post

    post(**values)
