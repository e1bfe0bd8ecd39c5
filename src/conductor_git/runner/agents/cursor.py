"""Cursor's agent: `cursor-agent -p --output-format stream-json` (cursor.com/docs/cli; events as of 2026.09)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from conductor_git.runner.agents import jsonline
from conductor_git.runner.agents.base import AgentEvent, Ask, Kind, Launch
from conductor_git.runner.agents.speech import failure, read_prompt, tool


class Cursor:
    """Cursor's agent; people log in to it, so it needs no key. It tells tokens and no cost.

    Without `permissive` it may propose changes and not make them: it has nobody to ask.
    """

    name = program = "cursor-agent"
    keys = ("CURSOR_API_KEY",)
    needs_key = False
    edits = True
    version_command = ("cursor-agent", "--version")
    oldest = (2026, 2)
    """The first with `--trust`, without which it does nothing in a directory that it does not know."""

    def launch(self, ask: Ask) -> Launch:
        """The prompt on standard input. `--trust` only says that the directory is ours; `--force` permits commands."""
        model = ("--model", ask.model) if ask.model else ()
        force = ("--force",) if ask.permissive else ()
        if ask.attended:
            return Launch(("cursor-agent", *model, *force, *ask.args, read_prompt(ask)))
        said = ("-p", "--output-format", "stream-json", "--trust")
        return Launch(("cursor-agent", *said, *model, *force, *ask.args), ask.prompt)

    def events(self, line: str) -> Iterable[AgentEvent]:
        said = jsonline.parsed(line)
        if said is None:
            # Where it fails it prints a line of plain words, and no event.
            return [AgentEvent(Kind.OTHER, line)]
        match (jsonline.text(said, "type"), jsonline.text(said, "subtype")):
            case ("assistant", _):
                return list(_texts(said))
            case ("tool_call", "started"):
                return [_tool(said.get("tool_call"))]
            case ("result", _):
                return [_result(said)]
            case ("error", _):
                return [failure(jsonline.text(said, "message") or jsonline.text(said, "error") or "an error")]
        return [AgentEvent(Kind.OTHER, line)]


def _texts(said: Mapping[str, Any]) -> Iterator[AgentEvent]:
    for content in jsonline.listed(said, "message", "content"):
        if jsonline.text(content, "type") == "text":
            yield AgentEvent(Kind.TEXT, jsonline.text(content, "text"))


def _tool(call: object) -> AgentEvent:
    """`{"readToolCall": {"args": {"path": …}}}` is the tool `read`; others are a `function` with a name."""
    kind = str(next(iter(call), "tool")) if isinstance(call, Mapping) else "tool"
    inside = jsonline.at(call, kind)
    name = jsonline.text(inside, "name")
    arguments = {"description": jsonline.text(inside, "arguments")} if name else jsonline.at(inside, "args")
    return tool(name or kind.removesuffix("ToolCall"), arguments)


def _result(said: Mapping[str, Any]) -> AgentEvent:
    text = jsonline.text(said, "result")
    if said.get("is_error") is True:
        return failure(text or "an error")
    usage = said.get("usage")
    # What comes from the cache is not among the input tokens.
    asked = (jsonline.count(usage, name) for name in ("inputTokens", "cacheReadTokens", "cacheWriteTokens"))
    return AgentEvent(
        Kind.RESULT,
        text,
        tokens_in=jsonline.together(*asked),
        tokens_out=jsonline.count(usage, "outputTokens"),
        total=True,
    )
