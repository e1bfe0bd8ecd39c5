"""Many clients of one event stream in a process: `python -m benchmarks.listeners URL TOKEN CLIENTS MESSAGES`.

Prints `ready` once all are connected, and then, as JSON, what each got: the delays, and whether it was all, in order.
A message's body is the time at which it was posted, by the monotonic clock that all processes share.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Final
from urllib.parse import urlsplit

_BODY: Final = re.compile(rb'"body":"([0-9]+)"')
_CHUNK: Final = 1 << 16


class _Listener:
    def __init__(self) -> None:
        self.sent: list[int] = []
        self.delays: list[float] = []
        self._rest = b""

    async def connect(self, url: str, token: str) -> None:
        place = urlsplit(url)
        self._reader, self._writer = await asyncio.open_connection(place.hostname, place.port)
        head = f"GET /api/v1/events HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
        self._writer.write(head.encode())
        await self._reader.readuntil(b"event: hello")

    async def listen(self, count: int) -> None:
        while len(self.sent) < count and (data := await self._reader.read(_CHUNK)):
            now = time.perf_counter_ns()
            end = 0
            text = self._rest + data
            for found in _BODY.finditer(text):
                self.sent.append(int(found[1]))
                self.delays.append((now - int(found[1])) / 1e9)
                end = found.end()
            self._rest = text[end:]
        self._writer.close()


async def _main(url: str, token: str, clients: int, messages: int) -> None:
    listeners = [_Listener() for _ in range(clients)]
    for listener in listeners:
        await listener.connect(url, token)
    print("ready", flush=True)
    await asyncio.gather(*(listener.listen(messages) for listener in listeners))
    first = listeners[0].sent
    is_whole = len(first) == messages and first == sorted(set(first))
    wrong = 0 if is_whole else clients
    wrong = wrong or sum(listener.sent != first for listener in listeners)
    print(json.dumps({"wrong": wrong, "delays": [delay for listener in listeners for delay in listener.delays]}))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
