"""`bus post`, shared by the hot path and the ordinary one; imports nothing heavy."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from conductor_git.bus.file import FileBus
from conductor_git.cli.output import document, say
from conductor_git.context import WorkerContext
from conductor_git.environment import inherited, variable
from conductor_git.errors import BadInput, NoContext, NotARepository
from conductor_git.gitdir import common_dir_of
from conductor_git.identity import find_context
from conductor_git.layout import Layout
from conductor_git.masking import mask, secret_values
from conductor_git.message import COORDINATOR_TYPES, Message, Parent
from conductor_git.names import RunId, TaskId, parse_task_id

DEFAULT_TYPE: Final = "FACT"


def open_bus(named: str | None) -> tuple[FileBus, WorkerContext | None]:
    """The bus that `--bus` names, or the one of the project here, with the worker's context where there is one."""
    if named is not None:
        return FileBus(Path(named.removeprefix("file:"))), None
    try:
        context = find_context(Path.cwd(), inherited()).context
    except NoContext:
        common = common_dir_of(Path.cwd())
        if common is None:
            raise NotARepository(
                f"{Path.cwd()} is not inside a git repository", hint="conductor-git bus read --bus PATH"
            ) from None
        return FileBus(Layout(common).bus), None
    return FileBus(Path(context.bus.removeprefix("file:"))), context


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
    if kind in COORDINATOR_TYPES:
        raise BadInput(
            f"messages of type {kind} are written by conductor-git itself", hint="conductor-git bus post --type FACT"
        )
    log, context = open_bus(bus)
    message = Message(
        type=kind,
        body=mask(_body(body), secret_values(inherited())),
        project_id=context.project_id if context else None,
        task_id=_task(task, context),
        run_id=_run_id(),
        parents=tuple(map(_parent, parents)),
        attachment_path=attach,
        meta=dict(map(_pair, meta)),
        extra={"links": list(links)} if links else {},
    )
    msg_id = log.append(message)
    if as_json:
        document(msg_id=msg_id)
    else:
        say(msg_id)


def _body(body: str | None) -> str:
    if body is not None and body != "-":
        return body
    if body is None and sys.stdin.isatty():
        raise BadInput("no message was given", hint="conductor-git bus post 'what happened'")
    return sys.stdin.read().removesuffix("\n")


def _task(named: str | None, context: WorkerContext | None) -> TaskId | None:
    if named is not None:
        return parse_task_id(named)
    return context.task_id if context else None


def _run_id() -> RunId | None:
    value = variable("CONDUCTOR_RUN_ID")
    return RunId(value) if value else None


def _parent(text: str) -> Parent:
    msg_id, _, kind = text.partition(":")
    return Parent(msg_id, kind or None)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInput(f"{text!r} is not KEY=VALUE", hint="conductor-git bus post --meta revision=7 'text'")
    return key, value
