"""Agents by name: those that are known, those of the config, and whose keys are whose."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git.config.model import Agent
from conductor_git.errors import BadInput
from conductor_git.runner.agents import registry


@pytest.mark.parametrize("name", registry.KNOWN)
def test_every_known_agent_has_an_adapter_that_says_what_it_is(name: str) -> None:
    adapter = registry.adapter(name)

    assert adapter.name == name
    assert adapter.program
    assert adapter.keys
    assert set(adapter.keys) <= registry.provider_keys()


def test_a_command_of_the_config_goes_by_its_name_also_by_a_known_one() -> None:
    settings = Agent(command=("./agent.sh", "--fast"), keys=("OPENAI_API_KEY",))

    for name in ("mine", "claude"):
        adapter = registry.adapter(name, settings)
        assert (adapter.name, adapter.program, adapter.keys) == (name, "./agent.sh", ("OPENAI_API_KEY",))


def test_a_command_that_was_given_comes_before_any_settings() -> None:
    adapter = registry.adapter("claude", Agent(command=("other",), keys=("OPENAI_API_KEY",)), ("sh", "-c", "true"))

    assert (adapter.program, adapter.keys) == ("sh", ())


def test_settings_alone_leave_a_known_agent_what_it_is() -> None:
    assert registry.adapter("codex", Agent(model="gpt-5", permissive=True)).program == "codex"


def test_an_unknown_agent_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(BadInput) as refused:
        registry.adapter("cluade", configured=("mine", "claude"))

    assert refused.value.message == (
        "the agent cluade is not known, did you mean claude? (known: claude, codex, gemini, opencode, aider, "
        "cursor-agent, perplexity, xai; configured: mine)"
    )
    assert refused.value.hint == "conductor-git agents --check"


def test_an_agent_of_the_config_without_a_command_is_told_what_it_lacks() -> None:
    with pytest.raises(BadInput, match=r"the agent mine has no command in \.conductor\.yaml and is none that is known"):
        registry.adapter("mine", Agent(model="x"), configured=("mine",))


@pytest.mark.parametrize("name", registry.KNOWN)
def test_the_page_says_of_every_known_agent_what_it_needs(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "agents.md").read_text("utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
    adapter = registry.adapter(name)

    assert (".".join(map(str, adapter.oldest)) + " or newer" in row) is bool(adapter.oldest)
    assert all(f"`{key}`" in row for key in adapter.keys) or "those of the providers" in row
    assert ("does not edit" in row, "which it needs" in row) == (not adapter.edits, adapter.needs_key)
