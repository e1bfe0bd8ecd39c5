"""A command of the project's own: what is filled in, what is left alone, and how its prompt gets in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conductor_git.runner.agents.base import AgentEvent, Kind
from conductor_git.runner.agents.command import Command
from conductor_git.runner.agents.found import find
from tests.agents.performing import PROMPT, STAND_INS, ask, perform


def test_what_a_template_names_is_filled_in_within_its_words(tmp_path: Path) -> None:
    asked = ask(tmp_path, model="big", args=("--also={model}",))
    words = ("agent", "--in={prompt_file}", "{output_file}", "-C", "{worktree}", "{model}:{model}")

    launch = Command("house", words).launch(asked)

    assert launch.command == (
        *("agent", f"--in={asked.prompt}", str(asked.output), "-C", str(asked.worktree), "big:big", "--also=big"),
    )
    assert launch.stdin is None


def test_other_braces_and_words_with_spaces_are_left_alone(tmp_path: Path) -> None:
    words = ("sh", "-c", "echo ${X} ${model:-y} {a,b} {} {{model}} $(cat)")

    launch = Command("sh", words).launch(ask(tmp_path, model="m"))

    assert launch.command == ("sh", "-c", "echo ${X} ${model:-y} {a,b} {} {m} $(cat)")
    assert launch.stdin == tmp_path / "prompt.md"


def test_what_is_filled_in_is_not_filled_in_again(tmp_path: Path) -> None:
    launch = Command("house", ("agent", "{model}")).launch(ask(tmp_path, model="{worktree}; rm -rf $HOME"))

    assert launch.command == ("agent", "{worktree}; rm -rf $HOME")


def test_a_command_without_a_prompt_file_reads_its_prompt_and_what_it_says_is_text(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(READER)

    seen = perform(Command("house", (sys.executable, str(tmp_path / "agent.py"), "{output_file}")), tmp_path)

    assert (seen.code, seen.prompt) == (0, PROMPT)
    assert seen.arguments == [str(tmp_path / "output.md")]
    assert seen.tally.answer() == 'I read the prompt.\n{"type": "result"}\n\N{REPLACEMENT CHARACTER} done'
    assert (seen.tally.cost_usd, seen.tally.tokens_in, seen.tally.limit) == (None, None, None)


READER = """
import json, os, pathlib, sys
told = dict(step.split(":", 1) for step in json.loads(os.environ["STAND_IN"]))
prompt = sys.stdin.buffer.read()
pathlib.Path(told["prompt"]).write_bytes(prompt)
pathlib.Path(told["args"]).write_text(json.dumps(sys.argv[1:]))
pathlib.Path(told["env"]).write_text(json.dumps(dict(os.environ)))
sys.stdout.buffer.write(b'I read the prompt.\\n{"type": "result"}\\n\\xff done\\n')
"""


def test_a_stand_in_can_be_called_as_a_command_with_its_prompt_as_a_file(tmp_path: Path) -> None:
    words = (str(STAND_INS / "aider"), "--yes-always", "--message-file={prompt_file}", "--no-gitignore")

    seen = perform(Command("pair", words), tmp_path, "say:Hello.")

    assert (seen.code, seen.prompt) == (0, PROMPT)
    assert "Hello." in seen.tally.answer()


def test_a_command_keeps_the_environment_unless_its_keys_are_said() -> None:
    assert (Command("a", ("x",)).keeps_environment, Command("a", ("x",)).keys) == (True, ())
    assert (Command("a", ("x",), ()).keeps_environment, Command("a", ("x",), ()).keys) == (False, ())
    assert Command("a", ("x",), ("HOUSE_KEY",)).keys == ("HOUSE_KEY",)


def test_a_command_is_found_by_its_first_word_and_has_no_version() -> None:
    found = find(Command("house", ("sh", "-c", "true")), {"PATH": "/usr/bin:/bin"})
    missing = find(Command("house", ("no-such-agent",)), {"PATH": "/usr/bin:/bin"})

    assert (found.path is not None, found.version, found.problem) == (True, None, "")
    assert missing.problem == "no-such-agent is not installed, or not on PATH"


def test_a_command_has_a_program() -> None:
    with pytest.raises(ValueError, match="a program"):
        Command("house", ())


@pytest.mark.parametrize("line", ["{", "Rate limit exceeded (429)", '{"type": "limit"}'])
def test_whatever_a_command_says_is_text(line: str) -> None:
    assert list(Command("a", ("x",)).events(line)) == [AgentEvent(Kind.TEXT, f"{line}\n", part=True)]
