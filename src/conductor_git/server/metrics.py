"""GET /metrics: what Prometheus asks for, kept in a registry of the server's own. Any token may ask."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from conductor_git.errors import ConductorError
from conductor_git.server.measuring.meters import Meters
from conductor_git.server.measuring.standing import Standing
from conductor_git.server.measuring.timing import Timing
from conductor_git.server.serving import Serving
from conductor_git.server.streams.live import Live, live

router = APIRouter(tags=["server"])


def meters(request: Request) -> Meters:
    """The counters of the server that answers `request`; for `Depends`."""
    found = request.app.state.meters
    assert isinstance(found, Meters)
    return found


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(shared: Annotated[Live, Depends(live)], counted: Annotated[Meters, Depends(meters)]) -> Response:
    """Counters since the server began to follow the bus, and how the tasks stand now, as Prometheus reads it."""
    with suppress(ConductorError):  # a bus that cannot be followed is told by what stands still
        await shared.ready()
    counted.streams(stream.kind for stream in shared.streams)
    text = await shared.read(generate_latest, counted.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def install(app: FastAPI, serving: Serving) -> None:
    """Give `app` its streams and its counters, and count every request that it answers from then on."""
    counted = Meters(serving.clock)
    counted.registry.register(Standing(serving.project, serving.clock))
    app.state.meters = counted
    app.state.live = Live(serving.project, serving.gate.tokens.path, counted.message)
    serving.ending.on(app.state.live.close_soon)
    app.add_middleware(Timing, meters=counted)
