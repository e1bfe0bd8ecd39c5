"""The stand-in for Cursor's agent: its options, its events, and what it prints where it fails, which is no event."""

# ruff: noqa: ARG002 - a voice is told more than each agent says

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from tests.agents import acting, screen

VERSION = "2026.09.18-9a7762b"
_FAILURES = {
    "rate": "ConnectError: [resource_exhausted] Error",
    "quota": "You've hit your usage limit. It resets in {seconds} seconds.",
    "auth": "Error: Authentication required. Please run 'cursor-agent login' first, or set CURSOR_API_KEY",
}
_UNTRUSTED = "Workspace Trust Required: pass --trust, --yolo, or -f if you trust this directory"


class Voice:
    """Events of `--output-format stream-json`, one a line."""

    def begin(self, prompt: str) -> None:
        _event("system", subtype="init", cwd=str(Path.cwd()), model="Auto", permissionMode="default")
        _event("user", message={"role": "user", "content": [{"type": "text", "text": prompt}]})
        _event("thinking", subtype="delta", text="Let me see")

    def say(self, text: str) -> None:
        _event("assistant", message={"role": "assistant", "content": [{"type": "text", "text": text}]})

    def tool(self, name: str, what: str) -> None:
        kind, key = ("shellToolCall", "command") if name == "Bash" else (f"{name.lower()}ToolCall", "path")
        call = {kind: {"args": {key: what}}}
        _event("tool_call", subtype="started", call_id="c1", tool_call=call)
        _event("tool_call", subtype="completed", call_id="c1", tool_call={kind: {**call[kind], "result": {}}})

    def limit(self, kind: str, seconds: int) -> int:
        sys.stderr.write(_FAILURES[kind].format(seconds=seconds) + "\n")
        return 1

    def end(self, code: int, said: str, spent: acting.Spent) -> None:
        cached = spent.tokens_in // 2
        usage = {"inputTokens": spent.tokens_in - cached, "outputTokens": spent.tokens_out}
        usage |= {"cacheReadTokens": cached, "cacheWriteTokens": 0}
        facts = {"subtype": "success", "is_error": False, "duration_ms": 10, "result": said, "usage": usage}
        _event("result", **facts)


def main() -> NoReturn:
    options = acting.parser("cursor-agent", VERSION)
    options.add_argument("-p", "--print", dest="alone", action="store_true")
    options.add_argument("--output-format", choices=["text", "json", "stream-json"], default="text")
    options.add_argument("--model")
    options.add_argument("-f", "--force", "--yolo", action="store_true")
    options.add_argument("--trust", action="store_true")
    options.add_argument("--mode", choices=["plan", "ask"])
    options.add_argument("prompt", nargs="*")
    asked = options.parse_args()
    if asked.alone:
        if not (asked.trust or asked.force):
            sys.stderr.write(f"{_UNTRUSTED}\n")
            sys.exit(1)
        if asked.prompt:
            acting.refuse(options, "the prompt is an argument, which has a limit")
        if asked.output_format != "stream-json":
            acting.refuse(options, "only a stream is of use")
        acting.play(Voice(), acting.stdin_prompt(options))
    screen.require_terminal()
    acting.play(screen.Screen(), screen.told_prompt(" ".join(asked.prompt)))


def _event(kind: str, **facts: object) -> None:
    acting.line({"type": kind, **facts, "session_id": "s-1"})
