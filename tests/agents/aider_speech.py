"""The stand-in for aider: its options, its words, what it leaves in the worktree, and the test that it runs at last."""

# ruff: noqa: ARG002 - a voice is told more than each agent says

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import NoReturn

from tests.agents import acting, screen

VERSION = "0.86.2"
_FAILURES = {
    "rate": (
        "litellm.RateLimitError: AnthropicException - too many requests",
        "The API provider has rate limited you. Try again later or check your quotas.",
        "Retrying in 0.2 seconds...",
    ),
    "quota": (
        "litellm.RateLimitError: OpenAIException - you have hit your usage limit, which resets in {seconds} seconds",
        "The API provider has rate limited you. Try again later or check your quotas.",
        "Retrying in 0.2 seconds...",
    ),
    "auth": (
        "litellm.AuthenticationError: AnthropicException - invalid x-api-key",
        "The API provider is not able to authenticate you. Check your API key.",
    ),
}
_SWITCHES = (
    *("pretty", "stream", "fancy-input", "gitignore", "analytics", "check-update", "show-release-notes"),
    *("show-model-warnings", "detect-urls", "suggest-shell-commands", "auto-test", "auto-commits"),
)
_WIDTH = 80


class Voice:
    """Plain words, at most so wide as the terminal is said to be."""

    def __init__(self, asked: Namespace) -> None:
        self._asked = asked
        self._edited: list[str] = []

    def begin(self, prompt: str) -> None:
        for text in (f"Aider v{VERSION}", "Main model: anthropic/sonnet with diff edit format", "Git repo: .git"):
            _print(text)
        cache = Path(".aider.tags.cache.v4")
        cache.mkdir(exist_ok=True)
        (cache / "cache.db").touch()
        if self._asked.gitignore is not False:
            with Path(".gitignore").open("a", encoding="utf-8") as file:
                file.write(".aider*\n")

    def say(self, text: str) -> None:
        _print(text)

    def tool(self, name: str, what: str) -> None:
        if name in ("Edit", "Write"):
            self._edited.append(what)
            _print(f"Applied edit to {what}")

    def limit(self, kind: str, seconds: int) -> int:
        for text in _FAILURES[kind]:
            _print(text.format(seconds=seconds))
        return 0  # it says nothing by its exit code

    def end(self, code: int, said: str, spent: acting.Spent) -> None:
        tokens = f"Tokens: {_short(spent.tokens_in)} sent, {_short(spent.tokens_out)} received."
        _print(f"{tokens} Cost: ${spent.usd:.2f} message, ${spent.usd:.2f} session.")
        if not self._edited or code:
            return
        if self._asked.auto_commits is not False:
            paths = " ".join(map(shlex.quote, self._edited))
            _shell(f"git add -- {paths} && git diff --cached --quiet || git commit --quiet -m 'feat: what was asked'")
        if self._asked.auto_test and self._asked.test_cmd:
            _shell(self._asked.test_cmd)


def main() -> NoReturn:
    options = acting.parser("aider", f"aider {VERSION}")
    for name in _SWITCHES:
        options.add_argument(f"--{name}", action="store_true", default=None)
        options.add_argument(f"--no-{name}", action="store_false", dest=name.replace("-", "_"), default=None)
    for name in ("message-file", "chat-history-file", "input-history-file", "model", "test-cmd", "read", "file"):
        options.add_argument(f"--{name}")
    options.add_argument("--yes-always", action="store_true")
    asked = options.parse_args()
    for history in (asked.chat_history_file, asked.input_history_file):
        Path(history or ".aider.chat.history.md").touch()
    acting.play(Voice(asked), _prompt(asked))


def _prompt(asked: Namespace) -> str:
    if asked.message_file is None:
        screen.require_terminal()
        return ""
    if not asked.yes_always:
        sys.stderr.write("it waits for a person\n")
        sys.exit(1)
    text = Path(asked.message_file).read_text("utf-8")
    if text.startswith(("/", "!")):
        sys.stderr.write("that is a command\n")
        sys.exit(1)
    return text


def _print(text: str) -> None:
    width = int(os.environ.get("COLUMNS", _WIDTH))
    for line in text.splitlines() or [""]:
        for start in range(0, max(len(line), 1), width):
            sys.stdout.write(line[start : start + width] + "\n")
    sys.stdout.flush()


def _shell(command: str) -> None:
    ended = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    _print((ended.stdout + ended.stderr).decode("utf-8", "replace"))


def _short(count: int) -> str:
    return str(count) if count < 1000 else f"{count / 1000:.1f}k" if count < 10_000 else f"{round(count / 1000)}k"
