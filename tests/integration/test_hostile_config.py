"""A worker has poisoned the shared config, the hooks, the attributes and its own `.git`: nothing of it is ever run by
a command of the coordinator, and no checkout of a person changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import kit
from tests.integration.poison import ATTRIBUTES, Poison
from tests.kit import tasks

OLD = "PRICES = {\n    'apple': 3,\n    'pear': 4,\n}\n"
CONFIG = "gates:\n  - name: tree\n    run: test -f README.md\n"
ATTRIBUTED = {".gitattributes": ATTRIBUTES}
LOOKS = (
    "status", "status --all --json", "show clean", "show clash --json", "diff clean", "diff clean --stat",
    "diff clean --name-only", "diff clean --json", "diff dirty", "diff bad", "log failed", "ctx", "bus read",
    "merge clean --dry-run", "merge clash --dry-run", "config check", "conflicts", "queue", "restore",
)  # fmt: skip
VERBS = (
    "request-changes reviewed -m again", "done dirty", "done bad", "done reviewed", "approve reviewed --as eve",
    "cancel bad", "retry bad", "fail bad -m no", "retry failed", "undo clean", "merge clash", "merge red", "restore",
    "bus post hello",
)  # fmt: skip
GUARDED = ("done dirty --wip", "done bad --wip", "retry failed --reset", "retry cancelled --reset", "spawn another")
LANDINGS = ("merge clean", "merge squashed --strategy squash", "merge replayed --strategy rebase")


@pytest.fixture
def poison(tmp_path: Path) -> Poison:
    return Poison(tmp_path / "poison")


@pytest.fixture
def crew(repository: Path) -> Path:
    """A repository with tasks in all kinds of states, whose files the attributes give to filters and drivers."""
    tasks.commit(repository, {".conductor.yaml": CONFIG})
    assert kit.conductor("config", "trust", cwd=repository).code == 0
    tasks.approved(repository, "clean", {"src/new.py": "NEW = 1\n", **ATTRIBUTED})
    tasks.approved(repository, "clash", {"src/prices.py": OLD.replace("3", "30")})
    tasks.approved(repository, "red", {"README.md": None})
    tasks.approved(repository, "squashed", {"docs/a.md": "a\n"})
    tasks.approved(repository, "replayed", {"docs/b.md": "b\n"})
    tasks.commit(tasks.spawn(repository, "reviewed"), {"src/main.py": "print()\n"})
    tasks.hand_in(repository, "reviewed")
    for task_id in ("dirty", "failed", "cancelled", "bad"):
        worktree = tasks.spawn(repository, task_id)
        tasks.commit(worktree, {"src/main.py": f"print({task_id!r})\n"})
        tasks.write(worktree, {"src/main.py": "print(1)\n", "notes.md": "n\n", **ATTRIBUTED})
    assert kit.conductor("fail", "failed", "-m", "no", cwd=repository).code == 0
    assert kit.conductor("cancel", "cancelled", cwd=repository).code == 0
    tasks.commit(repository, {"src/prices.py": OLD.replace("3", "33")})
    return repository


def make_stale(place: Path) -> None:
    """Give every file another time, so that git has to read it, through its filters, to know that it is the same."""
    for file in place.rglob("*.[pm]*"):
        os.utime(file, (1, 1))


@pytest.mark.parametrize(
    ("where", "push", "lands"), [("main", "", False), ("elsewhere", "", True), ("elsewhere", "push: origin\n", False)]
)
def test_no_command_runs_what_a_worker_planted_or_changes_a_checkout(
    crew: Path, poison: Poison, where: str, push: str, lands: bool
) -> None:
    tasks.commit(crew, {".conductor.yaml": push + CONFIG})
    if where != "main":
        kit.git(crew, "switch", "--quiet", "--create", where)
    tasks.write(crew, {"README.md": "a person's own words\n", "notes.md": "untracked\n"})
    before, config = kit.snapshot(crew), (crew / ".git/config").read_bytes()
    poison.into(crew, crew.parent / "acme.worktrees/bad")
    make_stale(crew.parent / "acme.worktrees")
    make_stale(crew)

    ran: dict[str, list[str]] = {}
    for words in (*LOOKS, *GUARDED, *VERBS, *LANDINGS):
        done = kit.conductor(*words.split(" "), "--json", cwd=crew)
        assert done.code != 3, (words, done)
        if words in GUARDED or (words in LANDINGS and not lands):
            error = tasks.refused(done, "GIT_CONFIG_CHANGED", 1)
            assert "filter.evil.clean" in error["keys"]
        ran |= {words: poison.ran} if poison.ran else {}

    assert ran == {}
    poison.out_of(crew, config)
    assert kit.snapshot(crew) == before
    landed = kit.git(crew, "log", "--format=%(trailers:key=Approved-Commit)", "main").count("Approved-Commit")
    assert landed == (len(LANDINGS) if lands else 0)


def test_the_poison_works_where_nothing_keeps_git_from_it(crew: Path, poison: Poison) -> None:
    """What the test above shows is worth what git itself runs of the same poison."""
    poison.into(crew, crew.parent / "acme.worktrees/bad")
    make_stale(crew)

    for words in ("status", "diff HEAD~1", "commit --allow-empty -m x", "fetch origin", "checkout -f HEAD~1 -- src"):
        kit.git(crew, *words.split(" "), ok=(0, 1, 128))

    assert {"corefsmonitor", "diffevilcommand", "hookspath-pre-commit", "filterevilclean"} <= set(poison.ran)
