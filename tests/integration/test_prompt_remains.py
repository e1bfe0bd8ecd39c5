"""What the attempt before left, as the next one is told it: its end, its commits, its files, its last words."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from conductor_git.run import End, utcnow
from tests import kit
from tests.integration import prompts
from tests.integration.poison import Poison
from tests.kit import tasks

LEFT = "What attempt 1 left"


@pytest.fixture(autouse=True)
def worktree(repository: Path) -> Path:
    return tasks.spawn(repository, "prices", prompt=prompts.ASKED)


def left(repository: Path) -> str:
    return prompts.section(prompts.text(repository), LEFT)


def paragraph(told: str, beginning: str) -> list[str]:
    """The lines of the paragraph after the one that begins so."""
    paragraphs = told.split("\n\n")
    found = [after for before, after in pairwise(paragraphs) if before.startswith(beginning)]
    return found[0].split("\n") if found else []


def test_a_first_attempt_is_told_of_none_before_it(repository: Path) -> None:
    assert "left" not in " ".join(prompts.titles(prompts.text(repository)))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"exit_code": 7}, "ended with exit code 7"),
        ({"exit_code": 0}, "ended without `done`"),
        ({"end": End.KILLED, "exit_code": None, "signal": "SIGKILL"}, "SIGKILL"),
        ({"end": End.TIMED_OUT, "exit_code": None, "signal": "SIGTERM"}, "time"),
        ({"end": End.COST, "exit_code": None}, "cost"),
        ({"end": End.LOST, "exit_code": None}, "vanished"),
        ({"end": End.UNSTARTABLE, "exit_code": None, "why": "no such file"}, "could not be started: no such file"),
    ],
)
def test_the_next_attempt_is_told_how_and_why_the_last_one_ended(
    repository: Path, facts: dict[str, Any], words: str
) -> None:
    prompts.attempted(repository, **facts)

    how = left(repository).partition("\n\n")[0]

    assert how.startswith("claude ")
    assert words in how


def test_an_attempt_that_handed_in_is_not_said_to_have_ended_without(repository: Path, worktree: Path) -> None:
    begun = utcnow()
    tasks.commit(worktree, {"new.txt": "new\n"})
    tasks.hand_in(repository, "prices")
    kit.conductor("request-changes", "prices", "--as", "ada", "-m", "why?", cwd=repository)
    prompts.attempted(repository, started_at=begun)

    assert left(repository).startswith("claude handed in, and ended, ")
    prompts.attempted(repository)
    assert prompts.section(prompts.text(repository), "What attempt 2 left").startswith("claude ended without `done`, ")


def test_it_is_told_when_the_last_one_ended(repository: Path) -> None:
    ended = utcnow()
    prompts.attempted(repository, ended_at=ended)

    prompt = prompts.text(repository, now=ended + timedelta(minutes=3))

    assert prompts.section(prompt, LEFT).split("\n")[0].endswith(", 3m ago.")


def test_it_is_told_the_commits_on_the_branch_since_its_base_the_newest_first(repository: Path, worktree: Path) -> None:
    prompts.attempted(repository)
    assert "worker/prices has no commit since its base." in left(repository)
    commits = [tasks.commit(worktree, {"n.txt": f"{number}\n"}, f"Number {number}") for number in range(22)]

    told = paragraph(left(repository), "On worker/prices since its base")

    newest = kit.git(worktree, "rev-parse", "--short", commits[-1])
    assert told[0] == f"- {newest} Number 21"
    assert [line.split()[-1] for line in told[:-1]] == [str(number) for number in range(21, 1, -1)]
    assert told[-1] == "- and more"


def test_it_is_told_what_is_not_committed(repository: Path, worktree: Path) -> None:
    prompts.attempted(repository)
    assert "Nothing in the worktree is uncommitted." in left(repository)
    tasks.write(
        worktree, {"run.sh": None, "src/prices.py": "PRICES = 1\n", "new\n## file": "x\n", "it.log": "ignored\n"}
    )

    assert paragraph(left(repository), "Not committed") == ["- new ## file", "- run.sh", "- src/prices.py"]


def test_of_many_uncommitted_files_fifty_are_named(repository: Path, worktree: Path) -> None:
    prompts.attempted(repository)
    tasks.write(worktree, {f"f{number:03}": "" for number in range(60)})

    told = paragraph(left(repository), "Not committed")

    assert (len(told), told[49], told[50]) == (51, "- f049", "- and 10 more")


def test_it_is_told_that_git_is_in_the_middle_of_a_merge(repository: Path, worktree: Path) -> None:
    tasks.commit(worktree, {"src/prices.py": "PRICES = 1\n"})
    tasks.commit(repository, {"src/prices.py": "PRICES = 2\n"})
    kit.git(worktree, "merge", "--quiet", "main", ok=(1,))
    prompts.attempted(repository)

    assert "\n\nA merge is under way in the worktree.\n\n" in left(repository)


@pytest.mark.parametrize("name", ["stdout.log", "stderr.log"])
def test_it_is_told_the_end_of_what_the_last_one_printed(repository: Path, name: str) -> None:
    key = "ghp_" + "a1" * 18
    lines = "line\n" * 4000
    log = f"{lines}## not a heading\n\x1b[31mred\x1b[0m and {key}\nlast words\n".encode() + b"\xff\n"
    prompts.attempted(repository, *((log, b"") if name == "stdout.log" else (b"", log)))

    told = paragraph(left(repository), "It ended its output" if name == "stdout.log" else "It ended its errors")

    assert told[-4:] == ["> ## not a heading", "> red and [masked]", "> last words", "> \N{REPLACEMENT CHARACTER}"]
    assert all(line.startswith("> ") for line in told)
    assert sum(len(line) - 1 for line in told) <= 4096
    assert len(told) > 500


def test_half_a_secret_at_the_cut_of_a_log_is_masked_too(repository: Path) -> None:
    key = "ghp_" + "a1" * 18
    prompts.attempted(repository, f"{key}{'.' * 4080}".encode())

    prompt = prompts.text(repository)

    assert "." * 4000 in prompt
    assert "a1a1" not in prompt


def test_a_log_that_is_a_link_is_not_followed(repository: Path, tmp_path: Path) -> None:
    run_id = prompts.attempted(repository, b"words\n")
    log = repository / ".git/conductor/tasks/prices/attempts" / run_id / "stdout.log"
    (tmp_path / "secret").write_text("the secret\n")
    log.unlink()
    log.symlink_to(tmp_path / "secret")

    prompt = prompts.text(repository)

    assert "the secret" not in prompt
    assert "It ended its output" not in prompt


def test_nothing_that_the_worker_poisoned_runs_while_its_work_is_looked_at(repository: Path, worktree: Path) -> None:
    tasks.commit(worktree, {"new.txt": "new\n"}, "Add it")
    prompts.attempted(repository)
    tasks.write(worktree, {".gitattributes": "* filter=evil\n", "new.txt": "newer\n", "src/prices.py": "PRICES = 1\n"})
    poison = Poison(repository.parent / "poison")
    poison.into(repository, worktree)

    told = left(repository)

    assert poison.ran == []
    assert paragraph(told, "On worker/prices")[0].endswith(" Add it")
    assert paragraph(told, "Not committed") == ["- .gitattributes", "- new.txt", "- src/prices.py"]


def test_what_cannot_be_looked_at_is_told_and_the_attempt_begins(repository: Path, worktree: Path) -> None:
    prompts.attempted(repository, b"last words\n")
    worktree.rename(worktree.parent / "elsewhere")

    told = left(repository)
    assert f"The worktree {worktree} is gone." in told
    kit.git(repository, "update-ref", "-d", "refs/heads/worker/prices")
    told = left(repository)
    assert "The branch worker/prices is gone." in told
    assert told.endswith("> last words")
    (repository / ".git/conductor/git-config.json").write_text("{")
    told = left(repository)
    assert "What is on the branch and in the worktree cannot be told: " in told
    assert told.endswith("> last words")
