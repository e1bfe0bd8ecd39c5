"""`chat` and the adapters that call it: perplexity and xai asked for real, over HTTP, and all that goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from conductor_git.runner.agents.base import AgentEvent, Ask, Kind, Limit
from conductor_git.runner.agents.chatting.adapter import Chatter
from conductor_git.runner.agents.perplexity import Perplexity
from conductor_git.runner.agents.xai import XAI
from tests.agents import chat_server
from tests.agents.chat_server import HOLD, KEY, ChatServer, Reply, completion, delta, event, refusal, response, stop
from tests.agents.desk import Desk

SOURCES = [
    {"id": 1, "title": "Prices [old]", "url": "https://example.org/prices", "snippet": "…"},
    {"id": 2, "title": "Plums", "url": "https://example.org/plums", "snippet": "…"},
]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server.serving() as serving:
        yield serving


@pytest.fixture
def desk(tmp_path: Path, server: ChatServer) -> Desk:
    return Desk(tmp_path, server)


def test_xai_is_asked_and_its_answer_is_in_the_file_with_its_cost_in_the_stream(desk: Desk) -> None:
    desk.server.reply = completion("Plums co", "st 5.\nApples", " cost 9.", citations=["https://example.org/prices"])

    talk = desk.ask(XAI())

    assert talk.code == 0, talk
    assert talk.answer == "Plums cost 5.\nApples cost 9.\n\n## Sources\n\n1. <https://example.org/prices>\n"
    assert [event.text for event in talk.events if event.kind is Kind.TEXT] == ["Plums cost 5.\n", "Apples cost 9."]
    assert talk.only(Kind.USAGE) == AgentEvent(Kind.USAGE, "", 12, 34, 0.01585, total=True)
    assert desk.server.bodies == [
        {
            "model": "grok-4.3",
            "messages": [{"role": "user", "content": "What do plums cost? Größe €\n"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]
    assert desk.server.headers[0]["accept-encoding"] == "identity"


def test_perplexity_is_asked_and_its_sources_are_listed_by_the_numbers_that_the_text_has(desk: Desk) -> None:
    desk.server.reply = response("Plums cost 5 [2]", ", apples 9 [1].", results=SOURCES)

    talk = desk.ask(Perplexity())

    assert talk.code == 0, talk
    assert talk.answer == (
        "Plums cost 5 [2], apples 9 [1].\n\n## Sources\n\n"
        "1. [Prices (old)](<https://example.org/prices>)\n2. [Plums](<https://example.org/plums>)\n"
    )
    assert talk.only(Kind.USAGE) == AgentEvent(Kind.USAGE, "", 120, 21, 0.0061, total=True)
    assert desk.server.bodies == [
        {"preset": "fast", "model": "perplexity/sonar", "input": "What do plums cost? Größe €\n", "stream": True}
    ]


def test_the_model_of_the_config_is_asked(desk: Desk) -> None:
    desk.server.reply = completion("Yes.")

    assert desk.ask(XAI(), model="grok-house").code == 0
    assert desk.server.bodies[0]["model"] == "grok-house"


@pytest.mark.parametrize(
    ("agent", "key", "name"), [(Perplexity(), "PERPLEXITY_API_KEY", "perplexity"), (XAI(), "XAI_API_KEY", "xai")]
)
def test_the_adapters_say_what_they_are(agent: Chatter, key: str, name: str) -> None:
    version = subprocess.run(agent.version_command, capture_output=True, text=True, check=True)

    assert (agent.name, agent.program, agent.keys) == (name, sys.executable, (key,))
    assert (agent.edits, agent.needs_key, agent.oldest) == (False, True, ())
    assert version.stdout.startswith("conductor-git-chat ")


def test_a_person_at_the_terminal_does_not_have_to_type_the_prompt(desk: Desk) -> None:
    desk.server.reply = completion("Yes.")
    launch = XAI().launch(Ask(desk.prompt, desk.worktree, desk.output, attended=True))
    own = {"XAI_API_KEY": KEY, "XAI_BASE_URL": desk.server.url}

    assert launch.stdin is None
    done = subprocess.run(launch.command, stdin=subprocess.DEVNULL, env=dict(os.environ) | own, check=False)

    assert done.returncode == 0
    assert desk.server.bodies[0]["messages"][0]["content"] == desk.prompt.read_text("utf-8")


@pytest.mark.parametrize(
    ("reply", "limit"),
    [
        (refusal(403, {"error": "Your team has either used all available credits or …"}), Limit.AUTH),
        (refusal(503, b"\xff\0 overloaded"), Limit.RATE),
        (Reply((delta("Plu"), event({"error": {"message": "Overloaded", "type": "overloaded_error"}}))), Limit.RATE),
    ],
    ids=["no money", "a server that is down", "in the middle of the answer"],
)
def test_a_provider_that_does_not_serve_is_a_limit_and_leaves_no_file(desk: Desk, reply: Reply, limit: Limit) -> None:
    desk.server.reply = reply

    talk = desk.ask(XAI())

    assert (talk.code, talk.output.exists()) == (1, False), talk
    assert talk.only(Kind.LIMIT).limit is limit
    assert talk.complaint.strip() == talk.only(Kind.LIMIT).text


def test_an_agent_api_that_fails_in_the_middle_is_a_limit_too(desk: Desk) -> None:
    error = {"code": "rate_limit_exceeded", "message": "Too many requests"}
    desk.server.reply = response("Plu", kind="failed", error=error)

    talk = desk.ask(Perplexity())

    assert (talk.code, talk.output.exists()) == (1, False), talk
    assert talk.only(Kind.LIMIT).limit is Limit.RATE


def test_retry_after_is_told_as_seconds_or_as_a_date(desk: Desk) -> None:
    until = (datetime.now(UTC) + timedelta(hours=3)).replace(microsecond=0)

    desk.server.reply = refusal(429, {"error": "slow down"}, Retry_After=format_datetime(until, usegmt=True))
    assert desk.ask(XAI()).only(Kind.LIMIT).until == until

    desk.server.reply = refusal(429, {"error": "slow down"}, Retry_After="7200")
    before = datetime.now(UTC)
    told = desk.ask(XAI()).only(Kind.LIMIT).until
    assert told is not None
    assert before + timedelta(seconds=7200) <= told <= datetime.now(UTC) + timedelta(seconds=7200)


def test_a_wrong_key_is_told_without_telling_it(desk: Desk) -> None:
    wrong = "another-key-0123456789"

    talk = desk.ask(XAI(), XAI_API_KEY=wrong)

    assert talk.only(Kind.LIMIT).limit is Limit.AUTH
    assert "Incorrect API key provided: Bearer [masked]" in talk.complaint
    assert wrong not in talk.complaint + json.dumps(talk.lines)


@pytest.mark.parametrize(
    "reply",
    [
        Reply((delta("Plums cost"), delta(" 5")), whole=False),
        Reply((delta("Plums cost"), delta(" 5"))),
        Reply((delta("Plums cost"), delta(" 5")[:-9]), whole=False),
    ],
    ids=["by the connection", "between two events", "within an event"],
)
def test_an_answer_that_breaks_off_is_an_error_and_leaves_the_file_as_it_was(desk: Desk, reply: Reply) -> None:
    desk.output.write_text("the answer before\n")
    desk.server.reply = reply

    talk = desk.ask(XAI())

    assert talk.code == 1
    assert "broke off" in talk.only(Kind.ERROR).text
    assert talk.answer == "the answer before\n"
    assert list(talk.output.parent.iterdir()) == [talk.output]


def test_an_agent_api_without_its_last_event_breaks_off(desk: Desk) -> None:
    whole = response("Plums cost 5.")
    desk.server.reply = Reply((*whole.chunks[:-1], chat_server.DONE))

    assert "broke off" in desk.ask(Perplexity()).only(Kind.ERROR).text
    assert not desk.output.exists()


def test_a_provider_that_falls_silent_is_waited_for_no_longer_than_said(desk: Desk) -> None:
    desk.server.reply = Reply((delta("Plums"), HOLD, stop()))

    talk = desk.ask(XAI(), "--patience", "0.2")

    assert (talk.code, talk.output.exists()) == (1, False)
    assert "said nothing for 0.2 s" in talk.only(Kind.ERROR).text


def test_the_answer_is_told_while_it_comes(desk: Desk) -> None:
    desk.server.reply = Reply((delta("Plums cost 5.\nApp"), HOLD, delta("les 9."), stop(), chat_server.DONE))

    with desk.asking(XAI()) as running:
        assert running.stdout is not None
        assert json.loads(running.stdout.readline()) == {"type": "text", "text": "Plums cost 5.\n"}
        assert not desk.output.exists()
        desk.server.go_on.set()
        running.communicate()

    assert desk.output.read_text() == "Plums cost 5.\nApples 9.\n"


def test_garbage_in_the_stream_is_kept_and_passed_over(desk: Desk) -> None:
    odd = [b"{", b"[]", b"null", b"\xff\xfe", b'{"choices": 5, "usage": "x", "citations": {}}', b"9" * 5000]
    odd += [b'{"choices": [{"delta": {"content": 7}, "finish_reason": 1}]}', b'{"a":' * 5000]
    noise = (b": keep-alive\n\n", b"event: ping\nid: 7\n\n", b"garbage\r\n\r\n", b"data:\n\n")
    desk.server.reply = Reply((*noise, *map(event, odd), *completion("Plums ", "cost 5.").chunks))

    talk = desk.ask(XAI())

    assert talk.code == 0, talk
    assert talk.answer == "Plums cost 5.\n"
    assert len([event for event in talk.events if event.kind is Kind.OTHER]) == 7  # one tells that the answer is there


def test_bytes_may_be_cut_anywhere_and_lines_may_end_with_a_return(desk: Desk) -> None:
    whole = b"".join(completion("Größe ", "5 €.").chunks).replace(b"\n", b"\r\n")
    desk.server.reply = Reply(tuple(whole[at : at + 7] for at in range(0, len(whole), 7)))

    assert desk.ask(XAI()).answer == "Größe 5 €.\n"


@pytest.mark.parametrize(
    ("chunks", "told"),
    [
        ((b"data: " + b"x" * (1 << 20),), "a line of the stream"),
        ((b"data: " + b"x" * 1000 + b"\n",) * 1100, "a line of the stream"),
        ((delta("x" * 100_000),) * 90, "the answer is longer than 8 MiB"),
    ],
    ids=["a line without end", "an event without end", "an answer without end"],
)
def test_what_has_no_end_is_not_read_to_its_end(desk: Desk, chunks: tuple[bytes, ...], told: str) -> None:
    desk.server.reply = Reply((*chunks, HOLD))

    talk = desk.ask(XAI())

    assert (talk.code, talk.output.exists()) == (1, False)
    assert told in talk.only(Kind.ERROR).text


def test_an_answer_that_the_provider_cut_says_so(desk: Desk) -> None:
    desk.server.reply = Reply((delta("Plums"), stop("length"), chat_server.DONE))
    assert desk.ask(XAI()).answer == "Plums\n\n(The provider cut the answer off here: its length limit.)\n"

    desk.server.reply = response("Plums", kind="incomplete", incomplete_details={"reason": "max_output_tokens"})
    assert desk.ask(Perplexity()).answer == "Plums\n\n(The provider cut the answer off here: max output tokens.)\n"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (completion(" ", "\n"), "the answer is empty"),
        (refusal(400, {"error": {"message": "bad request"}}), "HTTP 400: bad request"),
        (Reply((b"<html>",), headers={"Content-Type": "text/html"}), "no stream of events but text/html"),
        (
            Reply((b"\x1f\x8b",), headers={"Content-Type": "text/event-stream", "Content-Encoding": "gzip"}),
            "compressed",
        ),
    ],
)
def test_what_is_no_answer_is_an_error(desk: Desk, reply: Reply, told: str) -> None:
    desk.server.reply = reply

    talk = desk.ask(XAI())

    assert (talk.code, talk.output.exists()) == (1, False)
    assert told in talk.only(Kind.ERROR).text


def test_a_redirect_is_not_followed(desk: Desk) -> None:
    with chat_server.serving() as elsewhere:
        elsewhere.reply = completion("The key, please.")
        desk.server.reply = Reply((), 307, {"Location": f"{elsewhere.url}/chat/completions"})

        talk = desk.ask(XAI())

    assert "HTTP 307: a redirect, which is not followed" in talk.only(Kind.ERROR).text
    assert elsewhere.headers == []


def test_a_model_that_is_not_there_is_an_error_with_the_providers_words(desk: Desk) -> None:
    talk = desk.ask(XAI(), model="grok-0")

    assert talk.only(Kind.ERROR).text == "HTTP 404: The model grok-0 does not exist (not-found)"


def test_an_address_that_could_give_the_key_away_is_not_called(desk: Desk) -> None:
    talk = desk.ask(XAI(), XAI_BASE_URL="http://user:hunter2@example.org/v1")

    assert talk.code == 2
    assert "XAI_BASE_URL" in talk.only(Kind.ERROR).text
    assert "hunter2" not in talk.complaint


def test_a_key_that_is_none_is_refused_without_a_call(desk: Desk) -> None:
    talk = desk.ask(XAI(), XAI_API_KEY="two words")

    assert (talk.code, desk.server.headers) == (2, [])
    assert talk.complaint == "XAI_API_KEY holds characters that no key has\n"


def test_an_empty_prompt_is_refused(desk: Desk) -> None:
    desk.prompt.write_text(" \n")

    assert desk.ask(XAI()).code == 2
    assert desk.server.headers == []


def test_nobody_at_the_address_is_an_error(desk: Desk) -> None:
    talk = desk.ask(XAI(), XAI_BASE_URL="http://127.0.0.1:9/v1")

    assert (talk.code, talk.output.exists()) == (1, False)
    assert "127.0.0.1:9 cannot be reached" in talk.only(Kind.ERROR).text


def test_without_httpx_it_says_what_to_install(desk: Desk, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "httpx.py").write_text("raise ModuleNotFoundError(name='httpx')\n")

    path = os.pathsep.join(filter(None, [str(blocked), os.environ.get("PYTHONPATH")]))

    talk = desk.ask(XAI(), PYTHONPATH=path)

    assert (talk.code, desk.server.headers) == (127, [])
    assert "pip install 'conductor-git[chat]'" in talk.complaint


def test_modules_in_the_worktree_are_not_imported(desk: Desk) -> None:
    for name in ("httpx", "json", "argparse"):
        (desk.worktree / f"{name}.py").write_text("raise SystemExit('a module of the worktree')\n")
    desk.server.reply = completion("Yes.")

    assert desk.ask(XAI()).code == 0


def test_a_stopped_one_leaves_no_part_of_an_answer(desk: Desk) -> None:
    desk.server.reply = Reply((delta("Plums\n"), HOLD))

    with desk.asking(XAI()) as running:
        assert running.stdout is not None
        assert running.stdout.readline()
        running.terminate()
        running.communicate()

    assert running.returncode != 0
    assert list(desk.output.parent.iterdir()) == []


@pytest.mark.parametrize(
    "line", ["", "words", "[]", '{"type": "limit", "limit": "x"}', '{"type": 7}', '{"type": "text"']
)
def test_a_line_that_is_not_known_is_kept(line: str) -> None:
    assert list(XAI().events(line)) == [AgentEvent(Kind.OTHER, line)]
