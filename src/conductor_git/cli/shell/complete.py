"""What a shell offers at TAB: commands, options, states, branches and the tasks that the command could be about.

Answered before anything heavy is imported and without starting git, so that nobody waits at their keyboard. Whatever
goes wrong, nothing is offered and nothing is said: the person is in the middle of a line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git import directories
from conductor_git.cli.shell.spelling import PAGE, Spelled, spelled
from conductor_git.gitdir import common_dir_of
from conductor_git.layout import Layout
from conductor_git.names import TaskId

FILES: Final = ":files"
"""In place of candidates: the shell knows files better."""
_FILES: Final = frozenset({"F", "FILE", "PATH", "DIR", "PLAN", "PLAN.yaml", "PATH_OR_URL"})
_ENDED: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
_GOING: Final = frozenset({"ASSIGNED", "WORKING", "IN_REVIEW", "APPROVED"})
_STATES: Final = (*sorted(_GOING), *sorted(_ENDED))
_WANTED: Final[Mapping[str, frozenset[str]]] = {
    "start": frozenset({"ASSIGNED"}),
    "done": frozenset({"ASSIGNED", "WORKING"}),
    "heartbeat": frozenset({"WORKING"}),
    "approve": frozenset({"IN_REVIEW", "APPROVED"}),
    "request-changes": frozenset({"IN_REVIEW", "APPROVED"}),
    "merge": frozenset({"APPROVED"}),
    "cancel": _GOING,
    "fail": _GOING,
    "stop": _GOING,
    "resume": _GOING,
    "attach": _GOING,
    "retry": frozenset({"FAILED", "CANCELLED"}),
    "undo": frozenset({"COMPLETED"}),
}
"""The states of the tasks that a command is about; where no task is in one, and for other commands, all are offered."""
_RECORD_START: Final = 4096
"""The state stands before anything long in a record."""


class Candidate(NamedTuple):
    value: str
    help: str = ""


_HELP: Final = Candidate("--help", "Show this message and exit.")


def complete(words: Sequence[str]) -> int:
    """Print a candidate a line, with a tab before its help, for the last of `words`, which is being typed."""
    try:
        found = list(candidates(words))
    except Exception:  # noqa: BLE001 - whatever it is, it must not be printed into somebody's command line
        return 0
    print("".join(f"{value}\t{said}\n" if said else f"{value}\n" for value, said in found), end="")
    return 0


def candidates(words: Sequence[str]) -> Iterator[Candidate]:
    """What the last word can be; `words` are those after the program's name."""
    table = spelled(PAGE.read_text("utf-8"))
    *before, current = words or [""]
    if "--" in before:
        yield Candidate(FILES)
        return
    before, current, prefix = _parted(before, current)
    for found in _found(table, before, current):
        if found.value == FILES:
            yield found
        elif found.value.startswith(current):
            yield found._replace(value=prefix + found.value)


def _parted(before: list[str], current: str) -> tuple[list[str], str, str]:
    """`--option=value` as two words; bash has it as three, with the sign by itself."""
    name, sign, value = current.partition("=")
    if current == "=":
        return before, "", ""
    if before and before[-1] == "=":
        return before[:-1], current, ""
    if name.startswith("--") and sign:
        return [*before, name], value, f"{name}="
    return before, current, ""


def _found(table: dict[tuple[str, ...], Spelled], before: list[str], current: str) -> Iterator[Candidate]:
    words = _command(table, before)
    command = table.get(words)
    rest = before[len(words) :]
    if not rest:
        yield from _next_words(table, words)
    if command is None:
        yield from _before_a_command(current, words)
        return
    last = command.options.get(rest[-1]) if rest else None
    if last is not None and last.takes:
        yield from _values("TASK" if rest[-1] == "--task" else last.takes, words)
    elif current.startswith("-"):
        yield from (Candidate(name, option.help) for name, option in command.options.items())
        yield _HELP
    else:
        yield from _argument(command, words, rest)


