"""Hooks that a project had before still run, for agents and by hand: those of husky, pre-commit and lefthook.

The files are stand-ins: what those tools generate, in the parts that matter here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import kit
from tests.integration.fenced import MINE, Done, Worker, by_hand, spawned, write_hook

HUSKY_RUNNER = """\
#!/usr/bin/env sh
name=$(basename "$0")
script=$(dirname "$(dirname "$0")")/$name
[ -f "$script" ] || exit 0
export PATH="node_modules/.bin:$PATH"
sh -e "$script" "$@"
code=$?
[ $code = 0 ] || echo "husky - $name script failed (code $code)"
exit $code
"""
PRE_COMMIT = """\
#!/usr/bin/env bash
# start templated
INSTALL_PYTHON={python}
ARGS=(hook-impl --hook-type=pre-commit)
# end templated
HERE="$(cd "$(dirname "$0")" && pwd)"
ARGS+=(--hook-dir "$HERE" -- "$@")
if [ -x "$INSTALL_PYTHON" ]; then
    exec "$INSTALL_PYTHON" "$HERE/../pretend_pre_commit.py" "${{ARGS[@]}}"
else
    echo '`pre-commit` not found.' 1>&2
    exit 1
fi
"""
PRETEND_PRE_COMMIT = """\
import os, subprocess, sys
legacy = os.path.join(sys.argv[sys.argv.index("--hook-dir") + 1], "pre-commit.legacy")
if os.access(legacy, os.X_OK):
    code = subprocess.run([legacy]).returncode
    if code:
        sys.exit(code)
print("checked in", os.getcwd(), file=sys.stderr)
sys.exit(os.path.exists("bad"))
"""
LEFTHOOK = """\
#!/bin/sh
if [ "$LEFTHOOK" = "0" ]; then
  exit 0
