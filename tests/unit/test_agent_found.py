"""Where an agent's program is, its version, its key, and whether it can be used: with real programs."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from conductor_git.runner.agents import registry
from conductor_git.runner.agents.claude import Claude
from conductor_git.runner.agents.command import Command
from conductor_git.runner.agents.found import Finding, find
from tests.agents.performing import on_path


@dataclass
class Needy(Claude):
    """A Claude that no person can log in to."""

    needs_key = True


def program(place: Path, script: str) -> dict[str, str]:
    """An environment in which `claude` is this shell script."""
    place.mkdir()
    (place / "claude").write_text(f"#!/bin/sh\n{script}\n")
    (place / "claude").chmod(0o755)
    return {"PATH": f"{place}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize(("name", "version"), [("claude", "2.1.83"), ("codex", "0.118.0"), ("gemini", "0.45.0")])
def test_an_installed_agent_is_found_with_its_version(name: str, version: str) -> None:
    found = find(registry.adapter(name), {"PATH": on_path()})

    assert found.path is not None
    assert Path(found.path).parts[-2:] == ("agents", name)
    assert (found.name, found.version, found.problem, found.has_key) == (name, version, "", False)


def test_an_agent_that_is_not_installed_is_told_so(tmp_path: Path) -> None:
    found = find(Claude(), {"PATH": str(tmp_path)})

    assert found == Finding("claude", None, None, "claude is not installed, or not on PATH", False, Claude.keys)
    assert find(Claude(), {}).path is None


def test_an_agent_that_is_too_old_is_told_with_what_is_needed(tmp_path: Path) -> None:
    found = find(Claude(), program(tmp_path / "bin", "echo '0.2.114 (Claude Code)'"))

    assert (found.version, found.problem) == ("0.2.114", "claude is 0.2.114, and 1.0 or newer is needed")


def test_versions_are_compared_as_numbers(tmp_path: Path) -> None:
    assert find(Claude(), program(tmp_path / "bin", "echo 'claude v10.0'")).problem == ""


def test_a_version_that_nobody_can_read_is_no_obstacle(tmp_path: Path) -> None:
    found = find(Claude(), program(tmp_path / "bin", "echo nightly"))

    assert (found.version, found.problem) == (None, "")


def test_an_agent_that_fails_at_once_is_told_with_what_it_said(tmp_path: Path) -> None:
    found = find(Claude(), program(tmp_path / "bin", "echo 'no such module: yoga' >&2; exit 127"))

    assert found.problem == "`claude --version` ended with 127: no such module: yoga"


def test_an_agent_whose_interpreter_is_gone_cannot_be_started(tmp_path: Path) -> None:
    environment = program(tmp_path / "bin", "")
    (tmp_path / "bin" / "claude").write_text("#!/nowhere/node\n")

    assert "claude" in find(Claude(), environment).problem


def test_a_key_is_asked_for_only_where_the_agent_cannot_do_without(tmp_path: Path) -> None:
    environment = program(tmp_path / "bin", "echo 2.1.83")
    keyed = environment | {"ANTHROPIC_API_KEY": "sk-secret"}

    missing = find(Needy(), environment)
    assert missing.problem == (
        "no key: ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN or CLAUDE_CODE_OAUTH_TOKEN has to be set"
    )
    assert (find(Needy(), keyed).problem, find(Needy(), keyed).has_key) == ("", True)
    assert find(Needy(), environment | {"ANTHROPIC_API_KEY": ""}).has_key is False
    assert find(Claude(), environment).problem == ""
    assert "sk-secret" not in repr(find(Needy(), keyed))


def test_a_version_command_gets_no_other_providers_key_and_no_directory_of_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seen = tmp_path / "seen"
    script = f"{{ pwd; env; }} >{seen}; echo 2.1.83"
    keys = {"ANTHROPIC_API_KEY": "mine", "OPENAI_API_KEY": "theirs", "XAI_API_KEY": "theirs"}

    find(Claude(), program(tmp_path / "bin", script) | keys)

    lines = seen.read_text().splitlines()
    assert lines[0] == "/"
    assert "ANTHROPIC_API_KEY=mine" in lines
    assert not [line for line in lines if "theirs" in line]


def test_looking_only_starts_nothing(tmp_path: Path) -> None:
    started = tmp_path / "started"
    environment = program(tmp_path / "bin", f"touch {started}; echo 2.1.83")

    found = find(Claude(), environment, start=False)

    assert (found.version, found.problem, started.exists()) == (None, "", False)
    assert find(Claude(), environment).version == "2.1.83"
    assert started.exists()


def test_a_program_that_told_its_version_is_asked_again_only_once_it_is_another_one(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    script = f"echo >>{asked}; echo 2.1.83"
    environment = program(tmp_path / "bin", script)
    found = [find(Claude(), environment, remember=True) for _ in range(3)]

    assert [one.version for one in found] == ["2.1.83"] * 3
    assert len(asked.read_text()) == 1
    find(Claude(), environment)  # whoever asks how things are now is told
    assert len(asked.read_text()) == 2

    (tmp_path / "bin" / "claude").write_text(f"#!/bin/sh\n{script}.1\n")
    assert find(Claude(), environment, remember=True).version == "2.1.83.1"
    (tmp_path / "bin" / "claude").unlink()
    assert find(Claude(), {"PATH": str(tmp_path / "bin")}, remember=True).path is None


def test_what_could_not_be_used_is_tried_again(tmp_path: Path) -> None:
    environment = program(tmp_path / "bin", f"test -e {tmp_path / 'mended'} && echo 2.1.83")
    assert all(find(Claude(), environment, remember=True).problem for _ in range(2))

    (tmp_path / "mended").touch()

    assert find(Claude(), environment, remember=True).version == "2.1.83"


def test_a_command_of_the_projects_own_is_looked_for_and_not_started(tmp_path: Path) -> None:
    environment = program(tmp_path / "bin", f"touch {tmp_path / 'started'}")

    assert find(Command("mine", ("claude", "--fast")), environment).problem == ""
    assert find(Command("mine", ("nowhere-to-be-found",)), environment).problem != ""
    assert find(Command("mine", ("./agent.sh",)), environment).problem == ""  # the worktree will have it
    assert find(Command("mine", (str(tmp_path / "gone"),)), environment).path is None
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("claude", "-p", "--output-format", "stream-json", "--verbose"),
        ("codex", "exec", "--json", "-"),
        ("gemini", "-p", "x", "--output-format", "stream-json"),
    ],
    ids=lambda words: words[0],
)
def test_a_stand_in_refuses_what_the_real_one_would(words: tuple[str, ...]) -> None:
    """Else a flag that no agent has would pass every test."""
    unknown, incomplete, silent = (*words, "--no-such-flag"), words[:-1], words

    for command, prompt in ((unknown, b"Do it."), (incomplete, b"Do it."), (silent, b" ")):
        done = subprocess.run(
            command, env=os.environ | {"PATH": on_path()}, input=prompt, capture_output=True, check=False
        )
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.startswith(b"usage: ")
