"""init: the ground is looked at, a config is suggested and written only with a yes, and the next command is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conductor_git.config.layers import merge, read_layer
from conductor_git.workflow.beginning.suggestion import suggestion, ways
from tests import kit
from tests.kit import tasks
from tests.kit.keyboard import at_a_shell

SIGNS = {
    "Python": {"pyproject.toml": "[project]\n"},
    "Node": {"package.json": "{}\n", "package-lock.json": "{}\n"},
    "Rust": {"Cargo.toml": "[package]\n"},
}


def test_without_a_yes_it_only_looks_and_shows(repository: Path) -> None:
    before = kit.snapshot(repository)

    done = kit.conductor("init", cwd=repository)

    assert done.code == 0, done
    assert kit.snapshot(repository) == before
    assert done.out.startswith("# How conductor-git works on this project.")
    assert "conductor-git init --yes" in done.err
    assert "conductor-git spawn fix-login" in done.err


def test_with_a_yes_it_writes_once_and_repeats_without_harm(repository: Path) -> None:
    first = kit.conductor("init", "--yes", "--json", cwd=repository).document
    written = (repository / ".conductor.yaml").read_text()
    assert first["is_written"] is True
    assert first["suggestion"] == written
    assert kit.conductor("config", "check", cwd=repository).code == 0
    tasks.write(repository, {".conductor.yaml": "target: main\n"})

    second = kit.conductor("init", "--yes", "--json", cwd=repository).document

    assert (second["is_written"], second["suggestion"]) == (False, None)
    assert (repository / ".conductor.yaml").read_text() == "target: main\n"


@pytest.mark.parametrize("kinds", [("Python",), ("Node",), ("Rust",), ("Python", "Node", "Rust"), ()])
def test_what_is_suggested_is_a_config_once_its_signs_are_taken_away(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        tasks.write(tmp_path, SIGNS[kind])
    found = ways(tmp_path)
    text = suggestion(found, "trunk")

    assert tuple(way.kind for way in found) == kinds
    assert merge([read_layer(text, "suggested")]).config.gates == ()
    config = merge([read_layer(re.sub(r"(?m)^#(?! \S)", "", text), "in force")]).config
    assert config.target == "trunk"
    assert len(config.gates) == max(1, len(kinds))
    assert len(config.setup) >= max(1, len(kinds))


def test_a_person_is_asked_and_a_no_writes_nothing(repository: Path) -> None:
    with at_a_shell(str(kit.console_script()), "init", cwd=repository) as keyboard:
        keyboard.sees("[y/N]")
        keyboard.type("n\n")
        keyboard.sees("nothing was written")
    assert not (repository / ".conductor.yaml").exists()

    with at_a_shell(str(kit.console_script()), "init", cwd=repository) as keyboard:
        keyboard.sees("[y/N]")
        keyboard.type("y\n")
        keyboard.sees("is written")
    assert (repository / ".conductor.yaml").exists()


def test_where_no_worker_can_start_it_refuses_with_the_way_out(repository: Path, tmp_path: Path) -> None:
    tasks.refused(kit.conductor("init", "--json", cwd=tmp_path), "NOT_A_REPOSITORY", 1)
    tasks.write(repository, {".conductor.yaml": "gate: []\n"})
    tasks.refused(kit.conductor("init", "--json", cwd=repository), "BAD_CONFIG", 1)
    (tmp_path / "new").mkdir()
    kit.git(tmp_path / "new", "init", "--quiet")
    tasks.refused(kit.conductor("init", "--json", cwd=tmp_path / "new"), "UNBORN_REPOSITORY", 1)


def test_right_after_it_doctor_finds_nothing(repository: Path) -> None:
    assert kit.conductor("init", "--yes", cwd=repository).code == 0

    assert kit.conductor("init", "--json", cwd=repository).document["kinds"] == []
    warnings = kit.conductor("init", "--json", cwd=repository).document["warnings"]
    assert [warning for warning in warnings if "agent" not in warning] == []


def test_in_a_bare_repository_the_config_belongs_into_a_worktree(repository: Path, tmp_path: Path) -> None:
    bare, worktree = tmp_path / "bare.git", tmp_path / "side"
    kit.git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(bare))
    kit.git(bare, "worktree", "add", "--quiet", str(worktree), "-b", "side")
    tasks.write(worktree, SIGNS["Rust"])

    outside = kit.conductor("init", "--yes", "--json", cwd=bare).document
    inside = kit.conductor("init", "--yes", "--json", cwd=worktree).document

    assert outside["is_written"] is False
    assert not (bare / ".conductor.yaml").exists()
    assert (inside["config"], inside["is_written"]) == (str(worktree / ".conductor.yaml"), True)
    assert inside["kinds"] == ["Rust"]
    kit.git(worktree, "add", ".conductor.yaml")
    kit.git(worktree, "commit", "--quiet", "-m", "Configure")
    kit.git(bare, "update-ref", "refs/heads/main", "side")
    assert kit.conductor("init", "--json", cwd=bare).document["suggestion"] is None, "HEAD has one"
