"""xAI: answers of its Grok models."""

from __future__ import annotations

from conductor_git.runner.agents.chatting.adapter import Chatter
from conductor_git.runner.agents.chatting.provider import XAI as PROVIDER


class XAI(Chatter):
    """Asks xAI's chat completions (docs.x.ai, "Chat completions")."""

    provider = PROVIDER
