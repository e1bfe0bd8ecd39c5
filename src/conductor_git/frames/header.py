"""The header of a message written as YAML, without a YAML library, whose import costs more than a command may.

What is written plain is a small part of YAML that YAML 1.1 and 1.2 read as the same string; all else is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from conductor_git.errors import BadInput, TooLarge
from conductor_git.message import MAX_HEADER, Message, Parent

PLAIN: Final = r"(?:[A-Za-z_/][A-Za-z0-9_./@+-]*|[0-9]{8}-[0-9]{6,}-[0-9]+-[0-9]+)"
_WORDS: Final = frozenset("null true false yes no on off y n".split())
"""Words that YAML 1.1 reads as something else than a string, in any case."""
UNSAFE: Final = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]')
"""What a double-quoted scalar cannot hold as it is: YAML forbids it, or reads it as an escape or a line end."""
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}

_plain: Final = re.compile(PLAIN, re.ASCII)
_MAX_KEY: Final = 128
_MAX_DEPTH: Final = 6
_OURS: Final = frozenset(
    "msg_id ts type project_id task_id run_id parents attachment_path meta recovered length crc".split()
)
_ROOM: Final = 256
"""What msg_id, ts and crc may need of the header's limit."""


def header_lines(message: Message) -> str:
    """The lines between `ts` and `length`; `TooLarge` or `BadInput` where a header cannot hold them."""
    text = "".join(_lines(message))
    try:
        size = len(text.encode())
    except UnicodeEncodeError as bad:
        raise BadInput("a message header holds no lone surrogates", hint="check the encoding of its values") from bad
    if size > MAX_HEADER - _ROOM:
        raise TooLarge(
            f"a message header holds at most {MAX_HEADER} bytes",
            hint="write it to a file and attach that: conductor-git bus post --attach PATH",
            limit=MAX_HEADER,
        )
    return text


@lru_cache(maxsize=128)
def scalar(text: str) -> str:
    """`text` as YAML that every reader takes for this string: plain where that is sure, else in double quotes."""
    if _plain.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if "\0" in text:
        raise BadInput("a message header holds no NUL byte", hint="leave it out")
    return f'"{UNSAFE.sub(_escape, text)}"'


def _lines(message: Message) -> Iterator[str]:
    # A type is A-Z and _, so only a word can need quotes.
    yield f"type: {scalar(message.type)}\n"
    if message.project_id is not None:
        yield f"project_id: {scalar(message.project_id)}\n"
    if message.task_id is not None:
        yield f"task_id: {scalar(message.task_id)}\n"
    if message.run_id is not None:
        yield f"run_id: {scalar(message.run_id)}\n"
    if message.parents:
        yield "parents:\n"
        yield from map(_parent_lines, message.parents)
    if message.attachment_path is not None:
        yield f"attachment_path: {scalar(message.attachment_path)}\n"
    if message.meta:
        yield "meta:\n"
        yield from (f"    {_key(key)}: {scalar(value)}\n" for key, value in message.meta.items())
    for key, value in message.extra.items():
        if key in _OURS:
            raise BadInput(f"{key} is a key of the message itself", hint="choose another name")
        yield f"{_key(key)}: {flow(value, 1)}\n"
    if message.recovered:
        # It was found past damage on the bus that it was copied from, and stays marked.
        yield f"recovered: {scalar('true')}\n"


def _parent_lines(parent: Parent) -> str:
    kind = "" if parent.kind is None else f"      kind: {scalar(parent.kind)}\n"
    return f"    - msg_id: {scalar(parent.msg_id)}\n{kind}"


def _key(key: str) -> str:
    if not 0 < len(key) <= _MAX_KEY:
        raise BadInput(f"a key of a message header has 1 to {_MAX_KEY} characters", hint="choose a shorter name")
    return scalar(key)


def flow(value: object, depth: int) -> str:
    """A tree of strings, None, lists and mappings on one line."""
    if depth > _MAX_DEPTH:
        raise BadInput(f"a message header is nested at most {_MAX_DEPTH} deep", hint="put it into the body")
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(str(key))}: {flow(item, depth + 1)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item, depth + 1) for item in value) + "]"
    return scalar(str(value))


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if "\ud800" <= character <= "\udfff":
        # Left as it is: whoever encodes the header refuses it by name.
        return character
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"
