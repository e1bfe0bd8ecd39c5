"""run PLAN.yaml: a plan is held against its project before anything starts, and all that is wrong with it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git.errors import BadPlan
from tests import kit
from tests.integration import plans
from tests.integration.traces import traces
from tests.kit import tasks


@pytest.fixture(autouse=True)
def _agents(repository: Path) -> None:
    plans.prepared(repository, gates="true")


def problems(repository: Path, text: str) -> list[str]:
    """What is wrong, without the path of the plan."""
    path = plans.written(repository, text)
    with pytest.raises(BadPlan) as refused:
        plans.planned(repository, path)
    return [line.removeprefix(f"{path}:") for line in refused.value.message.split("\n")]


def test_a_plan_means_what_it_says_and_the_config_fills_in_the_rest(repository: Path) -> None:
    text = """
        agent: {round_robin: [fast, critic]}
        stages: [base, pages]
        workers: 99
        tasks:
          one: {prompt: first, stage: base, approve: gates}
          two: {prompt: second, agent: [critic, fast], needs: one, priority: 2}
          three: {prompt: third, stage: pages, approve: {agent-quorum: 1}}
        """
    planned = plans.planned(repository, plans.written(repository, text, "checkout.yaml"))

    one, two, three = planned.tasks
    assert (planned.name, planned.workers, planned.rounds) == ("checkout", 16, 2)
    assert (one.agents, two.agents, three.agents) == (("fast",), ("critic", "fast"), ("critic",))
    assert (two.needs, two.earlier, three.needs, three.earlier) == (("one",), (), (), ("one",))
    assert (three.reviewers, three.reviews_required, one.target) == (("fast",), 1, "main")


def test_a_quorum_is_the_least_number_of_reviews(repository: Path) -> None:
    text = "agent: fast\ntasks: {one: {prompt: x, approve: {agent-quorum: 2}, reviewers: [critic, other]}}"
    plans.prepared(repository, other="true")

    (one,) = plans.planned(repository, plans.written(repository, text)).tasks

    assert one.reviews_required == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "agent: fast\ntasks: {a: {prompt: x, needs: b}, b: {prompt: y, needs: [c]}, c: {prompt: z, needs: a}}",
            "3: key `tasks.a.needs` goes round in a circle: a needs b needs c needs a",
        ),
        (
            "agent: fast\ntasks: {a: {prompt: x, needs: a}}",
            "3: key `tasks.a.needs` goes round in a circle: a needs a",
        ),
        (
            "agent: fast\nstages: [s, t]\ntasks: {a: {prompt: x, stage: s, needs: b}, b: {prompt: y, stage: t}}",
            "4: key `tasks.a.needs` goes round in a circle: a needs b needs a; a task of a later stage comes after",
        ),
        (
            "agent: fast\ntasks: {add: {prompt: x}, b: {prompt: y, needs: ad}}",
            "3: key `tasks.b.needs[0]` names ad, which is no task of the plan or the project; did you mean `add`?",
        ),
        (
            "agent: fast\nstages: [base]\ntasks: {a: {prompt: x, stage: bas}}",
            "4: key `tasks.a.stage` names bas, which is not one of the plan's `stages`; did you mean `base`?",
        ),
        (
            "tasks: {a: {prompt: x, agent: fsat}}",
            "2: key `tasks.a.agent` names the agent fsat, which nothing here is; did you mean `fast`?",
        ),
        (
            "tasks: {a: {prompt: x}}",
            "2: key `tasks.a` has no agent, and neither the plan nor the config names a default",
        ),
        (
            "agent: fast\ntasks: {a: {prompt: x, target: man}}",
            "3: key `tasks.a.target` has the target man, which is no branch here; did you mean `main`?",
        ),
        (
            "agent: fast\ntasks: {a: {prompt: x, approve: {agent-quorum: 2}, reviewers: [fast, critic]}}",
            "3: key `tasks.a.approve` asks for 2 other agents than fast, and there is: critic",
        ),
        (
            "agent: fast\ntasks: {a: {prompt: x, approve: {agent-quorum: 1}, reviewers: perplexity}}",
            "3: key `tasks.a.reviewers` names the agent perplexity, which cannot be used: no key: ",
        ),
    ],
)
def test_what_does_not_fit_the_project_is_told_with_its_line(repository: Path, text: str, told: str) -> None:
    assert problems(repository, text)[0].startswith(told)


def test_an_agent_that_is_not_installed_is_told_unless_another_takes_over(repository: Path) -> None:
    text = "agent: fast\ntasks: {a: {prompt: x, agent: cursor-agent}, b: {prompt: y, agent: [cursor-agent, fast]}}"

    (told,) = problems(repository, text)
    assert told.startswith("3: key `tasks.a.agent` names the agent cursor-agent, which cannot be used: cursor-agent is")


def test_gates_as_policy_need_gates_in_the_config_of_the_target(repository: Path) -> None:
    kit.git(repository, "branch", "bare", "HEAD~1")
    three = "{a: {prompt: x}, b: {prompt: y, target: bare}, c: {prompt: z, target: bare}}"
    text = f"agent: fast\napprove: gates\ntasks: {three}"

    assert problems(repository, text) == ["3: key `approve` is gates, and the config of bare has none"]


def test_a_task_that_exists_and_is_of_something_else_is_told(repository: Path) -> None:
    tasks.spawn(repository, "a")
    tasks.spawn(repository, "b", plan="other")
    tasks.spawn(repository, "c", plan="plan")
    text = "agent: fast\ntasks: {a: {prompt: x}, b: {prompt: y}, c: {prompt: z}}"

    assert problems(repository, text) == [
        "3: key `tasks.a` is the name of a task that exists and is of no plan",
        "3: key `tasks.b` is the name of a task that exists and is of the plan other",
    ]


def test_a_need_may_be_a_task_of_the_project(repository: Path) -> None:
    tasks.spawn(repository, "old")
    path = plans.written(repository, "agent: fast\ntasks: {a: {prompt: x, needs: old}}")

    assert plans.planned(repository, path).outside == ("old",)


# --- files of prompts


def test_a_prompt_file_lies_beside_its_plan(repository: Path) -> None:
    tasks.write(repository, {"plans/p.yaml": "version: 1\nagent: fast\ntasks: {a: {prompt_file: a.md}}\n"})
    tasks.write(repository, {"plans/a.md": "Do it well\n"})

    (a,) = plans.planned(repository, repository / "plans" / "p.yaml").tasks

    assert a.prompt == "Do it well\n"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none.md", "cannot be read: No such file or directory"),
        ("../secret.md", "cannot be read: lies outside of "),
        ("link.md", "cannot be read: lies outside of "),
        (".", "is not a regular file"),
        ("empty.md", "cannot be read: is empty"),
        ("latin.md", "cannot be read: is not UTF-8"),
    ],
)
def test_a_prompt_file_that_cannot_be_had_is_told(repository: Path, name: str, told: str) -> None:
    (repository.parent / "secret.md").write_text("mine")
    (repository / "link.md").symlink_to(repository.parent / "secret.md")
    tasks.write(repository, {"empty.md": "\n", "latin.md": b"caf\xe9"})
    tasks.write(repository, {"p.yaml": f"version: 1\nagent: fast\ntasks: {{a: {{prompt_file: {name}}}}}\n"})

    with pytest.raises(BadPlan) as refused:
        plans.planned(repository, repository / "p.yaml")

    assert "key `tasks.a.prompt_file` names" in refused.value.message
    assert told in refused.value.message


# --- the command


def test_a_refusal_tells_every_problem_and_changes_nothing(repository: Path) -> None:
    path = plans.written(
        repository, "agent: fast\ntasks:\n  a: {prompt: x, needs: a}\n  b: {prompt: y, agent: nobody}\n"
    )
    before = traces(repository)

    error = tasks.refused(plans.run(repository, path, "--json"), "BAD_PLAN", 1)

    assert [problem["where"] for problem in error["problems"]] == [f"{path}:4", f"{path}:5"]
    assert [problem["key"] for problem in error["problems"]] == ["tasks.a.needs", "tasks.b.agent"]
    assert traces(repository) == before


def test_commands_of_the_config_have_to_be_trusted_before_anything_starts(repository: Path) -> None:
    config = repository / ".conductor.yaml"
    config.write_text(config.read_text().replace("fast.sh", "fast.sh, --quickly"))
    path = plans.written(repository, "agent: fast\ntasks: {a: {prompt: x}}")
    before = traces(repository)

    tasks.refused(plans.run(repository, path, "--json"), "UNTRUSTED_COMMANDS", 1)

    assert traces(repository) == before
    assert plans.run(repository, path, "--dry-run").code == 0


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_a_plan_that_is_not_there_is_bad_input(repository: Path, name: str) -> None:
    error = tasks.refused(plans.run(repository, repository / name, "--json"), "BAD_INPUT", 2)

    assert "cannot be read" in error["message"]


def test_a_dry_run_shows_order_and_agents_and_changes_nothing(repository: Path) -> None:
    text = """
        agent: fast
        approve: gates
        stages: [base, pages]
        tasks:
          page: {prompt: x, stage: pages, needs: [two]}
          one: {prompt: x, stage: base}
          two: {prompt: y, stage: base, needs: one, agent: [critic, fast]}
        """
    path = plans.written(repository, text)
    before = traces(repository)

    shown, told = plans.run(repository, path, "--dry-run"), plans.run(repository, path, "--dry-run", "--json")

    assert shown.code == told.code == 0
    assert [line.split()[:5] for line in shown.out.splitlines()[1:]] == [
        ["1", "base", "one", "fast", "main"],
        ["2", "base", "two", "critic,", "fast"],
        ["3", "pages", "page", "fast", "two"],
    ]
    assert [(task["task_id"], task["wave"]) for task in told.document["tasks"]] == [("one", 1), ("two", 2), ("page", 3)]
    assert told.document["first"] == ["one"]
    assert traces(repository) == before
