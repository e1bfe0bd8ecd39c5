"""How a message looks: one line of plain text and what hangs below it, or in colour for people at a terminal.

Nothing of a message is obeyed by a terminal, and no line of it can be taken for the head of another message.
"""

from __future__ import annotations

import os
import re
from binascii import crc32
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TextIO

from conductor_git.cli.output import STATE_COLOURS, in_colour, symbol_colour
from conductor_git.cli.words import Local, body_of, local, word
from conductor_git.cli.wrapping import beginning, cells, fitting, wrapped
from conductor_git.environment import variable
from conductor_git.message import COORDINATOR_TYPES, Message, Parent

Find = Callable[[str], Message | None]
"""Looks up the message that another one answers."""
Render = Callable[[Message, Sequence[str]], str]
"""A message as text, with the ids of the messages that it hangs below in its conversation."""

_SYMBOLS: Final = {
    "BOUNCED": "▲",
    "ERROR": "✗",
    "ISSUE": "▲",
    "LANDED": "✓",
    "PROGRESS": "◎",
    "RUN_CRASH": "✗",
    "RUN_START": "◎",
    "RUN_STOP": "○",
}
_COLOURS: Final = {"DECISION": "1;35", "LANDED": "1;32", "QUESTION": "1;35", "STATE": "2", "USER": "1"}
_TASKS: Final = (29, 32, 64, 66, 98, 133, 136, 137, 166, 168)
"""Of the 256 colours, ten that are told apart and can be read on a dark ground and on a light one."""

_STATE: Final = re.compile(rf"\b(?:{'|'.join(STATE_COLOURS)})\b")
_RECOVERED: Final = "recovered: "
_TYPE_WIDTH: Final = 10
_TASK_WIDTH: Final = 20
_HEAD: Final = len("12:34:56  ✓ ") + _TYPE_WIDTH + 2
_LEAST_TEXT: Final = 32
_DEEPEST: Final = 8
_REMEMBERED: Final = 1024
_QUOTED: Final = 160
_LEAST_QUOTE: Final = 12
_LONGEST_SIZE: Final = 16
_PLAIN_WIDTH: Final = 96


class Row(NamedTuple):
    """A line of a terminal as it reads, and as it is shown."""

    text: str
    shown: str


def renderer(stream: TextIO, find: Find) -> Render:
    """What messages look like on `stream`: in colour on a terminal that has them, else plain."""
    return Viewer(stream, find).rendered if in_colour(stream) else Plain(find).rendered


class Plain:
    """For pipes, files and people without colours: day, time, type, task and text on one line, the rest below it."""

    def __init__(self, find: Find) -> None:
        self._known = _Known(find)

    def rendered(self, message: Message, above: Sequence[str] = ()) -> str:
        at, (first, *rest) = local(message.ts), body_of(message)
        mark = "  " * (len(above) - 1) + "↳ " if above else ""
        mark += _RECOVERED * message.recovered
        head = f"{at.day} {at.clock}  {word(message.type):9}  {word(message.task_id or '-'):12}  {mark}{first}"
        more = [*rest, *_trailers(message, self._known, above, _PLAIN_WIDTH)]
        self._known.add(message)
        return "\n".join([head.rstrip(), *(f"    {line}".rstrip() for line in more)])


