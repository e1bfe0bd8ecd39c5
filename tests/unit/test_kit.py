"""The kit itself: a snapshot that misses a change, or an environment that leaks, would make other tests lie."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import kit


def _edit(checkout: Path) -> None:
    (checkout / "README.md").write_text("changed\n")


def _touch_untracked(checkout: Path) -> None:
    (checkout / "notes.txt").write_text("mine\n")


def _touch_ignored(checkout: Path) -> None:
    (checkout / "debug.log").write_text("mine\n")


def _make_directory(checkout: Path) -> None:
    (checkout / "empty").mkdir()


def _change_mode(checkout: Path) -> None:
    (checkout / "README.md").chmod(0o755)


def _link(checkout: Path) -> None:
    (checkout / "link").symlink_to("nowhere")


def _stage(checkout: Path) -> None:
    kit.git(checkout, "update-index", "--chmod=+x", "README.md")


def _rewrite_index(checkout: Path) -> None:
    kit.git(checkout, "update-index", "--index-version", "4")


def _switch(checkout: Path) -> None:
    kit.git(checkout, "switch", "--quiet", "--create", "other")


def _detach(checkout: Path) -> None:
    kit.git(checkout, "checkout", "--quiet", "--detach")


def _commit(checkout: Path) -> None:
    kit.git(checkout, "commit", "--quiet", "--allow-empty", "-m", "more")


def _begin_a_merge(checkout: Path) -> None:
    (checkout / ".git" / "MERGE_HEAD").write_text(kit.git(checkout, "rev-parse", "HEAD"))


def _stash(checkout: Path) -> None:
    kit.git(checkout, "stash", "store", kit.git(checkout, "commit-tree", "-p", "HEAD", "-m", "x", "HEAD^{tree}"))


@pytest.mark.parametrize(
    "change",
    [
        _edit,
        _touch_untracked,
        _touch_ignored,
        _make_directory,
        _change_mode,
        _link,
        _stage,
        _rewrite_index,
        _switch,
        _detach,
        _commit,
        _begin_a_merge,
        _stash,
    ],
)
def test_a_snapshot_sees_every_change_a_person_could_find(repository: Path, change: Callable[[Path], None]) -> None:
    before = kit.snapshot(repository)

    change(repository)

    assert kit.snapshot(repository) != before
    assert before.differences(kit.snapshot(repository)) != []


def test_a_snapshot_changes_nothing_and_repeats(repository: Path) -> None:
    (repository / "README.md").touch()
    before = kit.snapshot(repository)

    assert kit.snapshot(repository) == before
    assert before.differences(kit.snapshot(repository)) == []


def test_a_snapshot_of_a_worktree_is_its_own(repository: Path, tmp_path: Path) -> None:
    kit.git(repository, "worktree", "add", "--quiet", "-b", "other", str(tmp_path / "other"))
    before = kit.snapshot(tmp_path / "other")

    _commit(repository)
    _touch_untracked(repository)

    assert kit.snapshot(tmp_path / "other") == before
    assert before.head == "ref: refs/heads/other"


def test_a_snapshot_of_a_repository_without_a_commit_has_no_tip(tmp_path: Path) -> None:
    kit.git(tmp_path, "init", "--quiet")

    assert kit.snapshot(tmp_path).tip == ""


def test_a_repository_is_the_same_everywhere(repository: Path, tmp_path: Path) -> None:
    again = kit.make_repository(tmp_path / "again")

    assert kit.git(repository, "rev-parse", "HEAD") == kit.git(again, "rev-parse", "HEAD")
    assert kit.git(repository, "rev-list", "--count", "main") == "3"
    assert kit.git(repository, "status", "--porcelain") == ""
    assert kit.git(repository, "ls-files", "--stage", "run.sh").startswith("100755")


def test_the_identity_is_the_tests_own(repository: Path) -> None:
    assert kit.git(repository, "log", "-1", "--format=%an <%ae>|%cn <%ce>") == f"{kit.IDENTITY}|{kit.IDENTITY}"


def test_nothing_that_steers_git_or_us_or_that_is_secret_gets_in(tmp_path: Path) -> None:
    polluted = {
        "GIT_DIR": "/elsewhere",
        "GIT_CONFIG_COUNT": "1",
        "CONDUCTOR_TASK_ID": "someone-else",
        "XDG_CONFIG_HOME": "/elsewhere",
        "HOME": "/elsewhere",
        "SOME_API_KEY": "secret",
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
    }

    clean = kit.clean_environment(polluted, tmp_path)

    assert clean["LANG"] == "C.UTF-8"
    assert clean["PATH"].endswith(":/usr/bin:/bin")
    assert clean["HOME"] == str(tmp_path)
    assert not {"GIT_DIR", "GIT_CONFIG_COUNT", "CONDUCTOR_TASK_ID", "SOME_API_KEY"} & clean.keys()
    assert not any("elsewhere" in value for value in clean.values())


def test_every_test_has_that_environment(home: Path, tmp_path: Path) -> None:
    assert kit.clean_environment(os.environ, home) == dict(os.environ)
    origins = kit.git(tmp_path, "config", "--list", "--show-origin", "--name-only").splitlines()
    assert {origin.split("\t")[0] for origin in origins} == {f"file:{home / '.gitconfig'}"}


def test_a_failing_git_fails_the_test_and_says_why(repository: Path) -> None:
    with pytest.raises(AssertionError, match=r"(?s)git rev-parse --verify nothing .* ended with 128:.*Needed a single"):
        kit.git(repository, "rev-parse", "--verify", "nothing")


def test_until_ends_a_hang_and_names_what_it_asked() -> None:
    def never() -> bool:
        return False

    with pytest.raises(AssertionError, match="never"):
        kit.until(never, seconds=0)


@pytest.mark.parametrize(("ci", "outcome"), [("true", "failed"), ("", "skipped")])
@pytest.mark.parametrize(
    "module",
    [
        "import pytest\ndef test_it(): pytest.skip('no tool')\n",
        "import pytest\npytest.skip('no tool', allow_module_level=True)\n",
        "from tests import kit\n@kit.requires('no-such-tool')\ndef test_it(): pass\n",
    ],
)
def test_a_skip_is_a_failure_on_ci_only(tmp_path: Path, module: str, ci: str, outcome: str) -> None:
    done = pytest_on(tmp_path, module, ci)

    words = {"failed": "with CI=true nothing may be", "skipped": "1 skipped"}
    assert words[outcome] in done.stdout
    assert (done.returncode in (0, 5)) is (outcome == "skipped")


def test_a_skip_for_want_of_rights_is_told_and_no_failure_on_ci(tmp_path: Path) -> None:
    module = "from tests import kit\ndef test_it(): kit.skip_where_forbidden('no root')\n"

    done = pytest_on(tmp_path, module, "true")

    assert done.returncode == 0
    assert "1 skipped" in done.stdout
    assert "no root" in done.stdout


def pytest_on(directory: Path, module: str, ci: str) -> subprocess.CompletedProcess[str]:
    """pytest on a directory with this one module, under our conftest."""
    (directory / "test_it.py").write_text(module)
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "tests.conftest"]
    return subprocess.run(
        [*command, "--rootdir", directory, "-c", os.devnull, directory],
        cwd=directory,
        env=os.environ
        | {"CI": ci, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        capture_output=True,
        text=True,
        check=False,
    )
