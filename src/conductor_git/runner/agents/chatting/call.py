"""The request itself, over HTTP: the only module that needs httpx."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import httpx

from conductor_git.runner.agents import jsonline
from conductor_git.runner.agents.chatting import sse
from conductor_git.runner.agents.chatting.answer import Answer
from conductor_git.runner.agents.chatting.provider import Provider, is_loopback
from conductor_git.runner.agents.chatting.refusal import Refusal, failure, refusal

_CONNECT_SECONDS: Final = 20.0
_WRITE_SECONDS: Final = 120.0
_BODY_BYTES: Final = 64 << 10
_SHOWN: Final = 200


class Refused(Exception):
    """There is no whole answer, and `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Call:
    """One question to one provider. `patience` is how many seconds may pass between two words of it."""

    provider: Provider
    url: str
    key: str
    model: str
    prompt: str
    patience: float

    def answer(self, told: Callable[[str], None], odd: Callable[[str], None]) -> Answer:
        """Ask, and read the answer to its end; `told` gets the text as it comes, `odd` what no one understands.

        `Refused` where the provider refuses, cannot be reached, falls silent, or breaks off before its end; `TooLarge`
        where it sends more than there can be. Redirects are not followed, so the key goes to nobody else.
        """
        answer = Answer()
        with self._explained(), self._client() as client, self._stream(client) as response:
            _require_stream(response)
            for data in sse.events(response.iter_raw()):
                if not self._take(answer, data, told, odd):
                    break
        if answer.failure:
            raise Refused(failure(answer.failure, datetime.now(UTC)))
        if not answer.is_whole:
            raise Refused(Refusal("the stream broke off in the middle of the answer"))
        if not answer.text.strip():
            raise Refused(Refusal("the answer is empty"))
        return answer

    def _take(self, answer: Answer, data: bytes, told: Callable[[str], None], odd: Callable[[str], None]) -> bool:
        """Whether the stream may go on after the event `data`."""
        dialect = self.provider.dialect
        if data.strip() == b"[DONE]":
            dialect.close(answer)
            return False
        if (chunk := jsonline.parsed(data)) is None:
            odd(data[:_SHOWN].decode("utf-8", "replace"))
            return True
        if text := dialect.take(answer, chunk):
            told(text)
        return not answer.failure

    def _client(self) -> httpx.Client:
        timeout = httpx.Timeout(connect=_CONNECT_SECONDS, read=self.patience, write=_WRITE_SECONDS, pool=None)
        # A proxy has no part in what stays on this machine, and http to it would tell it the key.
        local = is_loopback(urlsplit(self.url).hostname or "")
        return httpx.Client(timeout=timeout, follow_redirects=False, trust_env=not local)

    def _stream(self, client: httpx.Client) -> AbstractContextManager[httpx.Response]:
        return client.stream(
            "POST",
            self.url + self.provider.dialect.path,
            json=self.provider.dialect.body(self.model, self.prompt),
            headers={
                "Authorization": f"Bearer {self.key}",
                "Accept": "text/event-stream",
                "Accept-Encoding": "identity",  # what is compressed has no bound until it is read
            },
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        host = urlsplit(self.url).netloc
        try:
            yield
        except httpx.ConnectTimeout:
            raise Refused(Refusal(f"{host} did not answer within {_CONNECT_SECONDS:g} s")) from None
        except httpx.ReadTimeout:
            raise Refused(Refusal(f"{host} said nothing for {self.patience:g} s")) from None
        except httpx.ConnectError as failed:
            raise Refused(Refusal(f"{host} cannot be reached: {failed}")) from None
        except (httpx.HTTPError, httpx.InvalidURL) as failed:
            raise Refused(Refusal(f"the connection to {host} broke off: {failed}")) from None


def _require_stream(response: httpx.Response) -> None:
    """`Refused` where the response is no stream of events."""
    if response.status_code != httpx.codes.OK:
        if response.is_redirect:
            raise Refused(Refusal(f"HTTP {response.status_code}: a redirect, which is not followed"))
        raise Refused(refusal(response.status_code, response.headers, _beginning(response), datetime.now(UTC)))
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Refused(Refusal("the answer is compressed, which nobody asked for"))
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        raise Refused(
            Refusal(f"the answer is no stream of events but {response.headers.get('content-type', 'nameless')}")
        )


def _beginning(response: httpx.Response) -> bytes:
    held = bytearray()
    for chunk in response.iter_raw():
        held += chunk
        if len(held) >= _BODY_BYTES:
            break
    return bytes(held[:_BODY_BYTES])
