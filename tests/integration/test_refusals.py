"""Bad input of every kind: a clear typed error with the next step, its exit code, nothing changed and nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from conductor_git.errors import BadTaskId
from conductor_git.names import parse_task_id
from tests import kit
from tests.integration.traces import traces
from tests.kit import tasks


def test_a_bare_repository_is_refused(repository: Path) -> None:
    bare = repository.parent / "bare.git"
    kit.git(repository, "clone", "--quiet", "--bare", str(repository), str(bare))
    before = sorted(bare.rglob("*"))

    error = tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=bare), "NOT_A_REPOSITORY", 1)

    assert "bare" in error["message"]
    assert sorted(bare.rglob("*")) == before


def test_a_repository_without_a_commit_is_refused(tmp_path: Path) -> None:
    unborn = tmp_path / "unborn"
    unborn.mkdir()
    kit.git(unborn, "init", "--quiet", "--initial-branch=main")
    before = traces(unborn)

    error = tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=unborn), "UNBORN_REPOSITORY", 1)

    assert "commit" in error["hint"]
    assert traces(unborn) == before


def test_a_detached_head_needs_a_target_and_then_does_for_a_start(repository: Path) -> None:
    kit.git(repository, "checkout", "--quiet", "--detach", "main~1")
    before = traces(repository)

    error = tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=repository), "BAD_INPUT", 2)
    assert error["hint"] == "conductor-git spawn prices --target main"
    assert traces(repository) == before

    made = kit.conductor("spawn", "prices", "--target", "main", "--json", cwd=repository)
    assert made.document["task"]["base_commit"] == kit.git(repository, "rev-parse", "main")
    assert kit.git(repository, "rev-parse", "--abbrev-ref", "HEAD") == "HEAD"


def conflict(worktree: Path, *command: str) -> None:
    kit.git(worktree, *command, ok=(0, 1, 128))


BUSY: dict[str, tuple[Callable[[Path], None], str]] = {
    "a merge": (lambda worktree: conflict(worktree, "merge", "main"), "merge"),
    "a rebase": (lambda worktree: conflict(worktree, "rebase", "main"), "rebase"),
    "a cherry-pick": (lambda worktree: conflict(worktree, "cherry-pick", "main"), "cherry-pick"),
    "a revert": (lambda worktree: conflict(worktree, "revert", "--no-commit", "HEAD"), "revert"),
    "git am": (lambda worktree: conflict(worktree, "am", "--quiet", str(worktree.parent / "p.patch")), "am"),
    "a bisect": (lambda worktree: conflict(worktree, "bisect", "start", "HEAD", "HEAD~1"), "bisect"),
    "a detached HEAD": (lambda worktree: conflict(worktree, "checkout", "--quiet", "--detach"), "HEAD"),
    "another branch": (lambda worktree: conflict(worktree, "checkout", "--quiet", "-b", "stray"), "stray"),
}


@pytest.mark.parametrize(("make_busy", "word"), BUSY.values(), ids=BUSY.keys())
@pytest.mark.parametrize("options", [(), ("--wip",)], ids=["done", "done --wip"])
def test_done_in_a_busy_worktree_is_refused_and_leaves_it_as_it_is(
    repository: Path, make_busy: Callable[[Path], None], word: str, options: tuple[str, ...]
) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/prices.py": "PRICES = {'apple': 5}\n"})
    tasks.commit(repository, {"src/prices.py": "PRICES = {'apple': 9}\n"})
    patch = kit.git(repository, "format-patch", "-1", "--stdout", "main")
    (worktree.parent / "p.patch").write_text(patch + "\n")
    make_busy(worktree)
    before, in_worktree = traces(repository), kit.snapshot(worktree)

    error = tasks.refused(kit.conductor("done", "--json", *options, cwd=worktree), "WORKTREE_BUSY", 1)

    assert word in error["message"]
    assert traces(repository) == before
    assert kit.snapshot(worktree) == in_worktree
    assert tasks.record(repository, "prices").state == "WORKING"


def test_a_worktree_that_is_gone_is_told_and_its_branch_stays(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    commit = tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    kit.git(repository, "worktree", "remove", "--force", str(worktree))

    tasks.refused(kit.conductor("done", "prices", "--json", cwd=repository), "NOT_FOUND", 18)

    assert kit.git(repository, "rev-parse", "worker/prices") == commit
    assert tasks.record(repository, "prices").state == "WORKING"


BAD_IDS = [
    "--upload-pack=x",
    "-x",
    "a..b",
    "\u00e9",
    "a" * 65,
    "a" * 300,
    "Prices",
    "PRICES",
    "a/b",
    "../prices",
    "/etc",
    ".",
    "..",
    ".hidden",
    "_x",
    "a b",
    "a\nb",
    "prices\n",
    "a\tb",
    "prices.lock",
    "prices.",
    "a~b",
    "a^b",
    "a:b",
    "a?b",
    "a*b",
    "a[b",
    "a\\b",
    "a@{b",
    "@",
    "$(id)",
    "a;b",
    "\u0430",
    "\uff41",
    "\u0661",
    "\udcff",
]


@pytest.mark.parametrize("task_id", BAD_IDS, ids=ascii)
def test_a_bad_task_id_is_refused_and_makes_nothing(repository: Path, task_id: str) -> None:
    before = traces(repository)

    for arguments in (("spawn", "--json", "--", task_id), ("show", "--json", "--", task_id)):
        tasks.refused(kit.conductor(*arguments, cwd=repository), "BAD_TASK_ID", 2)

    assert traces(repository) == before


@pytest.mark.parametrize("task_id", ["", "a\0b", "\0", *BAD_IDS], ids=ascii)
def test_the_rule_for_ids_is_one_place(task_id: str) -> None:
    with pytest.raises(BadTaskId) as refused:
        parse_task_id(task_id)

    assert refused.value.exit_code == 2


@pytest.mark.parametrize("task_id", ["a", "0", "fix-login", "a.b_c-d", "a" * 64, "9.9", "aux", "con", "lock", "head"])
def test_a_good_task_id_is_a_branch_that_git_takes_too(repository: Path, task_id: str) -> None:
    assert parse_task_id(task_id) == task_id
    assert kit.conductor("spawn", task_id, cwd=repository).code == 0
    assert kit.git(repository, "rev-parse", f"refs/heads/worker/{task_id}") == kit.git(repository, "rev-parse", "main")


BAD_REVISIONS = [
    "--upload-pack=touch marker",
    "--output=marker",
    "-x",
    "no-such-branch",
    "a..b",
    "main..main~1",
    "main^{tree}",
    "main:README.md",
    "@{upstream}",
    "a" * 300,
    "\u00e9",
    "a b",
    "main\nmain",
    "",
    ":/nothing like this",
]


@pytest.mark.parametrize("revision", BAD_REVISIONS, ids=ascii)
@pytest.mark.parametrize("option", ["--base", "--target"])
def test_a_missing_or_bad_base_or_target_is_refused_and_runs_nothing(
    repository: Path, option: str, revision: str
) -> None:
    before = traces(repository)

    done = kit.conductor("spawn", "prices", f"{option}={revision}", "--json", cwd=repository)

    assert done.code in {2, 18}, done
    assert done.document["error"]["code"] in {"BASE_NOT_FOUND", "BAD_INPUT"}
    assert done.document["error"]["hint"]
    assert traces(repository) == before


def test_a_needed_task_that_is_not_there_is_refused(repository: Path) -> None:
    before = traces(repository)

    tasks.refused(kit.conductor("spawn", "prices", "--needs", "nobody", "--json", cwd=repository), "NOT_FOUND", 18)

    assert traces(repository) == before


def test_a_target_that_went_away_is_told_at_the_landing_and_nothing_moves(repository: Path) -> None:
    kit.git(repository, "branch", "release")
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"}, target="release")
    kit.git(repository, "branch", "--quiet", "-D", "release")
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "prices"), "BASE_NOT_FOUND", 18)

    assert error["hint"].startswith("git branch release ")
    assert kit.snapshot(repository) == before
    assert tasks.record(repository, "prices").state == "APPROVED"
    assert (worktree / "src" / "new.py").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 1}', "\0", '{"version": 99}'], ids=ascii)
def test_a_corrupt_context_is_refused_where_it_would_speak_and_looking_goes_on(repository: Path, content: str) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    canonical = Path(kit.git(worktree, "rev-parse", "--absolute-git-dir")) / "worker-ctx.json"
    for file in (canonical, worktree / ".worker-ctx.json"):
        file.write_text(content)
    before = traces(repository)

    for command in (("done",), ("heartbeat",), ("ctx",), ("bus", "post", "hello"), ("fail",)):
        error = tasks.refused(kit.conductor(*command, "--json", cwd=worktree), "BAD_CONTEXT", 1)
        assert error["path"] == str(worktree / ".worker-ctx.json")
    assert kit.conductor("status", "--json", cwd=worktree).code == 0
    assert kit.conductor("show", "prices", "--json", cwd=worktree).code == 0

    assert traces(repository) == before
    assert kit.conductor("done", "prices", cwd=repository).code == 0


CONFIGS = {
    "an unknown key": ("version: 1\nmerg: squash\n", 2, "merg"),
    "a wrong value": ("version: 1\ntarget: main\nreviews_required: many\n", 3, "reviews_required"),
    "an unknown strategy": ("merge: octopus\n", 1, "merge"),
    "a nested key": ("gates:\n  - {name: tests, run: pytest, timeot: 5m}\n", 2, "timeot"),
    "a bad template": ('branch: "worker/{nobody}"\n', 1, "branch"),
    "a newer version": ("version: 7\n", 1, "version"),
}


@pytest.mark.parametrize(("text", "line", "key"), CONFIGS.values(), ids=CONFIGS.keys())
def test_a_bad_config_is_named_with_file_line_and_key_and_looking_goes_on(
    repository: Path, text: str, line: int, key: str
) -> None:
    tasks.spawn(repository, "prices")
    tasks.write(repository, {".conductor.yaml": text})
    before = traces(repository)

    error = tasks.refused(kit.conductor("spawn", "pears", "--json", cwd=repository), "BAD_CONFIG", 1)

    assert f"{repository / '.conductor.yaml'}:{line}" in error["message"]
    assert key in error["message"]
    for command in (("status",), ("show", "prices"), ("bus", "read"), ("log", "prices"), ("diff", "prices")):
        assert kit.conductor(*command, "--json", cwd=repository).code in {0, 18}, command
    assert traces(repository) == before


@pytest.mark.parametrize("content", [b"{ no: [ yaml\n", b"\xff\xfe\n", b"a: &a [*a]\n", b"- a list\n"], ids=ascii)
def test_a_config_that_is_no_yaml_is_named_with_its_place(repository: Path, content: bytes) -> None:
    (repository / ".conductor.yaml").write_bytes(content)
    before = traces(repository)

    error = tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=repository), "BAD_CONFIG", 1)

    assert f"{repository / '.conductor.yaml'}:" in error["message"]
    assert traces(repository) == before


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_a_project_config_that_is_no_file_is_refused(repository: Path, kind: str) -> None:
    config = repository / ".conductor.yaml"
    if kind == "link":
        (repository.parent / "elsewhere.yaml").write_text("merge: squash\n")
        config.symlink_to(repository.parent / "elsewhere.yaml")
    else:
        config.mkdir()
    before = traces(repository)

    error = tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=repository), "UNSAFE_PATH", 1)

    assert error["path"] == str(config)
    assert kit.conductor("status", cwd=repository).code == 0
    assert traces(repository) == before


def test_a_persons_own_config_may_lie_behind_a_link(repository: Path, home: Path) -> None:
    tasks.write(home, {"dotfiles/conductor.yaml": "reviews_required: 2\n", ".config/conductor-git/keep": ""})
    (home / ".config" / "conductor-git" / "config.yaml").symlink_to(home / "dotfiles" / "conductor.yaml")

    made = kit.conductor("spawn", "prices", "--json", cwd=repository)

    assert made.document["task"]["reviews_required"] == 2


def test_a_bad_config_on_the_target_stops_its_landing_and_nothing_else(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.commit(repository, {".conductor.yaml": "merge: octopus\n"})
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "prices"), "BAD_CONFIG", 1)

    assert f"{kit.git(repository, 'rev-parse', 'main')[:10]}:.conductor.yaml:1" in error["message"]
    assert kit.snapshot(repository) == before
    assert tasks.record(repository, "prices").state == "APPROVED"
