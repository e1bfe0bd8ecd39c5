"""Claude Code: `claude -p`, which takes the prompt on standard input and prints a JSON object a line.

Flags and stream as documented for Claude Code 2.1 (code.claude.com/docs: CLI reference, headless mode, errors).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from conductor_git.runner.agents import limits
from conductor_git.runner.agents.base import AgentEvent, Ask, Kind, Launch, Limit
from conductor_git.runner.agents.jsonline import amount, at, count, listed, parsed, text, together
from conductor_git.runner.agents.speech import WORK_COMMANDS, failure, read_prompt, tool

_ALLOWED: Final = ",".join(f"Bash({command}:*)" for command in WORK_COMMANDS)
"""Without a person to ask, Claude refuses any command that is not named."""


class Claude:
    """The adapter of Claude Code."""

    name = "claude"
    program = "claude"
    keys = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
    needs_key = False
    edits = True
    version_command = ("claude", "--version")
    oldest = (1, 0)

    def launch(self, ask: Ask) -> Launch:
        allowed = (
            ("--dangerously-skip-permissions",)
            if ask.permissive
            else ("--permission-mode", "acceptEdits", f"--allowedTools={_ALLOWED}")
        )
        model = ("--model", ask.model) if ask.model else ()
        if ask.attended:
            return Launch((self.program, read_prompt(ask), *allowed, *model, *ask.args))
        spoken = ("-p", "--output-format", "stream-json", "--verbose")
        return Launch((self.program, *spoken, *allowed, *model, *ask.args), stdin=ask.prompt)

    def events(self, line: str) -> Iterator[AgentEvent]:
        said = parsed(line)
        match text(said, "type"):
            case "assistant":
                yield from _assistant(said)
            case "result":
                yield from _result(said)
            case "rate_limit_event":
                yield _rate_limit(at(said, "rate_limit_info"), line)
            case "system" if text(said, "subtype") == "init":
                pass
            case "user":
                pass  # what its tools gave it
            case _:
                yield AgentEvent(Kind.OTHER, line)


def _assistant(said: Any) -> Iterator[AgentEvent]:
    """What it says and which tools it uses; a message that Claude Code made up in its place tells an error."""
    is_error = bool(text(said, "error")) or text(said, "message", "model") == "<synthetic>"
    for block in listed(said, "message", "content"):
        match text(block, "type"):
            case "text" if is_error:
                yield failure(text(block, "text"), text(said, "error"))
            case "text":
                yield AgentEvent(Kind.TEXT, text(block, "text"))
            case "tool_use":
                yield tool(text(block, "name"), at(block, "input"))


def _result(said: Any) -> Iterator[AgentEvent]:
    """The last line: figures of the whole session, and its answer or what went wrong."""
    usage = at(said, "usage")
    tokens = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    yield AgentEvent(
        Kind.USAGE,
        tokens_in=together(*(count(usage, name) for name in tokens)),
        tokens_out=count(usage, "output_tokens"),
        cost_usd=amount(said, "total_cost_usd"),
        total=True,
    )
    answer = text(said, "result")
    if at(said, "is_error") is not True and not text(said, "subtype").startswith("error"):
        yield AgentEvent(Kind.RESULT, answer)
        return
    errors = [error for error in listed(said, "errors") if isinstance(error, str)]
    told = answer or "; ".join(errors) or text(said, "subtype")
    yield failure(told, "", limits.of_status(at(said, "api_error_status")))


def _rate_limit(info: object, line: str) -> AgentEvent:
    """Told with every answer of a subscription; a limit only where nothing is served any more."""
    if text(info, "status") != "rejected" or at(info, "isUsingOverage") is True:
        return AgentEvent(Kind.OTHER, line)
    which = text(info, "rateLimitType").replace("_", " ")
    until = limits.at_epoch(at(info, "resetsAt"))
    return AgentEvent(Kind.LIMIT, f"the {which or 'usage'} limit is reached", limit=Limit.QUOTA, until=until)
