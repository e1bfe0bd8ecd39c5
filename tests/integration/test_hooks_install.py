"""hooks install, uninstall, status: nothing of the project's is touched, and everything comes out again to the byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from conductor_git.errors import HookChanged
from conductor_git.project import open_project
from conductor_git.workflow import hooks
from conductor_git.workflow.hooks import Standing
from tests import kit
from tests.integration.fenced import Worker, by_hand, spawned, write_hook
from tests.kit import tasks


def git_dir(repository: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of the git dir with mode and bytes, without what is conductor-git's own."""
    top = repository / ".git"
    files = [path for path in top.rglob("*") if path.is_file() and path.relative_to(top).parts[0] != "conductor"]
    return {str(path.relative_to(top)): (path.stat().st_mode, path.read_bytes()) for path in files}


def install(repository: Path) -> bool:
    return hooks.install(open_project(repository))


def uninstall(repository: Path) -> bool:
    return hooks.uninstall(open_project(repository))


def status(repository: Path) -> hooks.Status:
    return hooks.status(open_project(repository))


def installed_file(repository: Path, name: str) -> Path:
    return repository / ".git" / "conductor" / "installed-hooks" / name


CONFIGS: dict[str, Callable[[str], str]] = {
    "as git made it": lambda text: text,
    "without a last newline": lambda text: text.rstrip("\n"),
    "with Windows line ends": lambda text: text.replace("\n", "\r\n"),
    "with a comment at the end": lambda text: f"{text}# the end",
    "with a foreign hooks path": lambda text: f"{text}[core]\n\thooksPath = .husky/_\n",
    "with an include of somebody's": lambda text: f'{text}[includeIf "gitdir:./worktrees/*"]\n\tpath = more\n',
}


# --- install and uninstall


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o664])
@pytest.mark.parametrize("config", CONFIGS)
def test_uninstall_restores_every_byte_and_mode(repository: Path, config: str, mode: int) -> None:
    write_hook(repository / ".git" / "hooks", "pre-commit", "exit 0")
    file = repository / ".git" / "config"
    file.write_bytes(CONFIGS[config](file.read_text()).encode())
    file.chmod(mode)
    before = git_dir(repository)

    assert install(repository)
    changed = {name for name, entry in git_dir(repository).items() if before.get(name) != entry}
    assert changed == {"config"}
    assert file.stat().st_mode & 0o777 == mode
    assert uninstall(repository)
    assert git_dir(repository) == before
    assert not installed_file(repository, "").exists()


def test_a_second_install_changes_nothing(repository: Path) -> None:
    install(repository)
    before = {path: path.stat() for path in [repository / ".git/config", *installed_file(repository, "").iterdir()]}

    assert not install(repository)
    assert {path: path.stat() for path in before} == before


def test_uninstall_where_nothing_is_installed_changes_nothing(repository: Path) -> None:
    before = git_dir(repository)

    assert not uninstall(repository)
    assert git_dir(repository) == before


@pytest.mark.parametrize("config", ["as git made it", "without a last newline"])
def test_what_others_write_to_the_config_meanwhile_stays(repository: Path, config: str) -> None:
    file = repository / ".git" / "config"
    file.write_text(CONFIGS[config](file.read_text()))
    kit.git(repository, "config", "user.nickname", "ada")
    beside = repository.parent / "beside"
    beside.write_bytes(file.read_bytes())

    install(repository)
    for path in (file, beside):
        for setting in (("user.motto", "on"), ("remote.origin.url", "x"), ("user.nickname", "eve")):
            kit.git(repository, "config", "--file", str(path), *setting)
    uninstall(repository)

    assert file.read_bytes() == beside.read_bytes()


def test_install_mends_what_is_missing_or_lost_its_permission(repository: Path) -> None:
    install(repository)
    installed_file(repository, "pre-push").unlink()
    installed_file(repository, "whose").chmod(0o644)
    standing = {hook.name: hook.standing for hook in status(repository).hooks}
    assert (standing["pre-push"], standing["whose"]) == (Standing.MISSING, Standing.OUTDATED)

    assert install(repository)
    assert status(repository).is_whole


def test_an_upgrade_replaces_its_own_and_takes_away_what_is_no_hook_of_ours_any_more(repository: Path) -> None:
    """What an older version wrote is in its list; a new one knows it by that."""
    install(repository)
    written = installed_file(repository, "written.json")
    known = json.loads(written.read_text())
    for name in ("pre-push", "was-ours-once"):
        installed_file(repository, name).write_text("#!/bin/sh\n# of an older version\n")
        digest = subprocess.check_output(["sha256sum", installed_file(repository, name)], text=True).split()[0]
        known[name] = [digest]
    written.write_text(json.dumps(known))
    assert not status(repository).is_whole

    assert install(repository)
    assert status(repository).is_whole
    assert not installed_file(repository, "was-ours-once").exists()


