"""What a shell gets: candidates at TAB, live task ids among them, and `cd` into a worktree; in real shells."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from conductor_git.layout import Layout
from tests import kit
from tests.kit import tasks
from tests.kit.keyboard import at_a_shell

START = {
    "bash": ("bash", "--norc", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "-i"),
}
READ = {"fish": "conductor-git init --shell fish | source"}
SHELLS = [pytest.param(shell, marks=kit.requires(shell)) for shell in START]


def offered(place: Path, *words: str) -> list[str]:
    done = kit.conductor("__complete", "--", *words, cwd=place)
    assert (done.code, done.err) == (0, "")
    return [line.partition("\t")[0] for line in done.out.splitlines()]


def in_a_script(place: Path, shell: str, *lines: str) -> subprocess.CompletedProcess[str]:
    """Each of `lines` after `conductor-git`, with the function in place."""
    read = READ.get(shell, f'eval "$(conductor-git init --shell {shell})"')
    path = f"PATH={kit.console_script().parent}{os.pathsep}{os.environ['PATH']}"
    script = "\n".join([read, *(f"conductor-git {line}" for line in lines)])
    return subprocess.run(
        ["env", path, *START[shell][:-1], "-c", script], cwd=place, capture_output=True, text=True, check=False
    )


@pytest.fixture
def working(repository: Path) -> Path:
    """Two tasks at work and one that was cancelled."""
    for task in ("add-tax", "add-fee", "prices"):
        tasks.spawn(repository, task)
    assert kit.conductor("cancel", "prices", cwd=repository).code == 0
    return repository


CASES: dict[str, list[str]] = {
    "sho": ["show"],
    "show ": ["add-fee", "add-tax", "prices"],
    "show add-t": ["add-tax"],
    "retry ": ["prices"],
    "approve ": ["add-fee", "add-tax", "prices"],  # none is in review, so all are told
    "done a": ["add-fee", "add-tax"],
    "wait add-tax a": ["add-fee", "add-tax"],
    "bus re": ["read"],
    "bus read --task p": ["prices"],
    "merge --strategy ": ["merge", "squash", "rebase"],
    "merge --strategy=s": ["--strategy=squash"],
    "merge --strategy = s": ["squash"],
    "merge --strategy =": ["merge", "squash", "rebase"],
    "status --state W": ["WORKING"],
    "diff --name": ["--name-only"],
    "spawn x --target ma": ["main"],
    "spawn x --prompt-file ": [":files"],
    "spawn x --prompt-file=no": [":files"],
    "spawn x -- ca": [":files"],
    "--": ["--help", "--version"],
    "bus -": ["--help"],
    "nonsense ": [],
    "status --nonsense ": [],
}


def test_what_is_offered_for_the_word_that_is_typed(working: Path) -> None:
    assert {line: offered(working, *line.split(" ")) for line in CASES} == CASES


def test_a_group_is_told_by_its_commands(tmp_path: Path) -> None:
    assert "config\tcheck, schema, trust\n" in kit.conductor("__complete", "--", "co", cwd=tmp_path).out


def test_ids_are_live_and_no_damaged_record_is_in_the_way(working: Path) -> None:
    layout = Layout(working / ".git")
    tasks.write(layout.tasks / "broken", {"run-info.yaml": "version: [\n"})
    (layout.tasks / "a-link").mkdir()
    (layout.tasks / "a-link" / "run-info.yaml").symlink_to("/dev/zero")
    tasks.spawn(working, "fresh")

    assert offered(working, "show", "") == ["add-fee", "add-tax", "fresh", "prices"]
    assert offered(Path(tasks.record(working, "fresh").worktree), "show", "f") == ["fresh"]


def test_outside_a_repository_commands_are_offered_and_nothing_is_said(tmp_path: Path) -> None:
    assert "spawn" in offered(tmp_path, "")
    assert offered(tmp_path, "show", "") == []


def test_candidates_import_no_library_and_start_no_git(working: Path) -> None:
    program = """
import sys
from conductor_git.cli.main import run
run(["__complete", "--", "show", ""])
print(*sys.modules, sep="\\n", file=sys.stderr)
"""
    done = subprocess.run(
        [kit.console_script("python"), "-c", program], cwd=working, capture_output=True, text=True, check=True
    )

    assert "add-tax" in done.stdout
    assert set(done.stderr.splitlines()) & {"typer", "click", "yaml", "pydantic", "subprocess", "portalocker"} == set()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_person_completes_an_id_and_changes_into_its_worktree(working: Path, tmp_path: Path, shell: str) -> None:
    with at_a_shell(*START[shell], cwd=working, variables={"HOME": str(tmp_path)}) as keyboard:
        keyboard.type(READ.get(shell, f'eval "$(conductor-git init --shell {shell})"') + "; echo rea''dy\n")
        keyboard.sees("ready")
        keyboard.type("conductor-git cd add-t\t")
        keyboard.sees("add-tax")
        keyboard.type("\n")
        keyboard.type(f"pwd >{tmp_path}/where; conductor-git cd; pwd >{tmp_path}/back; echo do''ne\n")
        keyboard.sees("done")

    assert (tmp_path / "where").read_text().strip() == tasks.record(working, "add-tax").worktree
    assert (tmp_path / "back").read_text().strip() == str(working)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_task_may_be_called_like_an_option(repository: Path, shell: str) -> None:
    tasks.spawn(repository, "docs-h")

    done = in_a_script(repository, shell, "cd docs-h; pwd")

    assert done.stdout == f"{tasks.record(repository, 'docs-h').worktree}\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_function_passes_everything_else_on(working: Path, shell: str) -> None:
    code = "$status" if shell == "fish" else "$?"
    show = f"show nothing --json; echo code {code}"

    done = in_a_script(working, shell, "cd nothing", show, "cd add-tax --json", "--version")

    assert "code 18" in done.stdout, done
    assert '"task_id": "add-tax"' in done.stdout
    assert "conductor-git " in done.stdout.splitlines()[-1]
    assert "there is no task nothing" in done.stderr


def test_without_the_function_a_person_is_told_how_to_get_it(working: Path) -> None:
    place = tasks.record(working, "add-tax").worktree

    shown = kit.on_a_terminal(working, "cd", "add-tax", variables={"SHELL": "/usr/bin/fish"})

    assert shown.startswith(f"{place}\n")
    assert "conductor-git init --shell fish | source" in shown
    piped = kit.conductor("cd", "add-tax", cwd=working)
    assert (piped.code, piped.out, piped.err) == (0, f"{place}\n", "")  # a script that uses it is told nothing


def test_a_worktree_that_is_gone_is_refused_with_the_way_back(working: Path) -> None:
    kit.git(working, "worktree", "remove", "--force", tasks.record(working, "add-tax").worktree)

    error = tasks.refused(kit.conductor("cd", "add-tax", "--json", cwd=working), "NOT_FOUND", 18)

    assert error["hint"] == "conductor-git restore add-tax"


def test_another_shell_is_refused(repository: Path) -> None:
    tasks.refused(kit.conductor("init", "--shell", "tcsh", "--json", cwd=repository), "BAD_INPUT", 2)


@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_shell_reads_needs_no_repository_and_parses(tmp_path: Path, shell: str) -> None:
    script = kit.conductor("init", "--shell", shell, cwd=tmp_path)
    assert script.code == 0

    subprocess.run([shell, "-n"], input=script.out, text=True, check=True)
