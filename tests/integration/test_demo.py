"""The demo is as told, cleans up after itself, and says so when something is not as told."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conductor_git.demo import scratch as scratches
from conductor_git.demo import story
from conductor_git.demo.checks import checks
from conductor_git.demo.play import Play
from conductor_git.errors import DemoFailed
from conductor_git.message import Message
from tests import kit

CLAIMS = 9


class Nobody:
    """An audience that hears nothing."""

    def act(self, title: str) -> None: ...

    def remark(self, text: str) -> None: ...

    def typing(self, command: object) -> None: ...

    def answered(self, out: str, err: str) -> None: ...

    def heard(self, message: Message) -> None: ...


def test_the_demo_owes_nothing_to_its_caller_and_with_keep_leaves_its_repository_alone(
    repository: Path, tmp_path: Path
) -> None:
    """Started with a polluted environment, in a repository, by somebody without a git identity who signs everything."""
    before = kit.snapshot(repository)
    kit.git(repository, "config", "--global", "--unset", "user.name")
    kit.git(repository, "config", "--global", "commit.gpgSign", "true")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    polluted = {
        "CONDUCTOR_TARGET": "elsewhere",
        "CONDUCTOR_WORKER_CTX": str(tmp_path / "nothing.json"),
        "GIT_DIR": str(repository / ".git"),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_WORK_TREE": str(repository),
        "TMPDIR": str(scratch),
    }

    done = kit.conductor("demo", "--keep", "--json", cwd=repository, env=polluted)

    assert done.code == 0, done.out + done.err
    assert [check["against"] for check in done.document["demo"]["checks"]] == [[]] * CLAIMS
    assert kit.snapshot(repository) == before
    kept = Path(done.document["demo"]["repository"])
    assert [kept.parent] == list(scratch.iterdir())
    assert len(kit.git(kept, "log", "--first-parent", "--format=%s", "main").splitlines()) == 1 + len(story.PARTS)


@pytest.fixture(scope="module")
def landed() -> Iterator[Play]:
    """A play that was performed to its end, for looking at and spoiling."""
    scratch = scratches.make()
    play = Play(scratch, Nobody())
    try:
        (scratch.root / "before.json").write_text(json.dumps(scratches.fingerprints(scratch.repository)))
        play.perform()
        yield play
    finally:
        play.stop_agents()
        scratch.remove()


@contextmanager
def spoiled(play: Play, place: Path, spoil: str) -> Iterator[None]:
    """The scratch repository with the shell command `spoil` run in it, for as long as the block lasts."""
    repository = play.scratch.repository
    shutil.copytree(repository, place / "kept", symlinks=True)
    try:
        subprocess.run(["sh", "-c", spoil], cwd=repository, check=True, capture_output=True)
        yield
    finally:
        shutil.rmtree(repository)
        shutil.copytree(place / "kept", repository, symlinks=True)


def untrue(play: Play) -> list[str]:
    before = json.loads((play.scratch.root / "before.json").read_text())
    return [check.claim for check in checks(play, before) if not check.holds]


def test_nothing_speaks_against_a_play_that_went_well(landed: Play, tmp_path: Path) -> None:
    with spoiled(landed, tmp_path, "true"):
        assert untrue(landed) == []


@pytest.mark.parametrize(
    ("spoil", "claim"),
    [
        ("git reset --quiet --soft HEAD^", "all four have landed"),
        pytest.param(
            "git commit --quiet --allow-empty -m 'past the review'", "all four have landed", marks=pytest.mark.faults
        ),
        ("git checkout --quiet -- src/conductor_git/__init__.py", "your own edits are untouched"),
        pytest.param("rm notes.txt", "your own edits are untouched", marks=pytest.mark.faults),
        pytest.param("echo more >>LICENSE", "your own edits are untouched", marks=pytest.mark.faults),
        ("git checkout --quiet --detach", "your own edits are untouched"),
        ("echo '<<<<<<< HEAD' >>src/conductor_git/config/duration.py", "no side of the conflict was lost"),
        pytest.param("git branch stray", "no worktree, branch, lock", marks=pytest.mark.faults),
        ("touch .git/index.lock", "no worktree, branch, lock"),
        pytest.param("echo x >.git/conductor/journal/x.json", "no worktree, branch, lock", marks=pytest.mark.faults),
        ("rm -f .git/objects/*/*", "git fsck finds nothing"),
        ("sed -i.bak 's/WORKING/COMPLETED/' .git/conductor/MESSAGE-BUS.md", "the bus is whole"),
        ("conductor-git bus post --type ERROR 'something broke'", "nothing else went wrong"),
    ],
)
def test_the_demo_sees_what_is_not_as_told(landed: Play, tmp_path: Path, spoil: str, claim: str) -> None:
    with spoiled(landed, tmp_path, spoil):
        assert any(claim in wrong for wrong in untrue(landed))


def test_an_agent_that_fails_ends_the_play_and_no_process_stays() -> None:
    scratch = scratches.make()
    play = Play(scratch, Nobody())
    environment = {**scratch.environment(), "CONDUCTOR_LIMITS_ATTEMPTS": "1"}
    try:
        done = kit.conductor("spawn", "glossary", "--", "sh", "-c", "exit 7", cwd=scratch.repository, env=environment)
        assert done.code == 0, done.err

        with pytest.raises(DemoFailed, match="exit code 7"):
            play.listen_until_done("glossary")
    finally:
        play.stop_agents()
        scratch.remove()

    assert not scratch.root.exists()


def test_without_a_checkout_the_package_itself_is_the_scratch_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "conductor_git"
    package.mkdir(parents=True)
    (package / "names.py").write_text("x = 1\n")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "names.pyc").write_text("")
    monkeypatch.setattr(scratches, "_PACKAGE", package)

    assert [*scratches.sources()] == [(package / "names.py", "src/conductor_git/names.py")]


def test_from_a_checkout_the_tracked_files_are_the_scratch_repository() -> None:
    names = [name for _, name in scratches.sources()]

    if (Path(__file__).parents[2] / ".git").exists():
        assert {"README.md", "Makefile", story.DURATION, story.NAMES} <= set(names)
    assert not any("__pycache__" in name for name in names)
