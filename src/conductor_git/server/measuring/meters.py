"""The counters of a server: what it saw on the bus, and what it answered."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from conductor_git.message import Message, id_time
from conductor_git.run import End, Outcome

_TYPES: Final = frozenset(
    "FACT PROGRESS DECISION REVIEW ERROR QUESTION INFO ISSUE USER STATE RUN_START RUN_STOP RUN_CRASH GATE LANDED "
    "BOUNCED UNDONE".split()
)
_METHODS: Final = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS".split())
_ENDS: Final = frozenset(map(str, End))
_OUTCOMES: Final = frozenset(map(str, Outcome))
_KINDS: Final = ("events", "log")
_OTHER: Final = "other"
"""For what others choose freely: a label has few values, whatever is sent or posted."""
_LAG: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
_GATE: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_REQUEST: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Meters:
    """Any thread may count. A server that starts again begins at nought, as Prometheus expects of counters."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.registry = registry = CollectorRegistry()
        self._clock = clock
        self._messages = Counter("conductor_bus_messages", "Messages that the bus took", ["type"], registry=registry)
        self._lag = Histogram(
            "conductor_bus_lag_seconds", "From a message to its being seen", registry=registry, buckets=_LAG
        )
        self._started = Counter("conductor_attempts_started", "Attempts that began", registry=registry)
        self._ended = Counter("conductor_attempts_ended", "Attempts that ended", ["end"], registry=registry)
        self._landings = Counter("conductor_landings", "Landings that ended", ["outcome"], registry=registry)
        self._gates = Histogram(
            "conductor_gate_seconds", "How long gates ran", ["verdict"], registry=registry, buckets=_GATE
        )
        self._requests = Counter(
            "conductor_http_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "conductor_http_request_seconds",
            "From a request to the head of its answer",
            ["route"],
            registry=registry,
            buckets=_REQUEST,
        )
        self._streams = Gauge("conductor_streams_open", "Streams that are open", ["kind"], registry=registry)

    def message(self, message: Message) -> None:
        """Count what a message of the bus tells; one that was found past damage tells nothing."""
        if message.recovered:
            return
        self._messages.labels(_known(message.type, _TYPES)).inc()
        made = id_time(message.msg_id)
        if made is not None:
            self._lag.observe(max(0.0, self._clock().timestamp() - made / 1e9))
        match message.type:
            case "RUN_START":
                self._started.inc()
            case "RUN_STOP" | "RUN_CRASH":
                self._ended.labels(_known(message.meta.get("end", ""), _ENDS)).inc()
            case "LANDED" | "BOUNCED":
                self._landings.labels(_known(message.meta.get("outcome", ""), _OUTCOMES)).inc()
            case "UNDONE":
                self._landings.labels("UNDONE").inc()
            case "GATE":
                self._gate(message)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """`route` is the pattern of a path, and never a path that somebody asked for."""
        self._requests.labels(_known(method, _METHODS), route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def streams(self, kinds: Iterable[str]) -> None:
        """As many of each kind are open."""
        open_now = Tally(kinds)
        for kind in _KINDS:
            self._streams.labels(kind).set(open_now[kind])

    def _gate(self, message: Message) -> None:
        try:
            seconds = float(message.meta["seconds"])
        except (KeyError, ValueError):
            return
        verdict = "passed" if message.meta.get("exit_code") == "0" else "failed"
        self._gates.labels(verdict).observe(max(0.0, seconds))


def _known(value: str, values: frozenset[str]) -> str:
    return value if value in values else _OTHER
