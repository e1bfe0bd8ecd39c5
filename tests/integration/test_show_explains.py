"""What `show` tells: why a task stands where it stands, with what is needed to judge it, and no terminal obeys it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conductor_git.names import TaskId
from conductor_git.project import open_project
from tests import kit
from tests.docs.terminal import Terminal
from tests.integration import agents
from tests.integration import situations as at
from tests.integration.test_show_moves import shown, typed
from tests.kit import tasks


def why(repository: Path, task_id: str = "prices") -> str:
    """All the reasons that `show` gives, a line each."""
    return "\n".join(shown(repository, task_id)["explanation"]["because"])


def told(repository: Path, task_id: str = "prices") -> str:
    done = kit.conductor("show", task_id, cwd=repository)
    assert (done.code, done.err) == (0, ""), done
    return done.out


def test_a_red_gate_is_told_with_its_exit_code_its_log_and_how_that_ends(repository: Path) -> None:
    at.with_a_red_gate(repository)

    because, text = why(repository), told(repository)

    log = tasks.record(repository, "prices").landing.gates[0].log  # type: ignore[union-attr]
    assert "the gate unit is red on the merged tree (exit code 3): sh -c" in because
    assert f"its log ends, in {log}:\none failed\ntwo failed" in because
    assert log in text
    assert "two failed\n" in text
    assert "✗ gate unit: exit code 3 in " in text


def test_of_a_long_log_the_last_lines_are_told(repository: Path) -> None:
    at.have_gate(repository, "sh -c 'seq 1 5000; exit 1'")
    tasks.approved(repository, "prices", at.WORK)
    tasks.merge(repository, "prices")

    lines = why(repository).splitlines()

    assert "5000" in lines
    assert "4999" in lines
    assert "4900" not in lines
    assert len([line for line in lines if line.isdecimal()]) == 20


def test_a_gate_that_ran_into_its_time_limit_is_told_as_such(repository: Path) -> None:
    at.with_a_gate_out_of_time(repository)

    assert "the gate unit is red on the merged tree (ran into its time limit after 1 s): sleep 600" in why(repository)
    assert "✗ gate unit: time limit in " in told(repository)


def test_a_log_that_is_no_plain_file_any_more_is_not_read(repository: Path) -> None:
    at.with_a_red_gate(repository)
    log = Path(tasks.record(repository, "prices").landing.gates[0].log)  # type: ignore[union-attr]
    log.unlink()
    os.mkfifo(log)

    assert f"nothing can be read in its log {log}" in why(repository)


def test_what_blocks_is_told_with_the_checkout_and_only_as_long_as_it_does(repository: Path) -> None:
    at.blocked(repository)

    own = f"the checkout {repository} has changes of its own in"
    assert f"{own} docs/how to run.md and src/prices.py" in why(repository)

    kit.git(repository, "checkout", "--", "src/prices.py")

    assert f"{own} docs/how to run.md" in why(repository).splitlines()

    kit.git(repository, "checkout", "--", ".")

    assert "nothing is in the way any more" in why(repository)


def test_who_approved_and_how_many_are_to_come_is_told(repository: Path) -> None:
    at.in_review_by_two(repository)
    head = tasks.record(repository, "prices").head_commit or ""

    assert f"ada approved {head[:10]}; 1 approval by somebody else to come" in why(repository)


def test_whoever_has_approved_is_not_asked_to_approve_again(repository: Path) -> None:
    at.in_review_by_somebody_else(repository)

    assert shown(repository)["explanation"]["moves"] == ["conductor-git diff prices"]
    assert "Test Person approved" in why(repository)


def test_a_review_of_an_older_commit_is_outdated_and_said_to_be(repository: Path) -> None:
    at.in_review_by_two(repository)
    tasks.commit(at.place(repository), {"src/more.py": "MORE = 1\n"})

    assert "no word on" in why(repository)

    tasks.hand_in(repository, "prices")
    document = shown(repository)

    assert [review["outdated"] for review in document["reviews"]] == [True]
    assert "what ada said (approve) was of" in why(repository)
    assert ", outdated\n" in told(repository)


def test_an_agent_that_reviews_is_told(repository: Path) -> None:
    at.in_review_by_an_agent(repository)

    assert "look is to review it, and is WORKING" in why(repository)
    assert "conductor-git show look" in shown(repository)["explanation"]["moves"]


def test_a_request_for_changes_is_told_with_whose_it_is_and_what_it_says(repository: Path) -> None:
    at.with_changes_requested(repository)

    assert "with 1 line comment: not like this" in why(repository)
    text = told(repository)
    assert "ada: request changes of " in text
    assert "  src/new.py:1: call it something else\n" in text


def test_an_agent_is_told_with_its_process_and_its_last_sign_of_life(repository: Path) -> None:
    at.with_an_agent_that_says_nothing(repository)
    pid = tasks.record(repository, "prices").attempts[-1].pid

    because = why(repository)
    kit.conductor("stop", "prices", cwd=repository)

    assert f"its agent sh is alive (pid {pid}), its last sign of life " in because
    assert shown(repository)["task"]["health"] == "detached"


def test_the_end_of_what_a_failed_agent_printed_is_told_without_secrets(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "very-secret-word")
    agents.launch(repository, "echo key very-secret-word >&2; exit 7")
    kit.until(lambda: tasks.record(repository, "prices").state == "FAILED")

    assert "key [masked]" in why(repository)
    assert "the last attempt of its agent sh: exited, exit code 7" in why(repository)


def test_how_far_behind_it_is_and_what_it_would_run_into_is_told(repository: Path) -> None:
    at.about_to_conflict(repository)
    tasks.commit(tasks.spawn(repository, "pears"), {"src/prices.py": at.OLD + "# pears\n", "x.txt": "x\n"})
    tasks.commit(at.place(repository), {"src/prices.py": at.DEAR.replace("}", "'fig': 1}")})

    document = shown(repository)

    because = "\n".join(document["explanation"]["because"])
    assert "main has 1 commit that its branch has not" in because
    assert "its branch would conflict with main in src/prices.py" in because
    assert "it collides with pears in src/prices.py" in because
    assert document["collisions"] == {
        "tasks": [{"task_id": "pears", "files": ["src/prices.py"]}],
        "target": ["src/prices.py"],
    }


def test_the_place_in_the_queue_is_told_with_what_is_ahead(repository: Path) -> None:
    at.second_in_the_queue(repository)

    assert "1 task in the queue of main before it: pears" in why(repository)
    assert shown(repository)["queue"] == {"position": 2, "ahead": ["pears"]}


def test_a_task_ahead_is_told_also_where_what_it_needs_has_landed(repository: Path) -> None:
    tasks.approved(repository, "plums", {"src/plums.py": "PLUMS = 1\n"})
    tasks.approved(repository, "pears", {"src/pears.py": "PEARS = 1\n"}, needs=("plums",))
    tasks.landed(tasks.merge(repository, "plums"))
    at.approved(repository)

    assert shown(repository)["queue"] == {"position": 2, "ahead": ["pears"]}
    assert "1 task in the queue of main before it: pears" in why(repository)


def test_a_need_whose_record_cannot_be_read_is_told_as_such(repository: Path) -> None:
    at.approved_and_in_need(repository)
    record = repository / ".git/conductor/tasks/pears/run-info.yaml"
    record.write_text(record.read_text() + "more: {\n")

    document = shown(repository)

    assert document["waits_for"] == "pears to land first"
    assert "it needs pears, which is unknown: its record cannot be read" in document["explanation"]["because"]


def test_needs_that_have_not_landed_are_told_with_their_states(repository: Path) -> None:
    at.approved_and_in_need(repository)

    assert "it needs pears, which is WORKING" in why(repository)
    assert shown(repository)["explanation"]["moves"] == ["conductor-git show pears"]


@pytest.fixture
def gated(repository: Path, tmp_path: Path) -> Path:
    """Where a gate says that it runs, by a file `running`, and waits until there is one called `go`."""
    at.have_gate(repository, f"sh -c 'touch {tmp_path}/running; until test -e {tmp_path}/go; do sleep 0.05; done'")
    return tmp_path


def test_a_landing_under_way_is_told_on_its_own_task_and_on_the_others(repository: Path, gated: Path) -> None:
    at.approved(repository)
    tasks.approved(repository, "pears", {"src/pears.py": "PEARS = 1\n"})
    landing = subprocess.Popen([kit.console_script(), "merge", "prices"], cwd=repository, stderr=subprocess.DEVNULL)
    kit.until((gated / "running").exists)

    mine, other = shown(repository), why(repository, "pears")
    (gated / "go").touch()

    assert landing.wait() == 0
    assert mine["waits_for"] == "its landing, which is under way"
    assert "it is being merged in memory, or its gates are running" in mine["explanation"]["because"]
    assert "the landing of prices has main now" in other
    assert "has main now" not in why(repository, "pears")


def test_what_landed_is_told_with_its_evidence(repository: Path) -> None:
    at.have_gate(repository, "true")
    at.landed(repository)
    commit = tasks.record(repository, "prices").merge_commit or ""

    document = shown(repository)

    assert f"landed on main as {commit[:10]} by merge" in document["explanation"]["because"][0]
    assert document["evidence"]["landing_id"] == commit
    assert [gate["name"] for gate in document["evidence"]["gates"]] == ["unit"]


def test_evidence_that_is_damaged_is_told_as_such(repository: Path) -> None:
    at.landed(repository)
    commit = tasks.record(repository, "prices").merge_commit or ""
    file = repository / f".git/conductor/landings/{commit}/evidence.json"
    file.write_text("{")

    evidence = shown(repository)["evidence"]

    assert evidence["landing_id"] == commit
    assert evidence["path"] == str(file)
    assert "it is not JSON" in evidence["damaged"]


def test_the_end_of_a_log_is_plain_text_in_the_document_too(repository: Path) -> None:
    at.have_gate(repository, r"""sh -c 'printf "\033[31mred\033[0m\n10%%\r100%%\n"; exit 1'""")
    tasks.approved(repository, "prices", at.WORK)
    tasks.merge(repository, "prices")

    assert ":\nred\n100%\n" in why(repository)


def test_a_push_that_was_refused_is_told_once_it_has_landed(repository: Path, tmp_path: Path) -> None:
    hook = tmp_path / "remote.git" / "hooks" / "pre-receive"
    kit.git(repository, "init", "--quiet", "--bare", str(tmp_path / "remote.git"))
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    kit.git(repository, "remote", "add", "origin", str(tmp_path / "remote.git"))
    tasks.commit(repository, {".conductor.yaml": "push: origin\n"})
    at.approved(repository)
    assert tasks.merge(repository, "prices").code == 20

    document = shown(repository)

    assert document["waits_for"] == "a push: it has landed here alone"
    assert "push to origin was refused" in document["explanation"]["because"][-1]

    hook.unlink()
    push, undo = document["explanation"]["moves"]

    assert typed(repository, push).returncode == 0
    assert shown(repository)["waits_for"] == "nothing: it has landed"
    assert undo == "conductor-git undo prices"


def test_a_landing_that_was_undone_is_told_with_the_commit_that_did(repository: Path) -> None:
    at.undone(repository)
    run = tasks.record(repository, "prices")
    assert run.undo is not None

    assert f"and {(run.undo.merge_commit or '')[:10]} took that back" in why(repository)


def test_a_worktree_that_is_gone_is_not_shown_as_if_it_were_there(repository: Path) -> None:
    at.without_its_worktree(repository)

    assert f"{at.place(repository)}  (gone)\n" in told(repository)
    assert shown(repository)["worktree_exists"] is False


def test_a_review_that_cannot_be_read_is_told_and_the_rest_with_it(repository: Path) -> None:
    at.in_review_by_two(repository)
    review = repository / ".git/conductor/tasks/prices/reviews/1.yaml"
    review.write_text("version: one\n")

    assert f"a review of prices cannot be read: {review}" in why(repository)


def test_show_changes_nothing_in_the_worktree_that_it_looks_at(repository: Path) -> None:
    at.with_uncommitted_work(repository)
    touched = at.place(repository) / "run.sh"
    os.utime(touched, (1, 1))  # and not changed, which `git status` would note in the index
    before = kit.snapshot(at.place(repository))

    assert "its worktree has 2 uncommitted files: src/new.py and src/prices.py" in why(repository)
    assert kit.snapshot(at.place(repository)) == before


HOSTILE = "\x1b]0;owned\x07\x1b[31m\u202eevil\x9b2J"


@pytest.fixture
def hostile(repository: Path) -> Path:
    """A task that says to the terminal what it can, in its title, its reviews, its file names and its gate's log."""
    at.have_gate(repository, r"sh -c 'printf \"\\033]0;owned\\007\\033[31m\"; exit 1'")
    name = "src/\x1b[31mred.py"
    worktree = tasks.spawn(repository, "prices", title=HOSTILE)
    project = open_project(repository)
    project.runs.update(TaskId("prices"), lambda run: replace(run, agent=HOSTILE))
    tasks.commit(worktree, {name: "RED = 1\n"})
    tasks.hand_in(repository, "prices")
    at.run(repository, "approve", "prices", "-m", HOSTILE)
    tasks.merge(repository, "prices")
    tasks.write(worktree, {"src/\x1b[32mgreen.py": "GREEN = 1\n"})
    return repository


