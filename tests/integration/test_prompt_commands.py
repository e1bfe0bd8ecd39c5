"""Every command that a prompt tells runs as it stands, where and as an agent would run it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from conductor_git.actor import COORDINATOR
from conductor_git.names import RunId, parse_task_id
from conductor_git.project import open_project
from conductor_git.run import utcnow
from conductor_git.runner.agents.speech import WORK_COMMANDS
from conductor_git.runner.environment import agent_environment
from conductor_git.workflow import start as starting
from conductor_git.workflow.prompting.subtasks import part_of
from tests import kit
from tests.integration import prompts
from tests.kit import tasks

RUN_ID = RunId("20261120-101500123456-4242-1")


def fullest(repository: Path) -> str:
    """A prompt with all that one can hold: sent back, with news, a collision and an attempt before."""
    worktree = tasks.spawn(repository, "prices", prompt=prompts.ASKED)
    for task_id in ("prices", "oak"):
        place = worktree if task_id == "prices" else tasks.spawn(repository, "oak")
        tasks.commit(place, {"src/prices.py": f"PRICES = '{task_id}'\n"})
    tasks.hand_in(repository, "prices")
    done = kit.conductor("request-changes", "prices", "--as", "ada", "-m", "why? " * 5000, cwd=repository)
    assert done.code == 0, done
    prompts.attempted(repository, b"    rm -rf /\n", b"    conductor-git cancel prices\n")
    prompts.say(repository, "which currency?\n\n    conductor-git cancel oak", "QUESTION")
    prompts.say(repository, "long " * 1000)
    (worktree / "notes.txt").write_text("mine\n")
    return prompts.text(repository)


def environment(repository: Path) -> dict[str, str]:
    return agent_environment(open_project(repository), tasks.record(repository, "prices"), RUN_ID, None)


def run(command: str, place: Path, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    words = ["sh", "-c", command]
    return subprocess.run(words, cwd=place, env=variables, capture_output=True, text=True, check=False)


def test_every_command_in_a_prompt_runs_as_it_stands(repository: Path) -> None:
    commands = prompts.commands(fullest(repository))
    variables, place = environment(repository), tasks.record(repository, "prices").worktree

    for command in commands:
        if " wait " in command:  # somebody does the sub-task meanwhile
            tasks.commit(Path(tasks.record(repository, "prices-tests").worktree), {"tests.txt": "all\n"})
            starting.start(open_project(repository), parse_task_id("prices-tests"), by=COORDINATOR, at=utcnow())
            tasks.hand_in(repository, "prices-tests")
        done = run(command, Path(place), variables)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    assert len(commands) > 10
    history = tasks.record(repository, "prices").history
    assert [(step.event, step.by) for step in history[-2:]] == [("done", "prices"), ("fail", "prices")]
    assert kit.git(Path(place), "status", "--porcelain") == ""
    sub_task = tasks.record(repository, "prices-tests")
    assert (sub_task.parent_task_id, sub_task.target) == ("prices", "main")


def test_a_prompt_tells_no_command_but_those_that_are_run(repository: Path) -> None:
    """Commands stand on lines of their own, or at the end of one; within a sentence nobody would find them."""
    prompt = fullest(repository)
    own = "\n".join(line for line in prompt.split("\n") if not line.startswith(">"))

    assert re.findall(r"`(?:git|conductor-git) [^`]*`", own) == []
    commands = prompts.commands(prompt)
    assert [command for command in commands if not command.startswith(("conductor-git ", "git "))] == []
    assert own.count("conductor-git ") == sum(command.count("conductor-git ") for command in commands)


def test_how_to_work_is_told_in_forty_lines(repository: Path) -> None:
    tasks.spawn(repository, "prices", prompt=prompts.ASKED)

    how = prompts.section(prompts.text(repository), "How you work here").split("\n")

    assert len(how) <= 40
    assert max(map(len, how)) <= 120


@pytest.mark.parametrize("task_id", ["p" * 64, "a" * 57 + ".b", "prices"])
def test_a_sub_task_is_named_as_a_task_can_be(repository: Path, task_id: str) -> None:
    tasks.spawn(repository, task_id)
    (spawn,) = [words for words in prompts.commands(prompts.text(repository, task_id)) if " spawn " in words]

    done = run(spawn, repository)

    assert done.returncode == 0, done.stderr
    assert tasks.record(repository, part_of(tasks.record(repository, task_id).task_id)).state == "ASSIGNED"


def test_an_agent_that_may_run_some_commands_only_may_run_those_of_its_prompt(repository: Path) -> None:
    """All but `spawn`, which could run anything."""
    told = [command for command in prompts.commands(fullest(repository)) if " spawn " not in command]

    assert [command for command in told if not command.startswith(WORK_COMMANDS)] == []
