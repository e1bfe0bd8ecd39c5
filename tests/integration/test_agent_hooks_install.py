"""`hooks install --agents`: where the settings go, that they enter no commit, and that they go again to the byte."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests import kit
from tests.integration import pooled
from tests.kit import tasks

FILES = (".claude/settings.local.json", ".codex/hooks.json", ".gemini/settings.json")


def hooks(repository: Path, verb: str) -> Any:
    done = kit.conductor("hooks", verb, "--agents", "--json", cwd=repository)
    assert done.code == 0, done
    return done.document


def everything(place: Path) -> dict[str, bytes]:
    """Every file of a worktree, by its path."""
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def said_by(path: Path) -> str:
    return json.dumps(json.loads(path.read_text()))


def test_they_are_in_every_worktree_enter_no_commit_and_go_again(repository: Path) -> None:
    before = tasks.spawn(repository, "prices")
    was, main = everything(before), everything(repository)
    exclude = (repository / ".git" / "info" / "exclude").read_bytes()

    assert [one["files"] for one in hooks(repository, "install")["worktrees"]] == [list(FILES)]
    later = tasks.spawn(repository, "oak")

    for place in (before, later):
        assert all("conductor-git hook stop" in said_by(place / name) for name in FILES)
        assert kit.git(place, "status", "--porcelain") == ""
        kit.git(place, "add", "--all")
        assert kit.git(place, "status", "--porcelain") == ""
    assert hooks(repository, "install")["worktrees"][1]["files"] == list(FILES)
    assert hooks(repository, "status")["installed"] is True
    hooks(repository, "uninstall")
    assert everything(before) == was
    assert not any((later / name).parent.exists() for name in FILES)
    assert (repository / ".git" / "info" / "exclude").read_bytes() == exclude
    assert {name: data for name, data in everything(repository).items() if not name.startswith(".git/")} == {
        name: data for name, data in main.items() if not name.startswith(".git/")
    }
    kit.git(repository, "worktree", "remove", str(later))


def test_a_landing_removes_the_worktree_and_keeps_no_salvage_of_them(repository: Path) -> None:
    hooks(repository, "install")
    place = tasks.approved(repository, "prices", {"a": "b\n"})

    cleanup = tasks.landed(tasks.merge(repository, "prices"))["cleanup"]

    assert (cleanup["worktree_removed"], cleanup["salvage"]) == (True, None)
    assert not place.exists()


def test_a_worktree_from_the_pool_has_no_settings_of_a_former_worker(repository: Path) -> None:
    pooled.configured(repository, "pool: {size: 1, keep_ignored: true}\n")
    pooled.refilled(repository)
    place = tasks.approved(repository, "prices", {"a": "b\n"})
    tasks.write(place, {".claude/.gitignore": "*\n", FILES[0]: '{"hooks": {"Stop": []}}\n', "build/out.o": "out\n"})
    tasks.landed(tasks.merge(repository, "prices"))
    pooled.quiet(repository)
    pooled.refilled(repository)

    later = tasks.spawn(repository, "oak")

    assert (later / "build" / "out.o").is_file()
    assert not (later / ".claude").exists()


@pytest.mark.parametrize("text", ['{"model": "opus",\n\t"hooks": {"Stop": []}}', "{}", "", '{"hooks": {}}\n\n'])
def test_what_was_there_is_merged_and_comes_back_to_the_byte(repository: Path, text: str) -> None:
    place = tasks.spawn(repository, "prices")
    tasks.write(place, {FILES[0]: text, ".claude/.gitignore": "*\n"})
    (place / FILES[0]).chmod(0o600)

    hooks(repository, "install")
    merged = json.loads((place / FILES[0]).read_text())
    hooks(repository, "install")

    assert merged == json.loads((place / FILES[0]).read_text())
    assert merged.get("model") == json.loads(text or "{}").get("model")
    assert (place / FILES[0]).stat().st_mode & 0o777 == 0o600
    hooks(repository, "uninstall")
    assert (place / FILES[0]).read_text() == text
    assert (place / ".claude/.gitignore").read_text() == "*\n"


def test_what_somebody_edited_since_loses_our_hooks_alone(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")
    hooks(repository, "install")
    settings = json.loads((place / FILES[0]).read_text())
    settings["hooks"]["Stop"].append({"hooks": [{"type": "command", "command": "notify-send done"}]})
    (place / FILES[0]).write_text(json.dumps(settings | {"model": "opus"}))

    hooks(repository, "uninstall")

    left = json.loads((place / FILES[0]).read_text())
    assert left == {"model": "opus", "hooks": {"Stop": [settings["hooks"]["Stop"][-1]]}}


def test_what_the_project_commits_or_nobody_can_read_is_left_alone(repository: Path) -> None:
    tasks.commit(repository, {FILES[2]: '{"theme": "dark"}\n'})
    place = tasks.spawn(repository, "prices")
    tasks.write(place, {FILES[1]: "// a comment\n{}"})
    was = everything(place)

    (found,) = hooks(repository, "install")["worktrees"]

    assert found["files"] == [FILES[0]]
    assert {one["path"] for one in found["skipped"]} == {FILES[1], FILES[2]}
    assert {name: data for name, data in everything(place).items() if not name.startswith(".claude/")} == was


def test_a_link_to_the_settings_of_the_person_is_not_followed(repository: Path, tmp_path: Path) -> None:
    """A worker that wants its hooks run everywhere would put such a link there, or forge what is taken back."""
    place = tasks.spawn(repository, "prices")
    home = tmp_path / "home"
    tasks.write(home, {"settings.local.json": "{}\n", "hooks.json": "{}\n", "mine": "secret\n"})
    was = everything(home)
    (place / ".claude").symlink_to(home)
    (place / ".codex").mkdir()
    (place / FILES[1]).symlink_to(home / "hooks.json")
    paths = ("../../home/mine", str(home / "mine"), "src/prices.py")
    forged = {path: {"before": None, "made": sha256((place / path).read_bytes()).hexdigest()} for path in paths}
    (repository / ".git" / "worktrees" / "prices" / "conductor-agent-hooks.json").write_text(json.dumps(forged))

    (found,) = hooks(repository, "install")["worktrees"]
    hooks(repository, "uninstall")

    assert {one["path"] for one in found["skipped"]} == {FILES[0], FILES[1]}
    assert everything(home) == was
    assert (place / "src/prices.py").is_file()
    assert (place / ".claude").is_symlink()


def test_a_path_on_which_agents_would_not_find_us_is_told(repository: Path, tmp_path: Path) -> None:
    git = shutil.which("git")
    assert git is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(git)

    missing = kit.conductor("hooks", "install", "--agents", cwd=repository, env={"PATH": str(tmp_path / "bin")})
    found = kit.conductor(
        "hooks", "install", "--agents", cwd=repository, env={"PATH": f"{tmp_path}/bin:{kit.console_script().parent}"}
    )

    assert (missing.code, found.code) == (0, 0)
    assert "conductor-git is not on the PATH here" in missing.err
    assert "PATH" not in found.err
