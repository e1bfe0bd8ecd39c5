"""The document of a plan: what it says, and that everything wrong with it is told by line and key."""

from __future__ import annotations

import pytest

from conductor_git.config.plan import AgentChoice, Approval, PlanDocument, Policy, read_plan
from conductor_git.errors import BadPlan

WHOLE = b"""\
version: 1
name: checkout
target: main
agent: [claude, codex]
reviews: 2
approve: {agent-quorum: 2}
reviewers: [codex, gemini]
workers: 8
fail_fast: true
stages: [base, pages]
tasks:
  add-table:
    prompt: Add the table
    stage: base
    priority: 5
  add-page:
    prompt_file: prompts/page.md
    title: The page
    agent: {round_robin: [claude, codex]}
    needs: add-table
    stage: pages
    reviews: 1
    reviewers: gemini
    approve: gates
    target: next
"""


def read(text: str) -> PlanDocument:
    return read_plan(text.encode(), "plan.yaml").document


def problems(text: str) -> list[str]:
    with pytest.raises(BadPlan) as refused:
        read(text)
    return refused.value.message.split("\n")


def task(body: str) -> str:
    return f"version: 1\nagent: fast\ntasks:\n  one:\n    prompt: x\n    {body}\n"


def test_a_whole_plan_is_read() -> None:
    plan = read_plan(WHOLE, "plan.yaml").document

    assert (plan.name, plan.target, plan.workers, plan.fail_fast) == ("checkout", "main", 8, True)
    assert (plan.agent, plan.reviews, plan.stages) == (AgentChoice(("claude", "codex")), 2, ("base", "pages"))
    assert (plan.approve, plan.reviewers) == (Approval(Policy.QUORUM, 2), ("codex", "gemini"))
    table, page = plan.tasks["add-table"], plan.tasks["add-page"]
    assert (table.prompt, table.stage, table.priority, table.approve, table.needs) == (
        "Add the table",
        "base",
        5,
        None,
        (),
    )
    assert (page.prompt_file, page.title, page.needs, page.stage) == (
        "prompts/page.md",
        "The page",
        ("add-table",),
        "pages",
    )
    assert (page.agent, page.approve) == (AgentChoice(("claude", "codex"), in_turn=True), Approval(Policy.GATES))
    assert (page.reviews, page.reviewers, page.target) == (1, ("gemini",), "next")


def test_what_is_left_out_has_the_careful_default() -> None:
    plan = read("version: 1\ntasks: {one: {prompt: x}}")

    assert plan.approve == Approval(Policy.NEVER)
    assert (plan.name, plan.workers, plan.fail_fast, plan.stages) == (None, None, False, ())


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("need: two", "plan.yaml:6: key `tasks.one.need` is not known; did you mean `tasks.one.needs`?"),
        ("prompt_file: x.md", "plan.yaml:4: key `tasks.one` needs either `prompt` or `prompt_file`"),
        (
            "approve: always",
            "plan.yaml:6: key `tasks.one.approve` must be never, gates, or {agent-quorum: N} with N from 1 to 100",
        ),
        (
            "approve: {agent-quorum: 0}",
            "plan.yaml:6: key `tasks.one.approve` must be never, gates, or {agent-quorum: N} with N from 1 to 100",
        ),
        (
            "agent: {robin: [a]}",
            (
                "plan.yaml:6: key `tasks.one.agent` must be the name of an agent, a list of them to fall back through, "
                "or {round_robin: [names]}"
            ),
        ),
        ("agent: [a, b, a]", "plan.yaml:6: key `tasks.one.agent` names a twice"),
        ("needs: [two, two]", "plan.yaml:6: key `tasks.one.needs` names two twice"),
        ("priority: high", "plan.yaml:6: key `tasks.one.priority` must be a whole number"),
        ("reviews: 0", "plan.yaml:6: key `tasks.one.reviews` must be greater than or equal to 1"),
        ("target: --all", "plan.yaml:6: key `tasks.one.target` must be a plain name such as main, not '--all'"),
        ("prompt: again", "plan.yaml:6: column 5: duplicate key 'prompt'"),
    ],
)
def test_what_is_wrong_with_a_task_is_told_with_its_line(body: str, told: str) -> None:
    assert problems(task(body)) == [told]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "plan.yaml:1: must be keys with values, such as `version: 1` and `tasks:`"),
        ("- one", "plan.yaml:1: must be keys with values, such as `version: 1` and `tasks:`"),
        ("version: 1", "plan.yaml: key `tasks` is missing"),
        ("tasks: {one: {prompt: x}}", "plan.yaml: key `version` is missing"),
        ("version: 2\ntasks: {one: {prompt: x}}", "plan.yaml:1: key `version` is 2, and this conductor-git reads 1"),
        ("version: 1\ntasks: {}", "plan.yaml:2: key `tasks` must not be empty"),
        ("version: 1\ntasks:\n  one:", "plan.yaml:3: key `tasks.one` needs either `prompt` or `prompt_file`"),
        (
            "version: 1\nworker: 3\ntasks: {one: {prompt: x}}",
            "plan.yaml:2: key `worker` is not known; did you mean `workers`?",
        ),
        (
            "version: 1\nname: Check/out\ntasks: {one: {prompt: x}}",
            "plan.yaml:2: key `name` must be 1 to 40 of a-z 0-9 . _ -, starting with a letter or digit",
        ),
        ("version: 1\ntasks: *all", "plan.yaml:2: column 8: an alias is not allowed"),
        (
            "version: 1\ntasks:\n  One: {prompt: x}",
            (
                "plan.yaml:3: key `tasks.One` is not a task id: 1 to 64 of a-z 0-9 . _ -, starting with a letter or "
                "digit, without '..', not ending in '.' or '.lock'"
            ),
        ),
        (
            "version: 1\ntasks:\n  one: {prompt: x}\n  one: {prompt: y}",
            "plan.yaml:4: column 3: duplicate key 'one'",
        ),
    ],
)
def test_what_is_wrong_with_a_plan_is_told_with_its_line(text: str, told: str) -> None:
    assert problems(text) == [told]


def test_every_problem_is_told_in_the_order_of_the_file() -> None:
    found = problems("version: 1\nwaiters: 3\ntasks:\n  one: {prompt: x, stag: a}\n  two: {agent: fast}\n")

    assert [line.partition(": ")[0] for line in found] == ["plan.yaml:2", "plan.yaml:4", "plan.yaml:5"]


def test_a_plan_that_is_too_long_is_refused_unread() -> None:
    assert "more than" in problems("version: 1\n" + "#" * (1 << 20))[0]
