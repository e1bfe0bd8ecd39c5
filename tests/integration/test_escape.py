"""A landing that moves the main checkout while an agent runs is no escape of that agent; anything else is told."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pytest

from conductor_git.escape import Fingerprint, fingerprint
from conductor_git.project import open_project
from tests import kit
from tests.kit import tasks
from tests.kit.interposed import happened, interpose


def start_agent(repository: Path, task_id: str, fifo: Path, then: str) -> None:
    """An agent of `task_id` that runs `then` once something is written to `fifo`."""
    os.mkfifo(fifo)
    script = f"read word <{shlex.quote(str(fifo))}; {then}"
    once = {"CONDUCTOR_LIMITS_ATTEMPTS": "1"}  # a second attempt would wait for words that nobody writes
    assert kit.conductor("spawn", task_id, "--", "sh", "-c", script, cwd=repository, env=once).code == 0


def finish_agent(repository: Path, task_id: str, fifo: Path) -> None:
    fifo.write_text("go\n")
    kit.until(lambda: tasks.record(repository, task_id).attempts[-1].ended_at)


def land(repository: Path, task_id: str) -> None:
    tasks.approved(repository, task_id, {f"{task_id}.txt": "x\n"})
    tasks.landed(tasks.merge(repository, task_id))


def warnings(repository: Path) -> list[str]:
    found = open_project(repository).bus.read(types=("ERROR",))
    return [message.body for message in found if message.meta.get("warning") == "ESCAPE"]


def test_landings_while_an_agent_runs_are_no_escape(repository: Path, tmp_path: Path) -> None:
    start_agent(repository, "quiet", tmp_path / "fifo", "true")
    land(repository, "one")
    land(repository, "two")

    finish_agent(repository, "quiet", tmp_path / "fifo")

    assert (repository / "two.txt").exists()
    assert warnings(repository) == []


def test_a_landing_that_is_mended_while_somebody_looks_is_not_taken_for_what_the_checkout_was(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = open_project(repository)
    undisturbed = fingerprint(project.git, project.layout, repository)
    (repository / ".git" / "index.lock").touch()
    shutil.copy2(repository / "run.sh", tmp_path / "run.sh")
    (repository / "run.sh").write_text("as the landing that was killed wrote it\n")
    place = shlex.quote(str(repository))
    mend = f"cp -p {shlex.quote(str(tmp_path))}/run.sh {place}/run.sh; rm {place}/.git/index.lock"
    monkeypatch.setenv("PATH", interpose(tmp_path / "bin", "diff-index --name-only", after=mend)["PATH"])

    found = fingerprint(project.git, project.layout, repository)

    assert happened(tmp_path / "bin")
    assert undisturbed.differs(found, {}) == ()


def test_one_that_the_gate_refused_hides_none_that_landed_in_its_place(repository: Path, tmp_path: Path) -> None:
    gate = "version: 1\ngates: [{name: good, run: test ! -e bad.txt}]\n"
    tasks.commit(repository, {".conductor.yaml": gate}, "A gate")
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    start_agent(repository, "quiet", tmp_path / "fifo", "true")
    tasks.approved(repository, "two", {"bad.txt": "x\n"})
    tasks.refused(tasks.merge(repository, "two"), "GATE_FAILED", 14)
    land(repository, "one")

    finish_agent(repository, "quiet", tmp_path / "fifo")

    assert warnings(repository) == []


@pytest.mark.parametrize("lands", [False, True])
def test_a_commit_that_an_agent_makes_in_the_main_checkout_is_told(
    repository: Path, tmp_path: Path, lands: bool
) -> None:
    commit = f"git -C {shlex.quote(str(repository))} -c core.hooksPath=/dev/null commit --quiet --allow-empty -m mine"
    start_agent(repository, "busy", tmp_path / "fifo", commit)
    if lands:
        land(repository, "one")

    finish_agent(repository, "busy", tmp_path / "fifo")

    assert warnings(repository) == [f"ESCAPE: {repository} changed while busy ran: HEAD"]


@pytest.mark.parametrize(
    ("tip", "landings", "differs"),
    [
        ("b", {"a": "b"}, ()),
        ("c", {"b": "c", "a": "b"}, ()),
        ("c", {"a": "b"}, ("HEAD",)),
        ("b", {}, ("HEAD",)),
        ("x", {"a": "b", "b": "a"}, ("HEAD",)),
        ("a", {}, ()),
    ],
)
def test_only_a_chain_of_landings_explains_a_tip(tip: str, landings: dict[str, str], differs: tuple[str, ...]) -> None:
    assert (
        Fingerprint("ref: refs/heads/main", "a").differs(Fingerprint("ref: refs/heads/main", tip), landings) == differs
    )
