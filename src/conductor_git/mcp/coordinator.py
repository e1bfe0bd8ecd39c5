"""The tools of a coordinator: an agent that hands out tasks, looks at what comes back, and lands it."""

from __future__ import annotations

from typing import Any, Final

from conductor_git.mcp import arguments
from conductor_git.mcp.call import Call
from conductor_git.mcp.reviewing import DIFF, REVIEW
from conductor_git.mcp.seat import Seat
from conductor_git.mcp.talking import post, read, task_of
from conductor_git.mcp.tool import Tool
from conductor_git.names import parse_task_id
from conductor_git.settings import project_config
from conductor_git.workflow import land, queue
from conductor_git.workflow import show as showing
from conductor_git.workflow import spawn as spawning
from conductor_git.workflow.agent_review.spawn import plan_review
from conductor_git.workflow.documents.landing import landed_document, processed_document
from conductor_git.workflow.documents.show import show_document
from conductor_git.workflow.documents.task import row_document, task_document, unreadable_document
from conductor_git.workflow.landing.wish import Wish
from conductor_git.workflow.look import status as look
from conductor_git.workflow.spawning.order import Order, Plan, plan
from conductor_git.workflow.wait import Until
from conductor_git.workflow.wait import wait as arrivals


def _spawn(seat: Seat, asked: arguments.Spawn, _: Call) -> dict[str, Any]:
    # A client gives up on a call long before a setup may; the task's supervisor runs it.
    run = spawning.spawn(seat.project, _planned(seat, asked), by=seat.by, at=seat.clock(), waits=False)
    return {"task": task_document(run)}


def _planned(seat: Seat, asked: arguments.Spawn) -> Plan:
    config, reviewed = project_config(seat.project), task_of(asked.review)
    order = Order(
        task_id=parse_task_id(asked.task),
        prompt=asked.prompt,
        agent=asked.agent or None,
        command=tuple(asked.command),
        base=asked.base or None,
        target=asked.target or None,
        needs=tuple(map(parse_task_id, asked.needs)),
    )
    if reviewed is None:
        return plan(seat.project, order, config)
    return plan_review(seat.project, order, config, reviewed)


def _status(seat: Seat, asked: arguments.Status, _: Call) -> dict[str, Any]:
    if asked.task:
        return show_document(showing.show(seat.project, parse_task_id(asked.task), now=seat.clock()))
    rows, bad = look(seat.project, now=seat.clock(), everything=asked.all)
    return {"tasks": [*map(row_document, rows), *map(unreadable_document, bad)]}


def _wait(seat: Seat, asked: arguments.Waiting, _: Call) -> dict[str, Any]:
    tasks = tuple(dict.fromkeys(map(parse_task_id, asked.tasks)))
    found = arrivals(seat.project, tasks, Until(asked.until), seconds=asked.wait)
    return {"tasks": [task_document(run) for run in found]}


def _merge(seat: Seat, asked: arguments.Merge, _: Call) -> dict[str, Any]:
    wish = Wish(strategy=asked.wish, wait_seconds=asked.wait, dry_run=asked.dry_run)
    if asked.task:
        done = land.land(seat.project, parse_task_id(asked.task), by=seat.by, at=seat.clock, wish=wish)
        return landed_document(done, dry_run=asked.dry_run)
    processed = queue.process(seat.project, by=seat.by, at=seat.clock, wish=wish)
    return processed_document(processed, dry_run=asked.dry_run)


TOOLS: Final = (
    Tool(
        "spawn",
        "Give a task a branch and a worktree, and start its agent there; where `agent` is null in the answer, none is "
        "configured and nobody works on it. The prompt is all that its worker knows.",
        arguments.Spawn,
        _spawn,
    ),
    Tool("status", "All tasks that go on, with state, health and collisions.", arguments.Status, _status, True),
    Tool("wait", "Wait until tasks are as far as asked; WAIT_TIMEOUT says who is not.", arguments.Waiting, _wait, True),
    DIFF,
    REVIEW,
    Tool(
        "merge", "Land approved work, tested as merged. A refusal says why and moves nothing.", arguments.Merge, _merge
    ),
    Tool("read", "The last messages on the bus that all workers share, oldest first.", arguments.Read, read, True),
    Tool("post", "Tell workers something, or answer a QUESTION of theirs.", arguments.Post, post),
)
"""What a server offers outside of workers' worktrees."""
