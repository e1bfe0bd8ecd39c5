"""hooks install, uninstall, status: nothing of the project's is touched, and everything comes out again to the byte."""

from __future__ import annotations

import json
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
from tests.integration.fenced import write_hook
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


def ours(repository: Path) -> dict[str, tuple[int, int]]:
    """What lies in the directory of installed hooks: by name, which file it is and when it was written."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in installed_file(repository, "").iterdir()
    }


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
    before, config = ours(repository), (repository / ".git" / "config").stat().st_ino

    assert not install(repository)
    assert (ours(repository), (repository / ".git" / "config").stat().st_ino) == (before, config)


def test_uninstall_where_nothing_is_installed_changes_nothing(repository: Path) -> None:
    before = git_dir(repository)

    assert not uninstall(repository)
    assert git_dir(repository) == before


@pytest.mark.parametrize("config", ["as git made it", "without a last newline"])
def test_what_others_write_to_the_config_meanwhile_stays(repository: Path, config: str) -> None:
    file = repository / ".git" / "config"
    kit.git(repository, "config", "user.nickname", "ada")
    file.write_text(CONFIGS[config](file.read_text()))
    beside = repository.parent / "beside"
    beside.write_bytes(file.read_bytes())

    install(repository)
    for path in (file, beside):
        for setting in (("user.nickname", "eve"), ("remote.origin.url", "x"), ("user.motto", "on")):
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
    before, config = ours(repository), git_dir(repository)

    with pytest.raises(HookChanged) as refused:
        act(repository)

    assert refused.value.facts["files"] == [str(edited)]
    assert (ours(repository), git_dir(repository)) == (before, config)
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
@pytest.mark.parametrize("verb", ["install", pytest.param("uninstall", marks=pytest.mark.faults)])
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


@kit.requires("strace")
@pytest.mark.parametrize("step", [26, 27, 28])
def test_after_a_kill_what_was_written_counts_as_ours_also_when_other_settings_are_due_by_now(
    repository: Path, step: int
) -> None:
    _killed(repository, "install", step)
    kit.git(repository, "remote", "add", "origin", "../origin.git")

    assert install(repository)
    assert status(repository).is_whole
    assert b"origin" in installed_file(repository, "gitconfig").read_bytes()


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
