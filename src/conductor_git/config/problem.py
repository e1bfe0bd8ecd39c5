"""What is wrong with a config, in words: where, which key, and the known key that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import BaseModel

from conductor_git.config.model import Agent, Agents, Config
from conductor_git.errors import BadConfig
from conductor_git.strictyaml import KeyPath

_SHOWN_PROBLEMS: Final = 5

_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not known",
    "tuple_type": "must be a list",
    "model_type": "must be keys with values",
    "string_type": "must be a single value",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_pattern_mismatch": "must not hold a NUL character",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
}
"""What pydantic's kinds of error are called here, where its own words are about types."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, in words: `where` (`FILE:LINE`), the dotted key or "", what, and the nearest key."""

    where: str
    key: str
    what: str
    suggestion: str = ""

    def __str__(self) -> str:
        key = f"key `{self.key}` " if self.key else ""
        nearest = f"; did you mean `{self.suggestion}`?" if self.suggestion else ""
        return f"{self.where}: {key}{self.what}{nearest}"


def refusal(problems: Sequence[Problem]) -> BadConfig:
    more = f"\n(and {len(problems) - _SHOWN_PROBLEMS} more)" if len(problems) > _SHOWN_PROBLEMS else ""
    return BadConfig(
        "\n".join(map(str, problems[:_SHOWN_PROBLEMS])) + more,
        hint="conductor-git config schema",
        problems=[
            {"where": problem.where, "key": problem.key, "what": problem.what, "suggestion": problem.suggestion}
            for problem in problems
        ],
    )


def described(error: Any, where: Callable[[KeyPath], str]) -> Problem:
    path: KeyPath = error["loc"]
    told = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    what = _WORDS.get(error["type"], told)
    return Problem(where(path), dotted(path), what, _nearest(path))


def _nearest(path: KeyPath) -> str:
    """The known key that `path` may be meant for; "" where its own is known."""
    *above, key = path
    known = _keys_at(tuple(above))
    if not isinstance(key, str) or key in known:
        return ""
    near = [(*above, name) for name in difflib.get_close_matches(key, known, 1)]
    elsewhere = [other for other in _all_keys() if other[-1] == key]
    return next((dotted(other) for other in (*elsewhere, *near)), "")


def _keys_at(path: KeyPath) -> tuple[str, ...]:
    model: type[BaseModel] | None = Config
    for part in path:
        if isinstance(part, str):
            model = model and _model_below(model, part)
    return tuple(model.model_fields) if model else ()


def _model_below(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    found = model.model_fields.get(key)
    if found is None:
        return Agent if model is Agents else None
    return next((kind for kind in (found.annotation, *get_args(found.annotation)) if _is_model(kind)), None)


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _all_keys() -> Iterator[KeyPath]:
    for key in _keys_at(()):
        yield (key,)
        yield from ((key, inner) for inner in _keys_at((key,)))


def dotted(path: KeyPath) -> str:
    """`path` as people write it: `limits.workers`, `gates[0].run`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
