"""What a bus must hold, and the comparison with what it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from conductor_git.bus.base import Bus
from conductor_git.message import Message, id_key
from tests.powercut.crew import Ack
from tests.powercut.posting import POSTED, message
from tests.powercut.tally import Tally
from tests.powercut.worker import is_whole, text


class Ledger:
    """Messages and readers' places that were acknowledged, or seen on the disk after a cut: they may never go again."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._bodies: dict[str, str] = {}
        self._places: dict[str, str] = {}

    def hear(self, ack: Ack) -> None:
        if ack.kind == POSTED:
            self._bodies[ack.words[0]] = text(ack.worker, int(ack.words[1]))
        else:
            self._places[ack.worker] = ack.words[0]

    def compare(self, bus: Bus) -> list[Message]:
        """Tell the tally what is missing or wrong on the bus; what is there, which must be there from now on."""
        report = bus.verify()
        if not report.is_sound:
            self._wrong(f"{report}")
        self._tally.tails += report.torn is not None
        messages = list(bus.read())
        self._compare_bodies({message.msg_id: message.body for message in messages})
        self._compare_order([message.msg_id for message in messages])
        self._compare_places(bus)
        return messages

    def go_on(self, bus: Bus, name: str, before: list[Message]) -> None:
        """Append as anyone would after the power is back: one message more, and no torn tail any more."""
        msg_id = bus.append(message(name, 0))
        report, after = bus.verify(), list(bus.read())
        if not report.is_sound or report.torn is not None:
            self._wrong(f"after an append: {report}")
        if (
            after[:-1] != before
            or after[-1]._replace(msg_id="", ts="") != message(name, 0)
            or after[-1].msg_id != msg_id
        ):
            self._wrong(f"an append made {len(before)} messages to {len(after)}")
        self._bodies[msg_id] = text(name, 0)

    def _compare_bodies(self, there: dict[str, str]) -> None:
        at = f"cut {self._tally.cuts}"
        self._tally.lost += [f"{at}: {msg_id} is gone" for msg_id in self._bodies.keys() - there.keys()]
        self._tally.torn += [f"{at}: {msg_id} is a part" for msg_id, body in there.items() if not is_whole(body)]
        for msg_id in self._bodies.keys() & there.keys():
            if there[msg_id] != self._bodies[msg_id]:
                self._wrong(f"{msg_id} has the body {there[msg_id][:40]!r}")
        self._bodies = there

    def _compare_order(self, ids: Sequence[str]) -> None:
        for msg_id, times in Counter(ids).items():
            if times > 1:
                self._wrong(f"{msg_id} is there {times} times")
        for one, other in pairwise(ids):
            if id_key(one) >= id_key(other):
                self._wrong(f"{other} follows {one}")

    def _compare_places(self, bus: Bus) -> None:
        for reader, place in self._places.items():
            found = bus.acknowledged(reader)
            if found is None or id_key(found) < id_key(place):
                self._tally.lost.append(f"cut {self._tally.cuts}: {reader} was at {place} and is at {found}")
            elif found not in self._bodies:
                self._wrong(f"{reader} is at {found}, which is not on the bus")
        self._places = {reader: found for reader in self._places if (found := bus.acknowledged(reader))}

    def _wrong(self, what: str) -> None:
        self._tally.other.append(f"cut {self._tally.cuts}: {what}")