class Viewer:
    """For people at a terminal: columns that stay where they are, a colour for each task, text wrapped to the width."""

    def __init__(self, stream: TextIO, find: Find) -> None:
        self._stream = stream
        self._known = _Known(find)
        self._day = _today()

    def rendered(self, message: Message, above: Sequence[str] = ()) -> str:
        """The lines of one message, after a line for the day where it is another one than before."""
        width = _width(self._stream)
        at = local(message.ts)
        lines = [*self._day_line(at, width), *self._block(message, at, above, width)]
        self._known.add(message)
        return "\n".join(lines)

    def _day_line(self, at: Local, width: int) -> Iterator[str]:
        if at.day != self._day and at.name:
            self._day = at.day
            yield _painted(f"── {at.name} {'─' * (width - len(at.name) - 5)}", "2")

    def _block(self, message: Message, at: Local, above: Sequence[str], width: int) -> Iterator[str]:
        depth, task = min(len(above), _DEEPEST), max(8, min(_TASK_WIDTH, width // 6))
        margin = _HEAD + task + 2 + 2 * depth
        is_narrow = width - margin < _LEAST_TEXT
        if is_narrow:
            margin, task = 10 + 2 * depth, min(_TASK_WIDTH, width - _HEAD)
        head = self._head(message, at, task)
        mark = "  " * (depth - 1) + "↳ " if depth and not is_narrow else ""
        first, *rest = self._rows(message, above, width - margin)
        if is_narrow or cells(first.text) > width - margin:
            rest.insert(0, first)
            first = Row("", "")
        yield f"{head}{_painted(mark, '2') if mark else ''}{first.shown}".rstrip()
        for row in rest:
            # What must not be broken moves to the left as far as it needs to.
            indent = max(0, min(margin, width - cells(row.text)))
            yield f"{' ' * indent}{row.shown}".rstrip()

    def _head(self, message: Message, at: Local, task_width: int) -> str:
        symbol, colour = _look(message)
        kind = fitting(word(message.type), _TYPE_WIDTH)
        task = word(message.task_id or "-")
        shown = _painted(fitting(task, task_width), _task_colour(task))
        return f"{_painted(at.clock, '2')}  {_painted(f'{symbol} {kind}', colour)}  {shown}  "

    def _rows(self, message: Message, above: Sequence[str], width: int) -> Iterator[Row]:
        first, *rest = body_of(message)
        is_step = message.type == "STATE" and not message.recovered
        # The state before the first one is nothing.
        lines = [first.removeprefix("- ") if is_step else f"{_RECOVERED * message.recovered}{first}", *rest]
        for number, line in enumerate(lines):
            for row in wrapped(line.expandtabs(4), width):
                yield _state_row(row) if is_step and number == 0 else _text_row(row, message.recovered)
        for line in _trailers(message, self._known, above, width):
            yield Row(line, _painted(line, "2"))


class _Known:
    """The last messages that were shown, for those that answer them; older ones are looked up."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._shown: dict[str, tuple[str, str, str]] = {}

    def add(self, message: Message) -> None:
        first = body_of(message._replace(body=message.body[:_QUOTED]))[0]
        self._shown[message.msg_id] = (local(message.ts).clock, message.task_id or "", first)
        if len(self._shown) > _REMEMBERED:
            del self._shown[next(iter(self._shown))]

    def reference(self, parent: Parent, width: int) -> str:
        """A message by its time, its task and how it begins; by its id where the bus does not have it."""
        if parent.msg_id not in self._shown and (found := self._find(parent.msg_id)) is not None:
            self.add(found)
        said = f"↳ {word(parent.kind or 'answers')}"
        if parent.msg_id not in self._shown:
            return f"{said} {word(parent.msg_id)} (not here)"
        clock, task, first = self._shown[parent.msg_id]
        said += f" {clock} {word(task)}".rstrip()
        left = width - cells(said) - 2
        return f"{said}: {beginning(first, left)}" if left >= _LEAST_QUOTE else said


def _trailers(message: Message, known: _Known, above: Sequence[str], width: int) -> Iterator[str]:
    """What hangs below the text: whom the message answers, what goes with it, what programs read."""
    for parent in message.parents:
        if parent.msg_id not in above[-1:]:
            yield known.reference(parent, width)
    if message.attachment_path is not None:
        yield f"⎘ {_attached(message.attachment_path, message.extra.get('attachment'))}"
    links = message.extra.get("links")
    for link in links if isinstance(links, list) else ():
        yield f"→ {word(str(link))}"
    if message.meta and message.type not in COORDINATOR_TYPES and message.type != "REVIEW":
        yield "· " + "  ".join(f"{word(key)}={word(value)}" for key, value in message.meta.items())
    if message.type == "QUESTION":
        # Whoever answers needs it: bus post --parent ID.
        yield f"· {word(message.msg_id)}"


def _attached(path: str, facts: object) -> str:
    """Where a file is, its size, and the name it had, where that is another one; as far as the message says them."""
    said = facts if isinstance(facts, Mapping) else {}
    name, size = word(str(said.get("name", ""))), str(said.get("size", ""))
    shown = _size(int(size)) if size.isascii() and size.isdecimal() and len(size) < _LONGEST_SIZE else ""
    return "  ".join(filter(None, (word(path), shown, "" if path.endswith(f"/{name}") else name)))


def _size(number: int) -> str:
    if number < 1 << 10:
        return f"{number} bytes"
    return f"{number / (1 << 10):.1f} KiB" if number < 1 << 20 else f"{number / (1 << 20):.1f} MiB"


def _look(message: Message) -> tuple[str, str]:
    """The symbol and the colour of a message's type."""
    symbol = _SYMBOLS.get(message.type, " ")
    if message.type == "GATE":
        symbol = "✓" if message.meta.get("exit_code") == "0" else "✗"
    elif message.type == "REVIEW":
        symbol = {"approve": "✓", "request_changes": "▲"}.get(message.meta.get("verdict", ""), " ")
    return symbol, _COLOURS.get(message.type) or symbol_colour(symbol) or "34"


def _task_colour(task: str) -> str:
    return "2" if task == "-" else f"38;5;{_TASKS[crc32(task.encode('utf-8', 'replace')) % len(_TASKS)]}"


def _state_row(row: str) -> Row:
    """`ASSIGNED → WORKING`, and less loud by whom and where."""
    states, bracket, rest = row.partition(" (") if "→" in row else ("", "", row)
    shown = _STATE.sub(lambda found: _painted(found[0], STATE_COLOURS[found[0]]), states)
    return Row(row, shown + _painted(f"{bracket}{rest}", "2") if bracket or rest else shown)


def _text_row(row: str, is_recovered: bool) -> Row:
    return Row(row, _painted(row, "33") if is_recovered else row)


def _painted(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m"


def _width(stream: TextIO) -> int:
    """The columns of the terminal now: a window can change while messages come."""
    named = variable("COLUMNS") or ""
    if named.isdecimal() and int(named):
        return max(20, int(named))
    try:
        return max(20, os.get_terminal_size(stream.fileno()).columns or 80)
    except (OSError, ValueError):
        return 80


def _today() -> str:
    import time

    return time.strftime("%Y-%m-%d")
