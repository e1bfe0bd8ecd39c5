"""The project's config as frozen, typed values (formats.md, "The config"); `layers` reads the files they come from.

Every scalar arrives as text or None, and gets its type here. Keys that are not known are refused.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from conductor_git.config.duration import format_duration, parse_duration
from conductor_git.run import KEPT_ATTEMPTS, Strategy

VERSION: Final = 1
_TEMPLATE_FIELD: Final = re.compile(r"\{task_id\}|\{repo\}")
_PASSWORD: Final = re.compile(r"(?<=://)([^/@:]*):[^/@]*(?=@)")


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", text):
        raise ValueError(f"must be a name of letters, digits and . _ -, not {text[:80]!r}")
    return text


def _template(text: str) -> str:
    if "{task_id}" not in text:
        raise ValueError("must hold {task_id}, or all tasks would share it")
    if (rest := _TEMPLATE_FIELD.sub("", text)) and ("{" in rest or "}" in rest):
        raise ValueError("may hold {task_id} and {repo}, and no other braces")
    return text


def _ref_part(text: str) -> str:
    """Not the whole of git's rule, which `check-ref-format` has; what would be an option or another ref is refused."""
    if text.startswith(("-", "/", "refs/")) or re.search(r"[\s~^:?*\[\\\x00-\x20\x7f]|\.\.|@\{|//", text):
        raise ValueError(f"must be a plain name such as main, not {text[:80]!r}")
    return text


def _inside(text: str) -> str:
    if text.startswith("/") or ".." in text.split("/"):
        raise ValueError("must be a path inside the repository")
    return text


def _postgres(text: str) -> str:
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("must start with postgresql://")
    return text


def only(known: int) -> AfterValidator:
    """Refuses a document of every other version than the `known` one."""

    def check(version: int) -> int:
        if version != known:
            raise ValueError(f"is {version}, and this conductor-git reads {known}")
        return version

    return AfterValidator(check)


def _masked(url: str) -> str:
    return _PASSWORD.sub(r"\1:***", url)


def _directory(text: str) -> str:
    """A directory of a sparse checkout in cone mode: a plain path, as git's own listing of a tree has it."""
    parts = text.removesuffix("/").split("/")
    if not set(parts).isdisjoint({"", ".", ".."}) or parts[0] == ".git" or re.search(r'[\x00-\x1f\x7f"\\*?\[]', text):
        raise ValueError(f"must be a directory inside the repository, without wildcards, not {text[:80]!r}")
    return "/".join(parts)


Text = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\x00]*$")]
RefName = Annotated[Text, AfterValidator(_ref_part)]
Inside = Annotated[Text, AfterValidator(_inside)]
"""A path in the repository, from its top."""
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Name = Annotated[str, AfterValidator(_name)]
"""A word that is also a file name and a line of a commit message."""
Directory = Annotated[Text, AfterValidator(_directory)]
Seconds = Annotated[
    float,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["90s", "15m", "1h30m"]}),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Gate(_Part):
    """A command that must pass on the merged tree."""

    name: Name
    run: Text
    timeout: Seconds = 900.0

    @property
    def timeout_seconds(self) -> float:
        return self.timeout


class SetupStep(_Part):
    """A command for the new worktree, before its agent starts."""

    name: Name
    run: Text
    timeout: Seconds = 600.0

    @property
    def timeout_seconds(self) -> float:
        return self.timeout


class Ports(_Part):
    """Worker number n (from 0) owns `per_worker` ports from `base` + n · `per_worker`."""

    base: int = Field(42000, ge=1024, le=65535)
    per_worker: int = Field(10, ge=0, le=1000)


class Agent(_Part):
    """How an agent is called: a command of the project's own, or a known agent's model and further arguments.

    `permissive` lets a known agent do without asking what it would ask a person for. `keys` are the variables of our
    environment that a command of the project's own may have of those that hold providers' keys.
    """

    command: tuple[Text, ...] | None = Field(None, min_length=1)
    model: Text | None = None
    args: tuple[str, ...] = ()
    permissive: bool = False
    keys: tuple[Variable, ...] | None = None


