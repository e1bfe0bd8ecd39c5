"""Requests to a server as a script makes them, and what it answers; documents of two runs made comparable."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

API = "/api/v1"

_COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
_SHORT = re.compile(r"\b[0-9a-f]{10}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
_MSG = re.compile(r"MSG-[0-9-]+-PID[0-9]+-[0-9]+")
_MEASURED = {"age_seconds", "seconds"}


def told(response: httpx.Response, status: int = 200) -> dict[str, Any]:
    """The document of an answer that has `status`."""
    assert response.status_code == status, response.text
    document: dict[str, Any] = response.json()
    assert document.pop("schema") == 1
    return document


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The `error` of an answer that refuses with `status` and `code`, in the one shape that refusals have."""
    error: dict[str, Any] = told(response, status)["error"]
    assert error["code"] == code, error
    assert error["message"]
    assert error["hint"]
    assert response.headers["content-type"] == "application/json"
    return error


class Masked:
    """Documents of one run with commits and messages named in the order in which they come, and times and places out.

    So two runs compare equal where they say the same, also of which commit is which.
    """

    def __init__(self, place: Path) -> None:
        self._place = str(place)
        self._known: dict[str, str] = {}

    def __call__(self, document: Any) -> Any:
        if isinstance(document, dict):
            return {key: 0 if key in _MEASURED else self(value) for key, value in document.items() if key != "schema"}
        if isinstance(document, list):
            return [self(one) for one in document]
        return self._text(document) if isinstance(document, str) else document

    def _text(self, text: str) -> str:
        text = _TIME.sub("TIME", text.replace(self._place, "PLACE"))
        text = _COMMIT.sub(self._named("commit", 10), _MSG.sub(self._named("message", 99), text))
        return _SHORT.sub(self._named("commit", 10), text)

    def _named(self, what: str, length: int) -> Callable[[re.Match[str]], str]:
        def name(found: re.Match[str]) -> str:
            return self._known.setdefault(found[0][:length], f"{what}-{len(self._known)}")

        return name
