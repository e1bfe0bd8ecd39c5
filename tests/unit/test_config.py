"""The config: what a file may say, and what it is told when it is wrong."""

from __future__ import annotations

import json
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from conductor_git.config.layers import load, merge, read_layer
from conductor_git.config.model import Config, schema
from conductor_git.errors import BadConfig
from conductor_git.run import Strategy
from conductor_git.strictyaml import write

EXAMPLE: Final = """\
version: 1
target: main
branch: "worker/{task_id}"
worktrees: "../{repo}.worktrees/{task_id}"
merge: squash           # merge | squash | rebase
reviews_required: 2
gates:
  - {name: tests, run: "pytest -q", timeout: 20m}
setup:                  # in the new worktree, before the agent starts
  - {name: deps, run: "uv sync"}
include: .worktreeinclude
ports: {base: 43000, per_worker: 5}
agents:
  default: claude
  claude: {model: null, args: []}
  house: {command: [my-agent, --prompt-file, "{prompt_file}"]}
limits: {workers: 8, attempts: 2, attempt_time: 90m, quiet_after: 30s, cost_usd: 12.5}
bus: {backend: sqlite, segment_bytes: 1048576}
queue: {batch: 4, auto: true}
team: null
push: origin
"""


def said(text: str) -> str:
    """What the refusal of `text`, as the file c.yaml, says."""
    with pytest.raises(BadConfig) as refused:
        load(text, "c.yaml")
    return refused.value.message


def test_a_file_that_says_everything_is_read_with_its_types() -> None:
    config = load(EXAMPLE, "c.yaml")

    assert config.target == "main"
    assert config.merge is Strategy.SQUASH
    assert config.reviews_required == 2
    assert [(gate.name, gate.run, gate.timeout_seconds) for gate in config.gates] == [("tests", "pytest -q", 1200.0)]
    assert [(step.name, step.run, step.timeout_seconds) for step in config.setup] == [("deps", "uv sync", 600.0)]
    assert config.include == ".worktreeinclude"
    assert (config.ports.base, config.ports.per_worker) == (43000, 5)
    assert config.agents.default == "claude"
    assert config.agents.named["house"].command == ("my-agent", "--prompt-file", "{prompt_file}")
    assert config.agents.named["claude"].command is None
    assert (config.limits.workers, config.limits.attempts, config.limits.cost_usd) == (8, 2, 12.5)
    assert (config.limits.attempt_time, config.limits.quiet_after) == (5400.0, 30.0)
    assert (config.bus.backend, config.bus.segment_bytes) == ("sqlite", 1048576)
    assert (config.queue.batch, config.queue.auto) == (4, True)
    assert config.team is None
    assert config.push == "origin"


@pytest.mark.parametrize("text", ["", "# nothing\n", "version: 1", "gates:\nsetup:\nlimits:\nmerge:\nbranch: null\n"])
def test_what_is_not_said_has_its_default(text: str) -> None:
    assert load(text, "c.yaml") == Config()


def test_the_directories_of_a_sparse_checkout_are_plain_paths() -> None:
    assert load("sparse: [src, libs/a b/]", "c.yaml").sparse == ("src", "libs/a b")


def test_a_step_without_a_time_limit_has_its_default() -> None:
    config = load("gates: [{name: a, run: b, timeout: null}]\nsetup: [{name: a, run: b, timeout: null}]", "c.yaml")

    assert (config.gates[0].timeout_seconds, config.setup[0].timeout_seconds) == (900.0, 600.0)


def test_the_defaults_are_those_of_the_documentation() -> None:
    config = Config()

    assert (config.target, config.include, config.team, config.push) == (None, ".worktreeinclude", None, None)
    assert config.branch == "worker/{task_id}"
    assert config.worktrees == "../{repo}.worktrees/{task_id}"
    assert (config.merge, config.reviews_required) == (Strategy.MERGE, 1)
    assert (config.gates, config.setup) == ((), ())
    assert (config.ports.base, config.ports.per_worker) == (42000, 10)
    assert (config.sparse, config.checkout.workers, config.submodules, config.lfs) == ((), None, None, False)
    assert (config.agents.default, config.agents.named) == (None, {})
    assert (config.limits.workers, config.limits.attempts) == (16, 3)
    assert (config.limits.attempt_time, config.limits.quiet_after, config.limits.cost_usd) == (3600.0, 600.0, None)
    assert (config.bus.backend, config.bus.segment_bytes) == ("file", 64 * 1024 * 1024)


