"""`bus post`, `read` and `ack` as commands: every option, what they refuse, and a worker that dies between them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conductor_git.bus.file import FileBus
from conductor_git.message import MAX_BODY
from tests import kit
from tests.integration.buses import filled
from tests.kit import tasks

NOWHERE = "MSG-20200101-000000-000000000-PID00001-0001"
HEAVY = 2000
"""Messages that are more than a pipe holds."""


def post(place: Path, *arguments: str, **options: Any) -> str:
    """Post and return the id."""
    done = kit.conductor("bus", "post", *arguments, cwd=place, **options)
    assert done.code == 0, done
    return done.out.strip()


def read(place: Path, *options: str) -> list[dict[str, Any]]:
    done = kit.conductor("bus", "read", "--json", *options, cwd=place)
    assert done.code == 0, done
    assert done.document["schema"] == 1
    messages: list[dict[str, Any]] = done.document["messages"]
    return messages


def bodies(place: Path, *options: str) -> list[str]:
    return [message["body"] for message in read(place, *options)]


def state_dir(repository: Path) -> Path:
    return repository / ".git" / "conductor"


@pytest.fixture
def posted(repository: Path) -> list[str]:
    """Five facts, `one` to `five`, on the repository's bus; their ids."""
    return [post(repository, "--task", "prices", word) for word in ("one", "two", "three", "four", "five")]


def test_a_message_comes_back_with_all_that_was_posted(repository: Path) -> None:
    (repository / "report.txt").write_text("all is well\n")
    question = post(repository, "--type", "QUESTION", "gross or net?")

    options = ["--type", "DECISION", "--task", "prices", "--parent", f"{question}:answers", "--parent", question]
    options += ["--meta", "revision=7", "--meta", "note=a = b", "--attach", "report.txt"]
    msg_id = post(repository, *options, "--link", "https://example.org/1", "--link", "https://example.org/2", "gross")

    _, message = read(repository)
    assert message["msg_id"] == msg_id
    assert (message["type"], message["task_id"], message["body"]) == ("DECISION", "prices", "gross")
    assert message["parents"] == [{"msg_id": question, "kind": "answers"}, {"msg_id": question, "kind": None}]
    assert message["meta"] == {"revision": "7", "note": "a = b"}
    assert message["links"] == ["https://example.org/1", "https://example.org/2"]
    assert message["attachment"]["size"] == "12"
    assert message["attachment"]["sha256"] == hashlib.sha256(b"all is well\n").hexdigest()
    assert (state_dir(repository) / message["attachment_path"]).read_bytes() == b"all is well\n"


def test_the_document_of_a_post_names_its_id_and_its_attachment(repository: Path) -> None:
    done = kit.conductor("bus", "post", "--json", "--attach", "run.sh", "see", cwd=repository)

    (message,) = read(repository)
    assert done.document == {
        "schema": 1,
        "msg_id": message["msg_id"],
        "attachment_path": message["attachment_path"],
        "unknown_parents": [],
    }


def test_an_answer_to_what_is_not_there_is_posted_and_told(repository: Path) -> None:
    done = kit.conductor("bus", "post", "--parent", f"{NOWHERE}:answers", "yes", cwd=repository)

    assert done.code == 0
    assert done.err == f"▲ {NOWHERE} is not on this bus; the message was posted all the same\n"
    (message,) = read(repository)
    assert message["msg_id"] == done.out.strip()
    assert message["parents"] == [{"msg_id": NOWHERE, "kind": "answers"}]


@pytest.mark.parametrize("dash", [(), ("-",)], ids=["no body", "a dash"])
def test_standard_input_is_a_body_without_its_last_newline(repository: Path, dash: tuple[str, ...]) -> None:
    post(repository, *dash, input="first\n\nlast — ✓\n\n")

    assert bodies(repository) == ["first\n\nlast — ✓\n"]


def test_a_body_of_the_greatest_length_is_taken_from_standard_input(repository: Path) -> None:
    post(repository, "-", input="x" * MAX_BODY + "\n")

    assert bodies(repository) == ["x" * MAX_BODY]


