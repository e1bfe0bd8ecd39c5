"""Reviews: who may give a verdict, on which commit, and what it changes; what is refused leaves nothing behind."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from conductor_git.project import open_project
from conductor_git.review import MOST_COMMENTS, Review
from conductor_git.store.reviews import FileReviews
from tests import kit
from tests.integration import agents
from tests.integration.traces import traces
from tests.kit import tasks

WORK = {"src/new.py": "NEW = 1\n"}


def handed_in(repository: Path, **order: Any) -> Path:
    """The task `prices` in review; returns its worktree."""
    worktree = tasks.spawn(repository, "prices", **order)
    tasks.commit(worktree, WORK)
    tasks.hand_in(repository, "prices")
    return worktree


def say(repository: Path, *words: str, task: str = "prices", env: dict[str, str] | None = None) -> kit.Completed:
    verb, *rest = words
    return kit.conductor(verb, task, *rest, "--json", cwd=repository, env=env)


def approved(done: kit.Completed) -> bool:
    assert done.code == 0, done
    state: str = done.document["task"]["state"]
    return state == "APPROVED"


def reviews(repository: Path, task: str = "prices") -> tuple[Review, ...]:
    project = open_project(repository)
    return FileReviews(project.layout).all(tasks.record(repository, task).task_id)


def refused_without_a_trace(
    repository: Path, words: Iterable[str], code: str, exit_code: int, **more: Any
) -> dict[str, Any]:
    """The command is refused with `code`, and everything is as it was."""
    before = traces(repository)
    error = tasks.refused(say(repository, *words, **more), code, exit_code)
    assert traces(repository) == before
    return error


# --- who


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[31m", "x" * 101, "a\u200bb"], ids=ascii)
def test_what_is_no_name_is_refused(repository: Path, name: str) -> None:
    handed_in(repository)

    refused_without_a_trace(repository, ("approve", "--as", name), "BAD_INPUT", 2)


@pytest.mark.parametrize("other", ["Ada", " ada ", "\uff21da", "ADA"], ids=ascii)
def test_one_person_in_two_spellings_is_no_quorum_and_two_persons_are(repository: Path, other: str) -> None:
    handed_in(repository, reviews_required=2)

    assert not approved(say(repository, "approve", "--as", "ada"))
    assert not approved(say(repository, "approve", "--as", other))
    assert approved(say(repository, "approve", "--as", "bob"))


def test_whoever_coordinates_may_approve_what_its_own_git_user_has_committed(repository: Path) -> None:
    handed_in(repository)

    assert approved(say(repository, "approve"))
    assert [review.reviewer for review in reviews(repository)] == ["Test Person"]


@pytest.mark.parametrize("name", ["prices", "Prices ", "\uff50rices"], ids=ascii)
def test_nobody_approves_under_the_name_of_the_worker(repository: Path, name: str) -> None:
    handed_in(repository)

    refused_without_a_trace(repository, ("approve", "--as", name), "SELF_REVIEW", 1)


@pytest.mark.parametrize("options", [(), ("--as", "ada")], ids=["as itself", "as another"])
@pytest.mark.parametrize(
    "left", ["CONDUCTOR_TASK_ID CONDUCTOR_PROJECT_ID", "CONDUCTOR_TASK_ID", "CONDUCTOR_WORKER_CTX"]
)
def test_a_worker_that_leaves_its_worktree_is_known_by_its_environment(
    repository: Path, left: str, options: tuple[str, ...]
) -> None:
    worktree = handed_in(repository)
    variables = {
        "CONDUCTOR_TASK_ID": "prices",
        "CONDUCTOR_PROJECT_ID": "acme",
        "CONDUCTOR_WORKER_CTX": str(worktree / ".worker-ctx.json"),
    }
    env = {name: variables[name] for name in left.split(" ")}

    refused_without_a_trace(repository, ("approve", *options), "SELF_REVIEW", 1, env=env)


def test_an_agent_that_has_cleared_its_environment_is_known_by_its_session(repository: Path) -> None:
    script = (
        "git commit -q --allow-empty -m x && conductor-git done && "
        f"cd {repository} && unset $(env | sed -n 's/^\\(CONDUCTOR_[A-Z_]*\\)=.*/\\1/p') && "
        "conductor-git approve prices --as ada --json"
    )
    attempt = agents.launch(repository, script)
    agents.ended(repository)

    log = kit.conductor("log", "prices", cwd=repository).out
    assert "SELF_REVIEW" in log, (attempt, log)
    assert reviews(repository) == ()


def test_a_variable_of_another_project_says_nothing(repository: Path) -> None:
    handed_in(repository)
    env = {"CONDUCTOR_TASK_ID": "prices", "CONDUCTOR_PROJECT_ID": "elsewhere"}

    assert approved(say(repository, "approve", "--as", "ada", env=env))


@pytest.mark.parametrize("said", ["../prices", "nobody", "-x"])
def test_a_variable_that_names_no_task_says_nothing(repository: Path, said: str) -> None:
    handed_in(repository)

    assert approved(say(repository, "approve", "--as", "ada", env={"CONDUCTOR_TASK_ID": said}))


def test_the_worker_of_another_task_reviews_under_its_own_name_and_no_other(repository: Path) -> None:
    handed_in(repository)
    other = tasks.spawn(repository, "pears")
    before = traces(repository)

    tasks.refused(say(other, "approve", "--as", "ada"), "WRONG_REVIEWER", 1)
    assert traces(repository) == before

    assert approved(say(other, "approve"))
    assert [review.reviewer for review in reviews(repository)] == ["pears"]


def test_a_worker_in_the_worktree_of_another_reviews_neither_work(repository: Path) -> None:
    handed_in(repository)
    other = tasks.spawn(repository, "pears")
    tasks.commit(other, {"src/pears.py": "1\n"})
    tasks.hand_in(repository, "pears")
    before = traces(repository)

    for task in ("prices", "pears"):
        tasks.refused(say(other, "approve", task=task, env={"CONDUCTOR_TASK_ID": "prices"}), "SELF_REVIEW", 1)

    assert traces(repository) == before


# --- which commit


def test_an_approval_of_a_commit_that_is_not_in_review_is_refused(repository: Path) -> None:
    worktree = handed_in(repository)
    elsewhere = kit.git(repository, "rev-parse", "main")
    head = kit.git(worktree, "rev-parse", "HEAD")

    error = refused_without_a_trace(repository, ("approve", "--commit", elsewhere), "SUPERSEDED", 16)

    assert error["head_commit"] == head
    assert approved(say(repository, "approve", "--commit", head))


@pytest.mark.parametrize("said", ["{short}", "HEAD", "worker/prices", "", "{head}^0", "{upper}", "0" * 39])
def test_what_is_no_whole_id_of_a_commit_is_no_approval(repository: Path, said: str) -> None:
    worktree = handed_in(repository)
    head = kit.git(worktree, "rev-parse", "HEAD")
    commit = said.format(short=head[:12], head=head, upper=head.upper())

    refused_without_a_trace(repository, ("approve", f"--commit={commit}"), "BAD_INPUT", 2)


def amend(worktree: Path) -> None:
    kit.git(worktree, "commit", "--quiet", "--amend", "-m", "Said better")


def reset_back(worktree: Path) -> None:
    kit.git(worktree, "reset", "--quiet", "--hard", "HEAD~1")


def force_move(worktree: Path) -> None:
    commit = kit.git(worktree, "commit-tree", "HEAD^{tree}", "-m", "Out of nowhere")
    kit.git(worktree, "update-ref", "refs/heads/worker/prices", commit)


def commit_more(worktree: Path) -> None:
    tasks.commit(worktree, {"src/more.py": "MORE = 1\n"})


@pytest.mark.parametrize("move", [amend, reset_back, force_move, commit_more])
@pytest.mark.parametrize("verb", ["approve", "request-changes"])
def test_a_verdict_after_the_branch_has_moved_is_refused_and_the_new_commit_is_in_review(
    repository: Path, move: Any, verb: str
) -> None:
    worktree = handed_in(repository)
    move(worktree)
    tip = kit.git(worktree, "rev-parse", "HEAD")

    tasks.refused(say(repository, verb, "--as", "ada"), "SUPERSEDED", 16)

    run = tasks.record(repository, "prices")
    assert (run.state, run.head_commit, run.approved_commit) == ("IN_REVIEW", tip, None)
    assert reviews(repository) == ()


@pytest.mark.parametrize("move", [amend, reset_back, force_move, commit_more])
def test_a_branch_that_moves_after_it_was_approved_starts_from_none(repository: Path, move: Any) -> None:
    worktree = handed_in(repository)
    assert approved(say(repository, "approve", "--as", "ada"))
    move(worktree)

    tasks.refused(say(repository, "approve", "--as", "bob"), "SUPERSEDED", 16)

    assert tasks.record(repository, "prices").state == "IN_REVIEW"
    tasks.refused(tasks.merge(repository, "prices"), "ILLEGAL_TRANSITION", 12)


def test_back_at_the_approved_commit_the_approval_counts_and_somebody_has_to_say_so(repository: Path) -> None:
    worktree = handed_in(repository, reviews_required=2)
    head = kit.git(worktree, "rev-parse", "HEAD")
    assert not approved(say(repository, "approve", "--as", "ada"))
    amend(worktree)
    tasks.hand_in(repository, "prices")
    kit.git(worktree, "reset", "--quiet", "--hard", head)
    tasks.hand_in(repository, "prices")

    assert tasks.record(repository, "prices").state == "IN_REVIEW"
    assert approved(say(repository, "approve", "--as", "bob"))
    assert tasks.record(repository, "prices").approved_commit == head


def test_back_at_a_commit_whose_reviewer_has_since_asked_for_changes_that_approval_is_gone(repository: Path) -> None:
    worktree = handed_in(repository, reviews_required=2)
    head = kit.git(worktree, "rev-parse", "HEAD")
    say(repository, "approve", "--as", "ada")
    amend(worktree)
    tasks.hand_in(repository, "prices")
    say(repository, "request-changes", "--as", "ada", "-m", "no")
    kit.git(worktree, "reset", "--quiet", "--hard", head)
    tasks.hand_in(repository, "prices")

    assert not approved(say(repository, "approve", "--as", "bob"))


def test_a_later_verdict_replaces_the_earlier_one_also_after_it_was_enough(repository: Path) -> None:
    handed_in(repository)
    assert approved(say(repository, "approve", "--as", "ada"))

    assert say(repository, "request-changes", "--as", "Ada", "-m", "wait").code == 0

    run = tasks.record(repository, "prices")
    assert (run.state, run.approved_commit) == ("WORKING", None)


@pytest.mark.parametrize("now", ["1", "3"])
def test_the_record_says_how_many_reviews_are_needed_and_not_a_later_config(repository: Path, now: str) -> None:
    handed_in(repository, reviews_required=2)
    tasks.commit(repository, {".conductor.yaml": f"reviews_required: {now}\n"})

    assert not approved(say(repository, "approve", "--as", "ada"))
    assert approved(say(repository, "approve", "--as", "bob"))
    tasks.landed(tasks.merge(repository, "prices"))


# --- what is said


def test_a_comment_on_a_file_that_is_not_there_is_refused(repository: Path) -> None:
    handed_in(repository)

    error = refused_without_a_trace(
        repository, ("request-changes", "--comment", "src/new.py:1:x", "--comment", "src/nwe.py:1:x"), "NOT_FOUND", 18
    )

    assert error["path"] == "src/nwe.py"


@pytest.mark.parametrize("option", ["--comment", "--comment-old"])
def test_a_comment_beyond_the_end_of_a_file_is_refused(repository: Path, option: str) -> None:
    handed_in(repository)

    error = refused_without_a_trace(repository, ("request-changes", option, "src/prices.py:5:x"), "NOT_FOUND", 18)

    assert error["lines"] == 4


def test_each_side_has_its_own_files(repository: Path) -> None:
    worktree = handed_in(repository)
    kit.git(worktree, "mv", "README.md", "READ ME.md")
    kit.git(worktree, "commit", "--quiet", "--amend", "--no-edit")
    tasks.hand_in(repository, "prices")

    for words in (("--comment", "README.md:1:x"), ("--comment-old", "READ ME.md:1:x")):
        refused_without_a_trace(repository, ("request-changes", *words), "NOT_FOUND", 18)
    said = ("--comment", "READ ME.md:1:x", "--comment-old", "README.md:1:x", "--comment", "run.sh:1:and this?")
    assert say(repository, "request-changes", *said).code == 0


def test_more_comments_than_anybody_reads_are_refused_and_as_many_as_there_may_be_are_delivered(
    repository: Path,
) -> None:
    handed_in(repository)
    comments = [word for _ in range(MOST_COMMENTS) for word in ("--comment", "src/new.py:1:why?")]

    refused_without_a_trace(repository, ("request-changes", *comments, "--comment", "run.sh:1:x"), "TOO_LARGE", 1)
    done = say(repository, "request-changes", *comments)

    assert done.code == 0, done
    assert len(reviews(repository)[0].comments) == MOST_COMMENTS
    (told,) = tasks.told(repository, "REVIEW", "prices")
    assert told.endswith("… and more: conductor-git show prices")


def test_a_text_over_the_limit_is_refused_and_a_long_one_is_kept_whole(repository: Path) -> None:
    handed_in(repository)
    long = "\x01 ü 'no'\n" * 10_000

    comments = ["--comment", f"run.sh:1:{'y' * 120_000}"] * 3

    refused_without_a_trace(repository, ("request-changes", *comments), "TOO_LARGE", 1)
    assert say(repository, "request-changes", "-m", long).code == 0

    assert reviews(repository)[0].body == long
    assert len(tasks.record(repository, "prices").history[-1].note or "") <= 200
    assert kit.conductor("show", "prices", cwd=repository).code == 0


def test_bytes_that_are_no_text_are_kept_as_replacement_characters(repository: Path) -> None:
    handed_in(repository)

    done = say(repository, "request-changes", "-m", os.fsdecode(b"caf\xe9"), "--comment", os.fsdecode(b"run.sh:1:\xff"))

    assert done.code == 0, done
    assert reviews(repository)[0].body == "caf\ufffd"
    assert reviews(repository)[0].comments[0].body == "\ufffd"


def test_no_secret_reaches_the_record_the_history_or_the_bus(repository: Path) -> None:
    worktree = handed_in(repository)
    token = "ghp_" + "a1B2" * 9
    env = {"SHOP_TOKEN": "open-sesame-42"}
    said = f"{token} and open-sesame-42"

    assert say(repository, "request-changes", "-m", said, "--comment", f"run.sh:1:{said}", env=env).code == 0

    state = repository / ".git" / "conductor"
    secrets = (token.encode(), b"open-sesame")
    kept = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    assert [path for path, data in kept.items() if any(secret in data for secret in secrets)] == []
    assert "[masked] and [masked]" in kit.conductor("ctx", cwd=worktree).out


def test_a_review_under_an_old_number_is_never_written_over(repository: Path) -> None:
    handed_in(repository, reviews_required=3)
    for name in ("ada", "bob"):
        say(repository, "approve", "--as", name)
    folder = repository / ".git" / "conductor" / "tasks" / "prices" / "reviews"
    first = (folder / "1.yaml").read_bytes()
    (folder / "1.yaml").rename(folder / "7.yaml")

    say(repository, "approve", "--as", "cid")

    assert (folder / "7.yaml").read_bytes() == first
    assert sorted(path.name for path in folder.iterdir()) == ["2.yaml", "7.yaml", "8.yaml"]
