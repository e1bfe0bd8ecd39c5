"""The document of `run PLAN.yaml` as frozen, typed values: its tasks, and what holds for all of them (no I/O).

As in a config every scalar arrives as text and gets its type here, and keys that are not known are refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    model_validator,
)

from conductor_git.config.layers import Layer
from conductor_git.config.model import Name, RefName, Text, only
from conductor_git.config.problem import Problem, described, dotted
from conductor_git.errors import BadPlan, BadTaskId
from conductor_git.names import TaskId, parse_task_id
from conductor_git.strictyaml import BadYaml, KeyPath, read_marked

VERSION: Final = 1
MOST_BYTES: Final = 1024 * 1024
"""Of a plan; a long prompt has a file of its own."""
MOST_REVIEWS: Final = 100


class Policy(StrEnum):
    """Who approves what a task hands in, besides people."""

    NEVER = "never"
    GATES = "gates"
    """The plan does, and the gates of the target decide."""
    QUORUM = "agent-quorum"
    """Other agents than its author."""


@dataclass(frozen=True, slots=True)
class Approval:
    policy: Policy
    quorum: int = 0
    """How many other agents have to approve."""

    def __str__(self) -> str:
        return f"{self.policy}: {self.quorum}" if self.policy is Policy.QUORUM else str(self.policy)


@dataclass(frozen=True, slots=True)
class AgentChoice:
    """Agents that a task may have: the first that can be used, or each task the next one of them."""

    names: tuple[str, ...]
    in_turn: bool = False


_NAMES: Final = "must be the name of an agent, a list of them to fall back through, or {round_robin: [names]}"
_POLICIES: Final = "must be never, gates, or {agent-quorum: N} with N from 1 to 100"


def _agents(value: object) -> AgentChoice:
    if isinstance(value, str):
        return AgentChoice(_names([value]))
    if isinstance(value, Mapping) and set(value) == {"round_robin"}:
        return AgentChoice(_names(value["round_robin"]), in_turn=True)
    return AgentChoice(_names(value))


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError(_NAMES)
    if twice := sorted({name for name in value if value.count(name) > 1}):
        raise ValueError(f"names {twice[0]} twice")
    return tuple(value)


def _approval(value: object) -> Approval:
    if value in (Policy.NEVER, Policy.GATES):
        return Approval(Policy(str(value)))
    if isinstance(value, Mapping) and set(value) == {str(Policy.QUORUM)}:
        number = str(value[str(Policy.QUORUM)])
        if number.isascii() and number.isdecimal() and 1 <= int(number) <= MOST_REVIEWS:
            return Approval(Policy.QUORUM, int(number))
    raise ValueError(_POLICIES)


def _task_id(text: str) -> TaskId:
    try:
        return parse_task_id(text)
    except BadTaskId as bad:
        raise ValueError(bad.message.removeprefix(f"{text!r} ")) from bad


def _listed(value: object) -> object:
    """One name may stand where a list of them may."""
    return [value] if isinstance(value, str) else value


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"names {twice[0]} twice")
    return names


PlanName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")]
PlannedId = Annotated[str, AfterValidator(_task_id)]
Ids = Annotated[tuple[PlannedId, ...], BeforeValidator(_listed), AfterValidator(_distinct)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_listed), AfterValidator(_distinct)]
Choice = Annotated[AgentChoice, PlainValidator(_agents)]
Approve = Annotated[Approval, PlainValidator(_approval)]
Reviews = Annotated[int, Field(ge=1, le=MOST_REVIEWS)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlanTask(_Part):
    """One task; None leaves a value to the plan, and then to the config."""

    prompt: Text | None = None
    prompt_file: Text | None = None
    title: Text | None = None
    agent: Choice | None = None
    needs: Ids = ()
    stage: Name | None = None
    reviews: Reviews | None = None
    reviewers: Names | None = None
    approve: Approve | None = None
    target: RefName | None = None
    priority: int = 0

    @model_validator(mode="after")
    def _asked(self) -> PlanTask:
        if (self.prompt is None) == (self.prompt_file is None):
            raise ValueError("needs either `prompt` or `prompt_file`")
        return self


class PlanDocument(_Part):
    """A plan as it is written; `name` None is the stem of its file."""

    version: Annotated[int, only(VERSION)]
    name: PlanName | None = None
    target: RefName | None = None
    agent: Choice | None = None
    reviews: Reviews | None = None
    reviewers: Names | None = None
    approve: Approve = Approval(Policy.NEVER)
    workers: int | None = Field(None, ge=1, le=10_000)
    fail_fast: bool = False
    stages: Names = ()
    tasks: dict[PlannedId, PlanTask] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class WrittenPlan:
    """A plan, and the place of each value in its file."""

    document: PlanDocument
    layer: Layer

    def problem(self, path: KeyPath, what: str, suggestion: str = "") -> Problem:
        return Problem(self.layer.where(path), dotted(path), what, suggestion)


def read_plan(data: bytes, origin: str) -> WrittenPlan:
    """What a plan's file says, or `BadPlan` with everything that is wrong with it, by line and key."""
    try:
        tree, lines = read_marked(data, limit=MOST_BYTES)
    except BadYaml as bad:
        raise bad_plan([Problem(f"{origin}:{bad.line}", "", f"column {bad.column}: {bad.reason}")]) from bad
    if not isinstance(tree, dict):
        raise bad_plan([Problem(f"{origin}:1", "", "must be keys with values, such as `version: 1` and `tasks:`")])
    layer = Layer(origin, tree, lines)
    try:
        return WrittenPlan(PlanDocument.model_validate(_given(tree)), layer)
    except ValidationError as bad:
        raise bad_plan([_described(error, layer) for error in bad.errors(include_url=False)]) from bad


def bad_plan(problems: Sequence[Problem]) -> BadPlan:
    """The refusal of a plan: every problem that was found, in the order of the file."""
    listed = sorted(problems, key=_line)
    return BadPlan(
        "\n".join(map(str, listed)),
        hint="conductor-git run --help",
        problems=[
            {"where": problem.where, "key": problem.key, "what": problem.what, "suggestion": problem.suggestion}
            for problem in listed
        ],
    )


def nearest(name: str, known: Sequence[str]) -> str:
    """The known name that `name` may be meant for; "" where none is near."""
    return next(iter(difflib.get_close_matches(name, known, 1)), "")


def _line(problem: Problem) -> int:
    number = problem.where.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def _given(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Without keys that have nothing behind them; a task with nothing behind its name is still a task."""
    given = {key: _without_nulls(value) for key, value in tree.items() if value is not None}
    if isinstance(tasks := tree.get("tasks"), Mapping):
        given["tasks"] = {task: {} if body is None else _without_nulls(body) for task, body in tasks.items()}
    return given


def _without_nulls(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _without_nulls(value) for key, value in tree.items() if value is not None}
    return tree


def _described(error: Any, layer: Layer) -> Problem:
    path = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "string_pattern_mismatch" and path == ("name",):
        what = "must be 1 to 40 of a-z 0-9 . _ -, starting with a letter or digit"
        return Problem(layer.where(path), "name", what)
    found = described({**error, "loc": path}, layer.where)
    return replace(found, suggestion=_nearest_key(path) if error["type"] == "extra_forbidden" else "")


def _nearest_key(path: KeyPath) -> str:
    *above, key = path
    known = PlanTask.model_fields if above[:1] == ["tasks"] else PlanDocument.model_fields
    near = nearest(str(key), list(known))
    return dotted((*above, near)) if near else ""