def _before_a_command(current: str, words: tuple[str, ...]) -> Iterator[Candidate]:
    """The options of the program itself, or of a group of commands."""
    if current.startswith("-"):
        yield _HELP
        if not words:
            yield Candidate("--version", "Show the version.")


def _command(table: dict[tuple[str, ...], Spelled], before: list[str]) -> tuple[str, ...]:
    """The longest beginning of `before` that is a command, or a group of them."""
    for length in (2, 1):
        words = tuple(before[:length])
        if len(words) == length and any(known[:length] == words for known in table):
            return words
    return ()


def _next_words(table: dict[tuple[str, ...], Spelled], words: tuple[str, ...]) -> Iterator[Candidate]:
    """The commands that can come next; a group of them is told by theirs, unless it does something by itself."""
    found: dict[str, list[str]] = {}
    for known in table:
        if known[: len(words)] == words and len(known) > len(words):
            found.setdefault(known[len(words)], []).extend(known[len(words) + 1 : len(words) + 2])
    for word, inner in found.items():
        command = table.get((*words, word))
        yield Candidate(word, command.help if command else ", ".join(inner))


def _argument(command: Spelled, words: tuple[str, ...], rest: list[str]) -> Iterator[Candidate]:
    number, last = _typed(command, rest), (command.arguments or ("",))[-1]
    if number < len(command.arguments):
        yield from _values(command.arguments[number].rstrip("…"), words)
    elif last.endswith("…"):
        yield from _values(last.rstrip("…"), words)


def _typed(command: Spelled, rest: list[str]) -> int:
    """How many arguments stand in `rest`: what is no option, nor what one takes."""
    count, skips = 0, False
    for word in rest:
        option = command.options.get(word)
        if skips or option is not None:
            skips = not skips and option is not None and bool(option.takes)
        elif not word.startswith("-"):
            count += 1
    return count


def _values(takes: str, words: tuple[str, ...]) -> Iterator[Candidate]:
    if takes in ("TASK", "OTHER_TASK"):
        yield from _tasks(words[0] if takes == "TASK" else "")
    elif takes == "STATE":
        yield from map(Candidate, _STATES)
    elif takes in ("BRANCH", "REF"):
        yield from _branches()
    elif takes in _FILES:
        yield Candidate(FILES)
    elif takes.islower() and "|" in takes:
        yield from map(Candidate, takes.split("|"))


def _common_dir() -> Path | None:
    return common_dir_of(Path.cwd())


def _tasks(command: str) -> Iterator[Candidate]:
    common = _common_dir()
    if common is None:
        return
    layout = Layout(common)
    names = sorted(os.listdir(layout.tasks))  # noqa: PTH208 - ten times as quick
    states = {name: state for name in names if (state := _state(layout, TaskId(name)))}
    wanted = _WANTED.get(command)
    fitting = {name: state for name, state in states.items() if wanted is None or state in wanted}
    yield from (Candidate(name, state) for name, state in (fitting or states).items())


def _state(layout: Layout, task_id: TaskId) -> str:
    """The state in the record, by its line; empty where there is none, so that no damaged record is in the way."""
    try:
        fd = os.open(layout.run_info(task_id), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        _, _, rest = os.read(fd, _RECORD_START).partition(b"\nstate: ")
    except OSError:
        return ""
    finally:
        os.close(fd)
    state = rest.partition(b"\n")[0].decode("ascii", "replace")
    return state if state in _STATES else ""


def _branches() -> Iterator[Candidate]:
    common = _common_dir()
    if common is None:
        return
    heads = common / "refs" / "heads"
    loose = {path.relative_to(heads).as_posix() for path in directories.below(heads) if path.is_file()}
    packed = set[str]()
    if (common / "packed-refs").is_file():
        lines = (common / "packed-refs").read_text("utf-8", "surrogateescape").splitlines()
        packed = {line.partition(" refs/heads/")[2] for line in lines}
    yield from (Candidate(name) for name in sorted((loose | packed) - {""}) if not name.endswith(".lock"))
