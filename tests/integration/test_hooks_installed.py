"""With installed hooks: who is fenced and who notices nothing, what `hooks status` says, and agents beside them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from conductor_git.project import open_project
from conductor_git.workflow import hooks
from tests import kit
from tests.integration.fenced import Worker, by_hand, spawned, write_hook
from tests.kit import tasks


def status(repository: Path) -> hooks.Status:
    return hooks.status(open_project(repository))


# --- who is not concerned


def test_a_person_in_the_main_checkout_notices_nothing(repository: Path) -> None:
    worker = by_hand(repository)
    marker = repository.parent / "ran"
    write_hook(repository / ".git" / "hooks", "post-commit", f"echo ran >> {marker}")
    (repository / "README.md").write_text("changed\n")

    for command in (
        "stash",
        "stash pop",
        "commit --quiet -a -m x",
        "tag v1",
        "branch topic",
        "checkout --quiet -b spare",
        "branch -D topic",
        "push --quiet origin spare:main",
        "push --quiet . spare:copy",
        "worktree add --quiet -b theirs ../theirs",
    ):
        kit.git(repository, *command.split())

    assert kit.git(repository, "rev-parse", "--git-path", "hooks") == ".git/hooks"
    assert kit.git(repository, "log", "-1", "--format=%B") == "x\n"
    assert marker.read_text() == "ran\n"
    assert kit.git(repository, "status", "--porcelain") == ""
    assert worker.git("tag", "v2").code != 0


def test_a_worktree_that_is_no_workers_is_free_and_runs_the_projects_hooks(repository: Path) -> None:
    by_hand(repository)
    theirs = repository.parent / "theirs"
    kit.git(repository, "worktree", "add", "--quiet", "-b", "theirs", str(theirs))
    marker = repository.parent / "ran"
    for name in ("pre-commit", "pre-push", "reference-transaction"):
        write_hook(repository / ".git" / "hooks", name, f"echo {name} >> {marker}; cat >/dev/null")

    for command in ("commit --quiet --allow-empty -m x", "tag v1", "branch topic", "push --quiet origin theirs:main"):
        kit.git(theirs, *command.split())

    assert kit.git(theirs, "log", "-1", "--format=%B") == "x\n"
    assert set(marker.read_text().split()) == {"pre-commit", "pre-push", "reference-transaction"}


def test_a_worktree_whose_context_is_odd_is_nobodys(repository: Path) -> None:
    worker = by_hand(repository)
    context = Path(kit.git(worker.worktree, "rev-parse", "--absolute-git-dir")) / "worker-ctx.json"
    whole = json.loads(context.read_text())

    for number, text in enumerate(["", "{", json.dumps(whole), "null\n", '{\n  "branch": "",\n', "\0" * 100]):
        context.write_text(text)
        assert worker.git("tag", f"v{number}").err == "", text
    context.write_text(json.dumps(whole, indent=2))
    assert "is refused" in worker.git("tag", "v9").refusal


# --- status


def test_status_names_each_hook_and_what_runs_after_it(repository: Path) -> None:
    ours = write_hook(repository / ".git" / "hooks", "pre-commit", "exit 0")
    write_hook(repository / ".git" / "hooks", "commit-msg", "exit 0").chmod(0o644)
    absent = kit.conductor("hooks", "status", "--json", cwd=repository).document
    assert (absent["installed"], absent["config"]) == (False, "missing")

    installed = kit.conductor("hooks", "install", "--json", cwd=repository).document
    found = kit.conductor("hooks", "status", "--json", cwd=repository).document

    assert (installed["schema"], installed["changed"]) == (1, True)
    assert {**installed, "changed": None} == {**found, "changed": None}
    rows = {hook["name"]: (hook["standing"], hook["chained"]) for hook in found["hooks"]}
    assert rows["pre-commit"] == ("installed", str(ours))
    assert rows["commit-msg"] == ("installed", None)
    assert rows["reference-transaction"] == ("installed", None)
    assert kit.conductor("hooks", "uninstall", "--json", cwd=repository).document["changed"] is True


def test_status_says_where_core_hookspath_leads_nowhere(repository: Path) -> None:
    worktree = tasks.spawn(repository, "fix-login")
    kit.git(repository, "config", "core.hooksPath", ".husky/_")
    write_hook(repository / ".husky" / "_", "pre-commit", "exit 0")

    assert status(repository).unresolved == (worktree / ".husky" / "_",)
    (repository / ".husky").rename(repository / "gone")
    assert status(repository).unresolved == (repository / ".husky" / "_", worktree / ".husky" / "_")
    assert str(repository / ".husky" / "_") in kit.conductor("hooks", "status", cwd=repository).err
    kit.git(repository, "config", "core.hooksPath", "/not/there")
    assert status(repository).unresolved == (Path("/not/there"),)
    kit.git(repository, "config", "--unset", "core.hooksPath")
    assert status(repository).unresolved == ()


def test_status_says_where_another_setting_wins(repository: Path) -> None:
    worker = by_hand(repository)
    assert status(repository).hidden == ()

    kit.git(repository, "config", "extensions.worktreeConfig", "true")
    kit.git(worker.worktree, "config", "--worktree", "core.hooksPath", "/dev/null")

    assert status(repository).hidden == (worker.worktree,)


# --- both at once


@pytest.mark.parametrize("command", ["commit --quiet --allow-empty -m x", "push --quiet origin HEAD"])
def test_where_an_agent_runs_beside_installed_hooks_each_hook_runs_once(repository: Path, command: str) -> None:
    worker: Worker = spawned(repository)
    hooks.install(open_project(repository))
    marker = repository.parent / "ran"
    for name in ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-push"):
        write_hook(repository / ".git" / "hooks", name, f"echo {name} >> {marker}")

    assert worker.git(*command.split()).code == 0

    ran = marker.read_text().split()
    assert len(ran) == len(set(ran)) > 0
    assert len(tasks.told(repository, "PROGRESS", "fix-login")) == ("post-commit" in ran)
    assert len([line for line in worker.git("tag", "v1").err.splitlines() if "conductor-git:" in line]) == 1


def test_an_agent_whose_environment_was_cleared_is_still_fenced_by_installed_hooks(repository: Path) -> None:
    worker: Worker = spawned(repository)
    hooks.install(open_project(repository))
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")}

    done = subprocess.run(
        ["git", "stash"], cwd=worker.worktree, env=kept, capture_output=True, text=True, check=False, timeout=60
    )
    (worker.worktree / "README.md").write_text("changed\n")
    again = subprocess.run(
        ["git", "stash"], cwd=worker.worktree, env=kept, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0  # there was nothing to keep
    assert "git stash is refused" in again.stderr
