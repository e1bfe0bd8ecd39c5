"""The header of a message read back: by one expression where it has the shape that we write, else by YAML.

The expression takes a small part of YAML, and property tests compare the two ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from conductor_git.frames.header import PLAIN, UNSAFE, flow
from conductor_git.message import MAX_HEADER, Message, Parent


def _value(end: bytes) -> bytes:
    """A group that matches one scalar as `scalar` writes it, before `end`; what YAML reads as null is not one."""
    return rb'("[^"\\\x00-\x1f\x7f]*"|(?!(?:null|Null|NULL)' + end + rb")" + PLAIN.encode() + rb")" + end


_KEY: Final = _value(b": ")
_VALUE: Final = _value(rb"\n")
_ID: Final = rb"MSG-[0-9]{8}-[0-9]{6}-[0-9]{9}-PID[0-9]{5,7}-[0-9]{4}"
_PARENT: Final = rb"    - msg_id: (" + _ID + rb")\n(?:      kind: " + _VALUE + rb")?"
_META: Final = rb"    " + _KEY + _VALUE
_HEADER: Final = (
    rb"---\n(msg_id: (" + _ID + rb")\n"
    rb"ts: ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z)\n"
    # Of our lines only `length` and `links` begin with an l, and none with a dash. Nothing matched is given back, and a
    # delimiter ends it, so that a header of another shape costs one look at its own lines.
    rb"((?:[^l\n-].*+\n|links: .*+\n)*+)"
    rb"length: ([0-9]{1,6})\n)"
    rb'crc: ([0-9a-f]{8}|"[0-9a-f]{8}")\n---\n'
)
fast_header: Final = re.compile(_HEADER)
"""A whole header as `header_lines` writes it, with what is in the middle left to `_shared`. Groups: what the crc
covers, msg_id, ts, the middle, length, crc."""
_MIDDLE: Final = (
    rb'type: ((?!NULL\n)[A-Z][A-Z_]*|"[A-Z][A-Z_]*")\n'
    rb"(?:project_id: " + _VALUE + rb")?"
    rb"(?:task_id: " + _VALUE + rb")?"
    rb"(?:run_id: " + _VALUE + rb")?"
    rb"(?:parents:\n((?:    - msg_id: [^\n]*\n(?:      kind: [^\n]*\n)?)+))?"
    rb"(?:attachment_path: " + _VALUE + rb")?"
    rb"(?:meta:\n((?:    [^\n]+\n)+))?"
    rb"(?:links: \[([^\n]+)\]\n)?"
    rb"(?:attachment: \{([^\n]+)\}\n)?"
)
_middle: Final = re.compile(_MIDDLE)
_ITEM: Final = _value(rb"(?:, |\Z)")
_FACT: Final = rb"(name|size|sha256): " + _ITEM
_KEPT: Final = 1024
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_new: Final = tuple.__new__


class BadHeader(ValueError):
    """A header that no message can be made of."""


class _Shared(NamedTuple):
    """The middle of a header: all that is neither new with each message nor counted from its bytes."""

    type: str
    project_id: str | None
    task_id: str | None
    run_id: str | None
    parents: tuple[Parent, ...]
    attachment_path: str | None
    meta: Mapping[str, str]
    extra: Mapping[str, object]


def read_fast(msg_id: bytes, ts: bytes, middle: bytes, body: str) -> Message | None:
    """The message of a header that `fast_header` matched; None where it takes YAML to be sure of a value."""
    # A header of unusual length is not kept: many of them would be a lot of memory.
    shared = _shared(middle) if len(middle) <= _KEPT else _read_shared(middle)
    if shared is None:
        return None
    kind, project, task, run, parents, path, meta, extra = shared
    # Past the constructor of the named tuple, which costs as much as all the rest here.
    return _new(
        Message,
        (kind, body, project, task, run, parents, path, meta, msg_id.decode(), ts.decode(), extra, False),
    )


def read_header(lines: bytes) -> dict[str, object]:
    """Any YAML header as a mapping, or `BadHeader`; reading is as strict as that of our records."""
    from conductor_git.strictyaml import BadYaml, read

    try:
        tree = read(lines, limit=MAX_HEADER)
    except BadYaml as bad:
        raise BadHeader(f"the header is not YAML: {bad}") from bad
    if not isinstance(tree, dict):
        raise BadHeader("the header is not a mapping")
    return dict(tree)


def message_of(fields: Mapping[str, object], body: str) -> Message:
    """The message of a header that `read_header` read; keys it does not know go to `extra`."""
    rest = {key: value for key, value in fields.items() if key not in ("length", "crc")}
    msg_id, kind = rest.pop("msg_id", None), rest.pop("type", None)
    if not isinstance(msg_id, str) or not isinstance(kind, str) or not msg_id or not kind:
        raise BadHeader("the header has no msg_id or no type")
    return Message(
        type=kind,
        body=body,
        project_id=_string(rest, "project_id"),
        task_id=_string(rest, "task_id"),
        run_id=_string(rest, "run_id"),
        parents=tuple(_read_parents(rest.pop("parents", None))),
        attachment_path=_string(rest, "attachment_path"),
        meta=_read_meta(rest.pop("meta", None)),
        msg_id=msg_id,
        ts=_string(rest, "ts") or "",
        recovered=rest.pop("recovered", None) == "true",
        extra=rest,
    )


def _read_shared(middle: bytes) -> _Shared | None:
    """The middle of a header; None where it takes YAML."""
    match = _middle.fullmatch(middle)
    if match is None:
        return None
    kind, project, task, run, parents, path, meta, links, attachment = match.groups()
    try:
        return _Shared(
            _unquoted(kind),
            None if project is None else _unquoted(project),
            None if task is None else _unquoted(task),
            None if run is None else _unquoted(run),
            _fast_parents(parents) if parents else (),
            None if path is None else _unquoted(path),
            # Read-only, as many messages hold it.
            MappingProxyType(_pairs(_META, meta)) if meta else _NOTHING,
            MappingProxyType(_fast_extra(links, attachment)) if links or attachment else _NOTHING,
        )
    except BadHeader:
        return None


_shared: Final = lru_cache(maxsize=512)(_read_shared)
"""Messages of one run mostly have all of it in common, so that a reader parses it once."""


@lru_cache(maxsize=128)
def _unquoted(raw: bytes) -> str:
    if raw[0] != 0x22:
        return raw.decode()
    try:
        text = raw[1:-1].decode()
    except UnicodeDecodeError as bad:
        raise BadHeader("not UTF-8") from bad
    if not text.isascii() and UNSAFE.search(text):
        raise BadHeader("needs YAML")
    return text


def _fast_parents(block: bytes) -> tuple[Parent, ...]:
    found = (match.groups() for match in _all(_PARENT, block))
    return tuple(Parent(msg_id.decode(), _unquoted(kind) if kind else None) for msg_id, kind in found)


def _fast_extra(links: bytes | None, attachment: bytes | None) -> dict[str, object]:
    extra: dict[str, object] = {}
    if links:
        extra["links"] = [_unquoted(match[1]) for match in _all(_ITEM, links)]
    if attachment:
        extra["attachment"] = _pairs(_FACT, attachment)
    return extra


def _pairs(expression: bytes, block: bytes) -> dict[str, str]:
    found = [match.groups() for match in _all(expression, block)]
    pairs = {_unquoted(key): _unquoted(value) for key, value in found}
    if len(pairs) != len(found):
        raise BadHeader("needs YAML")
    return pairs


def _all(expression: bytes, block: bytes) -> Iterator[re.Match[bytes]]:
    """One match after the other, to the end of the block."""
    compiled, position = _compiled(expression), 0
    while position < len(block):
        match = compiled.match(block, position)
        if match is None:
            raise BadHeader("needs YAML")
        yield match
        position = match.end()


@cache
def _compiled(expression: bytes) -> re.Pattern[bytes]:
    # On first use: many a header has none of what some of them match.
    return re.compile(expression)


def _string(fields: dict[str, object], name: str) -> str | None:
    value = fields.pop(name, None)
    if value is None or isinstance(value, str):
        return value
    raise BadHeader(f"{name} is not a string")


def _read_parents(value: object) -> Iterator[Parent]:
    if value is None:
        return
    if not isinstance(value, list):
        raise BadHeader("parents is not a list")
    for item in value:
        if isinstance(item, str):
            yield Parent(item)
        elif isinstance(item, dict) and isinstance(item.get("msg_id"), str):
            yield Parent(item["msg_id"], _string(item, "kind"))
        else:
            raise BadHeader("a parent is neither an id nor a mapping with a msg_id")


def _read_meta(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadHeader("meta is not a mapping")
    return {
        key: item if isinstance(item, str) else "" if item is None else flow(item, 1) for key, item in value.items()
    }
