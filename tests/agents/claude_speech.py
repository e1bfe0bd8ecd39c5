"""The stand-in for Claude Code: its flags, its checks, its stream."""

# ruff: noqa: ARG002 - a voice is told more than each agent says

from __future__ import annotations

import re
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from tests.agents import acting

_VERSION = "2.1.83"
_MODES = ("acceptEdits", "bypassPermissions", "default", "dontAsk", "plan")
_SESSION = "3f2a9c40-7b18-4c6d-9e51-8a2b1d4f0c73"


def main() -> None:
    options = acting.parser("claude", f"{_VERSION} (Claude Code)")
    options.add_argument("-p", "--print", action="store_true")
    options.add_argument("--output-format", choices=("text", "json", "stream-json"), default="text")
    options.add_argument("--verbose", action="store_true")
    options.add_argument("--permission-mode", choices=_MODES, default="default")
    options.add_argument("--dangerously-skip-permissions", action="store_true")
    options.add_argument("--allowedTools", "--allowed-tools", default="")
    options.add_argument("--model", default="sonnet")
    options.add_argument("--max-turns", type=int)
    options.add_argument("prompt", nargs="?")
    told = options.parse_args()
    if not told.print:
        acting.attend(options, told.prompt)
    if told.output_format != "stream-json" or not told.verbose:
        acting.refuse(
            options, "when using --print, --output-format=stream-json requires --verbose, and we read nothing else"
        )
    acting.play(Voice(told), acting.stdin_prompt(options))


class Voice:
    """What Claude Code prints with `--output-format stream-json --verbose`."""

    def __init__(self, told: Namespace) -> None:
        self._told = told
        self._calls = 0

    def forbids(self, command: str) -> str:
        if self._told.dangerously_skip_permissions:
            return ""
        rules = re.findall(r"Bash\(([^)]*?):\*\)", self._told.allowedTools)
        is_allowed = any(command == rule or command.startswith(f"{rule} ") for rule in rules)
        return "" if is_allowed else "This command requires approval"

    def begin(self, prompt: str) -> None:
        told = {"model": self._told.model, "permissionMode": self._told.permission_mode, "apiKeySource": "none"}
        self._line("system", subtype="init", cwd=str(Path.cwd()), tools=["Bash"], claude_code_version=_VERSION, **told)

    def say(self, text: str) -> None:
        self._assistant({"type": "text", "text": text})

    def tool(self, name: str, what: str) -> None:
        self._calls += 1
        key = "command" if name == "Bash" else "file_path"
        used = {"type": "tool_use", "id": f"toolu_{self._calls}", "name": name, "input": {key: what}}
        self._assistant(used)
        given = {"type": "tool_result", "tool_use_id": used["id"], "content": "ok", "is_error": False}
        self._line("user", message={"role": "user", "content": [given]}, parent_tool_use_id=None)

    def limit(self, kind: str, seconds: int) -> int:
        status, code, words = {
            "rate": (429, "rate_limit", f"API Error: Request rejected (429) · Please try again in {seconds}s."),
            "quota": (429, "rate_limit", "You've hit your session limit · resets later"),
            "auth": (401, "authentication_failed", "Invalid API key · Please run /login"),
        }[kind]
        if kind == "quota":
            info = {"status": "rejected", "resetsAt": int(time.time()) + seconds, "rateLimitType": "five_hour"}
            self._line(
                "rate_limit_event", rate_limit_info={**info, "overageStatus": "rejected", "isUsingOverage": False}
            )
        else:
            retry = {"attempt": 1, "max_retries": 10, "retry_delay_ms": 508, "error_status": status, "error": code}
            self._line("system", subtype="api_retry", **retry)
        self._assistant({"type": "text", "text": words}, model="<synthetic>", error=code)
        self._result(words, is_error=True, api_error_status=status)
        return 1

    def end(self, code: int, said: str, spent: acting.Spent) -> None:
        cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
        usage = {"input_tokens": spent.tokens_in, "output_tokens": spent.tokens_out, **cached}
        self._result(said if code == 0 else "", is_error=code != 0, total_cost_usd=spent.usd, usage=usage)

    def _result(self, text: str, *, is_error: bool, **more: Any) -> None:
        subtype = "error_during_execution" if is_error and not text else "success"
        took = {"duration_ms": 1, "duration_api_ms": 1, "num_turns": 1, "total_cost_usd": 0, "usage": {}}
        self._line("result", subtype=subtype, is_error=is_error, result=text, **(took | more))

    def _assistant(self, block: dict[str, Any], model: str = "", **more: str) -> None:
        usage = {"input_tokens": 3, "output_tokens": 2, "service_tier": "standard"}
        message: dict[str, Any] = {
            "model": model or self._told.model,
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
        }
        message |= {"content": [block], "stop_reason": None, "usage": usage}
        self._line("assistant", message=message, parent_tool_use_id=None, **more)

    def _line(self, kind: str, **more: Any) -> None:
        acting.line({"type": kind, **more, "session_id": _SESSION})
