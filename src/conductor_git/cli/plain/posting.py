"""`bus post`, shared by the hot path and the ordinary one; imports nothing heavy."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from conductor_git.bus import address
from conductor_git.bus.current import CurrentBus, is_chosen
from conductor_git.cli.output import document, narrate, say
from conductor_git.context import WorkerContext
from conductor_git.environment import inherited, variable
from conductor_git.errors import BadInput, NoContext, NotARepository, TooLarge
from conductor_git.gitdir import common_dir_of
from conductor_git.identity import find_context
from conductor_git.layout import Layout
from conductor_git.message import MAX_BODY, Message, Parent, check_message
from conductor_git.names import RunId, TaskId, parse_task_id
from conductor_git.workflow.say import require_sayable, said_document
from conductor_git.workflow.say import say as put

if TYPE_CHECKING:
    from conductor_git.bus.base import Bus

DEFAULT_TYPE: Final = "FACT"


class Opened(NamedTuple):
    """A bus, and the worker in whose worktree the command runs, where it is one and the bus is the project's."""

    bus: Bus
    context: WorkerContext | None = None


def open_bus(named: str | None) -> Opened:
    """The bus that `--bus` names, or the one of the project here."""
    if named is not None:
        return Opened(address.open_bus(address.parse_address(named)))
    try:
        context = find_context(Path.cwd(), inherited()).context
    except NoContext:
        return Opened(CurrentBus(state_dir_here()))
    return Opened(CurrentBus(context.state_dir), context)


def state_dir_here() -> Path:
    """The state directory of the repository around the current directory."""
    common = common_dir_of(Path.cwd())
    if common is None:
        raise NotARepository(f"{Path.cwd()} is not inside a git repository", hint="conductor-git bus read --bus PATH")
    return Layout(common).state_dir


def post(  # noqa: PLR0913 - one parameter an option
    *,
    body: str | None = None,
    kind: str = DEFAULT_TYPE,
    task: str | None = None,
    parents: Sequence[str] = (),
    meta: Sequence[str] = (),
    attach: str | None = None,
    links: Sequence[str] = (),
    bus: str | None = None,
    as_json: bool = False,
) -> None:
    """Post one message and print its id, once it is on disk."""
    require_sayable(kind)
    log, context = open_bus(bus)
    if bus is None and context is None:
        _settle()
    message = Message(
        type=kind,
        body=_body(body),
        project_id=context.project_id if context else None,
        task_id=_task(task, context),
        run_id=_run_id(),
        parents=tuple(map(_parent, parents)),
        meta=dict(map(_pair, meta)),
        extra={"links": list(links)} if links else {},
    )
    if attach is not None:
        message = _with_file(message, Path(attach), log)
    said = put(log, message)
    for parent in said.unknown_parents:
        narrate("▲", f"{parent} is not on this bus; the message was posted all the same")
    if as_json:
        document(**said_document(message, said))
    else:
        say(said.msg_id)


def _settle() -> None:
    """The first message of a project goes where its config has the bus; from then on nobody asks the config."""
    if is_chosen(state_dir_here()):
        return
    from conductor_git.project import open_project
    from conductor_git.settings import settle_bus

    with suppress(NotARepository):
        settle_bus(open_project(Path.cwd()))


def _body(body: str | None) -> str:
    if body is not None and body != "-":
        return body
    if body is None and sys.stdin.isatty():
        raise BadInput("no message was given", hint="conductor-git bus post 'what happened'")
    said = _text_of(sys.stdin.buffer.read(MAX_BODY + 2))
    if not said:
        raise BadInput("standard input is empty: no message was given", hint="conductor-git bus post 'what happened'")
    return said


def _text_of(data: bytes) -> str:
    """Standard input as a body; the newline that ends its last line is not part of it."""
    data = data.removesuffix(b"\n")
    if len(data) > MAX_BODY:
        raise TooLarge(
            f"a message body holds at most {MAX_BODY} bytes, and standard input has more",
            hint="write it to a file and attach that: conductor-git bus post --attach PATH",
            limit=MAX_BODY,
        )
    try:
        return data.decode()
    except UnicodeDecodeError as bad:
        raise BadInput(
            f"standard input is not UTF-8: byte 0x{data[bad.start]:02x} at offset {bad.start}",
            hint="attach it as a file: conductor-git bus post --attach PATH 'what it is'",
            offset=bad.start,
        ) from bad


def _with_file(message: Message, path: Path, log: Bus) -> Message:
    """`message` with a copy of the file `path` beside the bus; made once nothing else is left to refuse."""
    from conductor_git.bus.attachments.attach import attach

    check_message(message)
    attached = attach(path, address.parse_address(log.url).path.parent)
    extra = {**message.extra, "attachment": attached.facts}
    return message._replace(attachment_path=attached.attachment_path, extra=extra)


def _task(named: str | None, context: WorkerContext | None) -> TaskId | None:
    if named is not None:
        return parse_task_id(named)
    return context.task_id if context else None


def _run_id() -> RunId | None:
    value = variable("CONDUCTOR_RUN_ID")
    return RunId(value) if value else None


def _parent(text: str) -> Parent:
    msg_id, _, kind = text.partition(":")
    if not msg_id:
        raise BadInput(f"{text!r} is not ID or ID:KIND", hint="conductor-git bus post --parent MSG-…:answers 'text'")
    return Parent(msg_id, kind or None)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInput(f"{text!r} is not KEY=VALUE", hint="conductor-git bus post --meta revision=7 'text'")
    return key, value
