"""A provider on this machine: it speaks the streaming chat API over real sockets, strictly, and misbehaves on demand.

What is wrong with a request (the key, a header, the model, an unknown field) it refuses as the real ones do.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

KEY: Final = "pretend-key-0123456789"
MODELS: Final = ("grok-4.3", "grok-house", "perplexity/sonar")
PRESETS: Final = ("fast", "low", "medium", "high")
_STREAM: Final = {"Content-Type": "text/event-stream; charset=utf-8"}
_FIELDS: Final = {
    "/chat/completions": {"model", "messages", "stream", "stream_options"},
    "/responses": {"model", "preset", "input", "stream", "tools"},
}
_NEEDED: Final = {"/chat/completions": {"model", "messages", "stream"}, "/responses": {"input", "stream"}}

HOLD: Final = b"\0hold"
"""A chunk that is never sent: the server waits here until the test lets it go on."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What it answers a request that is right. Not `whole`: the connection ends in the middle of the body."""

    chunks: tuple[bytes, ...] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: dict(_STREAM))
    whole: bool = True


def event(data: object) -> bytes:
    """One server-sent event."""
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


def delta(text: str, **facts: Any) -> bytes:
    return event({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}], **facts})


def stop(reason: str = "stop", **facts: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], **facts})


DONE: Final = event(b"[DONE]")
USAGE: Final = {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46, "cost_in_usd_ticks": 158_500_000}


def completion(*pieces: str, **facts: Any) -> Reply:
    """A whole answer of xAI's: deltas, a last chunk with the usage, and the end."""
    return Reply((*(delta(piece) for piece in pieces), stop(usage=USAGE, **facts), DONE))


def response(*pieces: str, results: Iterable[dict[str, Any]] = (), kind: str = "completed", **facts: Any) -> Reply:
    """A whole answer of Perplexity's: what it found, the deltas, and the response with its usage."""
    usage = {"input_tokens": 120, "output_tokens": 21, "total_tokens": 141, "cost": {"total_cost": 0.0061}}
    return Reply(
        (
            event({"type": "response.created", "response": {"output": [], "status": "in_progress"}}),
            event({"type": "response.reasoning.search_results", "results": list(results)}),
            event(
                {
                    "type": "response.output_item.done",
                    "item": {"type": "search_results", "results": list(results)},
                }
            ),
            *(event({"type": "response.output_text.delta", "delta": piece}) for piece in pieces),
            event({"type": f"response.{kind}", "response": {"status": kind, "usage": usage, **facts}}),
        )
    )


def refusal(status: int, body: object, **headers: str) -> Reply:
    """An error of the API, told as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {"Content-Type": "application/json"}
    return Reply((data,), status, kind | {name.replace("_", "-"): value for name, value in headers.items()})


class ChatServer(ThreadingHTTPServer):
    """Answers every right request with `reply`; `bodies` are the requests so far, right or wrong."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = Reply()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.go_on = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def serving() -> Iterator[ChatServer]:
    """A server that listens until the block is left."""
    server = ChatServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        asked = json.loads(body)
        self.server.bodies.append(asked)
        self._answer(self._wrong(asked) or self.server.reply)

    def _wrong(self, asked: dict[str, Any]) -> Reply | None:
        path = self.path.removeprefix("/v1")
        if self.headers["Authorization"] != f"Bearer {KEY}":
            return refusal(401, {"error": {"message": f"Incorrect API key provided: {self.headers['Authorization']}"}})
        if path not in _FIELDS:
            return refusal(404, {"error": {"message": f"no such path {self.path}"}})
        if not _NEEDED[path] <= set(asked) <= _FIELDS[path] or asked["stream"] is not True:
            return refusal(422, {"detail": [{"msg": f"fields {sorted(asked)}"}]})
        if asked.get("model", MODELS[0]) not in MODELS or asked.get("preset", PRESETS[0]) not in PRESETS:
            return refusal(404, {"code": "not-found", "error": f"The model {asked.get('model')} does not exist"})
        if self.headers["Accept"] != "text/event-stream" or self.headers["Content-Type"] != "application/json":
            return refusal(406, {"error": "the headers are not of a stream"})
        return None

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for chunk in reply.chunks:
                self._send(chunk)
            if reply.whole:
                self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough
        self.close_connection = True

    def _send(self, chunk: bytes) -> None:
        if chunk == HOLD:
            self.server.go_on.wait()
        else:
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            self.wfile.flush()

    def log_message(self, *arguments: object) -> None:
        """It says nothing on standard error."""
