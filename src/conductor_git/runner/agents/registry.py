"""The agents that can be called by name, and which keys are providers'; an adapter is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from conductor_git.errors import BadInput
from conductor_git.runner.agents.base import Adapter

if TYPE_CHECKING:  # the config's models cost more to import than all of this
    from conductor_git.config.model import Agent

_ADAPTERS: Final = {
    "claude": ("claude", "Claude"),
    "codex": ("codex", "Codex"),
    "gemini": ("gemini", "Gemini"),
    "opencode": ("opencode", "OpenCode"),
    "aider": ("aider", "Aider"),
    "cursor-agent": ("cursor", "Cursor"),
    "perplexity": ("perplexity", "Perplexity"),
    "xai": ("xai", "XAI"),
}
"""Name → module of this package and its class."""
KNOWN: Final = tuple(_ADAPTERS)
"""The agents that need no configuration."""

_PROVIDER_KEYS: Final = frozenset(
    {
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "AZURE_API_KEY",
        "AZURE_OPENAI_API_KEY",
        "CEREBRAS_API_KEY",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CODEX_API_KEY",
        "COHERE_API_KEY",
        "CURSOR_API_KEY",
        "DEEPSEEK_API_KEY",
        "FIREWORKS_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GOOGLE_GENERATIVE_AI_API_KEY",
        "GROK_API_KEY",
        "GROQ_API_KEY",
        "MISTRAL_API_KEY",
        "MOONSHOT_API_KEY",
        "OPENAI_API_KEY",
        "OPENCODE_API_KEY",
        "OPENROUTER_API_KEY",
        "PERPLEXITYAI_API_KEY",
        "PERPLEXITY_API_KEY",
        "PPLX_API_KEY",
        "TOGETHER_API_KEY",
        "XAI_API_KEY",
        "ZAI_API_KEY",
    }
)


def provider_keys() -> frozenset[str]:
    """Every variable of the environment that holds a known provider's key."""
    return _PROVIDER_KEYS


def adapter(
    name: str, settings: Agent | None = None, command: tuple[str, ...] = (), *, configured: Iterable[str] = ()
) -> Adapter:
    """The agent called `name`: `command` under that name, or the command of its `settings`, or a known agent.

    `BadInput` for a name that is neither; `configured` are the names that the config has, to be told then.
    """
    words = command or (settings.command if settings is not None else None)
    if words:
        from conductor_git.runner.agents.command import Command

        return Command(name, words, None if command or settings is None else settings.keys)
    if name not in _ADAPTERS:
        raise _unknown(name, sorted({*configured} - {*KNOWN}), is_configured=settings is not None or name in configured)
    module, kind = _ADAPTERS[name]
    return cast(Adapter, getattr(import_module(f"conductor_git.runner.agents.{module}"), kind)())


def _unknown(name: str, configured: list[str], *, is_configured: bool) -> BadInput:
    from difflib import get_close_matches

    names = [*KNOWN, *configured]
    nearest = next(iter(get_close_matches(name, [other for other in names if other != name], n=1)), None)
    own = f"; configured: {', '.join(configured)}" if configured else ""
    meant = f", did you mean {nearest}?" if nearest else ""
    what = "has no command in .conductor.yaml and is none that is known" if is_configured else "is not known"
    return BadInput(
        f"the agent {name} {what}{meant} (known: {', '.join(KNOWN)}{own})",
        hint="conductor-git agents --check",
        agent=name,
        known=list(KNOWN),
        configured=configured,
    )
