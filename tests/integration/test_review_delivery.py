"""What reviewers said reaches the worker: in `ctx`, and in the prompt of its next attempt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conductor_git.run import Attempt
from tests import kit
from tests.integration import agents, prompts
from tests.integration.agents import launch
from tests.kit import tasks

ASKED = "Pears cost 5\n\n- *always*\n"
HAND_IN = "cat; echo x >>src/prices.py; git commit -qam 'Pears cost 5'; conductor-git done"


def reviews(worktree: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = kit.conductor("ctx", "--json", cwd=worktree).document["reviews"]
    return found


def in_review(repository: Path) -> Path:
    place = tasks.spawn(repository, "prices")
    tasks.commit(place, {"src/new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "prices")
    return place


def ask(repository: Path, *words: str) -> None:
    done = kit.conductor("request-changes", "prices", "--as", "ada", *words, cwd=repository)
    assert done.code == 0, done


def prompt_of(repository: Path, attempt: Attempt) -> str:
    folder = repository / ".git" / "conductor" / "tasks" / "prices" / "attempts" / attempt.run_id
    return (folder / "prompt.md").read_text("utf-8")


def said_by_reviewers(prompt: str) -> str:
    return prompts.section(prompt, "What reviewers said of ")


def again(repository: Path) -> Attempt:
    """The task's agent launched once more, to its end."""
    for verb in ("cancel", "retry"):
        done = kit.conductor(verb, "prices", cwd=repository)
        assert done.code == 0, done
    return agents.ended(repository)


# --- ctx


def test_ctx_has_reviews_as_data(repository: Path) -> None:
    worktree = in_review(repository)
    head = kit.git(worktree, "rev-parse", "HEAD")
    ask(repository, "-m", "no test", "--comment", "src/new.py:1:why 1?", "--comment-old", "run.sh:2:and before?")

    (review,) = reviews(worktree)

    assert review.pop("at")
    assert review == {
        "version": 1,
        "number": 1,
        "reviewer": "ada",
        "verdict": "request_changes",
        "commit": head,
        "body": "no test",
        "comments": [
            {"path": "src/new.py", "side": "new", "line": 1, "body": "why 1?"},
            {"path": "run.sh", "side": "old", "line": 2, "body": "and before?"},
        ],
        "outdated": False,
    }


def test_ctx_tells_people_and_agents_the_same_in_words(repository: Path) -> None:
    worktree = in_review(repository)
    head = kit.git(worktree, "rev-parse", "HEAD")
    ask(repository, "-m", "no test", "--comment", "src/new.py:1:why 1?", "--comment-old", "run.sh:2:and before?")

    said = kit.conductor("ctx", cwd=worktree).out

    words = f"reviews\nada: request_changes {head[:10]}\nno test\nsrc/new.py:1: why 1?\nrun.sh:2 before: and before?\n"
    assert words in said


def test_a_review_is_outdated_once_a_newer_commit_is_handed_in_and_not_before(repository: Path) -> None:
    worktree = in_review(repository)
    ask(repository, "-m", "no test")

    tasks.commit(worktree, {"src/test_new.py": "TEST = 1\n"})
    assert [review["outdated"] for review in reviews(worktree)] == [False]
    tasks.hand_in(repository, "prices")
    ask(repository, "-m", "still red")

    assert [(review["body"], review["outdated"]) for review in reviews(worktree)] == [
        ("no test", True),
        ("still red", False),
    ]
    assert "(outdated)\nno test" in kit.conductor("ctx", cwd=worktree).out


def test_ctx_has_the_last_ten_reviews_by_number(repository: Path) -> None:
    worktree = in_review(repository)
    for number in range(12):
        ask(repository, "-m", f"no {number}")
        tasks.hand_in(repository, "prices")

    assert [review["number"] for review in reviews(worktree)] == list(range(3, 13))


def test_ctx_of_a_task_nobody_has_reviewed_has_none(repository: Path) -> None:
    assert reviews(in_review(repository)) == []


# --- the prompt


def test_the_first_attempt_is_asked_what_was_asked_to_the_byte(repository: Path) -> None:
    attempt = launch(repository, "cat", "-m", ASKED)
    agents.ended(repository)

    prompt = prompt_of(repository, attempt)
    assert prompt.startswith(f"{ASKED}\n## Who you are\n")
    assert said_by_reviewers(prompt) == ""
    assert kit.conductor("log", "prices", cwd=repository).out == prompt


def test_the_next_attempt_reads_what_reviewers_said_of_what_was_handed_in(repository: Path) -> None:
    launch(repository, HAND_IN, "-m", ASKED)
    agents.ended(repository)
    ask(repository, "-m", "say since when", "--comment", "src/prices.py:3:since?")

    attempt = again(repository)

    said = kit.conductor("log", "prices", cwd=repository).out
    prompt = prompt_of(repository, attempt)
    assert said.startswith(prompt)
    assert prompt.startswith(ASKED.rstrip())
    assert (
        prompt.index("ada asks for changes") < prompt.index("say since when") < prompt.index("src/prices.py:3: since?")
    )
    assert (repository / ".git/conductor/tasks/prices/prompt.md").read_text() == ASKED


def test_what_was_answered_by_a_newer_commit_is_not_said_again(repository: Path) -> None:
    launch(repository, HAND_IN, "-m", ASKED)
    agents.ended(repository)
    ask(repository, "-m", "the first")
    again(repository)
    ask(repository, "-m", "the second")

    told = said_by_reviewers(prompt_of(repository, again(repository)))

    assert "the second" in told
    assert "the first" not in told


def test_the_next_attempt_reads_why_the_landing_bounced_after_what_reviewers_said(repository: Path) -> None:
    launch(repository, HAND_IN, "-m", ASKED)
    agents.ended(repository)
    kit.conductor("approve", "prices", "--as", "ada", "-m", "good work", cwd=repository)
    tasks.commit(repository, {"src/prices.py": "PRICES = {}\n"})
    assert tasks.merge(repository, "prices").code == 13

    prompt = prompt_of(repository, again(repository))

    assert prompt.index("Pears cost 5") < prompt.index("good work") < prompt.index("Why it did not land")
    assert "src/prices.py" in prompt[prompt.index("Why it did not land") :]


def test_the_next_attempt_reads_why_the_landing_was_taken_back(repository: Path) -> None:
    launch(repository, HAND_IN, "-m", ASKED)
    agents.ended(repository)
    kit.conductor("approve", "prices", "--as", "ada", cwd=repository)
    tasks.landed(tasks.merge(repository, "prices"))
    for words in (("undo", "prices", "-m", "pears rot"), ("retry", "prices")):
        done = kit.conductor(*words, cwd=repository)
        assert done.code == 0, done

    prompt = prompt_of(repository, agents.ended(repository))

    assert "## Why its landing was taken back\n\npears rot\n" in prompt


def test_a_long_review_is_cut_and_says_where_the_rest_is(repository: Path) -> None:
    launch(repository, HAND_IN, "-m", ASKED)
    agents.ended(repository)
    ask(repository, "-m", "why? " * 20_000)

    told = said_by_reviewers(prompt_of(repository, again(repository)))

    assert 16_000 < len(told) < 17_000
    assert told.endswith("and more of review 1: conductor-git ctx --json")
