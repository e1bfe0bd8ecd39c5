"""The tools of a worker whose task is a review: it hands in no commit, its work is the verdict."""

from __future__ import annotations

from typing import Final

from conductor_git.mcp.reviewing import DIFF, REVIEW
from conductor_git.mcp.worker import ASK, FAIL, HEARTBEAT, POST, READ, START, WHOAMI

TOOLS: Final = (WHOAMI, START, DIFF, READ, POST, HEARTBEAT, ASK, REVIEW, FAIL)
"""What a server offers in the worktree of a reviewer's task."""
