"""A message made ready to be stored: masked, checked against all limits, encoded up to its id."""

from __future__ import annotations

from conductor_git.environment import inherited
from conductor_git.frames.frame import Draft, draft
from conductor_git.masking import mask, secret_values
from conductor_git.message import Message


class Desk:
    """Where messages of this process are made ready; it knows the secrets of the environment from its first one on."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] | None = None

    def ready(self, message: Message) -> Draft:
        """`message` without any secret that we know of, as a draft; `BadInput` and `TooLarge` before all else."""
        if self._secrets is None:
            self._secrets = secret_values(inherited())
        return draft(self._masked(message))

    def _masked(self, message: Message) -> Message:
        body = self._text(message.body)
        meta = {key: self._text(value) for key, value in message.meta.items()} if message.meta else message.meta
        extra = {key: self._tree(value) for key, value in message.extra.items()} if message.extra else message.extra
        if body is message.body and meta == message.meta and extra == message.extra:
            return message
        return message._replace(body=body, meta=meta, extra=extra)

    def _text(self, text: str) -> str:
        return mask(text, self._secrets or ())

    def _tree(self, value: object) -> object:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {key: self._tree(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._tree(item) for item in value]
        return value
