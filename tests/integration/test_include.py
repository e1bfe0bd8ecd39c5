"""include: ignored files of the main checkout come along into a new worktree, and nothing else does."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from conductor_git import brought
from conductor_git.layout import Layout
from conductor_git.worktree import registered_git_dir
from tests import kit
from tests.integration.furnished import configured, refused, spawned
from tests.kit import tasks

LIST = ".worktreeinclude"


def test_what_is_listed_and_ignored_comes_with_its_mode_and_time(repository: Path) -> None:
    files: tasks.Files = {
        ".env": "KEY=1\n",
        "cache/a/b.bin": b"\0" * 5000,
        "cache/left.txt": "no\n",
        LIST: ".env\ncache/**\n!*.txt\n",
    }
    configured(repository, "ports: {per_worker: 0}\n", ignored=f".env\ncache/\n{LIST}\n", files=files)
    (repository / ".env").chmod(0o600)
    os.utime(repository / ".env", ns=(1_600_000_000_000_000_001,) * 2)
    (repository / "cache" / "a").chmod(0o750)

    place, done = spawned(repository)

    env = (place / ".env").stat()
    assert (stat.S_IMODE(env.st_mode), env.st_mtime_ns) == (0o600, 1_600_000_000_000_000_001)
    assert (place / "cache" / "a" / "b.bin").read_bytes() == b"\0" * 5000
    assert stat.S_IMODE((place / "cache" / "a").stat().st_mode) == 0o750
    assert not (place / "cache" / "left.txt").exists()
    assert "2 ignored files came along" in done.err


def test_what_git_tracks_or_does_not_ignore_where_the_worktree_starts_stays_behind(repository: Path) -> None:
    """The worktree's commit says what is ignored, not the main checkout's file of the moment."""
    configured(repository, "ports: {per_worker: 0}\n", ignored=f".env\n{LIST}\n")
    before = kit.git(repository, "rev-parse", "HEAD")
    tasks.commit(repository, {"late.txt": "tracked at the base only\n"})
    kit.git(repository, "branch", "later")
    kit.git(repository, "reset", "--quiet", "--hard", before)
    tasks.write(repository, {LIST: "*\n", ".env": "1\n", "late.txt": "mine\n", "notes.txt": "not ignored\n"})
    (repository / ".git" / "info" / "exclude").write_text("")

    place, done = spawned(repository, "prices", "--base", "later")

    assert (place / "late.txt").read_text() == "tracked at the base only\n"
    assert (place / ".env").exists()
    assert not (place / "notes.txt").exists()
    assert "notes.txt is listed in .worktreeinclude, and git does not ignore it" in done.err.replace("late.txt, ", "")


def test_a_pattern_that_matches_nothing_or_reaches_out_is_told_and_brings_nothing(repository: Path) -> None:
    (repository.parent / "secret.txt").write_text("outside\n")
    patterns = f"# a comment\n*.pem\n../secret.txt\n{repository.parent}/secret.txt\n.env\n"
    configured(repository, "{}\n", ignored=f"*.txt\n.env\n{LIST}\n", files={LIST: patterns, ".env": "1\n"})

    place, done = spawned(repository)

    assert "the pattern *.pem in .worktreeinclude matches no file" in done.err
    assert "the pattern ../secret.txt in .worktreeinclude reaches out of the repository" in done.err
    assert f"the pattern {repository.parent}/secret.txt in .worktreeinclude matches no file" in done.err
    assert "pattern .env" not in done.err
    assert "1 ignored file came along" in done.err
    told = kit.conductor("bus", "read", "--type", "INFO", "--json", cwd=repository).document["messages"]
    assert "*.pem" in told[0]["body"]
    assert not list(place.rglob("secret.txt"))


def test_symbolic_links_come_as_links_only_where_they_stay_inside(repository: Path) -> None:
    (repository.parent / "secret").mkdir()
    (repository.parent / "secret" / "key").write_text("outside\n")
    configured(repository, "{}\n", ignored=f"build/\n{LIST}\n", files={LIST: "build/\n", "build/real": "1\n"})
    links = {
        "inside": "real",
        "absolute": str(repository / "build" / "real"),
        "out": "../../secret/key",
        "folder": "../../secret",
        "round": f"../../{repository.name}/build/real",
        "chain": "out",
        "git": "../.git/config",
    }
    for name, to in links.items():
        (repository / "build" / name).symlink_to(to)

    place, done = spawned(repository)

    assert sorted(path.name for path in (place / "build").iterdir()) == ["inside", "real"]
    assert str((place / "build" / "inside").readlink()) == "real"
    assert "is a symbolic link that leads out of the worktree" in done.err


def test_nothing_is_written_through_a_link_that_the_worktree_s_commit_has(repository: Path) -> None:
    outside = repository.parent / "outside"
    outside.mkdir()
    (repository / "conf").symlink_to("../outside")
    tasks.commit(repository, {"README.md": "the link is tracked\n"})
    kit.git(repository, "add", "conf")
    kit.git(repository, "commit", "--quiet", "-m", "a link")
    kit.git(repository, "branch", "linked")
    kit.git(repository, "rm", "--quiet", "conf")
    configured(repository, "{}\n", ignored=f"conf/\n{LIST}\n", files={LIST: "conf/\n", "conf/key": "1\n"})

    _, done = spawned(repository, "prices", "--base", "linked")

    assert list(outside.iterdir()) == []
    assert "conf/key would come through a symbolic link" in done.err


def test_a_virtual_environment_stays_behind_and_why_is_told_unless_it_is_asked_for(repository: Path) -> None:
    files = {LIST: ".venv/\n", ".venv/pyvenv.cfg": "home = /usr/bin\n", ".venv/bin/python": "x\n"}
    configured(repository, "{}\n", ignored=f".venv/\n{LIST}\n", files=files)

    place, done = spawned(repository)

    assert not (place / ".venv").exists()
    assert f".venv is a Python virtual environment and stays behind: its programs name {repository}/.venv" in done.err

    configured(repository, "include_anyway: [.venv]\n")
    place, _ = spawned(repository, "asked")

    assert (place / ".venv" / "bin" / "python").exists()


def test_ten_gigabytes_are_refused_before_anything_is_made(repository: Path) -> None:
    configured(repository, "{}\n", ignored=f"data/\n{LIST}\n", files={LIST: "data/\n", "data/small": "1\n"})
    with (repository / "data" / "large.bin").open("wb") as file:
        file.truncate(10 * 10**9)

    error = refused(repository, "TOO_LARGE")

    assert "10.0 GB, more than the 2.1 GB of `include_bytes`; the largest is data/large.bin" in error["message"]
    assert not (repository.parent / "acme.worktrees").exists()
    assert kit.git(repository, "branch", "--list", "worker/*") == ""


def test_more_than_the_disk_has_is_refused_before_anything_is_made(repository: Path) -> None:
    config = f"include_bytes: {2**50}\n"
    configured(repository, config, ignored=f"data/\n{LIST}\n", files={LIST: "data/\n", "data/small": "1\n"})
    with (repository / "data" / "large.bin").open("wb") as file:
        file.truncate(shutil.disk_usage(repository).free + 2**40)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**28, before[1]))  # whoever copies it after all fills no disk
    try:
        error = refused(repository, "STATE_UNWRITABLE")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert "left. Nothing was copied" in error["message"]
    assert not (repository.parent / "acme.worktrees").exists()
    assert kit.git(repository, "branch", "--list", "worker/*") == ""


def test_repositories_inside_and_our_own_files_never_come(repository: Path) -> None:
    configured(repository, "{}\n", ignored=f"inner/\n{LIST}\n", files={LIST: "*\n", "inner/.keep": ""})
    kit.make_repository(repository / "inner" / "repo")
    tasks.write(repository, {"inner/.worker-ctx.json": "{}\n"})

    place, done = spawned(repository)

    assert sorted(path.name for path in (place / "inner").iterdir()) == [".keep"]
    assert "inner/repo/ is a repository of its own" in done.err
    assert '"task_id": "prices"' in (place / ".worker-ctx.json").read_text()


def test_linked_paths_lead_to_the_main_checkout_and_refuse_what_cannot_be(repository: Path) -> None:
    (repository.parent / "elsewhere").mkdir()
    config = "link: [models, missing, escape, visible, src]\n"
    configured(repository, config, ignored="/models\n/escape\n", files={"models/m.bin": "1\n", "visible/x": "1\n"})
    (repository / "escape").symlink_to("../elsewhere")

    place, done = spawned(repository)

    assert (place / "models").readlink() == repository / "models"
    for why in ("missing is not linked: it is not there", "escape is not linked: it leads out of the repository"):
        assert why in done.err
    assert "visible is not linked: it would show in `git status`" in done.err
    assert "src is not linked: it is something else in the worktree" in done.err


@pytest.mark.parametrize("value", ["../x", "/etc/passwd", "a/../../x"])
def test_a_config_that_names_what_is_outside_is_refused(repository: Path, value: str) -> None:
    (repository / ".conductor.yaml").write_text(f"link: [{value}]\n")

    assert "must be a path inside the repository" in refused(repository, "BAD_CONFIG")["message"]


def test_an_include_file_behind_a_link_is_refused_and_leaves_nothing(repository: Path) -> None:
    (repository.parent / "theirs").write_text("*\n")
    (repository / LIST).symlink_to("../theirs")

    refused(repository, "UNSAFE_PATH")

    assert not (repository.parent / "acme.worktrees").exists()


@kit.requires("strace")
def test_the_file_system_is_asked_to_share_the_blocks_before_anything_is_copied(
    repository: Path, tmp_path: Path
) -> None:
    configured(repository, "{}\n", ignored=f".env\n{LIST}\n", files={LIST: ".env\n", ".env": "1\n"})
    command = ["strace", "-f", "-qq", "-e", "trace=ioctl", "-o", str(tmp_path / "trace"), str(kit.console_script())]

    subprocess.run([*command, "spawn", "prices"], cwd=repository, check=True, capture_output=True)

    assert "FICLONE" in (tmp_path / "trace").read_text()


def git_dir_of(repository: Path, place: Path) -> Path:
    found = registered_git_dir(Layout(repository / ".git"), place)
    assert found is not None
    return found


def test_a_removal_keeps_a_copy_that_changed_and_no_other(repository: Path) -> None:
    files = {LIST: "*.env\n", "same.env": "1\n", "touched.env": "2\n", "changed.env": "3\n", "gone.env": "4\n"}
    configured(repository, "{}\n", ignored=f"*.env\n{LIST}\n", files=files)
    place = tasks.spawn(repository, "prices")
    assert len(brought.unchanged(git_dir_of(repository, place), place)) == 4
    times = (place / "touched.env").stat()
    (place / "touched.env").write_text("9\n")
    os.utime(place / "touched.env", ns=(times.st_atime_ns, times.st_mtime_ns))
    (place / "changed.env").write_text("changed\n")
    (place / "gone.env").unlink()
    (place / "new.env").write_text("the worker's\n")
    tasks.commit(place, {"src/new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    tasks.merge(repository, "prices")

    (ref,) = kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage/").split("\n")
    assert kit.git(repository, "diff", "--name-only", f"{ref}^1", ref).split("\n") == [
        "changed.env",
        "new.env",
        "touched.env",
    ]


def test_a_removal_of_unchanged_copies_leaves_no_salvage_at_all(repository: Path) -> None:
    configured(repository, "{}\n", ignored=f".env\n{LIST}\n", files={LIST: ".env\n", ".env": "1\n"})
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.merge(repository, "prices")

    assert not (repository.parent / "acme.worktrees" / "prices").exists()
    assert kit.git(repository, "for-each-ref", "refs/conductor/salvage/") == ""
    assert (repository / ".env").read_text() == "1\n"
