"""Routes that only tests have, behind the door and gate of a real server; and browsers as far as access goes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from conductor_git.server.access.form import Form
from conductor_git.server.access.gate import at_least, csrf, who
from conductor_git.server.access.role import Role, Who
from conductor_git.server.app import PUBLIC, ROUTERS
from tests.kit.server import Server

router = APIRouter()


class Wish(BaseModel):
    """A body of JSON."""

    wish: str


@router.get("/probe")
def look(asking: Annotated[Who, Depends(who)], token: Annotated[str, Depends(csrf)]) -> dict[str, Any]:
    return {"name": asking.name, "role": asking.role, "csrf": token}


@router.post("/api/v1/probe")
def wish(wished: Wish) -> dict[str, str]:
    return {"wish": wished.wish}


@router.post("/probe/form")
def fill(form: Form) -> dict[str, Any]:
    return {"fields": dict(form)}


@router.post("/api/v1/probe/tasks/{task_id}")
def act(task_id: str, asking: Annotated[Who, Depends(who)]) -> dict[str, Any]:
    return {"task_id": task_id, "actor": asking.actor._asdict()}


@router.post("/api/v1/probe/review")
def review(asking: Annotated[Who, Depends(at_least(Role.REVIEWER))]) -> dict[str, Any]:
    return {"name": asking.name}


@router.post("/api/v1/probe/admin")
def administer(asking: Annotated[Who, Depends(at_least())]) -> dict[str, Any]:
    return {"name": asking.name}


@router.get("/api/v1/probe/bug")
def err(request: Request) -> None:
    raise RuntimeError(f"secret sk-{'a1' * 20} at {request.url.path}")


def routes() -> list[tuple[str, set[str]]]:
    """Every path of the application with its methods, from all the modules that have routes."""
    there = [f"conductor_git.server.{name}" for name in (*PUBLIC, *ROUTERS)]
    modules = [import_module(name) for name in there if find_spec(name) is not None]
    return [(route.path, set(route.methods or ())) for module in modules for route in module.router.routes]


def error_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Assert that `answer` refuses with `status` and `code`, in the one shape of all refusals; returns the error."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert document["schema"] == 1
    error: dict[str, Any] = document["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["hint"]
    assert "Traceback" not in answer.text
    return error


@contextmanager
def logged_in(server: Server, role: Role = Role.ADMIN) -> Iterator[httpx.Client]:
    """A browser that opened the login link and sent the form that it found there."""
    with server.client(None) as browser:
        page = browser.get(server.login_link(role))
        found = re.search(r'name="code" value="([^"]+)"', page.text)
        assert found is not None, page.text
        entered = browser.post("/login", data={"code": found[1]}, headers=from_own_page(server))
        assert entered.status_code == 303, entered.text
        yield browser


def from_own_page(server: Server) -> Mapping[str, str]:
    """What a browser adds to a form of our own page."""
    return {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
