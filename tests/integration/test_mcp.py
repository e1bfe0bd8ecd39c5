"""`conductor-git mcp`, driven by the SDK's own client over standard input and output."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import kit
from tests.integration.speaking import Refused, Speaking, speaking, together
from tests.kit import tasks

WORKER = {"whoami", "start", "read", "post", "heartbeat", "ask", "conflicts", "done", "fail"}
REVIEWER = {"whoami", "start", "diff", "read", "post", "heartbeat", "ask", "review", "fail"}
COORDINATOR = {"spawn", "status", "wait", "diff", "review", "merge", "read", "post"}


async def refused(speaker: Speaking, tool: str, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(Refused) as caught:
        await speaker.say(tool, **arguments)
    return caught.value.error


def test_a_client_drives_a_task_from_spawn_to_merge(repository: Path) -> None:
    async def test() -> None:
        async with speaking(repository) as boss:
            assert {tool.name for tool in await boss.tools()} == COORDINATOR
            made = (await boss.say("spawn", task="prices", prompt="Prices in cents"))["task"]
            async with speaking(Path(made["worktree"])) as worker:
                await work(worker, Path(made["worktree"]), boss)
            arrived = await boss.say("wait", tasks=["prices"], wait=30)
            (head,) = [task["head_commit"] for task in arrived["tasks"]]
            assert "'apple': 300" in (await boss.say("diff", task="prices"))["diff"]
            judged = await boss.say("review", task="prices", verdict="approve", commit=head, body="fine")
            assert judged["task"]["state"] == "APPROVED"
            landed = await boss.say("merge", task="prices")
            assert (landed["outcome"], landed["task"]["state"]) == ("LANDED", "COMPLETED")
            assert [task["task_id"] for task in (await boss.say("status", all=True))["tasks"]] == ["prices"]

    async def work(worker: Speaking, place: Path, boss: Speaking) -> None:
        assert {tool.name for tool in await worker.tools()} == WORKER
        assert "task prices" in (worker.about.instructions or "")
        who = await worker.say("whoami")
        assert (who["context"]["task_id"], who["state"], who["prompt"]) == ("prices", "ASSIGNED", "Prices in cents")
        await worker.say("start")
        await worker.say("heartbeat", note="at it")
        asked = asyncio.create_task(worker.say("ask", question="which currency?", wait=60))
        question = await told_of(boss, "QUESTION")
        await boss.say("post", body="something else", task="prices")
        await boss.say("post", body="euro", type="DECISION", answers=question)
        answer = await asked
        assert (answer["question"], answer["answer"]["body"]) == (question, "euro")
        assert (await worker.say("conflicts"))["collisions"] == []
        await asyncio.to_thread(tasks.commit, place, {"src/prices.py": "PRICES = {'apple': 300}\n"})
        assert (await worker.say("done", summary="cents"))["task"]["state"] == "IN_REVIEW"

    together(test)

    assert kit.git(repository, "show", "main:src/prices.py") == "PRICES = {'apple': 300}"
    assert tasks.told(repository, "PROGRESS", "prices") == ["at it"]


async def told_of(boss: Speaking, kind: str) -> str:
    """The id of the last message of `kind`, once there is one."""
    found: list[dict[str, Any]] = []
    while not found:
        found = (await boss.say("read", types=[kind]))["messages"]
    return str(found[-1]["msg_id"])


def test_a_worker_speaks_for_its_own_task_and_refusals_are_those_of_the_command_line(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")
    tasks.spawn(repository, "oak")

    async def test() -> None:
        async with speaking(place) as worker:
            assert (await refused(worker, "done", task="oak"))["code"] == "BAD_INPUT"
            assert (await refused(worker, "merge", task="oak"))["code"] == "BAD_INPUT"
            told = await refused(worker, "done")
            printed = await asyncio.to_thread(kit.conductor, "done", "--json", cwd=place)
            assert told == printed.document["error"]
            assert told["code"] == "NOTHING_TO_REVIEW"
            assert (await refused(worker, "start"))["code"] == "ILLEGAL_TRANSITION"
            said = await worker.say("post", body="mine")
            (message,) = (await worker.say("read", types=["FACT"]))["messages"]
            assert (message["msg_id"], message["task_id"]) == (said["msg_id"], "prices")
            assert (await refused(worker, "post", body="x", type="STATE"))["code"] == "BAD_INPUT"

    together(test)
    assert tasks.record(repository, "oak").state == "WORKING"


def test_a_reviewers_server_gives_the_verdict_that_it_was_spawned_for(repository: Path) -> None:
    for task_id in ("prices", "oak"):
        tasks.commit(tasks.spawn(repository, task_id), {f"{task_id}.txt": "work\n"})
        tasks.hand_in(repository, task_id)
    assert kit.conductor("spawn", "look", "--review", "prices", "--no-start", cwd=repository).code == 0
    heads = {task_id: tasks.record(repository, task_id).head_commit for task_id in ("prices", "oak")}

    async def test() -> None:
        async with speaking(Path(tasks.record(repository, "look").worktree)) as reviewer:
            assert {tool.name for tool in await reviewer.tools()} == REVIEWER
            await reviewer.say("start")
            assert "prices.txt" in (await reviewer.say("diff", task="prices"))["diff"]
            other = await refused(reviewer, "review", task="oak", verdict="approve", commit=heads["oak"])
            assert other["code"] == "WRONG_REVIEWER"
            comment = {"path": "prices.txt", "line": 1, "body": "which work?"}
            asked = {"task": "prices", "verdict": "request_changes", "commit": heads["prices"], "comments": [comment]}
            assert (await reviewer.say("review", **asked))["task"]["state"] == "WORKING"

    together(test)
    assert (tasks.record(repository, "look").state, tasks.record(repository, "oak").state) == ("COMPLETED", "IN_REVIEW")


def test_a_worker_that_was_retried_since_is_refused(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")

    async def test() -> None:
        async with speaking(place) as worker:
            for words in (("fail", "prices", "-m", "no"), ("retry", "prices")):
                assert (await asyncio.to_thread(kit.conductor, *words, cwd=repository)).code == 0
            for tool in ("heartbeat", "start", "done"):
                assert (await refused(worker, tool))["code"] == "STALE_GENERATION"
            assert (await refused(worker, "post", body="mine"))["code"] == "STALE_GENERATION"
            assert (await refused(worker, "ask", question="mine?", wait=1))["code"] == "STALE_GENERATION"

    together(test)
    assert "mine" not in kit.conductor("bus", "read", cwd=repository).out


def test_a_repository_that_is_gone_is_told_and_not_made_anew(repository: Path) -> None:
    async def test() -> None:
        async with speaking(repository) as boss:
            shutil.rmtree(repository)
            for tool, given in (("status", {}), ("post", {"body": "for whom?"})):
                assert (await refused(boss, tool, **given))["code"] == "NOT_A_REPOSITORY"

    together(test)
    assert not repository.exists()


HOSTILE: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("spawn", {"task": "../../etc", "prompt": "x"}, "BAD_TASK_ID"),
    ("spawn", {"task": "x", "prompt": "p" * 300_000}, "TOO_LARGE"),
    ("spawn", {"task": "x", "prompt": "a\0b"}, "BAD_INPUT"),
    ("spawn", {"task": "x", "prompt": "x", "command": ["a"] * 1000}, "TOO_LARGE"),
    ("spawn", {"task": "x", "prompt": 7}, "BAD_INPUT"),
    ("spawn", {"task": "x", "prompt": "x", "trust": True}, "BAD_INPUT"),
    ("spawn", {"task": "x", "prompt": "x", "target": "--upload-pack=touch /x"}, "BASE_NOT_FOUND"),
    ("diff", {"task": "--output=x"}, "BAD_TASK_ID"),
    ("read", {"since": "MSG-none"}, "UNKNOWN_CURSOR"),
    ("read", {"limit": 10**9}, "BAD_INPUT"),
    ("wait", {"tasks": ["gone"], "wait": 1}, "NOT_FOUND"),
    ("wait", {"tasks": ["gone"], "wait": 1e300}, "BAD_INPUT"),
    ("review", {"task": "gone", "verdict": "approve", "commit": "HEAD"}, "BAD_INPUT"),
    ("merge", {"task": "gone", "strategy": "octopus"}, "BAD_INPUT"),
    ("nothing" * 100, {}, "BAD_INPUT"),
)


def test_what_is_hostile_or_huge_is_refused_and_the_server_goes_on(repository: Path) -> None:
    async def test() -> None:
        async with speaking(repository) as boss:
            for tool, arguments, code in HOSTILE:
                error = await refused(boss, tool, **arguments)
                assert (tool, error["code"]) == (tool, code), error
                assert error["hint"]
                assert len(json.dumps(error)) < 4000
            assert (await boss.say("status", all=True))["tasks"] == []

    together(test)


def test_a_question_that_nobody_answers_is_waited_for_again(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")

    async def test() -> None:
        async with speaking(place) as worker:
            first = await worker.say("ask", question="which?", wait=0)
            assert first["answer"] is None
            words = ("bus", "post", "--parent", first["question"], "euro")
            assert (await asyncio.to_thread(kit.conductor, *words, cwd=repository)).code == 0
            again = await worker.say("ask", again=first["question"], wait=60)
            assert (again["question"], again["answer"]["body"]) == (first["question"], "euro")
            assert (await refused(worker, "ask"))["code"] == "BAD_INPUT"

    together(test)


@contextmanager
def begun(place: Path, tool: str, arguments: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """A server whose client, written by hand, has called a tool and not yet read the answer; gone after the block."""
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": tool, "arguments": arguments}},
    ]
    server = subprocess.Popen(
        [kit.console_script(), "mcp"], cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None
    server.stdin.write("not json\n" + "".join(f"{json.dumps(line)}\n" for line in lines))
    server.stdin.flush()
    with server:
        try:
            yield server
        finally:
            server.kill()


def test_a_server_whose_client_goes_ends_and_waits_for_no_answer(repository: Path) -> None:
    with begun(tasks.spawn(repository, "prices"), "ask", {"question": "anybody?", "wait": 600}) as server:
        kit.until(lambda: tasks.told(repository, "QUESTION", "prices"))
        out, _ = server.communicate(timeout=60)

    assert server.returncode == 0
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in out.splitlines())


def test_a_landing_that_was_begun_is_finished_though_the_client_goes(repository: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    config = f"version: 1\ngates:\n- {{name: tests, run: cat {tmp_path / 'go'}}}\n"
    tasks.commit(repository, {".conductor.yaml": config})
    assert kit.conductor("config", "trust", cwd=repository).code == 0
    tasks.approved(repository, "prices", {"a": "b\n"})

    with begun(repository, "merge", {"task": "prices"}) as server:
        gate = (tmp_path / "go").open("w")  # opens as soon as the gate reads from it
        assert server.stdin is not None
        server.stdin.close()
        gate.close()
        server.wait(timeout=60)

    assert server.returncode == 0
    assert tasks.record(repository, "prices").state == "COMPLETED"


def test_what_starts_in_one_worktree_with_the_environment_of_another_speaks_for_nobody(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")
    tasks.spawn(repository, "oak")
    for where in (repository, place):
        done = kit.conductor("mcp", cwd=where, env={"CONDUCTOR_TASK_ID": "oak"})
        assert (done.code, done.out) == (1, "")
        assert "this is the worker of oak" in done.err


def test_without_the_extra_it_says_what_to_install(repository: Path) -> None:
    program = "import sys; sys.modules['mcp'] = None; from conductor_git.cli.main import run; sys.exit(run(['mcp']))"

    done = subprocess.run(
        [kit.console_script().parent / "python", "-c", program],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "pip install 'conductor-git[mcp]'" in done.stderr
