"""The config in force."""

from __future__ import annotations

from typing import Any

from conductor_git.environment import inherited
from conductor_git.masking import mask, secret_values
from conductor_git.server.api import shapes
from conductor_git.server.api.answer import answer
from conductor_git.server.api.asking import Look
from conductor_git.server.api.routing import api_router, told
from conductor_git.server.document import Document
from conductor_git.settings import resolved
from conductor_git.workflow.documents.setting import settings_document

router = api_router("settings")

_EXAMPLE = {"settings": [{"key": "limits.workers", "value": 8, "origin": "default"}]}


@router.get("/config", responses=told(shapes.Settings, _EXAMPLE))
def read_config(asking: Look) -> Document:
    """Each value and where it came from: `config check`. Secrets are masked."""
    document = settings_document(resolved(asking.project).settings)
    return answer(**_masked(document, secret_values(inherited())))


def _masked(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _masked(inner, secrets) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, secrets) for inner in value]
    return mask(value, secrets) if isinstance(value, str) else value
