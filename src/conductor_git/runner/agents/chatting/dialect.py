"""The two ways in which providers are asked and answer as a stream, of OpenAI's making both (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from conductor_git.runner.agents import jsonline
from conductor_git.runner.agents.chatting.answer import Answer

_TICKS_PER_USD: Final = 10_000_000_000
"""Of xAI's `cost_in_usd_ticks` (docs.x.ai, "Chat completions")."""
_CUT: Final = {"length": "its length limit", "content_filter": "its content filter"}


class Dialect(Protocol):
    """How a request is put, and what a chunk of the answer says."""

    @property
    def path(self) -> str:
        """Where requests go, below the provider's address."""
        ...

    def body(self, model: str, prompt: str) -> dict[str, Any]: ...

    def take(self, answer: Answer, chunk: Mapping[str, Any]) -> str:
        """Put what `chunk` says into `answer`; returns the text that it adds. Odd chunks add nothing."""
        ...

    def close(self, answer: Answer) -> None:
        """The stream said `[DONE]`."""
        ...


class Completions:
    """`POST chat/completions`: deltas of `choices[0]`, usage in the last chunk or in all, `[DONE]` at the end."""

    path = "/chat/completions"

    def body(self, model: str, prompt: str) -> dict[str, Any]:
        messages = [{"role": "user", "content": prompt}]
        return {"model": model, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}

    def take(self, answer: Answer, chunk: Mapping[str, Any]) -> str:
        answer.failure = answer.failure or _failure(chunk.get("error"))
        _count(answer, jsonline.at(chunk, "usage"), "prompt_tokens", "completion_tokens")
        _cite_all(answer, chunk)
        reason = jsonline.text(chunk, "choices", 0, "finish_reason")
        if reason:
            answer.is_whole = True
            answer.cut = _CUT.get(reason, "")
        text = jsonline.text(chunk, "choices", 0, "delta", "content")
        answer.add(text)
        return text

    def close(self, answer: Answer) -> None:
        answer.is_whole = True


class Responses:
    """`POST responses`: typed events, of which `response.completed` is the last and holds the usage.

    A model's name with a slash is a model; one without is one of the provider's presets, or a name of the models
    that its chat completions had, which it tells to be replaced by these presets.
    """

    path = "/responses"
    _SONAR: Final = "perplexity/sonar"
    _PRESETS: Final = {"sonar-pro": "fast", "sonar-reasoning": "low", "sonar-reasoning-pro": "low"}

    def body(self, model: str, prompt: str) -> dict[str, Any]:
        asked = {"input": prompt, "stream": True}
        if model == "sonar" or "/" in model:
            return {"model": model if "/" in model else self._SONAR, "tools": [{"type": "web_search"}], **asked}
        # Without a model a preset may go to another company's.
        return {"preset": self._PRESETS.get(model, model), "model": self._SONAR, **asked}

    def take(self, answer: Answer, chunk: Mapping[str, Any]) -> str:
        kind = jsonline.text(chunk, "type")
        _cite_results(answer, [*jsonline.listed(chunk, "results"), *jsonline.listed(chunk, "item", "results")])
        if kind in ("response.completed", "response.incomplete"):
            self._end(answer, chunk)
        elif kind in ("response.failed", "error"):
            told = jsonline.at(chunk, "response", "error") or chunk.get("error") or chunk
            answer.failure = answer.failure or _failure(told)
        if kind != "response.output_text.delta":
            return ""
        text = jsonline.text(chunk, "delta")
        answer.add(text)
        return text

    def close(self, answer: Answer) -> None:
        """`[DONE]` says nothing here: the end is an event."""

    @staticmethod
    def _end(answer: Answer, chunk: Mapping[str, Any]) -> None:
        answer.is_whole = True
        if chunk.get("type") == "response.incomplete":
            reason = jsonline.text(chunk, "response", "incomplete_details", "reason")
            answer.cut = reason.replace("_", " ") or "it does not say why"
        _count(answer, jsonline.at(chunk, "response", "usage"), "input_tokens", "output_tokens")


def _count(answer: Answer, usage: object, asked: str, answered: str) -> None:
    """Take the figures of the request so far; they are not to be added to those before."""
    if (tokens := jsonline.count(usage, asked)) is not None:
        answer.tokens_in = tokens
    if (tokens := jsonline.count(usage, answered)) is not None:
        answer.tokens_out = tokens
    if (cost := jsonline.amount(usage, "cost", "total_cost")) is not None:
        answer.cost_usd = cost
    elif (ticks := jsonline.count(usage, "cost_in_usd_ticks")) is not None:
        answer.cost_usd = ticks / _TICKS_PER_USD


def _cite_all(answer: Answer, chunk: Mapping[str, Any]) -> None:
    """The sources of a chunk, which repeats those before; the text calls them by their place in the list."""
    results = jsonline.listed(chunk, "search_results")
    if results:
        answer.numbered.clear()
        _cite_results(answer, results)
    elif addresses := jsonline.listed(chunk, "citations"):
        answer.numbered.clear()
        for place, address in enumerate(addresses, 1):
            if isinstance(address, str):
                answer.cite(place, "", address)


def _cite_results(answer: Answer, results: Iterable[object]) -> None:
    for place, result in enumerate(results, 1):
        number = jsonline.count(result, "id") or place
        answer.cite(number, jsonline.text(result, "title"), jsonline.text(result, "url"))


def _failure(told: object) -> str:
    if told is None:
        return ""
    code = " ".join(filter(None, (jsonline.text(told, "type"), jsonline.text(told, "code"))))
    said = jsonline.text(told, "message") or (told if isinstance(told, str) else "")
    return f"{said} ({code})" if said and code else said or code or "it does not say what"
