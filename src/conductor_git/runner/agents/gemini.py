"""Gemini CLI: `gemini -p`, which takes the prompt on standard input and prints a JSON object a line.

Flags and events as in its source of 2026 (google-gemini/gemini-cli: docs/cli/headless.md, packages/core/src/output).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from conductor_git.runner.agents.base import AgentEvent, Ask, Kind, Launch
from conductor_git.runner.agents.jsonline import at, count, parsed, text
from conductor_git.runner.agents.speech import WORK_COMMANDS, failure, read_prompt, tool

_TASK_ABOVE: Final = "Do the task that the text above describes."
"""What `-p` says is appended to standard input; without `-p` it would want a terminal."""
_ALLOWED: Final = ",".join(f"run_shell_command({command})" for command in WORK_COMMANDS)
"""Without a person to ask, Gemini refuses any command that is not named."""


class Gemini:
    """The adapter of Gemini CLI."""

    name = "gemini"
    program = "gemini"
    keys = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    needs_key = False
    edits = True
    version_command = ("gemini", "--version")
    oldest = (0, 11)
    """The first with `--output-format stream-json`."""

    def launch(self, ask: Ask) -> Launch:
        mode = (
            ("--approval-mode=yolo",)
            if ask.permissive
            else ("--approval-mode=auto_edit", f"--allowed-tools={_ALLOWED}")
        )
        model = ("-m", ask.model) if ask.model else ()
        # A folder that nobody trusted is refused without a person; trust lets its settings start programs.
        trust = {"GEMINI_CLI_TRUST_WORKSPACE": "true"} if ask.permissive else {}
        if ask.attended:
            return Launch((self.program, "-i", read_prompt(ask), *mode, *model, *ask.args), environment=trust)
        spoken = ("-p", _TASK_ABOVE, "--output-format", "stream-json")
        return Launch((self.program, *spoken, *mode, *model, *ask.args), stdin=ask.prompt, environment=trust)

    def events(self, line: str) -> Iterator[AgentEvent]:
        said = parsed(line)
        match text(said, "type"):
            case "message" if text(said, "role") == "assistant":
                yield AgentEvent(Kind.TEXT, text(said, "content"), part=at(said, "delta") is True)
            case "tool_use":
                yield tool(text(said, "tool_name"), at(said, "parameters"))
            case "error" if text(said, "severity") != "warning":
                yield failure(text(said, "message"))
            case "result":
                yield from _result(said)
            case "init" | "message" | "tool_result":
                pass
            case _:
                yield AgentEvent(Kind.OTHER, line)


def _result(said: Any) -> Iterator[AgentEvent]:
    """The last line: figures of the whole session, and what went wrong; its answer is what it said."""
    stats = at(said, "stats")
    before, after = count(stats, "input_tokens"), count(stats, "output_tokens")
    yield AgentEvent(Kind.USAGE, tokens_in=before, tokens_out=after, total=True)
    if text(said, "status") == "error":
        yield failure(text(said, "error", "message"), text(said, "error", "type"))
