"""Server-sent events out of chunks of bytes, with a bound on everything (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from conductor_git.errors import TooLarge

MOST_BYTES: Final = 1 << 20


def events(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The data of every event, its lines joined; names, ids and comments are passed over.

    A line that no newline ends was broken off, and is dropped. `TooLarge` where a line or an event has more than 1 MiB.
    """
    data: list[bytes] = []
    size = 0
    for line in lines(chunks):
        if not line:
            if any(data):
                yield b"\n".join(data)
            data, size = [], 0
        elif line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
            size += len(line)
            _bound(size)
    if any(data):
        yield b"\n".join(data)


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The whole lines in `chunks`, without their ends."""
    held = bytearray()
    for chunk in chunks:
        begin = 0
        while (end := chunk.find(b"\n", begin)) >= 0:
            held += chunk[begin:end]
            _bound(len(held))
            yield bytes(held).removesuffix(b"\r")
            held.clear()
            begin = end + 1
        held += chunk[begin:]
        _bound(len(held))


def _bound(size: int) -> None:
    if size > MOST_BYTES:
        raise TooLarge(f"a line of the stream is longer than {MOST_BYTES >> 20} MiB")