def test_a_config_cannot_be_changed_after_it_was_read() -> None:
    with pytest.raises(ValidationError):
        load(EXAMPLE, "c.yaml").limits.workers = 99  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("targt: main", "c.yaml:1: key `targt` is not known; did you mean `target`?"),
        ("# top\n\nlimits:\n  worker: 3", "c.yaml:4: key `limits.worker` is not known; did you mean `limits.workers`?"),
        ("workers: 3", "c.yaml:1: key `workers` is not known; did you mean `limits.workers`?"),
        ("zzz: 3m", "c.yaml:1: key `zzz` is not known"),
        (
            "gates:\n- name: a\n  rum: b\n  run: c",
            "c.yaml:3: key `gates[0].rum` is not known; did you mean `gates[0].run`?",
        ),
        (
            "agents:\n  house:\n    comand: [x]",
            "c.yaml:3: key `agents.house.comand` is not known; did you mean `agents.house.command`?",
        ),
        (
            "agents: {defualt: claude}",
            "c.yaml:1: key `agents.defualt` must be keys with values; did you mean `agents.default`?",
        ),
        ("gates:\n- name: a", "c.yaml:2: key `gates[0].run` is missing"),
        ("gates: pytest", "c.yaml:1: key `gates` must be a list"),
        (
            "gates:\n- a\n-\n",
            "c.yaml:2: key `gates[0]` must be keys with values\nc.yaml:3: key `gates[1]` must be keys",
        ),
        ("merge: ff", "c.yaml:1: key `merge` must be 'merge', 'squash' or 'rebase'"),
        ("limits:\n  attempts: many", "c.yaml:2: key `limits.attempts` must be a whole number"),
        ("limits:\n  workers: 0", "c.yaml:2: key `limits.workers` must be greater than or equal to 1"),
        ("reviews_required: -1", "c.yaml:1: key `reviews_required` must be greater than or equal to 1"),
        ("queue: {auto: perhaps}", "c.yaml:1: key `queue.auto` must be true or false"),
        ("limits: {attempt_time: soon}", "c.yaml:1: key `limits.attempt_time` must be a length of time"),
        ("agents: {house: {command: []}}", "c.yaml:1: key `agents.house.command` must not be empty"),
        ("agents: {house: {command: my-agent}}", "c.yaml:1: key `agents.house.command` must be a list"),
        ("version: 2", "c.yaml:1: key `version` is 2, and this conductor-git reads 1"),
        ("gates:\n- {name: a, run: b}\n- {name: a, run: c}", "c.yaml:1: key `gates` has two entries of the name a"),
        ("a: 1\na: 2", "c.yaml:2: column 1: duplicate key 'a'"),
        ("a: [", "c.yaml:2: column 1: "),
        ("- a", "c.yaml:1: must be keys with values"),
        ("a: !!python/name:os.system x", "c.yaml:1: column 4: "),
    ],
)
def test_an_error_names_file_line_and_key_and_the_nearest_known_key(text: str, message: str) -> None:
    answer = said(text)

    assert answer.startswith(message)
    assert ("did you mean" in answer) == ("did you mean" in message)


def test_all_errors_are_told_at_once_and_as_facts() -> None:
    with pytest.raises(BadConfig) as refused:
        load("targt: x\nmerge: ff\n" + "".join(f"unheard_{number}: 1\n" for number in range(10)), "c.yaml")

    problems = refused.value.facts["problems"]
    assert len(problems) == 12
    assert refused.value.message.endswith("(and 7 more)")
    told = [problem for problem in problems if problem["key"] == "targt"]
    assert told == [{"where": "c.yaml:1", "key": "targt", "what": "is not known", "suggestion": "target"}]


