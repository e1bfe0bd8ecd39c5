"""Perplexity: answers from the web, with its sources."""

from __future__ import annotations

from conductor_git.runner.agents.chatting.adapter import Chatter
from conductor_git.runner.agents.chatting.provider import PERPLEXITY


class Perplexity(Chatter):
    """Asks Perplexity's Agent API (docs.perplexity.ai, "Agent API")."""

    provider = PERPLEXITY