@pytest.mark.parametrize("words", ["show prices", "status"])
@pytest.mark.parametrize("through", ["", " | cat"])
def test_nothing_that_others_wrote_is_obeyed_by_a_terminal(hostile: Path, words: str, through: str) -> None:
    command = f"cd {shlex.quote(str(hostile))} && conductor-git {words}{through}"

    lines = Terminal(hostile.parent / "terminal").run(command)

    printed = "\n".join(lines)
    assert "prices" in printed
    assert "owned" in printed
    assert [character for character in printed if not character.isprintable() and character != "\n"] == []


def test_a_line_is_broken_between_words_and_a_command_never_is(repository: Path) -> None:
    words = "the price of a pear is not what it was, and neither is that of an apple, so say why " * 3
    at.begun(repository)
    tasks.commit(at.place(repository), at.WORK)
    at.run(repository, "done", "prices", "-m", words)
    at.run(repository, "request-changes", "prices", "-m", words, "--as", "ada")
    terminal = Terminal(repository.parent / "terminal")

    lines = terminal.run(f"cd {shlex.quote(str(repository))} && COLUMNS=80 conductor-git show prices")

    moves = shown(repository)["explanation"]["moves"]
    assert all(any(line.endswith(move) for line in lines) for move in moves)
    rest = [line for line in lines if not any(move in line for move in moves) and "acme.worktrees" not in line]
    assert max(map(len, rest)) <= 80
    assert " ".join(" ".join(rest).split()).count("and neither is that of an apple") >= 3


def test_the_keys_of_the_document_stay(repository: Path) -> None:
    at.in_review(repository)

    document: dict[str, Any] = json.loads(kit.conductor("show", "prices", "--json", cwd=repository).out)

    assert document["next_command"] == "conductor-git approve prices"
    assert document.keys() == {
        "schema", "task", "reviews", "waits_for", "next_command", "explanation", "queue", "collisions",
        "worktree_exists", "evidence", "children",
    }  # fmt: skip
