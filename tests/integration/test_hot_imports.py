"""What commands import, seen in the process that runs them: an import of a library costs more than most commands do.

tests/test_house.py looks at the modules by themselves; this looks at whole commands, with all that they import on use.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks

LIBRARIES = {"git", "portalocker", "psutil", "pydantic", "rich", "typer", "yaml"}
SLOW = {"asyncio", "dataclasses", "hashlib", "inspect", "logging", "subprocess", "tempfile"}
PROGRAM = """
import sys
from conductor_git.cli.main import run
code = run(sys.argv[1:])
print(*sys.modules, sep="\\n", file=sys.stderr)
sys.exit(code)
"""


def imported(place: Path, *arguments: str) -> set[str]:
    """The modules in the process once it has run the command."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines())


@pytest.mark.parametrize(
    "words", ["heartbeat", "ctx", "ctx --json", "bus post hello", "bus read", "bus read --tail 3", "bus read --as ada"]
)
def test_what_an_agent_runs_at_every_step_imports_no_library_and_nothing_slow(repository: Path, words: str) -> None:
    place = tasks.spawn(repository, "prices")

    assert imported(place, *words.split(" ")) & (LIBRARIES | SLOW) == set()


def test_a_beat_without_a_note_imports_nothing_of_the_bus(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")

    assert {name for name in imported(place, "heartbeat") if name.startswith("conductor_git.bus")} == set()


@pytest.mark.parametrize(
    "words",
    ["status", "status --json --all", "show prices", "diff prices --stat", "log prices", "status --state WORKING"],
)
def test_what_only_looks_imports_no_library_but_the_one_that_reads_records(repository: Path, words: str) -> None:
    assert kit.conductor("spawn", "prices", "--", "true", cwd=repository).code == 0

    assert imported(repository, *words.split(" ")) & LIBRARIES == {"yaml"}


def test_what_moves_a_task_imports_neither_typer_nor_what_reads_a_config(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")
    steps = [(place, "done -m pears"), (repository, "approve prices --as ada")]
    for where, words in [*steps, (repository, "cancel prices"), (repository, "stop prices")]:
        if words.startswith("done"):
            tasks.commit(place, {"src/pears.py": "PEARS = 4\n"})

        assert imported(where, *words.split(" ")) & {"git", "pydantic", "rich", "typer"} == set(), words


def test_what_is_not_in_plain_form_goes_the_ordinary_way_and_says_the_same(repository: Path) -> None:
    tasks.spawn(repository, "prices")

    plain = kit.conductor("show", "prices", "--json", cwd=repository)
    ordinary = kit.conductor("--", "show", "prices", "--json", cwd=repository)

    assert ordinary.code == plain.code == 0, ordinary
    assert ordinary.document["task"]["task_id"] == plain.document["task"]["task_id"] == "prices"
