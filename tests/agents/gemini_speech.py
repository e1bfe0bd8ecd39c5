"""The stand-in for Gemini CLI: its flags, its checks, its stream."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from typing import Any, Final

from tests.agents import acting

_AT: Final = "2026-01-05T09:00:00.000Z"
_FAILURES: Final = {
    "rate": ("ApiError", "429 Too Many Requests: Resource exhausted. Please retry in {}s."),
    "quota": (
        "TerminalQuotaError",
        "You have exhausted your daily quota on this model. Your quota will reset after {}s.",
    ),
    "auth": ("FatalAuthenticationError", "API key not valid. Please pass a valid API key."),
}


def main() -> None:
    options = acting.parser("gemini", "0.45.0")
    options.add_argument("-p", "--prompt")
    options.add_argument("-i", "--prompt-interactive")
    options.add_argument("-o", "--output-format", choices=("text", "json", "stream-json"), default="text")
    options.add_argument("--approval-mode", choices=("default", "auto_edit", "yolo", "plan"), default="default")
    options.add_argument("--allowed-tools", default="")
    options.add_argument("-m", "--model", default="auto")
    told = options.parse_args()
    if told.prompt_interactive:
        acting.attend(options, told.prompt_interactive)
    if not told.prompt or told.output_format != "stream-json":
        acting.refuse(options, "we read nothing but --prompt with --output-format stream-json")
    acting.play(Voice(told), acting.stdin_prompt(options) + told.prompt)


class Voice:
    """What Gemini CLI prints with `--output-format stream-json`."""

    def __init__(self, told: Namespace) -> None:
        self._told = told
        self._calls = 0

    def forbids(self, command: str) -> str:
        if self._told.approval_mode == "yolo":
            is_trusted = os.environ.get("GEMINI_CLI_TRUST_WORKSPACE") == "true"
            return "" if is_trusted else "Gemini CLI is not running in a trusted directory."
        rules = re.findall(r"run_shell_command\(([^)]*)\)", self._told.allowed_tools)
        is_allowed = any(command == rule or command.startswith(f"{rule} ") for rule in rules)
        return "" if is_allowed else "run_shell_command is denied in non-interactive mode"

    def begin(self, prompt: str) -> None:
        self._line("init", session_id="abc123", model=self._told.model)
        self._line("message", role="user", content=prompt[:100])

    def say(self, text: str) -> None:
        half = len(text) // 2
        for piece in (text[:half], text[half:]):
            self._line("message", role="assistant", content=piece, delta=True)

    def tool(self, name: str, what: str) -> None:
        self._calls += 1
        called = ("run_shell_command", {"command": what}) if name == "Bash" else ("replace", {"file_path": what})
        self._line("tool_use", tool_name=called[0], tool_id=f"call-{self._calls}", parameters=called[1])
        self._line("tool_result", tool_id=f"call-{self._calls}", status="success", output="")

    def limit(self, kind: str, seconds: int) -> int:
        name, words = _FAILURES[kind]
        self._line("result", status="error", error={"type": name, "message": words.format(seconds)})
        return 1

    def end(self, code: int, said: str, spent: acting.Spent) -> None:
        if code:
            self._line("result", status="error", error={"type": "Error", "message": "it did not work out"})
            return
        self.say(said)
        total = spent.tokens_in + spent.tokens_out
        stats = {"total_tokens": total, "input_tokens": spent.tokens_in, "output_tokens": spent.tokens_out, "cached": 0,
                 "input": spent.tokens_in, "duration_ms": 1, "tool_calls": self._calls}  # fmt: skip
        self._line("result", status="success", stats=stats)

    def _line(self, kind: str, **more: Any) -> None:
        acting.line({"type": kind, "timestamp": _AT, **more})
