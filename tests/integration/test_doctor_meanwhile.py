"""doctor --fix while others are at work: another one, a landing, spawns; and after a kill."""

from __future__ import annotations

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from conductor_git.layout import Layout
from tests import kit
from tests.integration.ailing import codes, doctor, record_of
from tests.kit import tasks
from tests.kit.console import console_script


def at_once(repository: Path, number: int) -> list[Any]:
    command = [str(console_script()), "doctor", "--fix", "--json"]
    started = [subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE) for _ in range(number)]
    said = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0] * number, said
    return [json.loads(one) for one in said]


def break_much(repository: Path) -> None:
    for name in ("prices", "search", "gone", "unknown"):
        tasks.commit(tasks.spawn(repository, name), {f"{name}.txt": f"{name}\n"})
    record_of(repository, "prices").write_text("broken: [\n")
    record_of(repository, "search").unlink()
    shutil.rmtree(repository.parent / "acme.worktrees" / "gone")
    shutil.rmtree(repository / ".git" / "worktrees" / "unknown")
    (Layout(repository / ".git").state_dir / "MESSAGE-BUS.md.halted").write_text("a flush failed\n")


def test_two_at_once_mend_each_thing_once(repository: Path) -> None:
    break_much(repository)
    before = {name: kit.git(repository, "rev-parse", f"worker/{name}") for name in ("prices", "search", "gone")}

    answers = at_once(repository, 2)

    done = [one["code"] for answer in answers for one in answer["mended"] if one["done"]]
    expected = ["BAD_RECORD", "BUS_HALTED", "REGISTRATION_GONE", "TASK_WITHOUT_RECORD", "WORKTREE_GONE"]
    assert sorted(done) == expected
    assert doctor(repository)["findings"] == []
    assert {name: kit.git(repository, "rev-parse", f"worker/{name}") for name in before} == before


def test_during_a_landing_it_leaves_the_landing_alone_and_mends_the_rest(repository: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"touch {tmp_path}/here; while ! test -e {go}; do sleep 0.02; done"
    tasks.commit(repository, {".conductor.yaml": f"gates:\n  - {{name: wait, run: '{wait}'}}\n"})
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    tasks.approved(repository, "landing", {"src/landing.py": "A = 1\n"})
    tasks.spawn(repository, "prices")
    record_of(repository).write_text("broken: [\n")

    with ThreadPoolExecutor(1) as pool:
        landing = pool.submit(tasks.merge, repository, "landing")
        try:
            kit.until((tmp_path / "here").exists)
            found = doctor(repository)
            done = doctor(repository, "--fix")
        finally:
            go.touch()
        tasks.landed(landing.result())

    assert codes(found) == ["BAD_RECORD"]
    assert ([one["code"] for one in done["mended"]], done["findings"]) == (["BAD_RECORD"], [])
    assert doctor(repository)["findings"] == []


def test_while_tasks_are_spawned_and_ended_it_finds_nothing(repository: Path) -> None:
    def live_and_end(number: int) -> None:
        for name in (f"a{number}", f"b{number}"):
            assert kit.conductor("spawn", name, cwd=repository).code == 0
            assert kit.conductor("start", name, cwd=repository).code == 0
            assert kit.conductor("cancel", name, cwd=repository).code == 0

    with ThreadPoolExecutor(2) as pool:
        lives = [pool.submit(live_and_end, number) for number in range(2)]
        while not all(life.done() for life in lives):
            assert doctor(repository)["findings"] == []
            assert doctor(repository, "--fix")["mended"] == []
        for life in lives:
            life.result()
    assert doctor(repository)["findings"] == []
