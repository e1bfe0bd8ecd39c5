"""What a server remembers between requests: records, where branches are, what lies between commits; never what was."""

from __future__ import annotations

import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conductor_git.errors import BadRecord, NotFound
from conductor_git.names import parse_task_id
from conductor_git.project import Project, open_project
from conductor_git.run import Run
from conductor_git.server.noticing import Noticing
from conductor_git.store import remembering
from conductor_git.store.files import FileRuns, encode
from conductor_git.store.remembering import RememberingRuns
from conductor_git.workflow.looking import spans, tips
from tests import kit
from tests.kit import tasks

ONE = parse_task_id("one")
TWO = parse_task_id("two")
MAIN = "refs/heads/main"


@pytest.fixture
def opened(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two tasks."""
    monkeypatch.setattr(remembering, "_SETTLED_NS", -(1 << 62))
    tasks.spawn(repository, ONE)
    tasks.spawn(repository, TWO)
    return open_project(repository)


@pytest.fixture
def notice(opened: Project) -> Iterator[Noticing]:
    with closing(Noticing(opened.layout.tasks)) as made:
        yield made


@pytest.fixture(params=["looked at", "told of"])
def project(opened: Project, notice: Noticing, request: pytest.FixtureRequest) -> Project:
    """With a store that remembers also what has just changed: records are looked at each time, or the kernel tells."""
    changes = notice if request.param == "told of" else None
    return replace(opened, runs=RememberingRuns(opened.layout, changes=changes))


@pytest.fixture
def looked_at(opened: Project) -> Project:
    return replace(opened, runs=RememberingRuns(opened.layout))


@pytest.fixture
def git_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The git commands that were run since the last call."""
    log, program = tmp_path / "calls", tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$1" >>{shlex.quote(str(log))}\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)

    def calls() -> list[str]:
        found = log.read_text().split() if log.exists() else []
        log.write_text("")
        return found

    return calls


def titles(project: Project) -> list[str]:
    return [found.title if isinstance(found, Run) else "unreadable" for found in project.runs.scan()]


def titled(project: Project, title: str) -> bytes:
    return encode(replace(project.runs.get(ONE), title=title))


def test_a_record_that_did_not_change_is_not_read_again(project: Project) -> None:
    before = list(project.runs.scan())

    assert [now is then for now, then in zip(project.runs.scan(), before, strict=True)] == [True, True]
    assert project.runs.get(ONE) == before[0]


def test_a_record_that_just_changed_is_read_each_time(looked_at: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "_SETTLED_NS", 1_000_000_000)
    now = time.time()
    os.utime(looked_at.layout.run_info(TWO), (now - 3, now - 3))
    before = list(looked_at.runs.scan())
    again = list(looked_at.runs.scan())

    assert again == before
    assert [now is then for now, then in zip(again, before, strict=True)] == [False, True]


def test_a_change_of_the_store_is_seen_at_the_next_look(project: Project) -> None:
    list(project.runs.scan())
    open_project(project.repository).runs.update(ONE, lambda run: replace(run, title="new"))

    assert project.runs.get(ONE).title == "new"
    assert titles(project)[0] == "new"


def test_a_record_replaced_by_one_of_the_same_size_and_time_is_seen(project: Project) -> None:
    path = project.layout.run_info(ONE)
    path.write_bytes(titled(project, "old"))
    assert titles(project)[0] == "old"
    before, other = path.stat(), path.with_name("other")
    other.write_bytes(titled(project, "new"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)

    assert titles(project)[0] == "new"
    assert project.runs.get(ONE).title == "new"


@pytest.mark.parametrize("title", ["new", "longer"])
def test_a_record_that_was_edited_in_place_is_seen(project: Project, title: str) -> None:
    path = project.layout.run_info(ONE)
    path.write_bytes(titled(project, "old"))
    assert titles(project)[0] == "old"
    before, edited = path.stat(), titled(project, title)
    path.write_bytes(edited)
    moved = len(edited) == before.st_size  # of one that is longer, even the time may be the same
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + moved))

    assert titles(project)[0] == title


def test_a_removed_record_is_gone_and_nothing_of_it_is_kept(project: Project) -> None:
    known: dict[str, Any] = {}
    runs = project.runs
    assert isinstance(runs, RememberingRuns)
    project = replace(project, runs=replace(runs, _known=known))
    assert len(list(project.runs.scan())) == len(known) == 2
    shutil.rmtree(project.layout.task(ONE))

    assert [run.task_id for run in project.runs.scan() if isinstance(run, Run)] == [TWO]
    assert list(known) == [TWO]
    with pytest.raises(NotFound):
        project.runs.get(ONE)


