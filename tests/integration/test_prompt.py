"""What an agent is told when an attempt begins: the task, who it is, what was said, what it runs into, what is left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conductor_git.names import RunId, short
from conductor_git.project import open_project
from conductor_git.run import Attempt, End, utcnow
from conductor_git.workflow.prompting.asked import PROMPT_BYTES
from conductor_git.workflow.prompting.attempt import attempt_prompt
from tests import kit
from tests.integration import prompts
from tests.integration.prompts import ASKED
from tests.kit import tasks

NEW = "What is new on the bus"
RUNS_INTO = "What your branch collides with"


@pytest.fixture
def worktree(repository: Path) -> Path:
    """The worktree of `prices`, which nobody has worked on yet."""
    return tasks.spawn(repository, "prices", prompt=ASKED)


def prompt_file(repository: Path) -> Path:
    return repository / ".git/conductor/tasks/prices/prompt.md"


# --- the task


@pytest.mark.parametrize("asked", [b"Pears cost 5", b"Pears cost 5\n\n\n", b"\xff\xfe \x1b[1mnot\0text\r\n"])
@pytest.mark.usefixtures("worktree")
def test_the_prompt_begins_with_what_was_asked_to_the_byte(repository: Path, asked: bytes) -> None:
    prompt_file(repository).write_bytes(asked)

    prompt = prompts.made(repository)

    gap = b"\n" if asked.endswith(b"\n") else b"\n\n"
    assert prompt.startswith(asked + gap + b"## Who you are\n")


@pytest.mark.parametrize("asked", [b"", b" \n\n"])
@pytest.mark.usefixtures("worktree")
def test_a_task_that_was_asked_nothing_is_told_its_title(repository: Path, asked: bytes) -> None:
    prompt_file(repository).write_bytes(asked)

    assert prompts.text(repository).startswith("Pears cost 5\n\n## Who you are\n")


@pytest.mark.usefixtures("worktree")
def test_what_has_no_room_in_sixteen_mebibytes_is_left_out_and_the_task_never(repository: Path) -> None:
    asked = b"a" * (PROMPT_BYTES - 1000)
    prompt_file(repository).write_bytes(asked)

    prompt = prompts.made(repository)

    assert len(prompt) <= PROMPT_BYTES
    assert prompt.startswith(asked)
    assert prompts.titles(prompt[len(asked) :].decode()) == ["Who you are"]


@pytest.mark.usefixtures("worktree")
def test_the_sections_come_in_their_order(repository: Path) -> None:
    collides_with_oak(repository)
    tasks.hand_in(repository, "prices")
    kit.conductor("request-changes", "prices", "--as", "ada", "-m", "why?", cwd=repository)
    prompts.attempted(repository)
    prompts.say(repository, "hello")

    of_reviewers = f"What reviewers said of {short(tasks.record(repository, 'prices').head_commit)}"
    left = "What attempt 1 left"
    assert prompts.titles(prompts.text(repository)) == [
        "Who you are",
        "How you work here",
        of_reviewers,
        NEW,
        RUNS_INTO,
        left,
    ]


@pytest.mark.usefixtures("worktree")
def test_an_agent_that_does_not_edit_is_told_the_task_and_what_was_said_to_it(repository: Path) -> None:
    assert prompts.made(repository, edits=False) == ASKED.encode()
    collides_with_oak(repository)
    tasks.hand_in(repository, "prices")
    kit.conductor("request-changes", "prices", "--as", "ada", "-m", "why?", cwd=repository)
    prompts.attempted(repository)
    prompts.say(repository, "q" * 3000, "QUESTION")

    prompt = prompts.text(repository, edits=False)

    assert prompt.startswith(ASKED)
    assert [title.partition(" of ")[0] for title in prompts.titles(prompt)] == ["What reviewers said", NEW]
    assert prompts.commands(prompt) == []


@pytest.mark.usefixtures("worktree")
def test_a_reviewer_is_asked_what_its_prompt_file_says_and_nothing_else(repository: Path) -> None:
    tasks.commit(Path(tasks.record(repository, "prices").worktree), {"src/new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "prices")
    assert kit.conductor("spawn", "critic", "--review", "prices", cwd=repository).code == 0
    prompts.attempted(repository, b"hm\n", task_id="critic")
    prompts.say(repository, "hello")

    asked = (repository / ".git/conductor/tasks/critic/prompt.md").read_bytes()

    assert prompts.made(repository, "critic") == asked


@pytest.mark.usefixtures("worktree")
def test_a_section_that_cannot_be_told_says_so_and_the_attempt_begins(repository: Path) -> None:
    tasks.commit(Path(tasks.record(repository, "prices").worktree), {"src/new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "prices")
    kit.conductor("request-changes", "prices", "--as", "ada", "-m", "why?", cwd=repository)
    (repository / ".git/conductor/tasks/prices/reviews/1.yaml").write_text("{")

    prompt = prompts.text(repository)

    assert prompts.section(prompt, "What reviewers said").startswith("This cannot be told: a review of prices")
    assert "How you work here" in prompts.titles(prompt)


# --- who the worker is


def test_a_worker_is_told_its_task_branch_worktree_target_and_base(repository: Path, worktree: Path) -> None:
    base = kit.git(repository, "rev-parse", "main")[:10]

    assert prompts.section(prompts.text(repository), "Who you are").split("\n") == [
        "- task: prices",
        f"- branch: worker/prices, from main at {base}",
        f"- worktree: {worktree}",
        "- target: main, where your commit lands once it is approved",
        "- attempt: 1 of at most 3",
    ]


@pytest.mark.usefixtures("worktree")
def test_a_sub_task_is_told_its_parent_and_a_parent_its_sub_tasks(repository: Path) -> None:
    tasks.spawn(repository, "plums")
    prompts.changed(repository, "plums", parent_task_id="prices")

    assert "- sub-task of: prices\n" in prompts.text(repository, "plums")
    assert "- sub-tasks: plums (WORKING)\n" in prompts.text(repository)


@pytest.mark.usefixtures("worktree")
def test_the_attempt_about_to_begin_is_counted_whether_it_is_on_record_yet_or_not(repository: Path) -> None:
    prompts.attempted(repository)
    run = tasks.record(repository, "prices")
    begun = Attempt(RunId("now"), "claude", None, None, None, utcnow())
    entered = replace(run, attempts=(*run.attempts, begun))

    for now in (run, entered):
        prompt = attempt_prompt(open_project(repository), now, now=utcnow()).decode()

        assert "- attempt: 2 of at most 3\n" in prompt
        assert "## What attempt 1 left\n" in prompt


@pytest.mark.usefixtures("worktree")
def test_attempts_before_the_task_was_sent_back_are_numbered_and_not_limited(repository: Path) -> None:
    prompts.changed(repository, attempts_before=40)
    prompts.attempted(repository)
    tasks.commit(Path(tasks.record(repository, "prices").worktree), {"src/new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "prices")
    kit.conductor("request-changes", "prices", "--as", "ada", "-m", "why?", cwd=repository)
    prompts.attempted(repository)

    assert "- attempt: 43; number 2 since the task last came to you, of at most 3\n" in prompts.text(repository)


@pytest.mark.usefixtures("worktree")
def test_an_attempt_that_its_provider_would_not_serve_has_a_number_and_does_not_count(repository: Path) -> None:
    for end in (End.LIMITED, End.STOPPED, End.EXITED):
        prompts.attempted(repository, end=end)

    assert "- attempt: 4; number 2 since the task last came to you, of at most 3\n" in prompts.text(repository)


@pytest.mark.usefixtures("worktree")
def test_with_a_config_that_cannot_be_read_the_attempt_has_a_number_all_the_same(repository: Path) -> None:
    (repository / ".conductor.yaml").write_text("limits: [")

    assert "- attempt: 1\n" in prompts.text(repository)


# --- what its branch runs into


def collides_with_oak(repository: Path) -> None:
    """`prices` and `oak` change the same line."""
    for task_id, price in (("prices", 5), ("oak", 6)):
        if task_id == "oak":
            tasks.spawn(repository, "oak")
        place = Path(tasks.record(repository, task_id).worktree)
        tasks.commit(place, {"src/prices.py": f"PRICES = {{\n    'apple': 3,\n    'pear': {price},\n}}\n"})


@pytest.mark.usefixtures("worktree")
def test_a_worker_is_told_with_whom_it_collides_and_where(repository: Path) -> None:
    assert prompts.section(prompts.text(repository), RUNS_INTO) == ""

    collides_with_oak(repository)

    (line,) = prompts.section(prompts.text(repository), RUNS_INTO).split("\n")
    assert line.startswith("- the task oak, in src/prices.py: ")
    tasks.commit(repository, {"src/prices.py": "PRICES = {}\n"})
    target, _ = prompts.section(prompts.text(repository), RUNS_INTO).split("\n")
    assert target.startswith("- main, in src/prices.py: ")


@pytest.mark.usefixtures("worktree")
def test_collisions_that_cannot_be_told_are_not_told_and_refuse_nothing(repository: Path) -> None:
    collides_with_oak(repository)
    tip = kit.git(repository, "rev-parse", "worker/oak")
    (repository / ".git/objects" / tip[:2] / tip[2:]).unlink()

    prompt = prompts.text(repository)

    assert RUNS_INTO not in prompts.titles(prompt)
    assert "cannot be told" not in prompt


@pytest.mark.usefixtures("worktree")
def test_the_names_of_many_files_in_conflict_are_bounded(repository: Path) -> None:
    tasks.spawn(repository, "oak")
    for task_id in ("prices", "oak"):
        place = Path(tasks.record(repository, task_id).worktree)
        tasks.commit(place, {f"src/f{number:02}.py": f"{task_id}\n" for number in range(30)})

    (line,) = prompts.section(prompts.text(repository), RUNS_INTO).split("\n")

    assert "src/f19.py and 10 more: " in line
    assert "src/f20.py" not in line