def test_standard_input_without_end_is_refused_and_not_read_to_the_end(repository: Path) -> None:
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
        done = subprocess.run(
            [kit.console_script(), "bus", "post", "--json", "-"],
            cwd=repository,
            stdin=endless.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
        endless.kill()

    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"], error["limit"]) == (1, "TOO_LARGE", MAX_BODY)
    assert not state_dir(repository).exists()


def test_standard_input_that_is_no_text_is_refused_with_its_place(repository: Path) -> None:
    done = kit.conductor("bus", "post", "--json", "-", cwd=repository, input="price: \udcff\n")

    error = tasks.refused(done, "BAD_INPUT", 2)
    assert error["message"] == "standard input is not UTF-8: byte 0xff at offset 7"
    assert error["offset"] == 7
    assert not state_dir(repository).exists()


@pytest.mark.parametrize(
    ("options", "code", "exit_code"),
    [
        (("--type", "no type", "--attach", "run.sh", "x"), "BAD_INPUT", 2),
        (("--attach", "nowhere.txt", "x"), "NOT_FOUND", 18),
        (("--attach", "docs", "x"), "UNSAFE_PATH", 1),
        (("--parent", ":answers", "x"), "BAD_INPUT", 2),
        (("--meta", "loose", "x"), "BAD_INPUT", 2),
        (("--task", "No Task", "x"), "BAD_TASK_ID", 2),
        (("--bus", "", "x"), "BAD_INPUT", 2),
        (("--bus", "redis://here", "x"), "BAD_INPUT", 2),
    ],
    ids=str,
)
def test_a_refused_post_writes_nothing(repository: Path, options: tuple[str, ...], code: str, exit_code: int) -> None:
    before = kit.snapshot(repository)

    done = kit.conductor("bus", "post", "--json", *options, cwd=repository)

    tasks.refused(done, code, exit_code)
    assert kit.snapshot(repository) == before
    assert not state_dir(repository).exists()


def test_no_secret_reaches_the_disk_by_any_option(repository: Path) -> None:
    secret, key = "correct-horse-battery", "ghp_" + "A1b2C3d4" * 4
    (repository / "log.txt").write_text(f"login with {secret}\nand {key}\n")
    options = ["--meta", f"login={secret}", "--link", f"https://{secret}@example.org/{key}", "--attach", "log.txt"]

    post(repository, *options, f"used {secret} and {key}", env={"SHOP_TOKEN": secret})

    (message,) = read(repository)
    assert message["body"] == "used [masked] and [masked]"
    assert message["meta"] == {"login": "[masked]"}
    assert message["links"] == ["https://[masked]@example.org/[masked]"]
    attached = state_dir(repository) / message["attachment_path"]
    assert attached.read_text() == "login with [masked]\nand [masked]\n"
    stored = [path for path in state_dir(repository).rglob("*") if path.is_file()]
    assert [path for path in stored if secret.encode() in path.read_bytes() or key.encode() in path.read_bytes()] == []


def test_read_selects_by_cursor_number_type_and_task(repository: Path, posted: list[str]) -> None:
    post(repository, "--type", "REVIEW", "--task", "pears", "six")

    assert bodies(repository, "--since", posted[3]) == ["five", "six"]
    assert bodies(repository, "--tail", "2") == ["five", "six"]
    assert bodies(repository, "--limit", "2") == ["one", "two"]
    assert bodies(repository, "--since", posted[0], "--limit", "1") == ["two"]
    assert bodies(repository, "--type", "REVIEW") == ["six"]
    assert bodies(repository, "--type", "REVIEW", "--type", "FACT", "--tail", "2") == ["five", "six"]
    assert bodies(repository, "--task", "prices", "--tail", "1") == ["five"]
    assert bodies(repository, "--task", "price") == []


def test_an_unknown_cursor_is_no_replay(repository: Path, posted: list[str]) -> None:
    assert posted
    for words in (("read", "--since", NOWHERE), ("read", "--thread", NOWHERE), ("ack", NOWHERE, "--as", "ada")):
        done = kit.conductor("bus", *words, "--json", cwd=repository)

        tasks.refused(done, "UNKNOWN_CURSOR", 18)


@pytest.mark.parametrize(
    "options",
    [
        "--tail 1 --limit 1",
        "--tail 1 --since ID",
        "--tail 1 --as ada",
        "--as ada --since ID",
        "--ack",
        "--thread ID --tail 1",
        "--thread ID --as ada",
        "--thread ID --type FACT",
        "--as no/name",
        "--tail 0",
    ],
)
def test_options_that_contradict_each_other_are_refused(repository: Path, posted: list[str], options: str) -> None:
    words = options.replace("ID", posted[0]).split(" ")

    done = kit.conductor("bus", "read", "--json", *words, cwd=repository)

    tasks.refused(done, "BAD_INPUT", 2)


def test_whose_cursor_an_acknowledgement_moves_must_be_said(repository: Path, posted: list[str]) -> None:
    tasks.refused(kit.conductor("bus", "ack", posted[0], "--json", cwd=repository), "BAD_INPUT", 2)
    tasks.refused(kit.conductor("bus", "follow", "--ack", "--json", cwd=repository), "BAD_INPUT", 2)


def test_what_was_read_and_not_acknowledged_is_read_again(repository: Path, posted: list[str]) -> None:
    assert bodies(repository, "--as", "ada", "--limit", "2") == ["one", "two"]
    assert bodies(repository, "--as", "ada", "--limit", "2") == ["one", "two"]

    done = kit.conductor("bus", "ack", posted[1], "--as", "ada", cwd=repository)

    assert (done.code, done.out) == (0, f"{posted[1]}\n")
    assert bodies(repository, "--as", "ada") == ["three", "four", "five"]
    assert bodies(repository, "--as", "grace", "--limit", "1") == ["one"]


def test_an_acknowledged_cursor_never_goes_back(repository: Path, posted: list[str]) -> None:
    kit.conductor("bus", "ack", posted[2], "--as", "ada", cwd=repository)

    done = kit.conductor("bus", "ack", posted[0], "--as", "ada", "--json", cwd=repository)

    assert done.document == {"schema": 1, "reader": "ada", "cursor": posted[2]}
    assert bodies(repository, "--as", "ada") == ["four", "five"]


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["words", "json"])
def test_ack_takes_what_was_printed_as_dealt_with(repository: Path, posted: list[str], form: tuple[str, ...]) -> None:
    assert posted
    words = ("bus", "read", "--as", "ada", "--ack", *form)

    first = kit.conductor(*words, "--limit", "2", cwd=repository)
    second = kit.conductor(*words, "--type", "FACT", cwd=repository)
    third = kit.conductor(*words, cwd=repository)

    assert ["two" in first.out, "three" in first.out] == [True, False]
    assert ["two" in second.out, "three" in second.out, "five" in second.out] == [False, True, True]
    assert (third.code, "five" in third.out) == (0, False)