@pytest.mark.parametrize(
    "text",
    [
        "branch: work",
        "branch: 'worker/{task_id}/{user}'",
        "branch: 'worker/{task_id'",
        "branch: 'worker/{task_id}{0.__class__}'",
        "branch: 'worker/{task_id!r}'",
        "branch: '-x{task_id}'",
        "branch: 'refs/heads/{task_id}'",
        "branch: '{task_id}..x'",
        "branch: 'a b{task_id}'",
        "worktrees: ../all",
        "worktrees: '../{task_id}/{{}}'",
        'worktrees: "../{task_id}\\0"',
        "target: --upload-pack=touch",
        "target: ''",
        "target: [main]",
        "push: -f",
        "push: 'a b'",
        "include: /etc/passwd",
        "include: ../x",
        "sparse: [/etc]",
        "sparse: [../x]",
        "sparse: [a/../../x]",
        "sparse: [.git]",
        "sparse: ['a*']",
        'sparse: ["a\\nb"]',
        "checkout: {workers: 0}",
        "submodules: some",
        "lfs: maybe",
        "team: mysql://host/db",
        "gates: [{name: ../x, run: a}]",
        "gates: [{name: -x, run: a}]",
        'gates: [{name: "a\\nApproved-by: b", run: a}]',
        "gates: [{name: a, run: ''}]",
        "gates: [{name: a, run: b, timeout: 0}]",
        "gates: [{name: a, run: b, timeout: -5m}]",
        "gates: [{name: a, run: b, timeout_seconds: 5}]",
        "ports: {base: 80}",
        "ports: {base: 70000}",
        "limits: {cost_usd: nan}",
        "limits: {cost_usd: inf}",
        "limits: {cost_usd: 0}",
        "bus: {backend: kafka}",
        "bus: {segment_bytes: 1}",
        "agents: {'a b': {}}",
        "agents: {default: 'a b'}",
        "agents: {x: {env: {A: b}}}",
    ],
)
def test_a_value_that_would_do_harm_or_nothing_is_refused(text: str) -> None:
    assert said(text).startswith("c.yaml:1: key `" + text.partition(":")[0])


def test_a_password_is_in_no_error_and_no_listing() -> None:
    assert "hunter2" not in said("team: mysql://me:hunter2@host/db")
    settings = merge([read_layer("team: postgresql://me:hunter2@host/db", "c.yaml")]).settings
    assert [setting.value for setting in settings if setting.key == "team"] == ["postgresql://me:***@host/db"]


def test_templates_take_the_task_and_the_repository() -> None:
    config = load("branch: '{repo}/{task_id}'", "c.yaml")

    assert config.branch.format(task_id="fix", repo="acme") == "acme/fix"


def test_everything_that_runs_is_in_the_digest_and_nothing_else_is() -> None:
    digest = load(EXAMPLE, "c.yaml").commands_digest()

    for before, after in [
        ("pytest -q", "rm -rf /"),
        ("uv sync", "curl x"),
        ("my-agent", "sh"),
        ("args: []", "args: [x]"),
    ]:
        assert load(EXAMPLE.replace(before, after), "c.yaml").commands_digest() != digest
    for before, after in [("20m", "21m"), ("squash", "merge"), ("main", "dev"), ("# merge", "# other")]:
        assert load(EXAMPLE.replace(before, after), "elsewhere").commands_digest() == digest


def test_commands_that_trade_places_are_other_commands() -> None:
    one = load("gates: [{name: a, run: x}, {name: b, run: y}]", "c.yaml")
    other = load("gates: [{name: a, run: y}, {name: b, run: x}]", "c.yaml")
    moved = load("setup: [{name: a, run: x}, {name: b, run: y}]", "c.yaml")

    assert len({one.commands_digest(), other.commands_digest(), moved.commands_digest()}) == 3


def test_a_config_that_runs_nothing_has_nothing_to_trust() -> None:
    assert load("target: main\nagents: {default: claude, claude: {model: x}}", "c.yaml").commands_digest() == ""


def test_what_config_check_lists_can_be_written_as_a_config() -> None:
    config = load(EXAMPLE, "c.yaml")

    listed = json.loads(json.dumps(config.model_dump(mode="json")))

    assert load(write(listed), "again.yaml") == config


def test_the_schema_names_every_key() -> None:
    assert set(schema()["properties"]) == set(Config.model_fields)
    json.dumps(schema())


@given(st.text(st.characters(codec="utf-8"), max_size=120))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    try:
        load(text, "c.yaml")
    except BadConfig as refused:
        assert refused.message.startswith("c.yaml:")
