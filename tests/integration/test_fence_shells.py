"""The hooks are plain POSIX shell, and hold in every repository there can be: any name, SHA-256, a linked path."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from conductor_git import fence
from conductor_git.project import project_at
from conductor_git.workflow import hooks
from tests import kit
from tests.integration.fenced import MINE, Done, Worker, by_hand, fenced, spawned, write_hook

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}


@pytest.fixture(params=[spawned, by_hand], ids=["spawned", "by hand"])
def work(request: pytest.FixtureRequest) -> Callable[[Path], Worker]:
    way: Callable[[Path], Worker] = request.param
    return way


def holds(worker: Worker) -> None:
    """The fence in brief: what passes, what does not, what is told."""
    assert worker.commit("one") == Done(0, "")
    assert kit.git(worker.worktree, "log", "-1", "--format=%(trailers)") == "Task-Id: fix-login\n"
    before = worker.everything()
    assert "refs/heads/stray is refused" in worker.git("branch", "stray").refusal
    assert "refs/tags/v1 is refused" in worker.git("tag", "v1").refusal
    assert "neither removed nor renamed" in worker.git("update-ref", "-d", "HEAD").refusal
    assert "pushing to refs/heads/main" in worker.git("push", "origin", "HEAD:main").refusal
    assert worker.everything() == before
    for command in ("pack-refs --all", "commit --quiet --amend -m two", "rebase --quiet --force-rebase main"):
        assert worker.git(*command.split()) == Done(0, "")
    assert worker.git("push", "--quiet", "origin", MINE) == Done(0, "")
    assert worker.git("checkout", "--quiet", "--detach") == Done(0, "")


def in_shell(worker: Worker, shell: str) -> None:
    """Let the hooks of this repository run in another shell than `/bin/sh`."""
    program, *options = SHELLS[shell]
    first = " ".join([f"#!{shutil.which(program)}", *options])
    for folder in (worker.main_checkout / ".git" / "conductor").glob("*hooks"):
        for name in (*fence.HOOKS, "chain"):
            hook = folder / name
            hook.write_text(hook.read_text().replace("#!/bin/sh", first, 1))


@pytest.mark.parametrize(
    "shell", [pytest.param(name, marks=kit.requires(words[0])) for name, words in SHELLS.items() if name != "busybox"]
)
def test_the_fence_holds_in_each_shell(repository: Path, work: Callable[[Path], Worker], shell: str) -> None:
    worker = work(repository)
    in_shell(worker, shell)

    holds(worker)


def test_every_shell_reads_every_hook() -> None:
    for path in filter(Path.is_file, fence.SOURCE.iterdir()):  # besides lies what is for agents, and no hook of git
        assert path.read_text().startswith("#!/bin/sh\n")
        assert path.stat().st_mode & 0o111 == 0o111


@pytest.mark.parametrize(
    "name", ["with space", "br[ack]et*?", "ümläut", 'quo"te', "it's", "back\\slash", "$(echo x)", "-x"]
)
def test_the_fence_holds_in_a_repository_of_any_name(tmp_path: Path, work: Callable[[Path], Worker], name: str) -> None:
    holds(work(kit.make_repository(tmp_path / name / "acme")))


def test_it_holds_by_hand_where_there_is_a_newline_in_the_path(tmp_path: Path) -> None:
    repository = kit.make_repository(tmp_path / "new\nline" / "acme")
    worktree = fenced(repository).worktree
    git_dir = repository / ".git" / "worktrees" / "fix-login"
    context = {"version": 1, "task_id": "fix-login", "project_id": "acme", "generation": 1, "branch": MINE}
    (git_dir / "worker-ctx.json").write_text(json.dumps(context, indent=2))
    write_hook(repository / ".git" / "hooks", "commit-msg", "echo checked >&2")

    hooks.install(project_at(repository / ".git", repository))

    worker = Worker(repository, worktree, {})
    assert worker.commit("one") == Done(0, "checked\n")
    assert "refs/heads/stray is refused" in worker.git("branch", "stray").refusal


def test_the_fence_holds_in_a_repository_of_sha256(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[Path], Worker]
) -> None:
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    repository = kit.make_repository(tmp_path / "acme")
    assert len(kit.git(repository, "rev-parse", "HEAD")) == 64

    holds(work(repository))


def test_the_fence_holds_where_the_repository_is_reached_by_a_link(
    tmp_path: Path, work: Callable[[Path], Worker]
) -> None:
    kit.make_repository(tmp_path / "real" / "acme")
    (tmp_path / "link").symlink_to("real")

    holds(work(tmp_path / "link" / "acme"))


def test_cdpath_in_the_environment_changes_nothing(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[Path], Worker]
) -> None:
    elsewhere = kit.make_repository(tmp_path / "elsewhere")
    worker = work(repository)
    monkeypatch.setenv("CDPATH", str(elsewhere))

    holds(worker)
