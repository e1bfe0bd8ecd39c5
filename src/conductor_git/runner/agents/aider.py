"""Aider: `aider --message-file F --yes-always` (aider.chat/docs/config/options.html; words as of 0.86)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from conductor_git.runner.agents.base import AgentEvent, Ask, Kind, Launch, Limit
from conductor_git.runner.agents.speech import failure

_KEYS: Final = (
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "OPENROUTER_API_KEY",
    "DEEPSEEK_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "COHERE_API_KEY",
    "FIREWORKS_API_KEY",
    "XAI_API_KEY",
)
_QUIET: Final = (
    # Each of these would write into the worktree, ask a person, or open a browser.
    *("--no-check-update", "--no-show-release-notes", "--no-show-model-warnings", "--no-analytics"),
    *("--no-gitignore", "--no-detect-urls", "--no-suggest-shell-commands"),
)
_NUMBER: Final = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"
_TOKENS: Final = re.compile(
    rf"Tokens: {_NUMBER}(k?) sent(?:, {_NUMBER}k? cache write)?(?:, {_NUMBER}k? cache hit)?, {_NUMBER}(k?) received\."
)
_COST: Final = re.compile(rf"Cost: \${_NUMBER} message, \${_NUMBER} session\.")
_EDIT: Final = re.compile(r"(?:Applied edit to|Creating empty file|Commit [0-9a-f]{7,40}) ?(.*)")
_OWN: Final = re.compile(
    r"Aider v[0-9]|(?:Main |Weak |Editor )?[Mm]odel: |Git repo: |Repo-map: |Retrying in [0-9.]+ |Added .* to the chat"
    r"|The API provider(?:'s| )"  # after an error that says more
)
"""What it prints that no model said."""
_FAILED: Final = re.compile(r"litellm\.(?:exceptions\.)?[A-Za-z]*(?:Error|Exceeded|Timeout)\b")
_LIMITS: Final = (
    ("litellm.AuthenticationError", Limit.AUTH),
    ("litellm.PermissionDeniedError", Limit.AUTH),
    ("litellm.RateLimitError", Limit.RATE),
    ("litellm.ServiceUnavailableError", Limit.RATE),
    ("litellm.InternalServerError", Limit.RATE),
)


class Aider:
    """A pair programmer that commits what it changes, and cannot run commands on its own.

    So `conductor-git done` is given to it as the test that it runs after each change that it committed: where that
    refuses, its output goes back to the model. Arguments of the config come last, and can say otherwise.
    """

    name = program = "aider"
    keys = _KEYS
    needs_key = False
    """Its providers are many, and some are on this machine."""
    edits = True
    version_command = ("aider", "--version")
    oldest = (0, 80)

    def launch(self, ask: Ask) -> Launch:
        """The prompt as a file. Its histories go beside the answer: in the worktree they would be in the way."""
        beside = ask.output.parent
        model = ("--model", ask.model) if ask.model else ()
        histories = (
            *("--chat-history-file", str(beside / "aider.chat.md")),
            *("--input-history-file", str(beside / "aider.input")),
        )
        if ask.attended:
            permitted = ("--yes-always",) if ask.permissive else ()
            return Launch(("aider", *_QUIET, *histories, *model, *permitted, *ask.args, "--read", str(ask.prompt)))
        alone = ("--yes-always", "--no-pretty", "--no-stream", "--no-fancy-input")
        done = ("--auto-test", "--test-cmd", "conductor-git done")
        command = ("aider", "--message-file", str(ask.prompt), *alone, *_QUIET, *histories, *done, *model, *ask.args)
        # Without a terminal it breaks its lines at this width, also those that are read here.
        return Launch(command, None, {"COLUMNS": "1000"})

    def events(self, line: str) -> Iterable[AgentEvent]:
        tokens, cost = _TOKENS.search(line), _COST.search(line)
        if tokens or cost:
            return [_usage(line, tokens, cost)]
        if _FAILED.match(line):
            return [_error(line)]
        if edited := _EDIT.match(line):
            return [AgentEvent(Kind.TOOL, edited[0])]
        if _OWN.match(line):
            return [AgentEvent(Kind.OTHER, line)]
        return [AgentEvent(Kind.TEXT, f"{line}\n", part=True)]


def _usage(line: str, tokens: re.Match[str] | None, cost: re.Match[str] | None) -> AgentEvent:
    """What the last message cost, rounded as aider prints it."""
    return AgentEvent(
        Kind.USAGE,
        line,
        tokens_in=_count(tokens[1], tokens[2]) if tokens else None,
        tokens_out=_count(tokens[5], tokens[6]) if tokens else None,
        cost_usd=float(cost[1]) if cost else None,
    )


def _count(number: str, thousands: str) -> int:
    return round(float(number) * (1000 if thousands else 1))


def _error(line: str) -> AgentEvent:
    return failure(line, limit=next((limit for words, limit in _LIMITS if line.startswith(words)), None))
