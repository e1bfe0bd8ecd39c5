"""Worktrees and branches of workers: what is ours to remove, what a worker starts from, and what git never sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git.errors import UnsafePath
from conductor_git.worktree import require_removable
from tests import kit
from tests.integration.traces import traces
from tests.kit import tasks


@pytest.fixture
def grounds(tmp_path: Path) -> Path:
    """A directory with a main checkout, the root of the worktrees, one worktree in it, and links to both."""
    (tmp_path / "acme" / "src").mkdir(parents=True)
    (tmp_path / "acme.worktrees" / "fix-login").mkdir(parents=True)
    (tmp_path / "acme.worktrees" / "link").symlink_to(tmp_path / "acme")
    (tmp_path / "linked.worktrees").symlink_to(tmp_path / "acme.worktrees")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("acme", "acme.worktrees"),
        ("acme", "."),
        (".", "."),
        ("acme.worktrees", "acme.worktrees"),
        ("acme/src", "acme.worktrees"),
        ("acme.worktrees/link", "acme.worktrees"),
        ("acme.worktrees/link/src", "acme.worktrees"),
        ("linked.worktrees/fix-login", "linked.worktrees"),
        ("acme.worktrees/../acme", "acme.worktrees"),
        ("elsewhere", "acme.worktrees"),
    ],
)
def test_only_a_plain_directory_below_the_root_may_be_removed(grounds: Path, path: str, root: str) -> None:
    with pytest.raises(UnsafePath) as refused:
        require_removable(grounds / path, grounds / root, grounds / "acme")

    assert refused.value.hint
    require_removable(grounds / "acme.worktrees" / "fix-login", grounds / "acme.worktrees", grounds / "acme")


def ours(repository: Path) -> Path:
    """A person's directory beside the repository, with a file in it."""
    directory = repository.parent / "somebody"
    tasks.write(directory, {"thesis.txt": "ten years of work\n", "src/main.py": "import thesis\n"})
    return directory


def test_the_cleanup_of_a_landing_does_not_follow_a_link_in_place_of_the_worktree(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    directory = ours(repository)
    worktree.rename(repository.parent / "moved")
    worktree.symlink_to(directory)

    done = tasks.landed(tasks.merge(repository, "prices"))

    assert done["task"]["merge_commit"] == kit.git(repository, "rev-parse", "main")
    assert (directory / "thesis.txt").read_text() == "ten years of work\n"
    assert (directory / "src" / "main.py").read_text() == "import thesis\n"
    assert worktree.readlink() == directory
    assert (repository.parent / "moved" / "src" / "new.py").exists()


def test_the_cleanup_of_a_landing_leaves_a_strange_directory_in_place_of_the_worktree(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    worktree.rename(repository.parent / "moved")
    ours(repository).rename(worktree)

    tasks.landed(tasks.merge(repository, "prices"))

    assert (worktree / "thesis.txt").read_text() == "ten years of work\n"
    assert (worktree / "src" / "main.py").read_text() == "import thesis\n"


def test_a_landing_whose_record_names_the_main_checkout_as_its_worktree_removes_nothing(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    point_record_at(repository, worktree, repository)
    tasks.write(repository, {"untracked.txt": "mine\n"})

    tasks.landed(tasks.merge(repository, "prices"))

    assert (repository / "untracked.txt").read_text() == "mine\n"
    assert kit.git(repository, "status", "--porcelain") == "?? untracked.txt"
    assert (worktree / "src" / "new.py").exists()


def test_retry_reset_refuses_a_directory_that_is_no_worktree_of_ours(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    kit.git(worktree, "checkout", "--quiet", "--detach")  # nobody else has the branch
    kit.conductor("cancel", "prices", cwd=repository)
    tasks.write(repository, {"untracked.txt": "mine\n", "ignored.log": "mine too\n"})
    for place in (repository, ours(repository)):
        point_record_at(repository, worktree, place)
        before = traces(repository)

        done = kit.conductor("retry", "prices", "--reset", "--json", cwd=repository)

        error = tasks.refused(done, "UNSAFE_PATH", 1)
        assert f"{place} is no worktree of this repository" in error["message"]

        assert traces(repository) == before
        point_record_at(repository, place, worktree)


def point_record_at(repository: Path, old: Path, new: Path) -> None:
    record = repository / ".git" / "conductor" / "tasks" / "prices" / "run-info.yaml"
    text = record.read_text()
    record.write_text(text.replace(f"worktree: {old}\n", f"worktree: {new}\n"))
    assert record.read_text() != text


def test_a_root_that_is_a_link_is_refused_and_nothing_is_made(repository: Path) -> None:
    directory = ours(repository)
    (repository.parent / "acme.worktrees").symlink_to(directory)
    before = traces(repository)

    tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=repository), "UNSAFE_PATH", 1)

    assert traces(repository) == before


@pytest.mark.parametrize("template", [".git/{task_id}", "../acme/.git/deep/{task_id}", "../{task_id}"])
def test_worktrees_do_not_go_into_the_git_dir_or_onto_the_repository(repository: Path, template: str) -> None:
    tasks.commit(repository, {".conductor.yaml": f'worktrees: "{template}"\n'})
    before = traces(repository)

    done = kit.conductor("spawn", "acme", "--json", cwd=repository)

    assert done.code == 1, done
    assert done.document["error"]["code"] in {"UNSAFE_PATH", "PATH_EXISTS"}
    assert traces(repository) == before


@pytest.mark.parametrize("kind", ["file", "directory", "full directory", "dangling link"])
def test_a_path_that_is_taken_is_refused_and_stays_as_it_is(repository: Path, kind: str) -> None:
    path = repository.parent / "acme.worktrees" / "prices"
    path.parent.mkdir()
    match kind:
        case "file":
            path.write_text("mine\n")
        case "dangling link":
            path.symlink_to("nowhere")
        case "directory":
            path.mkdir()
        case _:
            tasks.write(path, {"mine.txt": "mine\n"})
    before = traces(repository)

    tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=repository), "PATH_EXISTS", 1)

    assert traces(repository) == before


