"""restore: what there is to bring back, where it goes, and everything that it does not overwrite."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import kit
from tests.integration.traces import traces
from tests.kit import tasks

UNSAVED: tasks.Files = {"src/prices.py": b"mine\r\n", "idea.txt": "untracked\n", "debug.log": "ignored\n"}


def restore(repository: Path, *options: str, **more: Any) -> kit.Completed:
    return kit.conductor("restore", *options, "--json", cwd=repository, **more)


def brought_back(done: kit.Completed) -> dict[str, Any]:
    assert done.code == 0, done
    found: dict[str, Any] = done.document["restored"]
    return found


def landed_over(repository: Path) -> Path:
    """The worktree, removed now, of the landed task `prices`, which held more than its commit."""
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.write(worktree, UNSAVED)
    tasks.landed(tasks.merge(repository, "prices"))
    return worktree


def cancelled(repository: Path) -> Path:
    """The worktree of the cancelled task `prices`: one commit, and unsaved work."""
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.write(worktree, UNSAVED)
    assert kit.conductor("cancel", "prices", cwd=repository).code == 0
    return worktree


def reset(repository: Path) -> None:
    assert kit.conductor("retry", "prices", "--reset", cwd=repository).code == 0


def holds_unsaved(place: Path) -> bool:
    wanted = {name: data.encode() if isinstance(data, str) else data for name, data in UNSAVED.items()}
    return {name: (place / name).read_bytes() for name in wanted} == wanted


def test_the_list_says_what_when_why_how_much_and_what_was_too_large(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    odd = os.fsdecode(b"build/odd\n\xff.bin")
    tasks.write(worktree, {**UNSAVED, odd: b"\0" * (1 << 21)})
    tasks.landed(tasks.merge(repository, "prices"))

    listed = restore(repository)
    shown = kit.conductor("restore", cwd=repository)

    (kept,) = listed.document["salvage"]
    assert kept["ref"] == kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/conductor/")
    assert kept["commit"] == kit.git(repository, "rev-parse", kept["ref"])
    assert (kept["task_id"], kept["kind"], kept["files"]) == ("prices", "files", 3)
    assert (kept["why"], kept["head"]) == ("the worktree was removed after the landing", "refs/heads/worker/prices")
    assert kept["left_out"] == ["build/odd\n\N{REPLACEMENT CHARACTER}.bin"]
    (removed,) = listed.document["removed"]
    assert (removed["state"], removed["has_branch"], removed["source"]) == ("COMPLETED", False, "head_commit")
    assert removed["commit"] == kept["head_commit"]
    assert "3 files, 1 too large" in shown.out
    assert "COMPLETED: worktree and branch are gone" in shown.out


def test_where_nothing_was_removed_there_is_nothing_to_list(repository: Path) -> None:
    tasks.spawn(repository, "prices")

    assert restore(repository).document == {"schema": 1, "salvage": [], "removed": [], "archived": []}
    assert kit.conductor("restore", cwd=repository).out == "there is nothing to bring back\n"


def test_a_salvage_of_the_version_before_is_read_too(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    head = tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.write(worktree, {"src/new.py": "NEW = 2\n"})
    kit.git(worktree, "add", "--all")
    staged = kit.git(
        worktree, "commit-tree", "-p", "HEAD", "-m", "salvage of prices: index", kit.git(worktree, "write-tree")
    )
    tasks.write(worktree, {"src/new.py": "NEW = 3\n"})
    kit.git(worktree, "add", "--all")
    tree = kit.git(worktree, "write-tree")
    said = "salvage of prices\n\nnot kept: build/huge.bin\n"
    commit = kit.git(worktree, "commit-tree", "-p", "HEAD", "-p", staged, "-m", said, tree)
    ref = "refs/conductor/salvage/prices/20260101T000000000000Z"
    kit.git(repository, "update-ref", ref, commit)
    kit.git(repository, "worktree", "remove", "--force", str(worktree))

    (kept,) = restore(repository).document["salvage"]
    brought_back(restore(repository, "prices"))

    assert (kept["files"], kept["left_out"], kept["head_commit"]) == (1, ["build/huge.bin"], head)
    assert (worktree / "src/new.py").read_text() == "NEW = 3\n"
    assert kit.git(worktree, "show", ":src/new.py") == "NEW = 2"


def test_a_landed_task_comes_back_for_looking_and_stays_completed(repository: Path) -> None:
    worktree = landed_over(repository)
    before = kit.snapshot(repository)

    found = brought_back(restore(repository, "prices"))

    assert (found["path"], found["branch"], found["files"]) == (str(worktree), "worker/prices", 3)
    assert holds_unsaved(worktree)
    assert (worktree / "src/new.py").read_text() == "NEW = 1\n"
    assert kit.git(worktree, "symbolic-ref", "HEAD") == "refs/heads/worker/prices"
    run = tasks.record(repository, "prices")
    assert (run.state, kit.git(repository, "rev-parse", "worker/prices")) == ("COMPLETED", run.head_commit)
    assert kit.conductor("ctx", "--field", "task_id", cwd=worktree).out == "prices\n"
    assert kit.snapshot(repository) == before
    assert any(found["salvage"] in fact for fact in tasks.told(repository, "FACT", "prices"))


def test_what_was_kept_before_a_person_agreed_to_a_new_config_comes_back(repository: Path) -> None:
    worktree = landed_over(repository)
    kit.git(repository, "config", "core.sshCommand", "ssh -4")

    refused = tasks.refused(restore(repository, "prices"), "GIT_CONFIG_CHANGED", 1)
    assert kit.conductor("config", "trust", cwd=repository).code == 0
    brought_back(restore(repository, "prices"))

    assert refused["keys"] == ["core.sshcommand"]
    assert holds_unsaved(worktree)


def test_the_work_of_a_reset_comes_back_into_its_fresh_worktree_where_nothing_was_done_since(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.write(worktree, UNSAVED)
    kit.conductor("cancel", "prices", cwd=repository)
    reset(repository)

    found = brought_back(restore(repository, "prices"))

    assert found["path"] == str(worktree)
    assert holds_unsaved(worktree)
    assert tasks.record(repository, "prices").generation == 2
    assert kit.conductor("start", cwd=worktree).code == 0


def test_a_branch_that_has_moved_is_refused_and_what_was_on_it_comes_back_elsewhere(repository: Path) -> None:
    worktree = cancelled(repository)
    former = kit.git(repository, "rev-parse", "worker/prices")
    reset(repository)
    before = traces(repository)

    error = tasks.refused(restore(repository, "prices"), "IN_THE_WAY", 1)

    assert error["branch"] == "worker/prices"
    assert traces(repository) == before
    again = kit.conductor(*error["hint"].split(" ")[1:], cwd=repository)
    assert again.code == 0, again
    place = Path(f"{worktree}-restored")
    assert holds_unsaved(place)
    assert kit.git(place, "rev-parse", "HEAD") == former
    assert kit.git(place, "symbolic-ref", "--quiet", "HEAD", ok=(1,)) == ""
    assert not (worktree / "idea.txt").exists()


@pytest.mark.parametrize("work", ["README.md", "mine.txt", "build/mine.o"], ids=["tracked", "untracked", "ignored"])
def test_a_worktree_with_work_in_it_is_refused_with_the_list(repository: Path, work: str) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.write(worktree, UNSAVED)
    kit.conductor("cancel", "prices", cwd=repository)
    reset(repository)
    tasks.write(worktree, {work: "mine\n"})
    before = traces(repository)

    error = tasks.refused(restore(repository, "prices"), "IN_THE_WAY", 1)

    assert error["files"] == [work]
    assert traces(repository) == before


@pytest.mark.parametrize("kind", ["file", "directory", "dangling link"])
def test_something_strange_in_the_place_of_the_worktree_stays_as_it_is(repository: Path, kind: str) -> None:
    worktree = landed_over(repository)
    match kind:
        case "file":
            worktree.write_text("mine\n")
        case "directory":
            tasks.write(worktree, {"mine.txt": "mine\n"})
        case _:
            worktree.symlink_to("nowhere")
    before = traces(repository)

    error = tasks.refused(restore(repository, "prices"), "IN_THE_WAY", 1)

    assert error["files"] == (["mine.txt"] if kind == "directory" else [])
    assert traces(repository) == before


@pytest.mark.parametrize("where", ["acme/inside", "acme/.git/inside", "full", "acme.worktrees/other/inside"])
def test_a_place_in_a_checkout_or_with_something_in_it_is_refused(repository: Path, where: str) -> None:
    landed_over(repository)
    tasks.spawn(repository, "other")
    tasks.write(repository.parent / "full", {"mine.txt": "mine\n"})
    before = traces(repository)

    done = restore(repository, "prices", "--into", str(repository.parent / where))

    tasks.refused(done, "IN_THE_WAY" if where == "full" else "UNSAFE_PATH", 1)
    assert traces(repository) == before


def test_a_branch_that_somebody_has_checked_out_is_refused(repository: Path) -> None:
    landed_over(repository)
    head = tasks.record(repository, "prices").head_commit
    assert head is not None
    kit.git(repository, "worktree", "add", "--quiet", "-b", "worker/prices", str(repository.parent / "mine"), head)
    before = traces(repository)

    error = tasks.refused(restore(repository, "prices"), "IN_THE_WAY", 1)

    assert error["path"] == str(repository.parent / "mine")
    assert traces(repository) == before


def test_an_unknown_task_or_salvage_is_refused(repository: Path) -> None:
    landed_over(repository)

    assert "20" in tasks.refused(restore(repository, "prices", "--salvage", "yesterday"), "NOT_FOUND", 18)["message"]
    tasks.refused(restore(repository, "nothing"), "NOT_FOUND", 18)
    tasks.refused(restore(repository, "--into", "x"), "BAD_INPUT", 2)


def test_a_dry_run_makes_nothing(repository: Path) -> None:
    worktree = landed_over(repository)
    before = traces(repository)

    done = restore(repository, "prices", "--dry-run")

    assert (done.document["dry_run"], done.document["restored"]["path"]) == (True, str(worktree))
    assert traces(repository) == before


def test_a_worktree_that_was_deleted_by_hand_comes_back_from_its_branch(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    tip = tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    shutil.rmtree(worktree)

    found = brought_back(restore(repository, "prices"))

    assert (found["commit"], found["salvage"]) == (tip, None)
    assert kit.git(worktree, "status", "--porcelain") == ""
    assert (worktree / "src/new.py").read_text() == "NEW = 1\n"


def test_of_several_salvages_the_one_that_is_named_comes_back(repository: Path) -> None:
    worktree = cancelled(repository)
    reset(repository)
    tasks.write(worktree, {"second.txt": "second\n"})
    kit.conductor("cancel", "prices", cwd=repository)
    reset(repository)
    first, *_, second = restore(repository).document["salvage"]

    for one, name in ((first, "idea.txt"), (second, "second.txt")):
        place = repository.parent / name
        brought_back(restore(repository, "prices", "--salvage", one["time"], "--into", str(place)))
        assert (place / name).exists()
    assert not (repository.parent / "idea.txt" / "second.txt").exists()


def test_restoring_runs_no_hook_and_obeys_no_setting_that_came_since(repository: Path, tmp_path: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {".gitattributes": "* filter=evil\n", "src/new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    tasks.write(worktree, UNSAVED)
    tasks.landed(tasks.merge(repository, "prices"))
    mark = tmp_path / "ran"
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        hook = repository / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
        hook.chmod(0o755)
    kit.git(repository, "config", "filter.evil.smudge", f"touch {mark}; cat")
    mark.unlink(missing_ok=True)

    tasks.refused(restore(repository, "prices"), "GIT_CONFIG_CHANGED", 1)
    assert not mark.exists()
    assert not worktree.exists()
    kit.git(repository, "config", "--unset", "filter.evil.smudge")
    mark.unlink(missing_ok=True)

    brought_back(restore(repository, "prices"))

    assert not mark.exists()
    assert holds_unsaved(worktree)


def test_a_file_under_a_filter_comes_back_as_it_lay_there_and_not_through_the_filter(repository: Path) -> None:
    tasks.commit(repository, {".gitattributes": "*.secret filter=hide\n", "old.secret": "OLD\n"})
    kit.git(repository, "config", "filter.hide.clean", "tr a-z A-Z")
    kit.git(repository, "config", "filter.hide.smudge", "tr A-Z a-z")
    worktree = tasks.approved(repository, "prices", {"key.secret": "open sesame\n"})
    tasks.write(worktree, {"key.secret": "Open Sesame, Changed\n", "other.secret": "New One\n"})
    tasks.landed(tasks.merge(repository, "prices"))

    brought_back(restore(repository, "prices"))

    assert (worktree / "key.secret").read_text() == "Open Sesame, Changed\n"
    assert (worktree / "other.secret").read_text() == "New One\n"
    assert (worktree / "old.secret").read_text() == "old\n"


def test_line_ends_that_the_checkout_would_write_otherwise_come_back_as_they_were(repository: Path) -> None:
    kit.git(repository, "config", "core.autocrlf", "true")
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    assert (worktree / "src/main.py").read_bytes().count(b"\r\n") > 0
    tasks.write(
        worktree, {"src/main.py": (worktree / "src/main.py").read_bytes().replace(b"\r\n", b"\n"), "i.txt": "i"}
    )
    kept = (worktree / "src/main.py").read_bytes()
    tasks.landed(tasks.merge(repository, "prices"))

    brought_back(restore(repository, "prices"))

    assert (worktree / "src/main.py").read_bytes() == kept
    assert b"\r\n" in (worktree / "src/prices.py").read_bytes()


def test_a_file_too_large_for_memory_comes_back_too(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    content = os.urandom(1 << 20) * 33
    tasks.write(worktree, {"video.raw": content, "run.sh": content})
    modes = [(worktree / name).stat().st_mode for name in ("video.raw", "run.sh")]
    tasks.landed(tasks.merge(repository, "prices"))

    brought_back(restore(repository, "prices"))

    assert (worktree / "video.raw").read_bytes() == (worktree / "run.sh").read_bytes() == content
    assert [(worktree / name).stat().st_mode for name in ("video.raw", "run.sh")] == modes
