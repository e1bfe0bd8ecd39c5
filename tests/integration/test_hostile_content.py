"""What a branch may bring and what it may not, whatever it is called and however much of it there is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conductor_git import integration
from conductor_git.errors import UnsafePath
from conductor_git.landing.change import changes, config_change, is_git_dir, touches_config
from conductor_git.landing.mergetree import Plan, merge
from conductor_git.names import CommitId
from conductor_git.project import open_project
from conductor_git.run import Strategy
from tests import kit
from tests.kit import tasks

LONG = "".join(f"line {number}\n" for number in range(40))
STRATEGIES = ["merge", "squash", "rebase"]


def handed_in(repository: Path, worktree: Path) -> None:
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    assert kit.git(worktree, "status", "--porcelain") == ""


def lands(repository: Path, strategy: str = "merge") -> None:
    tasks.landed(tasks.merge(repository, "prices", "--strategy", strategy))
    assert kit.git(repository, "status", "--porcelain") == ""


def test_ten_thousand_changed_files_land(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    for number in range(10_000):
        place = worktree / "many" / f"{number % 100:02d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.txt").write_text(f"{number}\n")
    kit.git(worktree, "add", "many")
    kit.git(worktree, "commit", "--quiet", "-m", "Many")
    handed_in(repository, worktree)
    tasks.commit(repository, {"README.md": "# Acme\n"})

    landed = tasks.landed(tasks.merge(repository, "prices"))

    assert len(landed["files"]) == 10_000
    assert (repository / "many/99/9999.txt").read_text() == "9999\n"
    assert kit.git(repository, "status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["two\nlines", "-rf", "--output=x", os.fsdecode(b"no text \xe9"), "a\tb", "\x1b[2J"])
def test_a_file_of_any_name_lands(repository: Path, name: str) -> None:
    tasks.approved(repository, "prices", {name: "theirs\n", f"sub/{name}": "theirs\n"})

    tasks.landed(tasks.merge(repository, "prices"))

    assert (repository / name).read_text() == "theirs\n"
    assert kit.git(repository, "status", "--porcelain") == ""


GIT_DIRS = [".git", ".GIT", ".Git", "git~1", ".git ", ".git.", ".git::$INDEX_ALLOCATION", ".g\u200cit", "a\\.git\\b"]


@pytest.mark.parametrize("name", GIT_DIRS)
def test_a_path_that_some_file_system_takes_for_a_git_dir_is_never_merged(repository: Path, name: str) -> None:
    tasks.spawn(repository, "prices")
    project = open_project(repository)
    target, planted = (
        CommitId(commit) for commit in (kit.git(repository, "rev-parse", "main"), plant(repository, name))
    )
    tree = kit.git(repository, "rev-parse", "main^{tree}")

    for strategy in Strategy:
        plan = Plan(target, tree, planted, strategy, "Land it", ("Task-Id: prices",))
        with pytest.raises(UnsafePath) as refused:
            merge(integration.opened(project.layout, project.git), plan)
        assert refused.value.facts["files"] == [f"sub/{name}/hooks/post-checkout"]


def plant(repository: Path, name: str) -> str:
    """A commit with `sub/<name>/hooks/post-checkout`, made object by object, since git itself refuses such a path."""
    blob = kit.git(repository, "hash-object", "-w", "--stdin", stdin="#!/bin/sh\ntouch evil\n")
    tree = kit.git(repository, "mktree", "-z", stdin=f"100755 blob {blob}\tpost-checkout\0")
    for part in ("hooks", name, "sub"):
        rest = kit.git(repository, "ls-tree", "-z", "HEAD") if part == "sub" else ""
        tree = kit.git(repository, "mktree", "-z", stdin=f"{rest}040000 tree {tree}\t{part}\0")
    return kit.git(repository, "commit-tree", "-p", "HEAD", "-m", "Plant it", tree)


@pytest.mark.parametrize("name", [".gitignore", ".github/a", "git~10", "a.git", ".git-blame-ignore-revs", "digit/x"])
def test_a_path_that_only_looks_like_a_git_dir_is_none(name: str) -> None:
    assert not is_git_dir(name)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_line_ends_and_attributes_of_both_sides_land_as_they_were_committed(repository: Path, strategy: str) -> None:
    tasks.commit(repository, {".gitattributes": "*.txt text eol=crlf\n", "a.txt": LONG})
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"a.txt": LONG.replace("line 3\n", "three\n").replace("\n", "\r\n")})
    handed_in(repository, worktree)
    tasks.commit(repository, {"a.txt": LONG.replace("line 30\n", "thirty\n").replace("\n", "\r\n")})

    lands(repository, strategy)

    both = LONG.replace("line 3\n", "three\n").replace("line 30\n", "thirty\n")
    assert kit.git(repository, "show", "main:a.txt") == both.removesuffix("\n")
    assert (repository / "a.txt").read_bytes() == both.replace("\n", "\r\n").encode()


@pytest.mark.parametrize("name", [".Worker-Ctx.json", "src/.WORKER-CTX.JSON"])
def test_a_file_of_our_own_by_other_case_never_lands(repository: Path, name: str) -> None:
    tasks.approved(repository, "prices", {name: "{}\n"})

    error = tasks.refused(tasks.merge(repository, "prices"), "OWN_FILES", 1)

    assert error["files"] == [name]


def test_a_file_of_our_own_that_is_on_the_target_can_be_taken_away(repository: Path) -> None:
    tasks.commit(repository, {"src/.worker-ctx.json": "{}\n"})
    tasks.approved(repository, "prices", {"src/.worker-ctx.json": None})

    lands(repository)

    assert not (repository / "src/.worker-ctx.json").exists()


OPEN, BASE, PARTED, END = "<" * 7, "|" * 7, "=" * 7, ">" * 7


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "text",
    [
        f"a\n{OPEN} HEAD\nmine\n{BASE} base\nold\n{PARTED}\ntheirs\n{END} main\n",
        f"a\nmine\n{PARTED}\ntheirs\n{END} main\n",
        f"a\n{OPEN} HEAD\nmine\n{PARTED}\ntheirs\n",
        f"a\r\n{OPEN} HEAD\r\nmine\r\n{PARTED}\r\ntheirs\r\n{END}\r\n",
    ],
    ids=["diff3", "its first half removed", "its second half removed", "CRLF"],
)
def test_what_is_left_of_a_conflict_never_lands(repository: Path, text: str, strategy: str) -> None:
    tasks.approved(repository, "prices", {"docs/a.md": text})

    error = tasks.refused(tasks.merge(repository, "prices", "--strategy", strategy), "CONFLICT", 13)

    assert error["files"] == ["docs/a.md"]


@pytest.mark.parametrize(
    "content",
    [
        f"How a conflict looks:\n\n    {OPEN} HEAD\n    mine\n    {PARTED}\n    theirs\n    {END} main\n".encode(),
        f"\0\n{OPEN} HEAD\nmine\n{PARTED}\ntheirs\n{END} main\n".encode(),
    ],
    ids=["a document that quotes it", "a binary file that holds it"],
)
def test_what_only_holds_a_conflict_for_others_to_see_lands(repository: Path, content: bytes) -> None:
    tasks.approved(repository, "prices", {"docs/a.md": content})

    lands(repository)

    assert (repository / "docs/a.md").read_bytes() == content


def test_a_config_that_the_branch_weakens_does_not_count_for_its_own_landing(repository: Path) -> None:
    tasks.commit(repository, {".conductor.yaml": "gates:\n  - {name: red, run: 'false'}\n"})
    tasks.approved(repository, "prices", {".conductor.yaml": "gates: []\n", "src/new.py": "NEW = 1\n"})

    done = tasks.merge(repository, "prices", "--trust")

    tasks.refused(done, "GATE_FAILED", 14)
    words = "prices changes .conductor.yaml: its gates count from the landing after this one on"
    assert words in done.err
    assert tasks.told(repository, "INFO", "prices") == [words]
    project = open_project(repository)
    run = tasks.record(repository, "prices")
    assert run.head_commit is not None
    main = CommitId(kit.git(repository, "rev-parse", "main"))
    looking = integration.opened(project.layout, project.git)
    assert config_change(looking, main, run.head_commit)
    assert touches_config(changes(looking, main, run.head_commit))


def test_a_config_that_only_the_target_changed_is_no_change_of_the_branch(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.commit(repository, {".conductor.yaml": "reviews_required: 1\n"})
    project = open_project(repository)
    run = tasks.record(repository, "prices")
    assert run.head_commit is not None

    main = CommitId(kit.git(repository, "rev-parse", "main"))

    assert not config_change(integration.opened(project.layout, project.git), main, run.head_commit)


def test_a_git_that_is_too_old_is_named_with_what_is_needed(repository: Path, tmp_path: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    env = old_git(tmp_path / "bin", "merge-tree --write-tree*")
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "prices", env=env), "GIT_TOO_OLD", 1)

    assert (error["found"], error["needed"]) == ("git version 2.30.2", "2.38")
    assert kit.snapshot(repository) == before
    assert tasks.record(repository, "prices").state == "APPROVED"


def test_a_git_that_does_not_know_what_we_ask_first_is_named_too(repository: Path, tmp_path: Path) -> None:
    env = old_git(tmp_path / "bin", "rev-parse --path-format*", does='printf "%s\\n" "$2" .git .git false; exit 0')

    tasks.refused(kit.conductor("status", "--json", cwd=repository, env=env), "GIT_TOO_OLD", 1)


def old_git(directory: Path, does_not_know: str, does: str = "echo usage: git >&2; exit 129") -> dict[str, str]:
    directory.mkdir()
    script = directory / "git"
    script.write_text(
        f"""#!/bin/sh
PATH={os.environ["PATH"]}
case "$*" in
version) echo git version 2.30.2 ;;
{does_not_know.replace(" ", chr(92) + " ")}) {does} ;;
*) exec git "$@" ;;
esac
"""
    )
    script.chmod(0o755)
    return {"PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"}
