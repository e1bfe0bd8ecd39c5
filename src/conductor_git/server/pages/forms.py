"""What a form of ours sends (`application/x-www-form-urlencoded`), read before a route runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from conductor_git.errors import BadInput

_KIND: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 4096


@dataclass(frozen=True, slots=True)
class Form:
    """The fields in the order of the form; a name may be there more than once."""

    fields: Sequence[tuple[str, str]]

    def one(self, name: str, default: str = "") -> str:
        """The first value of `name`, with the line ends that a browser sends made plain ones."""
        return next((value.replace("\r\n", "\n") for key, value in self.fields if key == name), default)

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value.replace("\r\n", "\n") for key, value in self.fields if key == name)

    def number(self, name: str) -> int | None:
        """`name` as a whole number; None where it was left empty, `BadInput` where it is none."""
        text = self.one(name).strip()
        if not text:
            return None
        if not text.removeprefix("-").isdecimal() or len(text) > 9:
            raise BadInput(f"{name} is {text[:40]!r}, and a whole number is wanted", hint=f"leave {name} empty")
        return int(text)


async def _read(request: Request) -> Form:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _KIND:
        raise BadInput("this is not a form as a page of ours sends it", hint="load the page again")
    try:
        text = (await request.body()).decode("utf-8")
        fields = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as bad:  # UnicodeDecodeError among them
        raise BadInput(f"the form cannot be read: {bad}", hint="load the page again") from bad
    return Form(fields)


Sent = Annotated[Form, Depends(_read)]
