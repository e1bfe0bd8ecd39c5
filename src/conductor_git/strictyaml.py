"""YAML as our records use it: no anchors, aliases, tags, duplicate keys or deep nesting; every scalar is a string.

Read event by event, so that what is refused is refused before anything is built from it: a YAML bomb costs its own
size and no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, NoReturn, TypeAlias

import yaml

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree] | None"
KeyPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands in a tree: keys of mappings and places in lists, from the top."""

LIMIT: Final = 65536
MAX_DEPTH: Final = 8
NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})

_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Final[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_OPENED: Final = {
    "while parsing a flow sequence": "the list",
    "while parsing a flow mapping": "the mapping",
    "while scanning a quoted scalar": "the quoted text",
    "while scanning a simple key": "the key",
}
"""What libyaml calls what it was in the middle of."""

_MISREAD: Final = re.compile(
    # What a reader of YAML 1.1 or 1.2 may take for something else than a string when it stands unquoted: null, bool,
    # merge, any number (a commit id can be 12345678e9), date, sexagesimal. Rather too wide than too narrow.
    r"null|~|y|n|yes|no|on|off|true|false|<<|="
    r"|[-+]?\.?[0-9][0-9_.,:]*(e[-+]?[0-9_]*)?|[-+]?0[xob][0-9a-f_]*|[-+]?\.(inf|nan)"
    r"|[0-9]{1,4}-[0-9]{1,2}(-[0-9].*)?",
    re.IGNORECASE | re.DOTALL,
)


class BadYaml(ValueError):
    """The bytes are not YAML as our records use it. `line` and `column` count from 1."""

    def __init__(self, reason: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.reason = reason
        self.line = line
        self.column = column


def read(data: bytes, *, limit: int = LIMIT) -> Tree:
    """`data` as strings, None, lists and dicts, or `BadYaml`. Plain `null`, `~` and nothing are None; every other
    scalar is its text, quoted or not. No bytes at all read as None."""
    return _Reader(_text(data, limit), None).document()


def read_marked(data: bytes, *, limit: int = LIMIT) -> tuple[Tree, dict[KeyPath, int]]:
    """As `read`, with the line (from 1) where each key, list entry and the whole document begins."""
    lines: dict[KeyPath, int] = {}
    return _Reader(_text(data, limit), lines).document(), lines


def write(tree: Mapping[str, Any], *, limit: int = LIMIT) -> bytes:
    """`tree` as block YAML, order kept: `read(write(x)) == x` for strings, None, lists and dicts.

    Ints, floats, bools and aware datetimes are written plain, and so read back as their text; a string that looks
    like one of them is quoted. What `read` would refuse (too deep, too large) is refused here, as is text that
    UTF-8 cannot hold: a record that can be written can be read.
    """
    try:
        text: str = yaml.emit(_stream(tree), Dumper=_Dumper, allow_unicode=True, width=1 << 30)
        data = text.encode()
    except (yaml.YAMLError, UnicodeEncodeError) as problem:
        raise BadYaml(f"cannot be written as YAML: {problem}") from problem
    if len(data) > limit:
        raise BadYaml(f"would be {len(data)} bytes, more than {limit}")
    return data


def _text(data: bytes, limit: int) -> str:
    if len(data) > limit:
        raise BadYaml(f"{len(data)} bytes, more than {limit}")
    try:
        return data.decode()
    except UnicodeDecodeError as bad:
        line, column = _place(data[: bad.start].decode(), bad.start)
        raise BadYaml("not UTF-8", line, column) from bad


def _begun(problem: yaml.MarkedYAMLError, line: int) -> str:
    """Where that began which did not end: the parser notices it in a later line than the one with the mistake."""
    what, mark = _OPENED.get(problem.context or ""), problem.context_mark
    return f", for {what} that begins in line {mark.line + 1}" if what and mark and mark.line + 1 < line else ""


def _place(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


class _Reader:
    """One pass over the events of one document."""

    def __init__(self, text: str, lines: dict[KeyPath, int] | None) -> None:
        self._text = text
        self._lines = lines
        self._events = _Loader(text)
        self._next = self._events.get_event

    def document(self) -> Tree:
        try:
            return self._document()
        except yaml.MarkedYAMLError as problem:
            mark = problem.problem_mark or problem.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise BadYaml(f"{problem.problem or 'not YAML'}{_begun(problem, line)}", line, column) from problem
        except yaml.reader.ReaderError as problem:
            line, column = _place(self._text, problem.position)
            raise BadYaml("a character that YAML does not allow", line, column) from problem
        finally:
            self._events.dispose()

    def _document(self) -> Tree:
        self._next()
        start = self._next()
        if type(start) is yaml.StreamEndEvent:
            return None
        if start.tags:
            _refuse("a %TAG directive is not allowed", start)
        tree = self._node(self._next(), (), 1)
        self._next()
        if type(end := self._next()) is not yaml.StreamEndEvent:
            _refuse("a second document is not allowed", end)
        return tree

    def _node(self, event: Any, path: KeyPath, depth: int) -> Tree:
        kind = type(event)
        if kind is yaml.AliasEvent:
            _refuse("an alias is not allowed", event)
        if event.anchor is not None or event.tag is not None:
            _refuse("an anchor or tag is not allowed", event)
        if self._lines is not None:
            self._lines.setdefault(path, event.start_mark.line + 1)
        if kind is yaml.ScalarEvent:
            return None if event.implicit[0] and event.value in NULLS else str(event.value)
        if depth > MAX_DEPTH:
            _refuse(f"nested more than {MAX_DEPTH} deep", event)
        return self._mapping(path, depth) if kind is yaml.MappingStartEvent else self._sequence(path, depth)

    def _sequence(self, path: KeyPath, depth: int) -> list[Tree]:
        items: list[Tree] = []
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            items.append(self._node(event, (*path, len(items)), depth + 1))
        return items

    def _mapping(self, path: KeyPath, depth: int) -> dict[str, Tree]:
        items: dict[str, Tree] = {}
        while type(event := self._next()) is not yaml.MappingEndEvent:
            key = self._key(event, items)
            here = (*path, key)
            if self._lines is not None:
                self._lines[here] = event.start_mark.line + 1
            items[key] = self._node(self._next(), here, depth + 1)
        return items

    def _key(self, event: Any, taken: Mapping[str, Tree]) -> str:
        key = self._node(event, (), MAX_DEPTH) if type(event) in (yaml.ScalarEvent, yaml.AliasEvent) else None
        if not isinstance(key, str):
            _refuse("a key must be a string", event)
        if key in taken:
            _refuse(f"duplicate key {key!r}", event)
        return key


def _refuse(reason: str, event: Any) -> NoReturn:
    raise BadYaml(reason, event.start_mark.line + 1, event.start_mark.column + 1)


def _stream(tree: Mapping[str, Any]) -> Iterator[yaml.Event]:
    yield yaml.StreamStartEvent()
    yield yaml.DocumentStartEvent(explicit=False)
    yield from _write_node(tree, 1)
    yield yaml.DocumentEndEvent(explicit=False)
    yield yaml.StreamEndEvent()


def _write_node(value: object, depth: int) -> Iterator[yaml.Event]:
    if isinstance(value, Mapping):
        yield from _write_mapping(value, depth)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield from _write_sequence(value, depth)
    else:
        text, style = _scalar(value)
        yield yaml.ScalarEvent(None, None, (True, True), text, style=style)


def _write_mapping(value: Mapping[Any, Any], depth: int) -> Iterator[yaml.Event]:
    _check_depth(depth)
    yield yaml.MappingStartEvent(None, None, True, flow_style=not value)
    for key, item in value.items():
        if not isinstance(key, str):
            raise BadYaml(f"a key must be a string, not {key!r}")
        yield yaml.ScalarEvent(None, None, (True, True), str(key), style="'" if _looks_typed(key) else None)
        yield from _write_node(item, depth + 1)
    yield yaml.MappingEndEvent()


def _write_sequence(value: Sequence[Any], depth: int) -> Iterator[yaml.Event]:
    _check_depth(depth)
    yield yaml.SequenceStartEvent(None, None, True, flow_style=not value)
    for item in value:
        yield from _write_node(item, depth + 1)
    yield yaml.SequenceEndEvent()


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BadYaml(f"nested more than {MAX_DEPTH} deep")


def _scalar(value: object) -> tuple[str, str | None]:
    """The text of a scalar and the YAML style it needs (None: plain where the emitter may)."""
    if value is None:
        return "null", None
    if isinstance(value, bool):
        return str(value).lower(), None
    if isinstance(value, str):
        return str(value), _style(value)
    if isinstance(value, int | float) and isfinite(value):
        return repr(value), None
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z"), None
    raise BadYaml(f"no record holds a {type(value).__name__}")


def _style(text: str) -> str | None:
    if "\n" in text:
        # The emitter falls back to double quotes for what a literal block would not hold faithfully.
        return "|"
    return "'" if _looks_typed(text) else None


def _looks_typed(text: str) -> bool:
    return not text or _MISREAD.fullmatch(text) is not None
