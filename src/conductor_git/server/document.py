"""JSON answers: the documents of the command line, as HTTP carries them."""

from __future__ import annotations

import json
from typing import Any

from fastapi.responses import JSONResponse

SCHEMA = 1


def encoded(content: Any) -> bytes:
    """JSON in UTF-8. What UTF-8 cannot hold (the odd bytes of a file name) is escaped, as `--json` does it."""
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, default=str).encode()
    except UnicodeEncodeError:
        return json.dumps(content, allow_nan=False, default=str).encode()


class Document(JSONResponse):
    """Something as JSON, `encoded`, and a line end: what `curl` shows stands on a line of its own."""

    def render(self, content: Any) -> bytes:
        return encoded(content) + b"\n"


class Ready(Document):
    """Bytes that are a document of JSON already."""

    def render(self, content: bytes) -> bytes:
        return content + b"\n"
