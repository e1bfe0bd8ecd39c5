"""The guard on what is shared: what came since a person agreed is named and refused wherever git would run it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks

SETTINGS = {
    "core.fsmonitor": "{run}",
    "core.hooksPath": "/planted",
    "core.sshCommand": "{run}",
    "core.editor": "{run}",
    "core.attributesFile": "/planted",
    "diff.external": "{run}",
    "diff.evil.textconv": "{run}",
    "merge.evil.driver": "{run}",
    "filter.evil.smudge": "{run}",
    "filter.evil.process": "{run}",
    "gpg.ssh.program": "{run}",
    "credential.helper": "{run}",
    "alias.st": "!{run}",
    "remote.origin.uploadpack": "{run}",
    "url.ext::x.insteadOf": "https:",
    "include.path": "{included}",
    "submodule.lib.update": "!{run}",
    "protocol.ext.allow": "always",
    "trailer.sign.command": "{run}",
}


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.fixture
def run(marker: Path, tmp_path: Path) -> str:
    """A program that leaves the marker and passes its input on, so that whatever called it goes on."""
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\ntouch {shlex.quote(str(marker))}\nexec cat\n")
    script.chmod(0o755)
    return str(script)


def config(repository: Path, *words: str) -> None:
    kit.git(repository, "config", *words)


def guarded(done: kit.Completed, *keys: str) -> None:
    error = tasks.refused(done, "GIT_CONFIG_CHANGED", 1)
    assert error["keys"] == [*keys]
    assert keys[0] in error["message"]
    assert "config trust" in error["hint"]


def test_a_landing_into_a_checkout_names_each_setting_that_came_since(
    repository: Path, run: str, marker: Path, tmp_path: Path
) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n", ".gitattributes": "* filter=evil diff=evil\n"})
    (tmp_path / "included").write_text("[user]\n\tname = Eve\n")
    before = kit.snapshot(repository)

    for key, value in SETTINGS.items():
        config(repository, key, value.format(run=run, included=tmp_path / "included"))
        done = tasks.merge(repository, "prices")
        config(repository, "--unset", key)
        section, _, name = key.rpartition(".")
        guarded(done, f"{section}.{name.lower()}")

    assert kit.snapshot(repository) == before
    assert not marker.exists()
    tasks.landed(tasks.merge(repository, "prices"))


def test_what_a_person_agrees_to_is_guarded_as_it_is_from_then_on(repository: Path, run: str) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    config(repository, "alias.st", "status")
    guarded(tasks.merge(repository, "prices"), "alias.st")

    assert kit.conductor("config", "trust", cwd=repository).code == 0

    config(repository, "alias.st", f"!{run}")
    guarded(tasks.merge(repository, "prices"), "alias.st")
    config(repository, "alias.st", "status")
    tasks.landed(tasks.merge(repository, "prices"))


def test_what_an_earlier_worker_planted_is_not_agreed_to_by_the_next_spawn(repository: Path, run: str) -> None:
    tasks.approved(repository, "first", {"a.txt": "a\n"})
    config(repository, "core.fsmonitor", run)

    tasks.approved(repository, "second", {"b.txt": "b\n"})

    guarded(tasks.merge(repository, "second"), "core.fsmonitor")


@pytest.mark.parametrize("where", ["info/attributes", ".gitattributes"])
def test_a_spawn_writes_no_file_through_a_filter_that_nobody_agreed_to(
    repository: Path, run: str, marker: Path, where: str
) -> None:
    tasks.spawn(repository, "first")
    if where == ".gitattributes":
        tasks.commit(repository, {where: "*.py filter=evil\n"})
    else:
        (repository / ".git" / where).write_text("*.py filter=evil\n")
    config(repository, "filter.evil.smudge", run)
    before = kit.snapshot(repository)

    guarded(kit.conductor("spawn", "second", "--json", cwd=repository), "filter.evil.smudge")

    assert not marker.exists()
    assert kit.snapshot(repository) == before
    assert kit.git(repository, "branch", "--list", "worker/second") == ""
    assert kit.conductor("config", "trust", cwd=repository).code == 0
    assert kit.conductor("spawn", "second", cwd=repository).code == 0
    assert marker.exists()


def test_a_retry_writes_no_file_through_a_filter_of_the_worktrees_own_config(
    repository: Path, run: str, marker: Path
) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {".gitattributes": "*.py filter=evil\n", "src/main.py": "print()\n"})
    tasks.write(worktree, {"src/main.py": "print(2)\n"})
    kit.conductor("fail", "prices", "-m", "no", cwd=repository)
    config(repository, "extensions.worktreeConfig", "true")
    config(worktree, "--worktree", "filter.evil.smudge", run)
    config(worktree, "--worktree", "filter.evil.clean", run)

    done = kit.conductor("retry", "prices", "--reset", "--json", cwd=repository)

    guarded(done, "filter.evil.clean", "filter.evil.smudge")
    assert not marker.exists()
    assert (worktree / "src/main.py").read_text() == "print(2)\n"


def test_a_filter_in_the_own_config_of_the_checkout_that_has_the_target_is_seen(
    repository: Path, run: str, marker: Path, tmp_path: Path
) -> None:
    kit.git(repository, "switch", "--quiet", "--create", "elsewhere")
    second = tmp_path / "second"
    kit.git(repository, "worktree", "add", "--quiet", str(second), "main")
    tasks.approved(repository, "prices", {"new.py": "NEW = 1\n", ".gitattributes": "*.py filter=evil\n"}, target="main")
    config(repository, "extensions.worktreeConfig", "true")
    config(second, "--worktree", "filter.evil.smudge", run)

    guarded(tasks.merge(repository, "prices"), "filter.evil.smudge")

    assert not marker.exists()


def test_a_cleanup_looks_through_no_filter_that_came_since(repository: Path, run: str, marker: Path) -> None:
    kit.git(repository, "switch", "--quiet", "--create", "elsewhere")
    worktree = tasks.approved(repository, "prices", {".gitattributes": "*.py filter=evil\n"}, target="main")
    config(repository, "filter.evil.clean", run)
    for file in worktree.rglob("*.py"):
        os.utime(file, (1, 1))

    tasks.landed(tasks.merge(repository, "prices"))

    assert not marker.exists()
    assert not worktree.exists()


def test_a_filter_that_was_there_before_the_spawn_goes_on_working(repository: Path, run: str, marker: Path) -> None:
    config(repository, "filter.kept.clean", run)
    tasks.commit(repository, {".gitattributes": "*.py filter=kept\n"})
    marker.unlink(missing_ok=True)
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    for file in worktree.rglob("*.py"):
        os.utime(file, (1, 1))

    tasks.landed(tasks.merge(repository, "prices"))

    assert marker.exists()


def hook(folder: Path, name: str, marker: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\ntouch {shlex.quote(str(marker))}\n")
    (folder / name).chmod(0o755)


def test_done_wip_for_a_worker_runs_the_hooks_that_were_agreed_to_and_no_other(repository: Path, marker: Path) -> None:
    hook(repository / ".git/hooks", "pre-commit", marker)
    worktree = tasks.spawn(repository, "prices")
    tasks.write(worktree, {"src/new.py": "NEW = 1\n"})
    hook(repository / ".git/hooks", "post-commit", marker)

    done = kit.conductor("done", "prices", "--wip", "--json", cwd=repository)

    guarded(done, "hooks/post-commit")
    assert not marker.exists()
    (repository / ".git/hooks/post-commit").unlink()
    assert kit.conductor("done", "prices", "--wip", cwd=repository).code == 0
    assert marker.exists()


def test_done_wip_for_a_worker_runs_no_hook_that_lies_in_the_worktree(repository: Path, marker: Path) -> None:
    config(repository, "core.hooksPath", ".husky")
    worktree = tasks.spawn(repository, "prices")
    hook(worktree / ".husky", "pre-commit", marker)

    assert kit.conductor("done", "prices", "--wip", cwd=repository).code == 0
    assert not marker.exists()

    tasks.write(worktree, {"src/new.py": "NEW = 1\n"})
    assert kit.conductor("done", "--wip", cwd=worktree).code == 0
    assert marker.exists()


def test_done_wip_for_a_worker_does_not_follow_a_swapped_git_file(repository: Path, run: str, marker: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.write(worktree, {"src/new.py": "NEW = 1\n", ".gitattributes": "* filter=evil\n"})
    (worktree / ".git").unlink()
    kit.git(worktree, "init", "--quiet")
    config(worktree, "filter.evil.clean", run)
    hook(worktree / ".git/hooks", "pre-commit", marker)

    assert kit.conductor("done", "prices", "--wip", cwd=repository).code == 0

    assert not marker.exists()
    assert kit.git(repository, "show", "worker/prices:src/new.py") == "NEW = 1"


def test_no_object_is_fetched_from_a_remote_that_a_worker_made_a_promisor(repository: Path, marker: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    config(repository, "core.repositoryFormatVersion", "1")
    config(repository, "extensions.partialClone", "evil")
    config(repository, "remote.evil.url", str(repository))
    config(repository, "remote.evil.promisor", "true")
    config(repository, "remote.evil.uploadpack", f"touch {shlex.quote(str(marker))}; false")
    (repository / ".git/refs/heads/worker/prices").write_text("1" * 40 + "\n")

    for words in ("show prices", "diff prices", "done prices", "merge prices", "cancel prices"):
        kit.conductor(*words.split(" "), cwd=repository)

    assert not marker.exists()
    kit.git(repository, "cat-file", "-p", "1" * 40, ok=(128,))
    assert marker.exists(), "git itself would have"


def test_a_landing_does_not_look_into_the_submodules_of_a_checkout(
    repository: Path, run: str, marker: Path, tmp_path: Path
) -> None:
    library = kit.make_repository(tmp_path / "library")
    kit.git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    kit.git(repository, "commit", "--quiet", "-m", "Use the library")
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    config(repository / "lib", "filter.evil.clean", run)
    (repository / ".git/modules/lib/info/attributes").write_text("* filter=evil\n")
    for file in (repository / "lib").rglob("*.*"):
        os.utime(file, (1, 1))

    tasks.landed(tasks.merge(repository, "prices"))

    assert not marker.exists()


@pytest.mark.parametrize("trick", ["replace", "grafts"])
def test_history_is_what_the_ids_say_whatever_a_worker_put_in_its_place(repository: Path, trick: str) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    approved = tasks.record(repository, "prices").approved_commit
    main = kit.git(repository, "rev-parse", "main")
    assert approved is not None
    if trick == "replace":
        kit.git(repository, "replace", "--graft", main, approved)
    else:
        (repository / ".git/info/grafts").write_text(f"{main} {approved}\n")
    kit.git(repository, "merge-base", "--is-ancestor", approved, "main")

    landed = tasks.landed(tasks.merge(repository, "prices", "--strategy", "squash"))

    assert kit.git(repository, "--no-replace-objects", "show", "main:src/new.py") == "NEW = 1"
    kept = landed["cleanup"]["salvage"]
    assert kept, "the target holds the commit by what the worker says only"
    assert kit.git(repository, "rev-parse", kept) == approved


def test_a_git_dir_that_claims_other_files_leads_no_command_there(repository: Path, tmp_path: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "README.md").write_text("a person's\n")
    config(repository, "core.worktree", str(victim))

    guarded(tasks.merge(repository, "prices"), "core.worktree")
    kit.conductor("status", cwd=repository)

    assert [file.name for file in victim.iterdir()] == ["README.md"]
    assert (victim / "README.md").read_text() == "a person's\n"
    config(repository, "--unset", "core.worktree")
    tasks.landed(tasks.merge(repository, "prices"))


def test_branches_that_are_options_are_names_to_every_command(repository: Path, tmp_path: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tip = kit.git(repository, "rev-parse", "main")
    for name in ("--upload-pack=touch marker", "--output=marker", "-x", "--exec=marker"):
        (repository / ".git/refs/heads" / name.replace(" ", "_")).write_text(f"{tip}\n")

    for words in ("status", "diff prices", "spawn other --no-start", "merge prices"):
        assert kit.conductor(*words.split(" "), cwd=repository).code == 0, words

    assert not list(tmp_path.rglob("marker*"))


@pytest.mark.parametrize("name", ["stdout.log", "heartbeat"])
def test_a_link_in_the_state_directory_is_not_followed(repository: Path, tmp_path: Path, name: str) -> None:
    secret = tmp_path / "id_rsa"
    secret.write_text("PRIVATE KEY\n")
    kit.conductor("spawn", "prices", "--", "true", cwd=repository)
    kit.until(lambda: tasks.record(repository, "prices").attempts[-1].ended_at is not None)
    folder = repository / ".git/conductor/tasks/prices"
    (file,) = [file for file in (folder / "heartbeat", *folder.glob("attempts/*/stdout.log")) if file.name == name]
    file.unlink(missing_ok=True)
    file.symlink_to(secret)
    os.utime(secret, (1, 1))
    before = secret.stat()

    told = [kit.conductor(*words.split(" "), cwd=repository) for words in ("log prices", "show prices", "status")]
    kit.conductor("heartbeat", "prices", cwd=repository)

    assert not any("PRIVATE KEY" in done.out + done.err for done in told)
    assert (secret.read_text(), secret.stat().st_mtime) == ("PRIVATE KEY\n", before.st_mtime)


def test_done_wip_for_a_worker_does_not_look_into_its_submodules(
    repository: Path, run: str, marker: Path, tmp_path: Path
) -> None:
    library = kit.make_repository(tmp_path / "library")
    worktree = tasks.spawn(repository, "prices")
    kit.git(worktree, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    kit.git(worktree, "commit", "--quiet", "-m", "Use the library")
    tasks.write(worktree, {"src/new.py": "NEW = 1\n"})
    config(worktree / "lib", "filter.evil.clean", run)
    config(worktree / "lib", "core.fsmonitor", run)
    git_dir = Path(kit.git(worktree / "lib", "rev-parse", "--absolute-git-dir"))
    (git_dir / "info" / "attributes").write_text("* filter=evil\n")
    for file in (worktree / "lib").rglob("*.*"):
        os.utime(file, (1, 1))

    done = kit.conductor("done", "prices", "--wip", cwd=repository)

    assert not marker.exists()
    assert done.code == 0, done
