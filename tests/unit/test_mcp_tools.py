"""The tools that the MCP server offers: how many, and what they cost a model that is told of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from conductor_git.mcp import coordinator, reviewer, worker
from conductor_git.mcp.server import offered
from conductor_git.mcp.tool import Tool

MOST_TOOLS = 10
MOST_TOKENS = 2000
CHARACTERS_A_TOKEN = 3
"""Tokenizers make about one of four characters of such JSON; three is what the worst of them would not reach."""


def cost(tools: Sequence[Tool]) -> float:
    told = [offered(tool).model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    return len(json.dumps(told, separators=(",", ":"))) / CHARACTERS_A_TOKEN


@pytest.mark.parametrize("tools", [worker.TOOLS, coordinator.TOOLS, reviewer.TOOLS], ids=["worker", "boss", "reviewer"])
def test_a_set_of_tools_is_small(tools: Sequence[Tool]) -> None:
    assert len(tools) <= MOST_TOOLS
    assert len({tool.name for tool in tools}) == len(tools)


def test_all_tools_together_cost_less_than_two_thousand_tokens() -> None:
    everything = {tool.name: tool for tool in (*worker.TOOLS, *coordinator.TOOLS, *reviewer.TOOLS)}

    assert cost(list(everything.values())) < MOST_TOKENS


def test_a_schema_tells_every_argument_and_which_must_be_there() -> None:
    (spawn,) = [offered(tool) for tool in coordinator.TOOLS if tool.name == "spawn"]

    assert spawn.input_schema["required"] == ["task", "prompt"]
    assert set(spawn.input_schema["properties"]) >= {"task", "prompt", "agent", "needs", "review"}
    assert spawn.input_schema["additionalProperties"] is False
