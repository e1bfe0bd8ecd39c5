"""The stand-in for Codex: its flags, its checks, its stream."""

# ruff: noqa: ARG002 - a voice is told more than each agent says

from __future__ import annotations

import subprocess
import sys
import tomllib
from argparse import Namespace
from pathlib import Path
from typing import Any

from tests.agents import acting

_WORDS = {
    "rate": "exceeded retry limit, last status: 429 Too Many Requests, try again in {} seconds",
    "quota": "You've hit your usage limit. To get more access now, try again in {} seconds.",
    "auth": "unexpected status 401 Unauthorized: Incorrect API key provided",
}


def main() -> None:
    is_exec = sys.argv[1:2] == ["exec"]
    options = acting.parser("codex exec" if is_exec else "codex", "codex-cli 0.118.0")
    options.add_argument("-s", "--sandbox", choices=("read-only", "workspace-write", "danger-full-access"))
    options.add_argument("--dangerously-bypass-approvals-and-sandbox", action="store_true")
    options.add_argument("-m", "--model")
    options.add_argument("-c", "--config", action="append", default=[])
    options.add_argument("prompt", nargs="?")
    if not is_exec:
        acting.attend(options, options.parse_args().prompt)
    options.add_argument("--json", action="store_true")
    options.add_argument("--skip-git-repo-check", action="store_true")
    told = options.parse_args(sys.argv[2:])
    if not told.json or told.prompt != "-":
        acting.refuse(options, "we read nothing but --json, and the prompt comes on standard input: -")
    acting.play(Voice(told), acting.stdin_prompt(options))


class Voice:
    """What `codex exec --json` prints."""

    def __init__(self, told: Namespace) -> None:
        self._told = told
        self._items = 0

    def forbids(self, command: str) -> str:
        """Its sandbox: the worktree can be written, and git's directories only where they were named."""
        if self._told.dangerously_bypass_approvals_and_sandbox or self._told.sandbox == "danger-full-access":
            return ""
        if self._told.sandbox != "workspace-write":
            return "Read-only file system"
        asked = ("git", "rev-parse", "--path-format=absolute", "--git-common-dir")
        common = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        return "" if common in self._roots() else f"{common} is not among the writable_roots of its sandbox"

    def _roots(self) -> list[str]:
        settings = tomllib.loads("\n".join(self._told.config))
        return list(settings.get("sandbox_workspace_write", {}).get("writable_roots", []))

    def begin(self, prompt: str) -> None:
        acting.line({"type": "thread.started", "thread_id": "019a2d7a-41c4-78b1-b7cc-a45d62a89cd5"})
        acting.line({"type": "turn.started"})

    def say(self, text: str) -> None:
        self._item("completed", {"type": "agent_message", "text": text})

    def tool(self, name: str, what: str) -> None:
        if name != "Bash":
            changes = [{"path": str(Path.cwd() / what), "kind": "update"}]
            self._item("completed", {"type": "file_change", "changes": changes, "status": "completed"})
            return
        item = {"type": "command_execution", "command": what, "aggregated_output": "", "exit_code": None}
        self._item("started", {**item, "status": "in_progress"})
        self._item("completed", {**item, "exit_code": 0, "status": "completed"})

    def limit(self, kind: str, seconds: int) -> int:
        self._fail(_WORDS[kind].format(seconds))
        return 1

    def end(self, code: int, said: str, spent: acting.Spent) -> None:
        if code:
            self._fail("stream disconnected before completion")
            return
        self.say(said)
        usage = {"input_tokens": spent.tokens_in, "cached_input_tokens": 0, "output_tokens": spent.tokens_out}
        acting.line({"type": "turn.completed", "usage": usage})

    def _fail(self, words: str) -> None:
        acting.line({"type": "error", "message": words})
        acting.line({"type": "turn.failed", "error": {"message": words}})

    def _item(self, stage: str, item: dict[str, Any]) -> None:
        self._items += stage == "completed"
        acting.line({"type": f"item.{stage}", "item": {"id": f"item_{self._items}", **item}})
