"""`agents`: what can be called here and how, told without starting anything unless that was asked for."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from conductor_git.runner.agents.registry import KNOWN
from tests import kit
from tests.agents.performing import STAND_INS


@pytest.fixture
def bin_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory on PATH; git is in it, and no agent."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in ("git", "sh", "env", "sleep", "touch", "python3"):
        (place / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(place))
    return place


def install(place: Path, name: str, script: str) -> Path:
    program = place / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def listed(repository: Path, *options: str) -> dict[str, dict[str, Any]]:
    done = kit.conductor("agents", *options, "--json", cwd=repository)
    assert done.code == 0, done
    return {agent["name"]: agent for agent in done.document["agents"]}


def test_where_nothing_is_installed_every_known_agent_is_listed_with_why_not(
    repository: Path, bin_directory: Path
) -> None:
    agents = listed(repository)

    assert tuple(agents) == KNOWN
    assert agents["claude"]["problem"] == "claude is not installed, or not on PATH"
    assert [agent["usable"] for agent in agents.values()] == [False] * len(KNOWN)
    assert kit.conductor("agents", cwd=repository / "src").code == 0
    assert not (bin_directory / "claude").exists()


def test_without_check_only_a_look_at_path_is_taken(repository: Path, bin_directory: Path) -> None:
    program = install(bin_directory, "claude", f"touch {bin_directory}/started; echo 2.1.83")

    claude = listed(repository)["claude"]

    assert (claude["path"], claude["version"], claude["usable"], claude["problem"]) == (str(program), None, None, None)
    text = kit.conductor("agents", cwd=repository)
    assert text.out.splitlines()[1].split()[:2] == ["claude", "installed"]
    assert not (bin_directory / "started").exists()


def test_check_tells_versions_and_how_each_agent_is_called(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{STAND_INS}{os.pathsep}{os.environ['PATH']}")

    agents = listed(repository, "--check")

    assert [(agents[name]["version"], agents[name]["usable"]) for name in ("claude", "codex", "gemini")] == [
        ("2.1.83", True),
        ("0.118.0", True),
        ("0.45.0", True),
    ]
    assert agents["claude"]["command"][:5] == ["claude", "-p", "--output-format", "stream-json", "--verbose"]
    assert (agents["claude"]["stdin"], agents["claude"]["edits"]) == ("prompt.md", True)
    roots = f'sandbox_workspace_write.writable_roots=["{repository}/.git"]'
    assert roots in agents["codex"]["command"]
    assert agents["perplexity"]["edits"] is False
    row = next(row for row in kit.conductor("agents", "--check", cwd=repository).out.splitlines() if "codex" in row)
    assert row.split()[:3] == ["codex", "0.118.0", "yes"]
    assert row.endswith("- < prompt.md")


def test_version_commands_run_side_by_side(repository: Path, bin_directory: Path, tmp_path: Path) -> None:
    """Each of two agents waits for the other, so that one after the other would be too late."""
    for name, other in (("claude", "codex"), ("codex", "claude")):
        wait = f"touch {tmp_path}/{name}; until [ -e {tmp_path}/{other} ]; do sleep 0.05; done"
        install(bin_directory, name, f"{wait}; echo 2.1.83")

    agents = listed(repository, "--check")

    assert (agents["claude"]["usable"], agents["codex"]["usable"]) == (True, True)


def test_a_key_is_told_by_its_name_and_never_by_its_value(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "hush-1234567890")
    monkeypatch.setenv("PATH", f"{STAND_INS}{os.pathsep}{os.environ['PATH']}")

    document = kit.conductor("agents", "--check", "--json", cwd=repository)
    text = kit.conductor("agents", "--check", cwd=repository)

    agents = {agent["name"]: agent for agent in document.document["agents"]}
    assert (agents["codex"]["keys_set"], agents["claude"]["keys_set"]) == (["OPENAI_API_KEY"], [])
    assert (agents["xai"]["needs_key"], agents["xai"]["usable"]) == (True, False)
    assert agents["xai"]["problem"] == "no key: XAI_API_KEY has to be set"
    assert "OPENAI_API_KEY" in text.out
    assert "hush-1234567890" not in document.out + document.err + text.out + text.err


def test_agents_of_the_config_are_listed_with_what_keeps_them_from_running(
    repository: Path, bin_directory: Path
) -> None:
    install(bin_directory, "claude", "echo 2.1.83")
    started = install(bin_directory, "house", f"touch {bin_directory}/started")
    config = {"default": "claude", "claude": {"permissive": True}, "mine": {"command": ["house", "--fast"]},
              "odd": {"model": "x"}}  # fmt: skip
    (repository / ".conductor.yaml").write_text(json.dumps({"agents": config}))

    before = listed(repository, "--check")
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    after = listed(repository, "--check")

    assert tuple(before) == (*KNOWN, "mine", "odd")
    assert before["claude"]["problem"] == before["mine"]["problem"]
    assert before["claude"]["problem"] == "not agreed to on this machine: conductor-git config trust"
    assert (after["claude"]["usable"], after["claude"]["default"]) == (True, True)
    assert "--dangerously-skip-permissions" in after["claude"]["command"]
    assert (after["mine"]["usable"], after["mine"]["command"]) == (True, ["house", "--fast"])
    assert (after["mine"]["path"], after["mine"]["configured"]) == (str(started), True)
    assert after["odd"]["problem"] == "no command in the config, and no agent is known by that name"
    assert not (bin_directory / "started").exists()