fi
call_lefthook()
{
  dir="$(git rev-parse --show-toplevel)"
  if test -f "$dir/node_modules/lefthook"
  then
    "$dir/node_modules/lefthook" "$@"
  elif lefthook -h >/dev/null 2>&1
  then
    lefthook "$@"
  else
    echo "Can't find lefthook in PATH"
  fi
}
call_lefthook run "NAME" "$@"
"""
CHECK = 'echo "checked in $PWD" >&2; [ ! -e bad ]'


def husky(repository: Path) -> None:
    """core.hooksPath is `.husky/_`, which `npm install` makes in every checkout and git ignores."""
    kit.git(repository, "config", "core.hooksPath", ".husky/_")
    (repository / ".husky").mkdir()
    (repository / ".husky" / "pre-commit").write_text(f"{CHECK}\n")
    (repository / ".husky" / "pre-push").write_text('echo "pushing $1: $(cat)" >&2\n')
    husky_install(repository)
    commit_all(repository)


def husky_install(checkout: Path) -> None:
    place = checkout / ".husky" / "_"
    place.mkdir()
    (place / ".gitignore").write_text("*")
    (place / "h").write_text(HUSKY_RUNNER)
    for name in ("pre-commit", "pre-push", "commit-msg", "post-commit", "prepare-commit-msg"):
        write_hook(place, name, '. "$(dirname "$0")/h"')


def pre_commit(repository: Path) -> None:
    """The hook that was there before became `pre-commit.legacy`."""
    place = repository / ".git" / "hooks"
    write_hook(place, "pre-commit.legacy", "echo legacy >&2; [ ! -e worse ]")
    write_hook(place, "pre-commit", "")
    (place / "pre-commit").write_text(PRE_COMMIT.format(python=sys.executable))
    (place.parent / "pretend_pre_commit.py").write_text(PRETEND_PRE_COMMIT)


def lefthook(repository: Path) -> None:
    for name in ("pre-commit", "pre-push"):
        write_hook(repository / ".git" / "hooks", name, "")
        (repository / ".git" / "hooks" / name).write_text(LEFTHOOK.replace("NAME", name))
    program = write_hook(repository / "node_modules", "lefthook", "")
    program.write_text(f'#!/bin/sh\n[ "$2" != pre-push ] || echo "pushing $3: $(cat)" >&2\n{CHECK}\n')
    commit_all(repository)


def commit_all(repository: Path) -> None:
    kit.git(repository, "add", "--all")
    kit.git(repository, "commit", "--quiet", "--no-verify", "-m", "Set hooks up")


@pytest.fixture(params=[spawned, by_hand], ids=["spawned", "by hand"])
def work(request: pytest.FixtureRequest) -> Callable[[Path], Worker]:
    way: Callable[[Path], Worker] = request.param
    return way


STYLES = pytest.mark.parametrize("style", [husky, pre_commit, lefthook], ids=["husky", "pre-commit", "lefthook"])


def worker_with(repository: Path, style: Callable[[Path], None], work: Callable[[Path], Worker]) -> Worker:
    style(repository)
    worker = work(repository)
    if style is husky:
        husky_install(worker.worktree)
    return worker


@STYLES
def test_a_hook_that_was_there_before_runs_once_and_can_refuse(
    repository: Path, style: Callable[[Path], None], work: Callable[[Path], Worker]
) -> None:
    worker = worker_with(repository, style, work)

    done = worker.commit("fine")
    assert (done.code, done.err.count(f"checked in {worker.worktree}")) == (0, 1)
    assert kit.git(worker.worktree, "log", "-1", "--format=%B").endswith("Task-Id: fix-login\n")
    before = worker.refs()
    refused = worker.commit("bad")
    assert (refused.code, refused.err.count(f"checked in {worker.worktree}")) == (1, 1)
    assert worker.refs() == before
    assert kit.git(repository, "status", "--porcelain") == ""


@pytest.mark.parametrize("style", [husky, lefthook], ids=["husky", "lefthook"])
def test_a_pre_push_that_was_there_before_is_told_all_that_git_tells(
    repository: Path, style: Callable[[Path], None], work: Callable[[Path], Worker]
) -> None:
    worker = worker_with(repository, style, work)
    worker.commit("fine")
    tip = kit.git(worker.worktree, "rev-parse", "HEAD")

    done = worker.git("push", "--quiet", "origin", MINE)

    assert done.code == 0
    assert f"pushing origin: refs/heads/{MINE} {tip} refs/heads/{MINE} {'0' * len(tip)}\n" in done.err
    assert "pushing origin" not in worker.git("push", "origin", "HEAD:main").err


def test_the_hook_before_pre_commit_runs_and_can_refuse(repository: Path, work: Callable[[Path], Worker]) -> None:
    worker = worker_with(repository, pre_commit, work)

    assert "legacy\n" in worker.commit("fine").err
    assert worker.commit("worse").code == 1


def test_husky_that_comes_after_install_is_found(repository: Path) -> None:
    worker = by_hand(repository)
    husky(repository)
    worker.git("merge", "--quiet", "main")
    husky_install(worker.worktree)

    assert worker.commit("bad").code == 1
    assert "stray" in worker.git("branch", "stray").refusal


def test_hooks_of_the_users_own_config_run_too(repository: Path, home: Path, work: Callable[[Path], Worker]) -> None:
    write_hook(home / "my hooks", "commit-msg", "echo mine >&2")
    kit.git(repository, "config", "--global", "core.hooksPath", "~/my hooks")

    assert work(repository).commit("one") == Done(0, "mine\n")


def test_a_reference_transaction_of_the_project_sees_what_passes(
    repository: Path, tmp_path: Path, work: Callable[[Path], Worker]
) -> None:
    log = tmp_path / "log"
    write_hook(repository / ".git" / "hooks", "reference-transaction", f'echo "$1" >>{log}; cat >>{log}')
    worker = work(repository)
    log.write_text("")
    new, old = kit.git(worker.worktree, "rev-parse", "main~1", "HEAD").split()

    assert worker.git("update-ref", f"refs/heads/{MINE}", new, old) == Done(0, "")
    assert worker.git("tag", "v1").code != 0

    line = f"{old} {new} refs/heads/{MINE}\n"
    told = log.read_text()
    assert told.startswith(f"prepared\n{line}")
    assert f"committed\n{line}" in told
    assert "v1" not in told.partition("aborted")[0]


def test_a_reference_transaction_under_a_foreign_hooks_path_can_refuse(
    repository: Path, work: Callable[[Path], Worker]
) -> None:
    kit.git(repository, "config", "core.hooksPath", "tools/hooks")
    worker = work(repository)
    write_hook(worker.worktree / "tools" / "hooks", "reference-transaction", '[ "$1" != prepared ]')

    assert worker.git("commit", "--quiet", "--allow-empty", "-m", "x").code != 0
    assert "refs/tags/v1" in worker.git("tag", "v1").refusal


def test_hooks_of_the_other_side_of_a_push_run_too(repository: Path) -> None:
    """A worktree can be pushed to by its path; then the hooks of the receiving side are looked for there."""
    worker = by_hand(repository)
    write_hook(repository / ".git" / "hooks", "pre-receive", "echo received >&2; exit 1")

    done = worker.git("push", str(worker.worktree), f"HEAD~1:refs/heads/{MINE}", "--force")

    assert "received" in done.err
    assert done.code != 0
