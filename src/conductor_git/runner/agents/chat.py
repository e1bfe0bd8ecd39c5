"""A program of its own that asks a provider over HTTP: `python -m conductor_git.runner.agents.chat PROVIDER …`.

The prompt comes on standard input. On standard output go JSON objects, one a line: `text` as it comes, `usage`,
`limit`, `error`, `other`, and `answer` once the whole answer is in the file, as Markdown with its sources at the end.
It ends with 0 then, with 1 and no file where there is no whole answer, with 2 where it was called or set up wrongly,
and with 127 where httpx is missing. The key is read from the environment and leaves it in one header only.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import conductor_git
from conductor_git import durable
from conductor_git.environment import variable
from conductor_git.errors import BadInput, ConductorError
from conductor_git.masking import mask
from conductor_git.runner.agents.chatting.answer import Answer
from conductor_git.runner.agents.chatting.provider import PROVIDERS, Provider, checked_key, checked_url

if TYPE_CHECKING:
    from conductor_git.runner.agents.chatting.refusal import Refusal

PROMPT_BYTES: Final = 16 << 20
_PATIENCE: Final = 600.0
"""A model that reasons may say nothing for minutes."""
_MISSING: Final = "httpx is not installed: pip install 'conductor-git[chat]'"
_UNUSABLE: Final = 127


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, and return the exit code."""
    try:
        import httpx
    except ModuleNotFoundError:
        say("error", text=_MISSING)
        sys.stderr.write(f"{_MISSING}\n")
        return _UNUSABLE
    asked = _options(f"conductor-git-chat {conductor_git.__version__} (httpx {httpx.__version__})").parse_args(
        arguments
    )
    provider = PROVIDERS[asked.provider]
    key = (variable(provider.key) or "").strip()
    try:
        return _ask(asked, provider, key)
    except BadInput as wrong:
        return _failed(wrong.message, key, 2)
    except ConductorError as failed:
        return _failed(failed.message, key, 1)


def _options(version: str) -> ArgumentParser:
    options = ArgumentParser(prog="conductor_git.runner.agents.chat", allow_abbrev=False)
    options.add_argument("provider", choices=sorted(PROVIDERS))
    options.add_argument("--model", help="what to ask")
    options.add_argument("--output", type=Path, required=True, help="the file that the answer goes to")
    options.add_argument("--prompt", type=Path, help="the file that holds the prompt, rather than standard input")
    options.add_argument("--patience", type=float, default=_PATIENCE, help="seconds between two words of the answer")
    options.add_argument("--version", action="version", version=version)
    return options


def _ask(asked: Namespace, provider: Provider, key: str) -> int:
    from conductor_git.runner.agents.chatting.call import Call, Refused

    url = checked_url(variable(provider.base) or provider.url, provider.base)
    prompt = _prompt(asked.prompt)
    key = checked_key(key, provider.key)
    speech = Speech()
    call = Call(provider, url, key, asked.model or provider.model, prompt, asked.patience)
    try:
        answer = call.answer(speech.add, lambda odd: say("other", text=mask(odd, [key])))
    except Refused as refused:
        speech.flush()
        _refused(refused.refusal, key)
        return 1
    speech.flush()
    _usage(answer)
    durable.replace(asked.output, answer.markdown.encode())
    say("answer", output=str(asked.output), bytes=answer.bytes)
    return 0


def _prompt(file: Path | None) -> str:
    data = durable.read_regular(file, PROMPT_BYTES) if file else sys.stdin.buffer.read(PROMPT_BYTES + 1)
    if len(data) > PROMPT_BYTES:
        raise BadInput(f"the prompt is longer than {PROMPT_BYTES >> 20} MiB")
    if not (prompt := data.decode("utf-8", "replace")).strip():
        raise BadInput("there is no prompt on standard input")
    return prompt


class Speech:
    """The answer as it comes, told in whole lines: a stream brings it in pieces of words."""

    _MOST: Final = 4096

    def __init__(self) -> None:
        self._held = ""

    def add(self, text: str) -> None:
        whole, newline, self._held = (self._held + text).rpartition("\n")
        if newline:
            say("text", text=whole + newline)
        if len(self._held) > self._MOST:
            self.flush()

    def flush(self) -> None:
        if self._held:
            say("text", text=self._held)
        self._held = ""


def _usage(answer: Answer) -> None:
    if (answer.tokens_in, answer.tokens_out, answer.cost_usd) != (None, None, None):
        say("usage", tokens_in=answer.tokens_in, tokens_out=answer.tokens_out, cost_usd=answer.cost_usd)


def _refused(refusal: Refusal, key: str) -> None:
    text = mask(refusal.text, [key])
    if refusal.limit is None:
        say("error", text=text)
    else:
        say("limit", limit=refusal.limit.value, until=refusal.until and refusal.until.isoformat(), text=text)
    sys.stderr.write(f"{text}\n")


def _failed(text: str, key: str, code: int) -> int:
    text = mask(text, [key])
    say("error", text=text)
    sys.stderr.write(f"{text}\n")
    return code


def say(kind: str, **facts: object) -> None:
    """Tell one event, at once."""
    sys.stdout.write(json.dumps({"type": kind, **facts}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
