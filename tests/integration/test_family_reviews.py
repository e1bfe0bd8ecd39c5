"""Self-review in disguise: no worker gives a verdict on what a task of its own family handed in, nor picks who does."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from conductor_git.project import open_project
from conductor_git.store.reviews import FileReviews
from tests import kit
from tests.integration import agents
from tests.integration.families import by_hand, child, handed_in, limit
from tests.integration.traces import traces
from tests.kit import tasks

PAIRS = {
    "a parent of its child": ("lead", "part-1"),
    "a child of its parent": ("part-1", "lead"),
    "a grandparent": ("lead", "leaf"),
    "a grandchild": ("leaf", "lead"),
    "a sibling": ("part-2", "part-1"),
}
PAIRED = pytest.mark.parametrize(("speaker", "reviewed"), PAIRS.values(), ids=PAIRS)


@pytest.fixture
def family(repository: Path) -> dict[str, Path]:
    """The worktrees of `lead`, of the two tasks that it spawned, and of the one that the first of these spawned."""
    return {
        "lead": tasks.spawn(repository, "lead"),
        "part-1": child(repository, "lead", "part-1"),
        "part-2": child(repository, "lead", "part-2"),
        "leaf": child(repository, "part-1", "leaf"),
    }


def refused(repository: Path, place: Path, *words: str, env: dict[str, str] | None = None) -> None:
    before = traces(repository)
    tasks.refused(kit.conductor(*words, "--json", cwd=place, env=env), "SELF_REVIEW", 1)
    assert traces(repository) == before


@PAIRED
def test_no_worker_reviews_its_family_from_its_worktree_or_by_its_environment_or_name(
    repository: Path, family: dict[str, Path], speaker: str, reviewed: str
) -> None:
    handed_in(repository, family[reviewed])
    env = {"CONDUCTOR_TASK_ID": speaker, "CONDUCTOR_PROJECT_ID": "acme"}

    refused(repository, family[speaker], "approve", reviewed)
    refused(repository, family[speaker], "request-changes", reviewed, "--as", "ada")
    refused(repository, repository, "approve", reviewed, env=env)
    refused(repository, repository, "approve", reviewed, "--as", speaker.upper())


def test_a_relative_in_the_worktree_of_a_stranger_is_known_all_the_same(
    repository: Path, family: dict[str, Path]
) -> None:
    handed_in(repository, family["part-1"])
    other = tasks.spawn(repository, "other")

    refused(repository, other, "approve", "part-1", env={"CONDUCTOR_TASK_ID": "lead"})
    refused(repository, family["lead"], "approve", "part-1", env={"CONDUCTOR_TASK_ID": "other"})


def test_an_agent_that_has_cleared_its_environment_is_known_by_its_session(repository: Path) -> None:
    """The agent of `prices` approves what its sub-task brings as if it were a person."""
    go = repository.parent / "go"
    script = (
        f"until [ -e {shlex.quote(str(go))} ]; do sleep 0.05; done; cd {shlex.quote(str(repository))} && "
        "unset $(env | sed -n 's/^\\(CONDUCTOR_[A-Z_]*\\)=.*/\\1/p') && "
        "conductor-git approve part --as ada --json"
    )
    agents.launch(repository, script)
    handed_in(repository, child(repository, "prices", "part"))

    go.touch()

    agents.ended(repository)
    assert "SELF_REVIEW" in kit.conductor("log", "prices", "--attempt", "1", cwd=repository).out
    kit.conductor("stop", "prices", cwd=repository)
    project = open_project(repository)
    assert FileReviews(project.layout).all(tasks.record(repository, "part").task_id) == ()


@PAIRED
def test_no_worker_picks_a_reviewer_of_its_family(
    repository: Path, family: dict[str, Path], speaker: str, reviewed: str
) -> None:
    limit(repository, depth=3)
    handed_in(repository, family[reviewed])
    command = ("spawn", "crony", "--review", reviewed)

    refused(repository, family[speaker], *command)
    refused(repository, repository, *command, env={"CONDUCTOR_TASK_ID": speaker})


def test_no_worker_starts_a_reviewer_of_its_family_again(repository: Path, family: dict[str, Path]) -> None:
    handed_in(repository, family["part-1"])
    assert by_hand(repository, "critic", "--review", "part-1").code == 0
    kit.conductor("cancel", "critic", cwd=repository)

    refused(repository, family["lead"], "retry", "critic")


def test_whoever_is_not_of_the_family_reviews_it(repository: Path, family: dict[str, Path]) -> None:
    handed_in(repository, family["part-1"])
    handed_in(repository, family["part-2"])
    handed_in(repository, family["leaf"])
    other = tasks.spawn(repository, "other")
    tasks.spawn(repository, "lead-2")  # a name that begins with another one is another one
    critic = by_hand(repository, "critic", "--review", "leaf").document["task"]["worktree"]

    for place, reviewed in ((other, "part-1"), (repository, "part-2"), (Path(critic), "leaf")):
        done = kit.conductor("approve", reviewed, "--json", cwd=place)
        assert done.code == 0, done
        assert done.document["task"]["state"] == "APPROVED"
    handed_in(repository, family["lead"])
    assert kit.conductor("approve", "lead", "--as", "lead-2", "--json", cwd=repository).code == 0


def test_a_record_that_cannot_be_read_keeps_nobody_from_other_reviews(
    repository: Path, family: dict[str, Path]
) -> None:
    handed_in(repository, family["part-1"])
    for name in ("part-2", "lead"):
        (repository / f".git/conductor/tasks/{name}/run-info.yaml").write_text("no: [record\n")

    assert kit.conductor("approve", "part-1", "--as", "ada", cwd=repository).code == 0
