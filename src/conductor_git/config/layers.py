"""The config's layers: the user's file, the project's, the environment, flags; merged with the origin of each value.

Every layer is checked on its own, so that an error names the file, line and key where it was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from conductor_git.config.model import Config
from conductor_git.config.problem import Problem, described, dotted, refusal
from conductor_git.strictyaml import BadYaml, KeyPath, Tree, read_marked

DEFAULT: Final = "default"

_FROM_ENVIRONMENT: Final[tuple[KeyPath, ...]] = (
    # Single values only; what runs a command comes from a file that can be trusted.
    ("target",),
    ("branch",),
    ("worktrees",),
    ("merge",),
    ("reviews_required",),
    ("include",),
    ("include_bytes",),
    ("ports", "base"),
    ("ports", "per_worker"),
    ("checkout", "workers"),
    ("submodules",),
    ("lfs",),
    ("agents", "default"),
    ("terminal",),
    ("limits", "workers"),
    ("limits", "attempts"),
    ("limits", "attempt_time"),
    ("limits", "quiet_after"),
    ("limits", "cost_usd"),
    ("limits", "backoff"),
    ("limits", "limit_wait"),
    ("limits", "after_done"),
    ("limits", "children"),
    ("limits", "depth"),
    ("bus", "backend"),
    ("bus", "segment_bytes"),
    ("queue", "batch"),
    ("queue", "auto"),
    ("pool", "size"),
    ("pool", "keep_ignored"),
    ("salvage", "keep"),
    ("gc", "worktrees"),
    ("gc", "records"),
    ("gc", "segments"),
    ("team",),
    ("push",),
)
VARIABLES: Final[Mapping[str, KeyPath]] = {
    f"CONDUCTOR_{'_'.join(map(str, path)).upper()}": path for path in _FROM_ENVIRONMENT
}
"""The variables that set a value, such as CONDUCTOR_LIMITS_WORKERS, and the key that each sets."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Values from one place, `origin`, checked by whoever made it; `lines` are those of a file."""

    origin: str
    tree: Mapping[str, Tree]
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """`FILE:LINE` of the value at `path`, or of what encloses it; the origin alone where there are no lines."""
        for length in range(len(path), 0, -1):
            if line := self.lines.get(path[:length]):
                return f"{self.origin}:{line}"
        return self.origin


@dataclass(frozen=True, slots=True)
class Setting:
    """One value for `config check`: its key, what it is as JSON, and where it came from."""

    key: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """The config that holds, and where each value of it came from that is not a default."""

    config: Config
    origins: Mapping[str, str]

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every value in the order of the documentation; durations as `15m`, a password masked."""
        document = self.config.model_dump(mode="json")
        return tuple(
            Setting(dotted(path), value, self.origins.get(dotted(path), DEFAULT)) for path, value in _leaves(document)
        )


def load(text: str | bytes, origin: str) -> Config:
    """The config of one file alone, as `merge` of its layer."""
    return merge([read_layer(text, origin)]).config


def read_layer(text: str | bytes, origin: str) -> Layer:
    """What a config file says. `BadConfig` is `ORIGIN:LINE: key …`, with the nearest known key for an unknown one."""
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    try:
        tree, lines = read_marked(data)
    except BadYaml as bad:
        raise refusal([Problem(f"{origin}:{bad.line}", "", f"column {bad.column}: {bad.reason}")]) from bad
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise refusal([Problem(f"{origin}:{lines[()]}", "", "must be keys with values, such as `target: main`")])
    layer = Layer(origin, tree, lines)
    _validate(tree, layer.where)
    return layer


def environment_layers(variables: Mapping[str, str]) -> tuple[Layer, ...]:
    """A layer for each CONDUCTOR_* variable that sets a value and is not empty; others are not ours to judge."""
    layers = tuple(
        Layer(name, _tree_at(path, variables[name])) for name, path in VARIABLES.items() if variables.get(name)
    )
    for layer in layers:
        _validate(layer.tree, layer.where)
    return layers


def merge(layers: Sequence[Layer]) -> Resolved:
    """`layers` on top of the defaults, the last one strongest.

    Mappings are merged key by key, anything else is replaced whole. A null takes back what weaker layers said.
    """
    values: dict[KeyPath, Tree] = {}
    origins: dict[KeyPath, str] = {}
    for layer in layers:
        for path, value in _leaves(layer.tree):
            for weaker in [other for other in values if _overlap(path, other)]:
                del values[weaker], origins[weaker]
            values[path], origins[path] = value, layer.where(path)
    config = _validate(_nested(values), lambda path: _origin(origins, path))
    return Resolved(config, {dotted(path): origin for path, origin in origins.items()})


def _leaves(tree: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _overlap(one: KeyPath, other: KeyPath) -> bool:
    """One is the other's, or lies within it: a null can stand where a weaker layer has keys, and the reverse."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _tree_at(path: KeyPath, value: Tree) -> dict[str, Tree]:
    return _nested({path: value})


def _nested(values: Mapping[KeyPath, Tree]) -> dict[str, Tree]:
    tree: dict[str, Any] = {}
    for path, value in values.items():
        inner = tree
        for key in path[:-1]:
            inner = inner.setdefault(str(key), {})
        inner[str(path[-1])] = value
    return tree


def _origin(origins: Mapping[KeyPath, str], path: KeyPath) -> str:
    """Where `path` or what encloses it was set; a rule about two values can be broken by two layers together."""
    return next((origin for known, origin in origins.items() if _overlap(known, path)), "config")


def _validate(tree: Mapping[str, Tree], where: Callable[[KeyPath], str]) -> Config:
    try:
        return Config.model_validate(_without_nulls(tree))
    except ValidationError as bad:
        problems = [described(error, where) for error in bad.errors(include_url=False, include_context=False)]
        raise refusal(problems) from bad


def _without_nulls(tree: Any) -> Any:
    """`key:` with nothing behind it is as good as no key, so that its default holds."""
    if isinstance(tree, Mapping):
        return {key: _without_nulls(value) for key, value in tree.items() if value is not None}
    return [_without_nulls(item) for item in tree] if isinstance(tree, list) else tree
