"""JSON answers: the documents of the command line, as HTTP carries them."""

from __future__ import annotations

import json
from typing import Any

from fastapi.responses import JSONResponse

SCHEMA = 1


class Document(JSONResponse):
    """JSON in UTF-8. What UTF-8 cannot hold (the odd bytes of a file name) is escaped, as `--json` does it."""

    def render(self, content: Any) -> bytes:
        try:
            return json.dumps(content, ensure_ascii=False, allow_nan=False, default=str).encode()
        except UnicodeEncodeError:
            return json.dumps(content, allow_nan=False, default=str).encode()
