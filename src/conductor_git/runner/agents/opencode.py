"""OpenCode: `opencode run --format json` (opencode.ai/docs/cli; events as of 1.16)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from conductor_git.runner.agents import jsonline, limits
from conductor_git.runner.agents.base import AgentEvent, Ask, Kind, Launch, Limit
from conductor_git.runner.agents.speech import failure, read_prompt, tool

_KEYS: Final = (
    "OPENCODE_API_KEY",
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_GENERATIVE_AI_API_KEY",
    "OPENROUTER_API_KEY",
    "DEEPSEEK_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "XAI_API_KEY",
)


class OpenCode:
    """An agent of many providers; the model is `provider/model`. People log in to it, so it needs no key."""

    name = program = "opencode"
    keys = _KEYS
    needs_key = False
    edits = True
    version_command = ("opencode", "--version")
    oldest = (1, 0)

    def launch(self, ask: Ask) -> Launch:
        """The prompt on standard input; what it would ask a person it refuses, or does where that is permitted."""
        model = ("--model", ask.model) if ask.model else ()
        # It takes the directory from PWD, which no change of directory changes, and updates itself at its start.
        environment = {"PWD": str(ask.worktree), "OPENCODE_DISABLE_AUTOUPDATE": "1"}
        if ask.attended:
            auto = ("--auto",) if ask.permissive else ()
            return Launch(("opencode", *model, *auto, *ask.args, "--prompt", read_prompt(ask)), None, environment)
        # Of the names that this option has, the one that every version knows.
        auto = ("--dangerously-skip-permissions",) if ask.permissive else ()
        return Launch(("opencode", "run", "--format", "json", *model, *auto, *ask.args), ask.prompt, environment)

    def events(self, line: str) -> Iterable[AgentEvent]:
        said = jsonline.parsed(line)
        part = jsonline.at(said, "part")
        match jsonline.text(said, "type"):
            case "text":
                # A text is whole, and the last one is the answer, which nothing else tells.
                return [AgentEvent(kind, jsonline.text(part, "text")) for kind in (Kind.TEXT, Kind.RESULT)]
            case "tool_use":
                return [_tool(part)]
            case "step_finish":
                return [_usage(part)]
            case "error" if said is not None:
                return [_error(said)]
        return [AgentEvent(Kind.OTHER, line)]


def _tool(part: object) -> AgentEvent:
    used = jsonline.at(part, "state", "input")
    path = jsonline.text(used, "filePath")
    return tool(jsonline.text(part, "tool") or "tool", {"path": path} if path else used)


def _usage(part: object) -> AgentEvent:
    """What a step cost; the figures of steps are to be added."""
    tokens = jsonline.at(part, "tokens")
    cache = (jsonline.count(tokens, "cache", way) for way in ("read", "write"))
    return AgentEvent(
        Kind.USAGE,
        tokens_in=jsonline.together(jsonline.count(tokens, "input"), *cache),
        tokens_out=jsonline.together(jsonline.count(tokens, "output"), jsonline.count(tokens, "reasoning")),
        cost_usd=jsonline.amount(part, "cost"),
    )


def _error(said: Mapping[str, Any]) -> AgentEvent:
    """An error, which is a limit where its provider gave a status, or words, that say so."""
    error = said.get("error")
    name, data = jsonline.text(error, "name"), jsonline.at(error, "data")
    text = jsonline.text(data, "message") or (error if isinstance(error, str) else "") or name or "an error"
    if after := jsonline.text(data, "responseHeaders", "retry-after"):
        text = f"{text} (retry-after: {after})"
    status = limits.of_status(jsonline.count(data, "statusCode"))
    return failure(text, name, Limit.AUTH if name == "ProviderAuthError" else status)
