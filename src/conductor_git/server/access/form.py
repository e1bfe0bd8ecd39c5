"""The fields of a form, for routes of pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request

from conductor_git.server.access.body import fields_of


async def form(request: Request) -> Mapping[str, str]:
    """The fields that a page's form sent; the body is bounded and of the right kind, see `door`."""
    return fields_of(await request.body())


Form = Annotated[Mapping[str, str], Depends(form)]
