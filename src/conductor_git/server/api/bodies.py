"""What requests hold: the bodies of the API, checked before anything is done with them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from conductor_git.message import MAX_BODY
from conductor_git.review import MOST_COMMENTS, Side, Verdict
from conductor_git.run import State, Strategy

MOST_WAIT = 600

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""One line without control characters: of an agent, a branch, a commit."""
Text = Annotated[str, StringConstraints(max_length=MAX_BODY, pattern=r"^[^\x00]*$")]
"""Any text; no file, message or process can hold a NUL."""
Note = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]
TaskName = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Words = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]


class Body(BaseModel):
    """A key that is not known is refused: it was meant to do something."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def example(*more: dict[str, Any], **values: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [values, *more]})


class Wanted(Body):
    """Which tasks a list is asked for."""

    state: Annotated[list[State], Field(max_length=20, description="Only these; by default those not ended.")] = []
    everything: Annotated[bool, Field(alias="all", description="Those that have ended too.")] = False
    agent: Name | None = None
    plan: Name | None = None
    parent: Name | None = None
    text: Annotated[Name | None, Field(description="In the id or the title.")] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[Name | None, Field(description="The `next` of the page before.")] = None


class Spawn(Body):
    """As the options of `conductor-git spawn`; what is null is left to the config."""

    model_config = example(
        {"task_id": "critic", "review_of": "fix-login", "agent": "codex", "prompt": "Look at the redirect"},
        task_id="fix-login",
        prompt="Fix the login redirect loop",
        start=False,
    )

    task_id: Annotated[str, Field(max_length=200, examples=["fix-login"])]
    prompt: Text = ""
    title: Name | None = None
    agent: Name | None = None
    command: Annotated[list[Words], Field(max_length=200)] = []
    base: Name | None = None
    target: Name | None = None
    needs: Annotated[list[TaskName], Field(max_length=100)] = []
    reviews_required: Annotated[int, Field(ge=1, le=100)] | None = None
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0
    existing: bool = False
    review_of: TaskName | None = None
    """The task whose commit in review the new one is to review, as `spawn --review`."""
    start: bool = True
    """Whether its agent is started, where it has one."""


class Done(Body):
    model_config = example(summary="The redirect keeps its query")

    summary: Note | None = None
    wip: bool = False


class Reason(Body):
    model_config = example(message="not wanted any more")

    message: Note | None = None


class Beat(Body):
    model_config = example(note="tests are running")

    note: Note | None = None


class Retry(Body):
    model_config = example(reset=False)

    reset: bool = False


class Comment(Body):
    """A remark on one line, in the file as the commit has it (`new`) or as it was before (`old`)."""

    model_config = example(path="src/login.py", line=12, body="an off-by-one")

    path: Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00\n]+$")]
    line: Annotated[int, Field(ge=1, le=999_999_999)]
    body: Annotated[Text, Field(min_length=1)]
    side: Side = Side.NEW


class Opinion(Body):
    """`commit` is the whole id of what was looked at: another one in review is refused. Null is whatever is."""

    model_config = example(message="no test yet", comments=[{"path": "src/login.py", "line": 12, "body": "why?"}])

    message: Text = ""
    commit: Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]+$")] | None = None
    comments: Annotated[list[Comment], Field(max_length=MOST_COMMENTS)] = []


class NewReview(Opinion):
    model_config = example(verdict="approve", message="reads well")

    verdict: Verdict


class Landing(Body):
    """As the options of `conductor-git merge` and `undo`; `trust` agrees to run the gates of the target's config."""

    model_config = example(dry_run=True)

    dry_run: bool = False
    trust: bool = False
    wait: Annotated[float, Field(ge=0, le=MOST_WAIT, allow_inf_nan=False)] = 60
    """Seconds to wait for the target while others land on it."""


class Merge(Landing):
    model_config = example(strategy="squash")

    strategy: Strategy | None = None
    cleanup: bool = True
    ignore_needs: bool = False


class Undo(Landing):
    model_config = example(message="it broke the login")

    message: Note | None = None


class Process(Merge):
    model_config = example(target="main")

    target: Name | None = None


class Priority(Body):
    model_config = example(priority=5)

    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)]


class Above(Body):
    """A message that the new one answers, corrects or belongs to."""

    msg_id: Name
    kind: Name | None = None


class Post(Body):
    """As the options of `conductor-git bus post`. The types that tell what conductor-git did are its own."""

    model_config = example(type="QUESTION", body="Which port may the tests use?", task_id="fix-login")

    type: Annotated[str, StringConstraints(max_length=40, pattern=r"^[A-Z][A-Z_]*$")] = "FACT"
    body: Text
    task_id: TaskName | None = None
    parents: Annotated[list[Above], Field(max_length=50)] = []
    meta: Annotated[dict[Name, Note], Field(max_length=50)] = {}
    links: Annotated[list[Name], Field(max_length=50)] = []
