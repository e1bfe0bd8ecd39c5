"""OpenAI Codex: `codex exec --json -`, which takes the prompt on standard input and prints a JSON object a line.

Flags and events as in its source of 2026 (openai/codex, codex-rs/exec: cli.rs, exec_events.rs).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from conductor_git.runner.agents.base import AgentEvent, Ask, Kind, Launch
from conductor_git.runner.agents.jsonline import at, count, listed, parsed, text
from conductor_git.runner.agents.speech import failure, read_prompt, tool


class Codex:
    """The adapter of Codex."""

    name = "codex"
    program = "codex"
    keys = ("OPENAI_API_KEY", "CODEX_API_KEY")
    needs_key = False
    edits = True
    version_command = ("codex", "--version")
    oldest = (0, 46)
    """The first whose `exec --json` prints threads, turns and items."""

    def launch(self, ask: Ask) -> Launch:
        model = ("-m", ask.model) if ask.model else ()
        options = (*_sandbox(ask), *model, *ask.args)
        if ask.attended:
            return Launch((self.program, read_prompt(ask), *options))
        return Launch((self.program, "exec", "--json", *options, "-"), stdin=ask.prompt)

    def events(self, line: str) -> Iterator[AgentEvent]:
        said = parsed(line)
        match text(said, "type"):
            case "item.completed":
                yield from _item(at(said, "item"), line)
            case "turn.completed":
                usage = at(said, "usage")
                before, after = count(usage, "input_tokens"), count(usage, "output_tokens")
                yield AgentEvent(Kind.USAGE, tokens_in=before, tokens_out=after, total=True)
            case "turn.failed":
                yield failure(text(said, "error", "message"), text(said, "error", "code"))
            case "error":
                yield failure(text(said, "message"), text(said, "code"))
            case "thread.started" | "turn.started" | "item.started" | "item.updated":
                pass
            case _:
                yield AgentEvent(Kind.OTHER, line)


def _sandbox(ask: Ask) -> tuple[str, ...]:
    """Its own sandbox lets it write the worktree; a worktree's git directories lie outside, and it has to commit."""
    if ask.permissive:
        return ("--dangerously-bypass-approvals-and-sandbox",)
    roots = json.dumps([str(path) for path in ask.writable])  # which is how TOML writes a list of texts, too
    also = ("-c", f"sandbox_workspace_write.writable_roots={roots}") if ask.writable else ()
    return ("--sandbox", "workspace-write", *also)


def _item(item: Any, line: str) -> Iterator[AgentEvent]:
    match text(item, "type"):
        case "agent_message":
            # The last one is its answer, and no event says which that is.
            yield AgentEvent(Kind.TEXT, text(item, "text"))
            yield AgentEvent(Kind.RESULT, text(item, "text"))
        case "command_execution":
            yield tool("shell", item)
        case "file_change":
            yield from (tool("edit", change) for change in listed(item, "changes"))
        case "mcp_tool_call":
            yield tool(f"{text(item, 'server')}.{text(item, 'tool')}", at(item, "arguments"))
        case "web_search":
            yield tool("web search", item)
        case "error":
            yield AgentEvent(Kind.OTHER, text(item, "message"))  # a warning; it goes on
        case "reasoning" | "todo_list" | "plan":
            pass
        case _:
            yield AgentEvent(Kind.OTHER, line)
