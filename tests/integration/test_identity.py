"""Identity on real worktrees: from wherever a worker stands it finds its own context, and never another's."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conductor_git.context import WorkerContext, decode, encode
from conductor_git.errors import BadContext, NoContext
from conductor_git.gitdir import common_dir_of, git_dir_at
from conductor_git.identity import VARIABLE, find_context, place
from conductor_git.layout import CANONICAL_CONTEXT_NAME, CONTEXT_NAME
from conductor_git.names import CommitId, TaskId
from tests import kit

Spawn = Callable[[str], WorkerContext]


@pytest.fixture
def spawn(repository: Path, tmp_path: Path) -> Spawn:
    """Makes a worker of `repository` by hand: a worktree with both copies of its context."""

    def make(task_id: str) -> WorkerContext:
        worktree = tmp_path / "acme.worktrees" / task_id
        kit.git(repository, "worktree", "add", "--quiet", "-b", f"worker/{task_id}", str(worktree))
        context = WorkerContext(
            task_id=TaskId(task_id),
            project_id="acme",
            generation=1,
            branch=f"worker/{task_id}",
            target="main",
            base_commit=CommitId(kit.git(repository, "rev-parse", "HEAD")),
            worktree=worktree,
            repository=repository,
            state_dir=repository / ".git" / "conductor",
            bus=f"file:{repository}/.git/conductor/MESSAGE-BUS.md",
            description="Fix it",
            created_at=datetime(2026, 11, 20, 10, 15, tzinfo=UTC),
        )
        place(context, canonical(worktree).parent)
        return context

    return make


@pytest.fixture
def worker(spawn: Spawn) -> WorkerContext:
    return spawn("fix-login")


def canonical(worktree: Path) -> Path:
    return Path(kit.git(worktree, "rev-parse", "--absolute-git-dir")) / CANONICAL_CONTEXT_NAME


def local(worktree: Path) -> Path:
    return worktree / CONTEXT_NAME


def follow(hint: str) -> None:
    """Run the command that an error names, as a person would."""
    words = shlex.split(hint)
    match words:
        case ["rm", path]:
            Path(path).unlink()
        case ["mv", source, target]:
            Path(source).rename(target)
        case ["git", "-C", where, *arguments]:
            kit.git(Path(where), *arguments)
        case _:
            pytest.fail(f"not a command that this test knows: {hint}")


def test_a_worker_is_found_from_the_top_and_from_a_subdirectory(worker: WorkerContext) -> None:
    for start in (worker.worktree, worker.worktree / "src", worker.worktree / "not" / "there" / "yet"):
        found = find_context(start, {})

        assert found.context == worker
        assert found.path == local(worker.worktree)


def test_a_worker_is_found_through_a_symbolic_link_into_its_worktree(worker: WorkerContext, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(worker.worktree / "src")

    assert find_context(tmp_path / "link", {}).context == worker


def test_a_repository_nested_in_the_worktree_does_not_hide_the_worker(worker: WorkerContext) -> None:
    nested = kit.make_repository(worker.worktree / "vendor" / "thing")

    assert find_context(nested / "src", {}).context == worker


def test_a_worker_whose_worktree_lies_in_anothers_is_itself(worker: WorkerContext, repository: Path) -> None:
    inner = worker.worktree / "inner"
    kit.git(repository, "worktree", "add", "--quiet", "-b", "worker/inner", str(inner))
    context = worker._replace(task_id=TaskId("inner"), branch="worker/inner", worktree=inner)
    place(context, canonical(inner).parent)
    local(inner).unlink()

    assert find_context(inner / "src", {}).context == context


def test_git_clean_costs_nothing_and_the_file_is_put_back(worker: WorkerContext) -> None:
    kit.git(worker.worktree, "clean", "-fdxq")
    assert not local(worker.worktree).exists()

    found = find_context(worker.worktree / "src", {})

    assert found.context == worker
    assert found.path == local(worker.worktree)
    assert decode(local(worker.worktree).read_bytes()) == worker


@pytest.mark.parametrize("damage", [b"", b"{", b"\0" * 100, b"x" * 70_000, b'{"version": 1}'])
def test_a_damaged_file_is_written_anew_from_the_canonical_copy(worker: WorkerContext, damage: bytes) -> None:
    local(worker.worktree).write_bytes(damage)

    assert find_context(worker.worktree, {}).context == worker
    assert decode(local(worker.worktree).read_bytes()) == worker


def test_a_link_in_place_of_the_file_is_not_followed_but_replaced(worker: WorkerContext, tmp_path: Path) -> None:
    elsewhere = tmp_path / "forged.json"
    elsewhere.write_bytes(encode(worker._replace(task_id=TaskId("admin"))))
    local(worker.worktree).unlink()
    local(worker.worktree).symlink_to(elsewhere)

    assert find_context(worker.worktree, {}).context == worker
    assert not local(worker.worktree).is_symlink()
    assert decode(elsewhere.read_bytes()).task_id == "admin"


def test_the_canonical_copy_is_believed_where_the_two_differ(worker: WorkerContext) -> None:
    place(worker._replace(generation=2), canonical(worker.worktree).parent)
    local(worker.worktree).write_bytes(encode(worker))

    assert find_context(worker.worktree, {}).context.generation == 2
    assert decode(local(worker.worktree).read_bytes()).generation == 2


def test_a_damaged_canonical_copy_leaves_the_worktrees_own_file_to_speak(worker: WorkerContext) -> None:
    canonical(worker.worktree).write_bytes(b"{")

    assert find_context(worker.worktree, {}).context == worker


def test_a_file_that_cannot_be_put_back_does_not_cost_the_answer(worker: WorkerContext) -> None:
    local(worker.worktree).unlink()
    local(worker.worktree).mkdir()

    found = find_context(worker.worktree, {})

    assert found.context == worker
    assert found.path == canonical(worker.worktree)


def test_both_copies_damaged_is_an_error_that_names_the_file(worker: WorkerContext) -> None:
    local(worker.worktree).write_bytes(b"{")
    canonical(worker.worktree).write_bytes(b"{")

    with pytest.raises(BadContext) as refused:
        find_context(worker.worktree, {})

    assert refused.value.facts["path"] == str(local(worker.worktree))


@pytest.mark.usefixtures("worker")
def test_the_main_checkout_has_no_context_and_the_error_names_the_places(repository: Path) -> None:
    with pytest.raises(NoContext) as refused:
        find_context(repository / "src", {})

    places = refused.value.facts["looked_at"]
    assert places[:3] == [VARIABLE, str(local(repository / "src")), str(local(repository))]
    assert places[-1] == f"/{CONTEXT_NAME}"
    assert CONTEXT_NAME in refused.value.message


@pytest.mark.usefixtures("worker")
def test_another_repository_has_no_context(tmp_path: Path) -> None:
    with pytest.raises(NoContext):
        find_context(kit.make_repository(tmp_path / "other"), {})


def test_a_worktree_that_is_no_workers_has_no_context(worker: WorkerContext, tmp_path: Path) -> None:
    kit.git(worker.repository, "worktree", "add", "--quiet", "--detach", str(tmp_path / "mine"))

    with pytest.raises(NoContext):
        find_context(tmp_path / "mine", {})


@pytest.mark.parametrize("where", ["acme", "other", "plain"])
def test_a_file_copied_elsewhere_is_refused_and_the_hint_removes_it(
    worker: WorkerContext, tmp_path: Path, where: str
) -> None:
    kit.make_repository(tmp_path / "other")
    (tmp_path / "plain").mkdir()
    shutil.copy(local(worker.worktree), local(tmp_path / where))

    with pytest.raises(BadContext, match="copied or moved") as refused:
        find_context(tmp_path / where, {})

    follow(refused.value.hint)
    with pytest.raises(NoContext):
        find_context(tmp_path / where, {})


def test_a_file_copied_into_another_workers_worktree_is_refused_and_the_hint_gives_that_worker_back(
    worker: WorkerContext, spawn: Spawn
) -> None:
    other = spawn("fix-logout")
    shutil.copy(local(worker.worktree), local(other.worktree))

    with pytest.raises(BadContext, match="fix-login") as refused:
        find_context(other.worktree, {})

    follow(refused.value.hint)
    assert find_context(other.worktree, {}).context == other


def test_a_copy_of_the_whole_worktree_is_refused_and_the_hint_leads_home(worker: WorkerContext, tmp_path: Path) -> None:
    shutil.copytree(worker.worktree, tmp_path / "copy")

    with pytest.raises(BadContext, match="copied or moved") as refused:
        find_context(tmp_path / "copy" / "src", {})

    assert refused.value.hint == f"cd {shlex.quote(str(worker.worktree))}"


@pytest.mark.parametrize("how", ["mv", "git worktree move"])
@pytest.mark.parametrize("cleaned", [False, True])
def test_a_moved_worktree_is_refused_and_the_hint_moves_it_back(
    worker: WorkerContext, tmp_path: Path, how: str, cleaned: bool
) -> None:
    moved = tmp_path / "moved here"
    if how == "mv":
        worker.worktree.rename(moved)
    else:
        kit.git(worker.repository, "worktree", "move", str(worker.worktree), str(moved))
    if cleaned:
        local(moved).unlink()

    with pytest.raises(BadContext, match="copied or moved") as refused:
        find_context(moved, {})

    follow(refused.value.hint)
    assert find_context(worker.worktree, {}).context == worker
    assert kit.git(worker.worktree, "rev-parse", "--abbrev-ref", "HEAD") == worker.branch
    assert f"worktree {worker.worktree}\n" in kit.git(worker.repository, "worktree", "list", "--porcelain")


def test_a_worktree_that_was_moved_and_lost_its_repository_is_put_right_step_by_step(
    worker: WorkerContext, tmp_path: Path
) -> None:
    moved = tmp_path / "moved here"
    worker.worktree.rename(moved)
    (moved / ".git").write_text("gitdir: /nowhere\n")

    for start in (moved, worker.worktree):
        with pytest.raises(BadContext) as refused:
            find_context(start, {})
        follow(refused.value.hint)

    assert find_context(worker.worktree, {}).context == worker


@pytest.mark.parametrize("left", ["gitdir: /nowhere\n", "", None])
def test_a_worktree_without_its_git_file_is_refused_and_the_hint_repairs_it(
    worker: WorkerContext, left: str | None
) -> None:
    (worker.worktree / ".git").unlink()
    if left is not None:
        (worker.worktree / ".git").write_text(left)

    with pytest.raises(BadContext, match="no checkout") as refused:
        find_context(worker.worktree, {})

    follow(refused.value.hint)
    assert find_context(worker.worktree, {}).context == worker


def test_a_git_file_that_leads_to_another_workers_git_dir_is_refused(worker: WorkerContext, spawn: Spawn) -> None:
    other = spawn("fix-logout")
    shutil.copy(other.worktree / ".git", worker.worktree / ".git")

    with pytest.raises(BadContext, match="another worktree") as refused:
        find_context(worker.worktree, {})

    assert decode(local(worker.worktree).read_bytes()) == worker
    follow(refused.value.hint)
    assert find_context(worker.worktree, {}).context == worker


def test_a_context_that_claims_another_repositorys_state_is_refused(worker: WorkerContext, tmp_path: Path) -> None:
    other = kit.make_repository(tmp_path / "other")
    forged = worker._replace(state_dir=other / ".git" / "conductor")
    place(forged, canonical(worker.worktree).parent)

    with pytest.raises(BadContext, match="but lies in a checkout of"):
        find_context(worker.worktree, {})


def test_a_main_checkout_is_never_a_worker_even_when_a_context_names_it(
    worker: WorkerContext, repository: Path
) -> None:
    local(repository).write_bytes(encode(worker._replace(worktree=repository)))

    with pytest.raises(BadContext):
        find_context(repository, {})


@pytest.mark.parametrize("named", [local, canonical])
def test_the_variable_names_the_worker_from_anywhere(
    worker: WorkerContext, tmp_path: Path, named: Callable[[Path], Path]
) -> None:
    assert find_context(tmp_path, {VARIABLE: str(named(worker.worktree))}).context == worker


def test_the_variable_is_stronger_than_the_directory(worker: WorkerContext, spawn: Spawn) -> None:
    other = spawn("fix-logout")

    assert find_context(other.worktree, {VARIABLE: str(local(worker.worktree))}).context == worker


def test_an_empty_variable_is_no_variable(worker: WorkerContext) -> None:
    assert find_context(worker.worktree, {VARIABLE: ""}).context == worker


def test_the_variable_still_names_the_worker_after_git_clean(worker: WorkerContext, tmp_path: Path) -> None:
    kit.git(worker.worktree, "clean", "-fdxq")

    assert find_context(tmp_path, {VARIABLE: str(local(worker.worktree))}).context == worker
    assert local(worker.worktree).exists()


def test_a_variable_that_names_nothing_is_an_error_even_in_a_workers_worktree(
    worker: WorkerContext, tmp_path: Path
) -> None:
    for missing in (tmp_path / CONTEXT_NAME, tmp_path / "gone" / CANONICAL_CONTEXT_NAME, tmp_path):
        with pytest.raises(BadContext, match=VARIABLE):
            find_context(worker.worktree, {VARIABLE: str(missing)})


def test_a_variable_that_names_a_stray_copy_is_an_error(worker: WorkerContext, tmp_path: Path) -> None:
    for stray in (tmp_path / CONTEXT_NAME, tmp_path / "mine.json"):
        shutil.copy(local(worker.worktree), stray)

        with pytest.raises(BadContext, match=VARIABLE):
            find_context(worker.worktree, {VARIABLE: str(stray)})


def test_a_crash_between_the_two_writes_of_place_is_mended(worker: WorkerContext) -> None:
    canonical(worker.worktree).write_bytes(encode(worker._replace(generation=2)))

    assert find_context(worker.worktree, {}).context.generation == 2


def test_the_common_git_dir_is_the_one_that_git_finds(worker: WorkerContext, repository: Path, tmp_path: Path) -> None:
    nested = kit.make_repository(worker.worktree / "vendor")
    bare = tmp_path / "bare.git"
    kit.git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(bare))
    starts = [repository, repository / "src", repository / ".git", repository / ".git" / "refs"]
    starts += [
        worker.worktree,
        worker.worktree / "src",
        nested / "src",
        bare,
        bare / "refs",
        canonical(worker.worktree).parent,
    ]

    for start in starts:
        asked = kit.git(start, "rev-parse", "--path-format=absolute", "--git-common-dir")
        assert common_dir_of(start) == Path(asked), start


def test_no_common_git_dir_is_found_where_git_finds_none(worker: WorkerContext, tmp_path: Path) -> None:
    (tmp_path / "plain" / ".git").mkdir(parents=True)
    assert common_dir_of(tmp_path / "plain") is None

    inside = worker.worktree / "broken"
    inside.mkdir()
    (inside / ".git").write_text("gitdir: /nowhere\n")
    kit.git(inside, "rev-parse", "--git-common-dir", ok=(128,))
    assert common_dir_of(inside) is None


def test_a_submodule_is_a_repository_of_its_own(repository: Path, tmp_path: Path) -> None:
    other = kit.make_repository(tmp_path / "other")
    kit.git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "part")

    found = git_dir_at(repository / "part")

    assert found is not None
    assert found.path == repository / ".git" / "modules" / "part"
    assert not found.is_linked
