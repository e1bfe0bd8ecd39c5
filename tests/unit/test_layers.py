"""The layers of the config: the stronger one holds, and every value knows where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from conductor_git.config.layers import VARIABLES, Layer, Resolved, environment_layers, load, merge, read_layer
from conductor_git.config.model import Agents, Config
from conductor_git.errors import BadConfig
from conductor_git.run import Strategy
from conductor_git.strictyaml import write


def origin(resolved: Resolved, key: str) -> str:
    return next(setting.origin for setting in resolved.settings if setting.key == key)


def test_a_later_layer_is_stronger_key_by_key() -> None:
    user = read_layer("merge: rebase\nlimits: {workers: 4, attempts: 9}\nagents: {a: {model: x}}\n", "user.yaml")
    project = read_layer("\nlimits:\n  workers: 6\nagents: {a: {args: [-v]}}\n", "project.yaml")
    variables = environment_layers({"CONDUCTOR_LIMITS_WORKERS": "7", "CONDUCTOR_TARGET": "dev", "CONDUCTOR_BUS": "x"})

    resolved = merge([user, project, *variables, Layer("--target", {"target": "trunk"})])

    config = resolved.config
    assert (config.merge, config.limits.workers, config.limits.attempts) == (Strategy.REBASE, 7, 9)
    assert (config.target, config.reviews_required) == ("trunk", 1)
    assert (config.agents.named["a"].model, config.agents.named["a"].args) == ("x", ("-v",))
    assert origin(resolved, "merge") == "user.yaml:1"
    assert origin(resolved, "limits.attempts") == "user.yaml:2"
    assert origin(resolved, "agents.a.args") == "project.yaml:4"
    assert origin(resolved, "limits.workers") == "CONDUCTOR_LIMITS_WORKERS"
    assert origin(resolved, "target") == "--target"
    assert origin(resolved, "reviews_required") == "default"


def test_a_list_of_a_later_layer_replaces_the_earlier_one_whole() -> None:
    user = read_layer("gates: [{name: a, run: x}, {name: b, run: y}]", "user.yaml")
    project = read_layer("gates: [{name: c, run: z}]", "project.yaml")

    assert [gate.name for gate in merge([user, project]).config.gates] == ["c"]
    assert merge([user, read_layer("gates: []", "project.yaml")]).config.gates == ()


def test_a_null_takes_back_what_earlier_layers_said() -> None:
    user = read_layer("target: dev\nlimits: {workers: 4}\nagents: {a: {model: x}}", "user.yaml")
    project = read_layer("target: null\nlimits: null\nagents: {a: null}", "project.yaml")

    resolved = merge([user, project])

    assert resolved.config == Config()
    assert origin(resolved, "target") == "project.yaml:1"
    assert merge([project, user]).config.limits.workers == 4


LEAVES: Final = st.dictionaries(
    st.sampled_from(["target", "merge", "limits", "limits.workers", "limits.attempts", "reviews_required"]),
    st.sampled_from([None, "1", "2", "3"]),
    max_size=4,
)


def as_tree(leaves: dict[str, str | None]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in leaves.items():
        top, _, inner = key.partition(".")
        if inner and isinstance(tree.get(top, {}), dict):
            tree.setdefault(top, {})[inner] = value
        elif not inner:
            tree[top] = None if top in ("limits", "merge") else value
    return tree


@given(st.lists(LEAVES.map(as_tree), max_size=4))
def test_merging_in_two_steps_gives_what_applying_one_layer_after_the_other_gives(trees: list[dict[str, Any]]) -> None:
    expected: dict[str, Any] = {}
    for tree in trees:
        for key, value in tree.items():
            if isinstance(value, dict):
                expected[key] = {**(expected.get(key) or {}), **value}
            else:
                expected[key] = value

    layers = [read_layer(write(tree), f"{number}.yaml") for number, tree in enumerate(trees)]

    assert merge(layers).config == load(write(expected), "all.yaml")


def test_an_error_in_the_environment_names_the_variable() -> None:
    with pytest.raises(BadConfig) as refused:
        environment_layers({"CONDUCTOR_MERGE": "ff"})

    assert refused.value.message.startswith("CONDUCTOR_MERGE: key `merge` must be 'merge', 'squash' or 'rebase'")


def test_an_empty_variable_sets_nothing() -> None:
    assert environment_layers({"CONDUCTOR_MERGE": ""}) == ()


def single_values(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from ((name, *inner) for inner in single_values(info.annotation))
        elif not str(info.annotation).startswith("tuple"):
            yield (name,)


def test_every_single_value_has_a_variable_and_no_command_has() -> None:
    assert set(VARIABLES.values()) == set(single_values(Config)) - {("version",)}
    assert ("agents", "default") in VARIABLES.values()
    assert Agents in [info.annotation for info in Config.model_fields.values()]


def test_no_variable_that_agents_are_given_sets_a_value() -> None:
    given_to_agents = "WORKER_CTX TASK_ID PROJECT_ID RUN_ID BUS GENERATION PORT_BASE"

    assert not {f"CONDUCTOR_{name}" for name in given_to_agents.split()} & VARIABLES.keys()