def test_a_worker_starts_at_its_targets_tip_and_the_base_is_on_record(repository: Path) -> None:
    kit.git(repository, "branch", "release", "main~2")

    tasks.spawn(repository, "prices", target="release")
    tasks.spawn(repository, "old", base="main~1")

    assert tasks.record(repository, "prices").base_commit == kit.git(repository, "rev-parse", "release")
    assert tasks.record(repository, "prices").target == "release"
    assert tasks.record(repository, "old").base_commit == kit.git(repository, "rev-parse", "main~1")
    assert tasks.record(repository, "old").target == "main"


def test_status_shows_how_far_behind_its_target_a_worker_is(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices", base="main~1")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.commit(repository, {"later.txt": "later\n"})

    (row,) = kit.conductor("status", "--json", cwd=repository).document["tasks"]
    told = kit.conductor("status", cwd=repository)
    shown = kit.conductor("show", "prices", cwd=repository)

    assert (row["ahead"], row["behind"]) == (1, 2)
    assert "+1 -2" in told.out
    assert "1 ahead, 2 behind main" in shown.out


def test_a_branch_that_is_there_needs_existing_and_is_then_gone_on_with(repository: Path) -> None:
    kit.git(repository, "branch", "worker/prices", "main~1")
    before = traces(repository)

    error = tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=repository), "BRANCH_EXISTS", 1)

    assert error["hint"] == "conductor-git spawn prices --existing"
    assert error["commit"] == kit.git(repository, "rev-parse", "main~1")
    assert traces(repository) == before

    task = kit.conductor("spawn", "prices", "--existing", "--json", cwd=repository).document["task"]
    assert kit.git(Path(task["worktree"]), "rev-parse", "HEAD") == kit.git(repository, "rev-parse", "main~1")
    assert task["base_commit"] == kit.git(repository, "rev-parse", "main~1")


def test_existing_without_such_a_branch_is_refused(repository: Path) -> None:
    before = traces(repository)

    tasks.refused(kit.conductor("spawn", "prices", "--existing", "--json", cwd=repository), "NOT_FOUND", 18)

    assert traces(repository) == before


def test_an_existing_branch_that_is_checked_out_elsewhere_is_refused_and_stays_there(repository: Path) -> None:
    place = repository.parent / "by-hand"
    kit.git(repository, "worktree", "add", "--quiet", "-b", "worker/prices", str(place))
    tasks.spawn(repository, "other")  # what a first spawn makes for all is there
    before = traces(repository)

    done = kit.conductor("spawn", "prices", "--existing", "--json", cwd=repository)

    assert done.code == 1, done
    assert done.document["error"]["hint"]
    assert traces(repository) == before


def test_after_a_spawn_git_sees_nothing_of_ours(repository: Path) -> None:
    exclude = repository / ".git" / "info" / "exclude"
    exclude.write_text("my-notes")  # without a newline at its end
    config = (repository / ".git" / "config").read_bytes()

    worktree = tasks.spawn(repository, "prices")

    assert exclude.read_text().startswith("my-notes\n")
    assert (repository / ".git" / "config").read_bytes() == config
    assert kit.git(repository, "status", "--porcelain") == ""
    assert (worktree / ".worker-ctx.json").exists()
    assert kit.git(worktree, "status", "--porcelain") == ""
    kit.git(worktree, "add", "--all")
    assert kit.git(worktree, "diff", "--cached", "--name-only") == ""
    kit.git(repository, "worktree", "remove", str(worktree))
    assert not worktree.exists()


@pytest.mark.parametrize("path", [".worker-ctx.json", "docs/.worker-ctx.json"])
@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_a_landing_that_would_bring_our_context_file_is_refused(repository: Path, path: str, strategy: str) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.write(worktree, {path: (worktree / ".worker-ctx.json").read_text(), "src/new.py": "NEW = 1\n"})
    kit.git(worktree, "add", "--force", path, "src/new.py")
    kit.git(worktree, "commit", "--quiet", "-m", "all of it")
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "prices", "--strategy", strategy), "OWN_FILES", 1)

    assert error["files"] == [path]
    assert kit.snapshot(repository) == before
    assert tasks.record(repository, "prices").state == "APPROVED"
    assert (worktree / "src" / "new.py").exists()