@pytest.mark.parametrize("count", [2, HEAVY])
def test_what_nobody_could_read_is_not_acknowledged(repository: Path, count: int) -> None:
    path = state_dir(repository) / "MESSAGE-BUS.md"
    filled(path, count)
    reader, writer = os.pipe()
    os.close(reader)

    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [str(kit.console_script()), "bus", "read", "--as", "ada", "--ack"]

    with Path("/dev/full").open("wb") as full:
        for stdout in (writer, full.fileno()):
            subprocess.run(command, cwd=repository, env=buffered, stdout=stdout, stderr=subprocess.DEVNULL, check=False)
    os.close(writer)

    assert FileBus(path).acknowledged("ada") is None
    assert len(read(repository, "--as", "ada")) == count


WORKER = """
import json, subprocess, sys
command, done = sys.argv[1], open(sys.argv[2], "a")
while True:
    read = subprocess.run([command, "bus", "read", "--as", "worker", "--limit", "1", "--json"], capture_output=True)
    messages = json.loads(read.stdout)["messages"]
    if not messages:
        break
    print(messages[0]["body"], file=done, flush=True)  # acting on it
    if sys.argv[3] == messages[0]["body"]:
        print("acted", flush=True)
        sys.stdin.read()  # until it is killed
    subprocess.run([command, "bus", "ack", messages[0]["msg_id"], "--as", "worker"], check=True, capture_output=True)
"""


def test_a_worker_that_dies_before_it_acknowledges_reads_again(
    repository: Path, posted: list[str], tmp_path: Path
) -> None:
    assert posted
    acted = tmp_path / "acted"
    command = [sys.executable, "-c", WORKER, str(kit.console_script()), str(acted)]
    with subprocess.Popen(
        [*command, "three"], cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "acted\n"
        worker.kill()

    subprocess.run([*command, "none"], cwd=repository, check=True)

    assert acted.read_text().split() == ["one", "two", "three", "three", "four", "five"]
    assert bodies(repository, "--as", "worker") == []


@pytest.mark.parametrize("scheme", ["", "file:", "sqlite:"])
def test_a_bus_by_path_or_url_needs_no_repository(tmp_path: Path, scheme: str) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    bus = f"--bus={scheme}{tmp_path / 'shared' / 'bus'}"

    first = post(place, bus, "--task", "prices", "one")
    second = post(place, bus, "--parent", f"{first}:answers", "two")

    assert bodies(place, bus, "--since", first) == ["two"]
    assert bodies(place, f"--bus={tmp_path / 'shared' / 'bus'}", "--thread", second) == ["one", "two"]
    assert kit.conductor("bus", "ack", second, "--as", "ada", bus, cwd=place).out == f"{second}\n"
    assert bodies(place, bus, "--as", "ada") == []
    assert kit.conductor("bus", "verify", bus, "--json", cwd=place).document["messages"] == 2
    assert list(place.iterdir()) == []


def test_a_bus_that_is_not_there_is_empty_and_told(tmp_path: Path) -> None:
    done = kit.conductor("bus", "read", "--bus", "nowhere.md", cwd=tmp_path)

    assert (done.code, done.out) == (0, "")
    assert done.err == f"○ there is no bus at {tmp_path / 'nowhere.md'} yet\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["-"], []])
def test_standard_input_without_anything_is_refused(repository: Path, words: list[str]) -> None:
    done = kit.conductor("bus", "post", "--json", *words, cwd=repository, input="\n" if words else "")

    assert tasks.refused(done, "BAD_INPUT", 2)["message"] == "standard input is empty: no message was given"
    assert not state_dir(repository).exists()
