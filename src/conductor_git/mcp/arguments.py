"""What tools take: checked before anything is done, and told to the client as small schemas made from the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from conductor_git.errors import BadInput, ConductorError, TooLarge
from conductor_git.message import MAX_BODY
from conductor_git.run import Strategy

MOST_WAIT: Final = 600
_SHOWN: Final = 80

Name = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line; empty where it was left out."""
Text = Annotated[str, StringConstraints(max_length=MAX_BODY, pattern=r"^[^\x00]*$")]
Words = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]
Wait = Annotated[float, Field(ge=0, le=MOST_WAIT, allow_inf_nan=False)]


class Arguments(BaseModel):
    """An argument that is not known is refused: it was meant to do something. Nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Nothing(Arguments):
    pass


class Read(Arguments):
    since: Annotated[Name, Field(description="only what came after this msg_id")] = ""
    task: Name = ""
    types: Annotated[list[Name], Field(max_length=50)] = []
    limit: Annotated[int, Field(ge=1, le=200)] = 20


class Post(Arguments):
    body: Text
    type: Annotated[Name, Field(description="FACT, DECISION, INFO, ISSUE or PROGRESS")] = "FACT"
    task: Annotated[Name, Field(description="the task it is about")] = ""
    answers: Annotated[Name, Field(description="the msg_id it answers")] = ""


class OwnPost(Arguments):
    body: Text
    type: Annotated[Name, Field(description="FACT, DECISION, INFO, ISSUE or PROGRESS")] = "FACT"
    answers: Annotated[Name, Field(description="the msg_id it answers")] = ""


class Beat(Arguments):
    note: Annotated[Words, Field(description="also posted as PROGRESS")] = ""


class Done(Arguments):
    summary: Words = ""
    wip: Annotated[bool, Field(description="commit what is uncommitted first")] = False


class Why(Arguments):
    why: Words


class Ask(Arguments):
    question: Text = ""
    again: Annotated[Name, Field(description="instead: the msg_id of a question to go on waiting for")] = ""
    wait: Annotated[Wait, Field(description="seconds")] = 45


class Spawn(Arguments):
    task: Annotated[Name, Field(description="its id: a-z 0-9 . _ -")]
    prompt: Text
    agent: Annotated[Name, Field(description="of the config")] = ""
    command: Annotated[list[Words], Field(max_length=200, description="run this instead of an agent")] = []
    base: Name = ""
    target: Name = ""
    needs: Annotated[list[Name], Field(max_length=100, description="tasks that land first")] = []
    review: Annotated[Name, Field(description="instead of work: review this task's commit")] = ""


class Status(Arguments):
    task: Annotated[Name, Field(description="one task in full, with why it stands where it stands")] = ""
    all: Annotated[bool, Field(description="ended ones too")] = False


class Waiting(Arguments):
    tasks: Annotated[list[Name], Field(min_length=1, max_length=100)]
    until: Literal["final", "review", "landed"] = "review"
    wait: Annotated[Wait, Field(description="seconds")] = 45


class Diff(Arguments):
    task: Name
    form: Literal["patch", "stat", "files"] = "patch"


class Remark(Arguments):
    path: Words
    line: Annotated[int, Field(ge=1)]
    body: Text


class Review(Arguments):
    task: Name
    verdict: Literal["approve", "request_changes"]
    commit: Annotated[Name, Field(description="the whole id that was looked at")]
    body: Text = ""
    comments: Annotated[list[Remark], Field(max_length=1000)] = []


class Merge(Arguments):
    task: Annotated[Name, Field(description="left out: all approved ones, in order")] = ""
    strategy: Literal["", "merge", "squash", "rebase"] = ""
    dry_run: bool = False
    wait: Annotated[Wait, Field(description="seconds for the target")] = 60

    @property
    def wish(self) -> Strategy | None:
        return Strategy(self.strategy) if self.strategy else None


A = TypeVar("A", bound=Arguments)


def checked(model: type[A], given: Mapping[str, Any] | None, tool: str) -> A:
    """`given` as `model`; `TooLarge` for what is longer than its limit, `BadInput` for anything else that is wrong."""
    try:
        return model.model_validate(dict(given or {}))
    except ValidationError as wrong:
        raise _refused(wrong, tool) from wrong


def _refused(wrong: ValidationError, tool: str) -> ConductorError:
    first = wrong.errors(include_url=False, include_context=True, include_input=False)[0]
    place = ".".join(str(part)[:_SHOWN] for part in first["loc"]) or "the arguments"
    kind = TooLarge if first["type"] in ("string_too_long", "too_long") else BadInput
    return kind(
        f"{tool}: {place}: {first['msg']}",
        hint=f"look at the schema of the tool {tool}",
        tool=tool,
        argument=place,
    )


def schema(model: type[Arguments]) -> dict[str, Any]:
    """The JSON schema of `model` in few words: what a client needs to call it; limits are told when they are broken."""
    made = model.model_json_schema()
    defined = made.pop("$defs", {})
    short: dict[str, Any] = _short(made, defined)
    return short


_TOLD: Final = frozenset({"type", "properties", "required", "items", "enum", "description", "additionalProperties"})


def _short(node: Any, defined: Mapping[str, Any], names: bool = False) -> Any:
    if isinstance(node, list):
        return [_short(one, defined) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _short(defined[node["$ref"].rpartition("/")[2]], defined)
    kept = node if names else {key: value for key, value in node.items() if key in _TOLD}
    return {key: _short(value, defined, names=key == "properties" and not names) for key, value in kept.items()}
