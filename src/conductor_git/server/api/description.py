"""The OpenAPI document, with the nulls of its examples, which the framework leaves out."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from conductor_git.server.api.routing import MADE


def description(app: FastAPI) -> dict[str, Any]:
    """All routes of `app` as OpenAPI tells them. Made once; any thread may call it."""
    document = app.openapi()
    for router in MADE:
        for route in router.routes:
            if isinstance(route, APIRoute):
                _restore(document["paths"].get(route.path, {}), route)
    return document


def _restore(path: dict[str, Any], route: APIRoute) -> None:
    for method in route.methods or ():
        described = path.get(method.lower(), {"responses": {}})["responses"]
        for status, told in route.responses.items():
            if str(status) in described:
                shown = described[str(status)]["content"]["application/json"]
                shown["example"] = told["content"]["application/json"]["example"]
