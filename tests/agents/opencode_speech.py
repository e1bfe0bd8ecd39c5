"""The stand-in for OpenCode: its options, its events, and that it works where PWD says."""

# ruff: noqa: ARG002 - a voice is told more than each agent says

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from typing import NoReturn

from tests.agents import acting, screen

VERSION = "1.16.2"
_LIMITS = {
    "rate": {"statusCode": 429, "message": "Rate limit exceeded", "isRetryable": True},
    "quota": {"statusCode": 429, "message": "You exceeded your monthly quota", "isRetryable": False},
}


class Voice:
    """Events of `opencode run --format json`, one a line."""

    def begin(self, prompt: str) -> None:
        _event("step_start", part={"type": "step-start"})

    def say(self, text: str) -> None:
        _event("text", part={"type": "text", "text": text, "time": {"start": 1, "end": 2}})

    def tool(self, name: str, what: str) -> None:
        key = "command" if name == "Bash" else "filePath"
        state = {"status": "completed", "input": {key: what}, "output": "", "title": what}
        _event("tool_use", part={"type": "tool", "tool": name.lower(), "callID": "call_1", "state": state})

    def limit(self, kind: str, seconds: int) -> int:
        if kind == "auth":
            data = {"providerID": "anthropic", "message": "Anthropic API key is missing"}
            _event("error", error={"name": "ProviderAuthError", "data": data})
        else:
            headers = {"retry-after": str(seconds)}
            _event("error", error={"name": "APIError", "data": {**_LIMITS[kind], "responseHeaders": headers}})
        return 1

    def end(self, code: int, said: str, spent: acting.Spent) -> None:
        cache = {"read": spent.tokens_in // 2, "write": 0}
        tokens = {"input": spent.tokens_in - cache["read"], "output": spent.tokens_out, "reasoning": 0, "cache": cache}
        _event("step_finish", part={"type": "step-finish", "reason": "stop", "cost": spent.usd, "tokens": tokens})
        _event("done", reason="idle", rejected=[])


def main() -> NoReturn:
    os.chdir(os.environ["PWD"])  # as the real one, which does not ask where it is
    if sys.argv[1:2] == ["run"]:
        run()
    attend()


def run() -> NoReturn:
    options = acting.parser("opencode run", VERSION)
    options.add_argument("message", nargs="*")
    options.add_argument("--format", choices=["default", "json"], default="default")
    options.add_argument("--model", "-m")
    options.add_argument("--agent")
    options.add_argument("--variant")
    options.add_argument("--dangerously-skip-permissions", action="store_true")
    asked = options.parse_args(sys.argv[2:])
    _require_model(asked)
    if asked.message:
        acting.refuse(options, "the prompt is an argument, which has a limit")
    acting.play(Voice() if asked.format == "json" else screen.Screen(), acting.stdin_prompt(options))


def attend() -> NoReturn:
    options = acting.parser("opencode", VERSION)
    options.add_argument("--prompt")
    options.add_argument("--model", "-m")
    options.add_argument("--agent")
    options.add_argument("--auto", action="store_true")
    asked = options.parse_args()
    _require_model(asked)
    screen.require_terminal()
    acting.play(screen.Screen(), screen.told_prompt(asked.prompt or ""))


def _require_model(asked: Namespace) -> None:
    if asked.model is not None and "/" not in asked.model:
        sys.stderr.write(f"Error: model not found: {asked.model}/\n")
        sys.exit(1)


def _event(kind: str, **facts: object) -> None:
    acting.line({"type": kind, "timestamp": int(time.time() * 1000), "sessionID": "ses_1", **facts})
