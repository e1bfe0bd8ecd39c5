"""`python -m benchmarks.bare FILE`: the yardstick of a server, a FastAPI application of one route and a constant.

Prints its port, and answers until it is ended.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI


def main(constant: Any) -> None:
    app = FastAPI()

    @app.get("/constant")
    def told() -> Any:
        return constant

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as ours: asyncio sets it where it listens
        print(listening.getsockname()[1], flush=True)
        uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listening])


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