class Agents(BaseModel):
    """The agent that tasks get by default, and settings of agents by name."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Agent] = Field(init=False)

    default: Name | None = None

    @property
    def named(self) -> dict[str, Agent]:
        return dict(self.__pydantic_extra__ or {})

    @model_validator(mode="after")
    def _names(self) -> Agents:
        for name in self.named:
            _name(name)
        return self


class Limits(_Part):
    """What bounds the agents.

    At most `workers` attempts run at once in the project. A task has `attempts` of them, each ended after
    `attempt_time`, with pauses from `backoff` on, doubled each time; together they may cost `cost_usd`. `quiet_after`
    only marks a worker as slow. A provider that would not serve is waited for, in all for `limit_wait`. What an agent
    started may go on for `after_done` once it has called `done`. A worker may have `children` sub-tasks, `depth` levels
    of them.
    """

    workers: int = Field(16, ge=1, le=10_000)
    attempts: int = Field(3, ge=1, le=KEPT_ATTEMPTS)
    attempt_time: Seconds = 3600.0
    quiet_after: Seconds = 600.0
    cost_usd: float | None = Field(None, gt=0, allow_inf_nan=False)
    backoff: Seconds = 5.0
    limit_wait: Seconds = 21600.0
    after_done: Seconds = 60.0
    children: int = Field(8, ge=0, le=1000)
    depth: int = Field(2, ge=0, le=16)


class Bus(_Part):
    backend: Literal["file", "sqlite", "postgres"] = "file"
    segment_bytes: int = Field(67108864, ge=1024, le=2**40)


class Queue(_Part):
    """How approved tasks are landed together: at most `batch` at once, by `serve` on its own when `auto`."""

    batch: int = Field(8, ge=1, le=256)
    auto: bool = False


class Pool(_Part):
    """`size` worktrees lie ready for the next spawns; with `keep_ignored` build caches of landed tasks go into them."""

    size: int = Field(0, ge=0, le=64)
    keep_ignored: bool = True


class Checkout(_Part):
    """How the files of a worktree are written; `workers` processes of git do it, None leaves that to git's config."""

    workers: int | None = Field(None, ge=1, le=1024)


class Salvage(_Part):
    """`keep` is how long `gc` leaves a salvage ref, and logs and files that nobody needs, where they are."""

    keep: Seconds = 2592000.0


class Gc(_Part):
    """How long `gc` leaves what it archives or can be made again where it is.

    `worktrees` and branches count from the end of their task or their last use after it, `records` from the end of
    the task, `segments` of the bus from their last message.
    """

    worktrees: Seconds = 86400.0
    records: Seconds = 7776000.0
    segments: Seconds = 7776000.0


class Config(_Part):
    """Everything a project can settle. `target` None is the branch that the task was spawned from.

    `include` is the file that lists ignored files to bring into new worktrees, where it is there; together they have
    at most `include_bytes`. Folders of `include_anyway` come along although they hold absolute paths. What `link` names
    is not copied: the worktree gets a symbolic link to it.
    """

    version: Annotated[int, only(VERSION)] = VERSION
    target: RefName | None = None
    branch: Annotated[RefName, AfterValidator(_template)] = "worker/{task_id}"
    worktrees: Annotated[Text, AfterValidator(_template)] = "../{repo}.worktrees/{task_id}"
    merge: Strategy = Strategy.MERGE
    reviews_required: int = Field(1, ge=1, le=100)
    gates: tuple[Gate, ...] = ()
    setup: tuple[SetupStep, ...] = ()
    include: Inside = ".worktreeinclude"
    include_anyway: tuple[Inside, ...] = ()
    include_bytes: int = Field(2**31, ge=0, le=2**50)
    link: tuple[Inside, ...] = ()
    ports: Ports = Ports()
    sparse: tuple[Directory, ...] = ()
    submodules: bool | None = None
    lfs: bool = False
    agents: Agents = Agents()
    terminal: Literal["none", "tmux"] = "none"
    limits: Limits = Limits()
    checkout: Checkout = Checkout()
    bus: Bus = Bus()
    queue: Queue = Queue()
    pool: Pool = Pool()
    salvage: Salvage = Salvage()
    gc: Gc = Gc()
    team: Annotated[Text, AfterValidator(_postgres), PlainSerializer(_masked, when_used="json")] | None = None
    push: RefName | None = None

    @field_validator("gates", "setup")
    @classmethod
    def _distinct(cls, steps: tuple[Gate | SetupStep, ...]) -> tuple[Gate | SetupStep, ...]:
        names = [step.name for step in steps]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"has two entries of the name {twice[0]}")
        return steps

    @property
    def commands(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Everything in here that runs on this machine, by key: what `config trust` shows and asks about."""
        steps: list[tuple[str, tuple[str, ...]]] = [
            *((f"gates.{gate.name}", (gate.run,)) for gate in self.gates),
            *((f"setup.{step.name}", (step.run,)) for step in self.setup),
        ]
        for name, agent in sorted(self.agents.named.items()):
            steps += [(f"agents.{name}.command", agent.command)] if agent.command else []
            steps += [(f"agents.{name}.args", agent.args)] if agent.args else []
            steps += [(f"agents.{name}.permissive", ("true",))] if agent.permissive else []
        return tuple(steps)

    def commands_digest(self) -> str:
        """The hash of `commands`, their order included; "" where nothing runs, so that there is nothing to trust."""
        return sha256(repr(self.commands).encode("utf-8", "surrogatepass")).hexdigest() if self.commands else ""


def schema() -> dict[str, Any]:
    """The JSON schema of `.conductor.yaml`, for editors."""
    return Config.model_json_schema()
