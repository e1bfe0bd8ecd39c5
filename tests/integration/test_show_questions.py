"""A worker that asks is seen to wait for an answer, until somebody has given one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import kit
from tests.integration import situations as at
from tests.integration.test_show_moves import shown, typed
from tests.kit import tasks

ANSWER = "an answer to its worker's question"
WORK = "its worker to hand in a commit"


@pytest.fixture(autouse=True)
def _ended(repository: Path) -> Iterator[None]:
    yield
    kit.conductor("stop", "prices", cwd=repository)


def waits_for(repository: Path) -> str:
    told: str = shown(repository)["waits_for"]
    return told


def post(place: Path, body: str, *options: str, run: str = "") -> str:
    env = {"CONDUCTOR_RUN_ID": run} if run else {}
    done = kit.conductor("bus", "post", body, *options, cwd=place, env=env)
    assert done.code == 0, done
    return done.out.strip()


def test_what_a_worker_asks_is_told_with_the_command_that_answers_it(repository: Path) -> None:
    at.with_a_question(repository)
    told = shown(repository)
    text = kit.conductor("show", "prices", cwd=repository).out

    assert told["waits_for"] == ANSWER
    assert told["explanation"]["because"][0] == "its worker asks: gross or net?"
    assert "its worker asks: gross or net?" in text
    assert typed(repository, told["next_command"]).returncode == 0
    assert waits_for(repository) == WORK
    heard = kit.conductor("ctx", "--json", cwd=at.place(repository)).document
    assert "net" in str(heard)


def test_what_others_ask_the_worker_and_what_it_adds_itself_are_neither_question_nor_answer(repository: Path) -> None:
    at.with_a_question(repository)
    run = tasks.record(repository, "prices").attempts[-1].run_id
    own = shown(repository)["next_command"].partition("--parent ")[2].partition(":")[0]

    post(at.place(repository), "I mean the price that is shown", "--parent", own, run=run)
    post(repository, "how far are you?", "--type", "QUESTION", "--task", "prices")

    assert waits_for(repository) == ANSWER
    assert shown(repository)["explanation"]["because"][0] == "its worker asks: gross or net?"
    post(repository, "net", "--parent", own)
    assert waits_for(repository) == WORK


def test_of_several_questions_the_last_without_an_answer_is_told(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    first = post(at.place(repository), "gross or net?", "--type", "QUESTION")
    second = post(at.place(repository), "in which currency?\nThere are two.", "--type", "QUESTION")

    assert shown(repository)["explanation"]["because"][0] == "its worker asks: in which currency?…"
    post(repository, "euro", "--parent", second)
    assert shown(repository)["explanation"]["because"][0] == "its worker asks: gross or net?"
    post(repository, "net", "--parent", first)
    assert waits_for(repository) == WORK


def test_a_question_of_a_worker_that_is_gone_is_not_waited_for(repository: Path) -> None:
    at.with_a_question(repository)
    assert kit.conductor("stop", "prices", cwd=repository).code == 0

    assert waits_for(repository).startswith("a person: its agent")


def test_a_question_reaches_no_terminal_as_it_is_and_is_cut(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    post(at.place(repository), "\x1b[2Jor" + "e" * 5000, "--type", "QUESTION")

    told = kit.conductor("show", "prices", cwd=repository).out

    assert "\x1b" not in told
    assert "eee…" in told
    assert "e" * 300 not in told