def test_a_damaged_record_is_told_each_time_and_a_mended_one_is_read(project: Project) -> None:
    path = project.layout.run_info(ONE)
    good = path.read_bytes()
    path.write_text("schema: [")
    for _ in range(2):
        with pytest.raises(BadRecord):
            project.runs.get(ONE)
        assert isinstance(next(project.runs.scan()), BadRecord)
    path.write_bytes(good)

    assert project.runs.get(ONE).task_id == ONE


def settle(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let so much time have gone since any ref changed that a look may be remembered."""
    monkeypatch.setattr(tips, "_SETTLED_NS", 50_000_000)
    heads = project.layout.common_dir / "refs" / "heads"
    last = max(path.stat().st_ctime for path in heads.rglob("*") if path.is_file())
    kit.until(lambda: time.time() > last + 0.1)


def moved_by_git(repository: Path) -> None:
    tasks.commit(repository, {"more.txt": "1\n"})


def moved_in_place(repository: Path) -> None:
    ref = repository / ".git" / MAIN
    with ref.open("r+") as file:
        file.write(kit.git(repository, "rev-parse", "main~1"))


def packed_and_moved(repository: Path) -> None:
    tasks.commit(repository, {"more.txt": "1\n"})
    kit.git(repository, "pack-refs", "--all")


@pytest.mark.parametrize("move", [moved_by_git, moved_in_place, packed_and_moved])
def test_git_is_asked_where_branches_are_only_once_one_may_have_moved(
    looked_at: Project,
    git_calls: Callable[[], list[str]],
    move: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refs = [MAIN, "refs/heads/nobody"]
    settle(looked_at, monkeypatch)
    before = tips.tips(looked_at, refs)
    git_calls()
    assert tips.tips(looked_at, refs) == before == {MAIN: kit.git(looked_at.repository, "rev-parse", "main")}
    assert "for-each-ref" not in git_calls()

    move(looked_at.repository)

    assert tips.tips(looked_at, refs) == {MAIN: kit.git(looked_at.repository, "rev-parse", "main")} != before


def test_of_refs_that_just_changed_git_is_asked_each_time(
    looked_at: Project, git_calls: Callable[[], list[str]]
) -> None:
    tasks.commit(looked_at.repository, {"more.txt": "1\n"})
    git_calls()
    for _ in range(2):
        tips.tips(looked_at, [MAIN])

    assert git_calls() == ["for-each-ref"] * 2


def test_a_branch_that_stands_for_another_ref_is_asked_each_time(
    looked_at: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit.git(looked_at.repository, "update-ref", "refs/remotes/there/main", "main")
    kit.git(looked_at.repository, "symbolic-ref", "refs/heads/alias", "refs/remotes/there/main")
    settle(looked_at, monkeypatch)
    tips.tips(looked_at, ["refs/heads/alias"])
    kit.git(looked_at.repository, "update-ref", "refs/remotes/there/main", "main~1")

    found = tips.tips(looked_at, ["refs/heads/alias"])
    assert found == {"refs/heads/alias": kit.git(looked_at.repository, "rev-parse", "main~1")}


def test_what_lies_between_commits_is_worked_out_once_and_what_is_kept_is_bounded(
    looked_at: Project, git_calls: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[tuple[str, str], tuple[int, int]] = {}
    monkeypatch.setattr(spans, "_apart", kept)
    monkeypatch.setattr(spans, "_MOST", 2)
    commits = [tasks.commit(looked_at.repository, {"a.txt": f"{number}\n"}) for number in range(6)]
    pairs = [(commits[0], commit) for commit in commits]
    git_calls()

    assert spans.apart(looked_at.git, pairs[:2]) == {pairs[0]: (0, 0), pairs[1]: (0, 1)}
    assert git_calls()
    assert spans.apart(looked_at.git, pairs[:2]) == {pairs[0]: (0, 0), pairs[1]: (0, 1)}
    assert git_calls() == []
    for number, pair in enumerate(pairs):
        assert spans.apart(looked_at.git, [pairs[0], pair])[pair] == (0, number)
        assert len(kept) <= 2 + 2


def test_a_look_that_failed_loses_no_change(opened: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([None, {ONE}, set[str](), set[str]()])
    runs = RememberingRuns(opened.layout, changes=lambda: next(told))
    project = replace(opened, runs=runs)
    list(runs.scan())
    opened.runs.update(ONE, lambda run: replace(run, title="new"))
    with monkeypatch.context() as broken:
        broken.setattr(FileRuns, "get", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            list(runs.scan())

    assert titles(project)[0] == "new"
