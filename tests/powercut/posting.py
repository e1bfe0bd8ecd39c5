"""Posts to a bus: `python -m tests.powercut.posting NAME URL SEGMENT_BYTES`."""

from __future__ import annotations

import sys
from typing import Final

from conductor_git.bus.address import open_bus, parse_address
from conductor_git.bus.base import Bus
from conductor_git.message import Message
from tests.powercut.worker import acknowledge, text, work

POSTED, READ = "posted", "read"
_READ_EVERY: Final = 4


def message(name: str, number: int) -> Message:
    return Message("FACT", text(name, number), project_id="acme", task_id=name)


def bus_at(url: str, segment_bytes: int) -> Bus:
    return open_bus(parse_address(url)._replace(segment_bytes=segment_bytes), seconds=60)


def main() -> None:
    name, url, segment_bytes = sys.argv[1:]
    bus = bus_at(url, int(segment_bytes))

    def step(number: int) -> None:
        msg_id = bus.append(message(name, number))
        acknowledge(name, POSTED, msg_id, number)
        if number % _READ_EVERY == 0:
            acknowledge(name, READ, bus.acknowledge(name, msg_id))

    work(name, step)


if __name__ == "__main__":
    main()