@pytest.mark.parametrize("act", [install, uninstall])
@pytest.mark.parametrize("name", ["pre-commit", "whose", "gitconfig"])
def test_a_file_that_somebody_edited_is_named_and_nothing_is_changed(
    repository: Path, name: str, act: Callable[[Path], bool]
) -> None:
    install(repository)
    edited = installed_file(repository, name)
    edited.write_text(edited.read_text() + "# mine\n")
    before, config = edited.parent.stat(), git_dir(repository)

    with pytest.raises(HookChanged) as refused:
        act(repository)

    assert refused.value.facts["files"] == [str(edited)]
    assert (edited.parent.stat(), git_dir(repository)) == (before, config)
    assert edited.read_text().endswith("# mine\n")
    assert {hook.name for hook in status(repository).hooks if hook.standing is Standing.CHANGED} == {name}
    subprocess.run(["sh", "-c", refused.value.hint], check=True)
    act(repository)
    assert Path(f"{edited}.kept").read_text().endswith("# mine\n")


@pytest.mark.parametrize("act", [install, uninstall])
def test_a_section_that_somebody_edited_is_named_and_the_hint_takes_it_out(
    repository: Path, act: Callable[[Path], bool]
) -> None:
    install(repository)
    config = repository / ".git" / "config"
    config.write_text(config.read_text().replace("gitdir:./worktrees/*", "gitdir:./worktrees/f*"))
    kit.git(repository, "config", "includeIf.gitdir:./worktrees/*.path", "conductor/installed-hooks/gitconfig")

    with pytest.raises(HookChanged) as refused:
        act(repository)

    assert refused.value.facts["files"] == [str(config)]
    assert status(repository).section is Standing.CHANGED


def test_a_link_in_place_of_a_hook_is_not_followed(repository: Path, tmp_path: Path) -> None:
    install(repository)
    target = tmp_path / "target"
    target.write_text("of a person\n")
    installed_file(repository, "update").unlink()
    installed_file(repository, "update").symlink_to(target)

    with pytest.raises(HookChanged):
        install(repository)
    assert target.read_text() == "of a person\n"


# --- crashes and neighbours

_STEPS = "rename,renameat,renameat2,unlink,unlinkat,rmdir"


@kit.requires("strace")
@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_after_a_kill_at_any_step_the_same_command_ends_well(repository: Path, verb: str) -> None:
    tasks.spawn(repository, "fix-login")
    before = git_dir(repository)
    install(repository)
    after = git_dir(repository)
    kills = 0
    for step in (1, 2, 3, 9, 20, 26, 27, 28, 29, 30):
        (uninstall if verb == "install" else install)(repository)
        kills += _killed(repository, verb, step)

        assert kit.conductor("hooks", verb, cwd=repository).code == 0
        assert git_dir(repository) == (after if verb == "install" else before)
        assert status(repository).is_whole == (verb == "install")
        assert not [*repository.glob(".git/conductor/installed-hooks/.*"), *repository.glob(".git/*.lock")]
    assert kills >= 8


def _killed(repository: Path, verb: str, step: int) -> bool:
    """Run the command and kill it at its `step`-th rename or removal; whether it came to that."""
    inject = ["strace", "-qq", "-o", "/dev/null", "-e", f"inject={_STEPS}:signal=KILL:when={step}"]
    done = subprocess.run(
        [*inject, kit.console_script(), "hooks", verb], cwd=repository, capture_output=True, check=False, timeout=60
    )
    assert done.returncode in (0, -signal.SIGKILL), done
    return done.returncode != 0


def test_a_lock_of_the_config_that_a_kill_left_is_moved_aside(repository: Path) -> None:
    (repository / ".git" / "config.lock").write_text("")

    assert install(repository)
    assert status(repository).is_whole
    assert kit.git(repository, "config", "user.motto", "on") == ""


def test_any_number_of_installs_and_uninstalls_at_once_end_whole(repository: Path) -> None:
    before = git_dir(repository)
    for verbs in (["install"] * 4, ["uninstall"] * 4, ["install", "uninstall"] * 2):
        at_once = [
            subprocess.Popen([kit.console_script(), "hooks", verb], cwd=repository, stderr=subprocess.PIPE)
            for verb in verbs
        ]
        said = [child.communicate()[1] for child in at_once]
        assert [child.returncode for child in at_once] == [0] * 4, said
        found = status(repository)
        assert found.is_whole or found.is_absent
    uninstall(repository)
    assert git_dir(repository) == before


# --- the guard on the shared config


def test_the_guard_of_a_live_task_accepts_the_change_and_no_other(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.approved(repository, "taxes", {"src/taxes.py": "NEW = 1\n"})
    install(repository)

    tasks.landed(tasks.merge(repository, "prices"))
    kit.git(repository, "config", "core.fsmonitor", "touch x")
    uninstall(repository)
    install(repository)
    refused = tasks.refused(tasks.merge(repository, "taxes"), "GIT_CONFIG_CHANGED", 1)
    assert refused["keys"] == ["core.fsmonitor"]
    kit.git(repository, "config", "--unset", "core.fsmonitor")
    uninstall(repository)
    tasks.landed(tasks.merge(repository, "taxes"))


def test_a_second_file_under_our_key_is_not_accepted(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    kit.git(repository, "config", "--add", "includeIf.gitdir:./worktrees/*.path", "evil")

    install(repository)

    refused = tasks.refused(tasks.merge(repository, "prices"), "GIT_CONFIG_CHANGED", 1)
    assert refused["keys"] == ["includeif.gitdir:./worktrees/*.path"]


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
    install(repository)
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
    install(repository)
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
