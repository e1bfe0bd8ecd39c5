"""A reviewer's task: an agent whose work is a verdict on the commit that another task has in review."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from conductor_git.project import open_project
from conductor_git.store.reviews import FileReviews
from tests import kit
from tests.integration.traces import traces
from tests.kit import tasks

WORK = {"src/prices.py": "PRICES = {\n    'apple': 3,\n    'pear': 5,\n}\n"}


@pytest.fixture
def worktree(repository: Path) -> Path:
    """The worktree of `prices`, which is in review and needs one approval."""
    return handed_in(repository)


def handed_in(repository: Path, **order: Any) -> Path:
    place = tasks.spawn(repository, "prices", prompt="Pears cost 5", **order)
    tasks.commit(place, WORK)
    tasks.hand_in(repository, "prices")
    return place


def reviewer(repository: Path, script: str, name: str = "critic", *options: str) -> kit.Completed:
    """Spawn a reviewer of `prices` whose agent is a shell script, and wait for its recorded end."""
    done = kit.conductor("spawn", name, "--review", "prices", *options, "--", "sh", "-c", script, cwd=repository)
    assert done.code == 0, done
    kit.until(lambda: tasks.record(repository, name).attempts[-1].ended_at is not None)
    return done


def by_hand(repository: Path, name: str = "critic") -> Path:
    """A reviewer's worktree with no agent in it."""
    done = kit.conductor("spawn", name, "--review", "prices", "--json", cwd=repository)
    assert done.code == 0, done
    return Path(done.document["task"]["worktree"])


def said(repository: Path) -> list[tuple[str, str]]:
    project = open_project(repository)
    task_id = tasks.record(repository, "prices").task_id
    return [(review.reviewer, str(review.verdict)) for review in FileReviews(project.layout).all(task_id)]


def gone(path: Path) -> bool:
    return bool(kit.until(lambda: not path.exists()))


# --- from end to end


def test_an_agent_reviews_and_its_approval_completes_both(repository: Path, worktree: Path) -> None:
    head = kit.git(worktree, "rev-parse", "HEAD")
    checkout = kit.snapshot(repository)

    reviewer(repository, 'grep -q "pear.: 5" src/prices.py && conductor-git approve prices -m "five it is"')

    critic, prices = tasks.record(repository, "critic"), tasks.record(repository, "prices")
    assert (prices.state, prices.approved_commit) == ("APPROVED", head)
    assert (critic.state, critic.review_of, critic.base_commit) == ("COMPLETED", "prices", head)
    assert said(repository) == [("critic", "approve")]
    assert gone(Path(critic.worktree))
    assert kit.git(repository, "for-each-ref", "refs/conductor") == ""
    assert kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/heads").split() == [
        "refs/heads/main",
        "refs/heads/worker/prices",
    ]
    assert kit.snapshot(repository) == checkout
    tasks.landed(tasks.merge(repository, "prices"))
    assert "Reviewed-by: critic" in kit.git(repository, "log", "-1", "--format=%B", "main")


def test_two_agents_and_a_person_are_a_quorum_of_three(repository: Path) -> None:
    handed_in(repository, reviews_required=3)

    for name in ("critic", "skeptic"):
        reviewer(repository, "conductor-git approve prices", name)
        assert tasks.record(repository, "prices").state == "IN_REVIEW"
    kit.conductor("approve", "prices", "--as", "ada", cwd=repository)

    assert tasks.record(repository, "prices").state == "APPROVED"
    assert said(repository) == [("critic", "approve"), ("skeptic", "approve"), ("ada", "approve")]


def test_an_agent_that_asks_for_changes_sends_the_task_back(repository: Path, worktree: Path) -> None:
    reviewer(repository, "conductor-git request-changes prices -m 'say why' --comment src/prices.py:3:hm")

    assert tasks.record(repository, "prices").state == "WORKING"
    assert tasks.record(repository, "critic").state == "COMPLETED"
    assert "src/prices.py:3: hm" in kit.conductor("ctx", cwd=worktree).out


@pytest.mark.usefixtures("worktree")
def test_what_a_reviewer_left_behind_is_salvaged_before_its_worktree_goes(repository: Path) -> None:
    reviewer(repository, "echo mine >notes.txt; conductor-git approve prices")

    assert gone(Path(tasks.record(repository, "critic").worktree))
    (ref,) = kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage/critic").split("\n")
    assert kit.git(repository, "show", f"{ref}:notes.txt") == "mine"


@pytest.mark.usefixtures("worktree")
def test_an_agent_that_ends_without_a_verdict_leaves_everything_as_it_is(repository: Path) -> None:
    reviewer(repository, "true")

    assert tasks.record(repository, "critic").state == "WORKING"
    assert Path(tasks.record(repository, "critic").worktree).is_dir()
    assert said(repository) == []


def test_an_agent_is_told_what_was_asked_what_is_claimed_and_how_to_answer(repository: Path) -> None:
    worktree = handed_in(repository)
    head = kit.git(worktree, "rev-parse", "HEAD")
    kit.conductor("request-changes", "prices", "-m", "say since when", cwd=repository)
    kit.conductor("done", "-m", "Since January", cwd=worktree)

    reviewer(repository, "cat", "critic", "-m", "Be kind")

    prompt = kit.conductor("log", "critic", cwd=repository).out
    base = kit.git(repository, "rev-parse", "main")
    for words in ("Pears cost 5", "Since January", f"git diff {base} {head}", "say since when", "Be kind"):
        assert words in prompt
    assert "conductor-git approve prices" in prompt
    assert "conductor-git request-changes prices" in prompt


# --- what it is


def test_its_worktree_is_detached_at_the_commit_read_only_and_clean(repository: Path, worktree: Path) -> None:
    place = by_hand(repository)

    assert kit.git(place, "rev-parse", "HEAD") == kit.git(worktree, "rev-parse", "HEAD")
    assert kit.git(place, "rev-parse", "--abbrev-ref", "HEAD") == "HEAD"
    tracked = [place / name for name in kit.git(place, "ls-files").splitlines() if (place / name).is_file()]
    assert len(tracked) > 4
    assert [path for path in tracked if path.stat().st_mode & 0o222] == []
    assert stat.S_IMODE((place / "run.sh").stat().st_mode) & 0o111
    assert kit.git(place, "status", "--porcelain") == ""
    assert kit.git(place, "diff-files") == ""


def test_its_context_names_what_it_reviews(repository: Path, worktree: Path) -> None:
    place = by_hand(repository)

    context = kit.conductor("ctx", "--json", cwd=place).document["context"]

    assert (context["task_id"], context["review_of"], context["branch"]) == ("critic", "prices", "HEAD")
    assert "review_of" not in kit.conductor("ctx", "--json", cwd=worktree).document["context"]


@pytest.mark.parametrize(
    "command",
    [
        "git commit --allow-empty -m x",
        "git checkout --detach HEAD~1",
        "git switch -c mine",
        "git branch mine",
        "git tag v1",
        "git update-ref refs/heads/worker/prices HEAD~1",
        "git update-ref HEAD HEAD~1",
        "git stash -u",
        "git reset --hard HEAD~1",
    ],
)
def test_its_git_commands_move_no_ref_and_not_its_head(repository: Path, worktree: Path, command: str) -> None:
    refs = kit.git(repository, "for-each-ref")

    reviewer(repository, f"echo x >x; {command}; echo $?; git rev-parse HEAD")

    log = kit.conductor("log", "critic", cwd=repository).out.split()
    assert log[-2] != "0", log
    assert log[-1] == kit.git(worktree, "rev-parse", "HEAD")
    assert kit.git(repository, "for-each-ref") == refs


@pytest.mark.usefixtures("worktree")
def test_looking_shows_it_and_diff_shows_what_it_looks_at(repository: Path) -> None:
    place = by_hand(repository)

    (row,) = [
        row for row in kit.conductor("status", "--json", cwd=repository).document["tasks"] if row["task_id"] == "critic"
    ]
    assert (row["state"], row["ahead"]) == ("ASSIGNED", None)
    assert kit.conductor("show", "critic", "--json", cwd=repository).document["task"]["review_of"] == "prices"
    assert kit.conductor("diff", cwd=place).out == kit.conductor("diff", "prices", cwd=repository).out != ""


# --- what it may not


@pytest.mark.usefixtures("worktree")
@pytest.mark.parametrize("verb", ["done", "merge"])
def test_it_hands_in_and_lands_nothing(repository: Path, verb: str) -> None:
    place = by_hand(repository)
    kit.conductor("start", cwd=place)
    before = traces(repository)

    tasks.refused(kit.conductor(verb, "critic", "--json", cwd=place), "ILLEGAL_TRANSITION", 12)

    assert traces(repository) == before


@pytest.mark.usefixtures("worktree")
@pytest.mark.parametrize("verb", ["approve", "request-changes"])
def test_a_review_is_not_reviewed(repository: Path, verb: str) -> None:
    by_hand(repository)
    before = traces(repository)

    tasks.refused(kit.conductor(verb, "critic", "--as", "ada", "--json", cwd=repository), "ILLEGAL_TRANSITION", 12)

    assert traces(repository) == before


@pytest.mark.usefixtures("worktree")
def test_it_lands_nothing_after_its_verdict_either(repository: Path) -> None:
    kit.conductor("approve", "prices", cwd=by_hand(repository))

    tasks.refused(tasks.merge(repository, "critic"), "ILLEGAL_TRANSITION", 12)


@pytest.mark.usefixtures("worktree")
def test_it_judges_what_it_was_spawned_for_and_nothing_else(repository: Path) -> None:
    place = by_hand(repository)
    other = tasks.spawn(repository, "pears")
    tasks.commit(other, {"src/pears.py": "1\n"})
    tasks.hand_in(repository, "pears")
    before = traces(repository)

    tasks.refused(kit.conductor("approve", "pears", "--json", cwd=place), "WRONG_REVIEWER", 1)
    tasks.refused(kit.conductor("approve", "prices", "--as", "ada", "--json", cwd=place), "WRONG_REVIEWER", 1)
    # Nor does somebody else speak for it.
    tasks.refused(kit.conductor("approve", "prices", "--as", "Critic", "--json", cwd=repository), "WRONG_REVIEWER", 1)

    assert traces(repository) == before


@pytest.mark.usefixtures("worktree")
def test_it_gives_one_verdict(repository: Path) -> None:
    place = by_hand(repository)
    assert kit.conductor("approve", "prices", cwd=place).code == 0
    before = traces(repository)

    tasks.refused(kit.conductor("request-changes", "prices", "--json", cwd=place), "ILLEGAL_TRANSITION", 12)

    assert traces(repository) == before


def test_a_worker_does_not_pick_who_reviews_it(repository: Path, worktree: Path) -> None:
    command = ("spawn", "crony", "--review", "prices", "--json", "--", "sh", "-c", "conductor-git approve prices")
    before = traces(repository)

    tasks.refused(kit.conductor(*command, cwd=worktree), "SELF_REVIEW", 1)
    tasks.refused(kit.conductor(*command, cwd=repository, env={"CONDUCTOR_TASK_ID": "prices"}), "SELF_REVIEW", 1)

    assert traces(repository) == before


def test_there_is_nothing_to_review_of_a_task_that_has_nothing_in_review(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    before = traces(repository)

    for reviewed, code, exit_code in (("prices", "ILLEGAL_TRANSITION", 12), ("nobody", "NOT_FOUND", 18)):
        done = kit.conductor("spawn", "critic", "--review", reviewed, "--json", cwd=repository)
        tasks.refused(done, code, exit_code)

    assert traces(repository) == before


@pytest.mark.usefixtures("worktree")
@pytest.mark.parametrize(
    "option", ["--base=main", "--target=main", "--needs=prices", "--reviews=2", "--existing", "--priority=1"]
)
def test_options_that_a_review_has_no_use_for_are_refused(repository: Path, option: str) -> None:
    before = traces(repository)

    done = kit.conductor("spawn", "critic", "--review", "prices", option, "--json", cwd=repository)

    assert option.partition("=")[0] in tasks.refused(done, "BAD_INPUT", 2)["message"]
    assert traces(repository) == before


@pytest.mark.usefixtures("worktree")
def test_a_dry_run_shows_the_review_and_makes_nothing(repository: Path) -> None:
    before = traces(repository)

    done = kit.conductor("spawn", "critic", "--review", "prices", "--dry-run", "--json", cwd=repository)

    assert done.document["plan"]["review_of"] == "prices"
    assert traces(repository) == before


@pytest.mark.usefixtures("worktree")
def test_somebody_who_reviews_by_hand_is_told_how_the_worktree_goes(repository: Path) -> None:
    place = by_hand(repository)

    told = kit.conductor("approve", "prices", cwd=place).err

    command = told.rpartition("↳ ")[2].strip()
    assert os.system(command) == 0
    assert not place.exists()


# --- when the commit moves on


def test_the_verdict_on_a_superseded_commit_is_refused_and_a_retry_looks_at_the_new_one(
    repository: Path, worktree: Path
) -> None:
    place = by_hand(repository)
    tasks.write(place, {"notes.txt": "mine\n"})
    tip = tasks.commit(worktree, {"src/more.py": "1\n"})
    tasks.hand_in(repository, "prices")

    error = tasks.refused(kit.conductor("approve", "prices", "--json", cwd=place), "SUPERSEDED", 16)
    assert error["hint"] == "conductor-git cancel critic && conductor-git retry critic"
    assert said(repository) == []

    assert os.system(f"cd {repository} && {error['hint']} 2>/dev/null >/dev/null") == 0
    run = tasks.record(repository, "critic")
    assert (run.state, run.base_commit, run.generation) == ("ASSIGNED", tip, 2)
    assert kit.git(place, "rev-parse", "HEAD") == tip
    assert tip in (repository / ".git/conductor/tasks/critic/prompt.md").read_text()
    assert not (place / "notes.txt").exists()
    (ref,) = kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage/critic").split("\n")
    assert kit.git(repository, "show", f"{ref}:notes.txt") == "mine"
    assert kit.conductor("approve", "prices", cwd=place).code == 0
    assert tasks.record(repository, "prices").approved_commit == tip


def test_a_reviewer_whose_worktree_was_deleted_by_hand_is_tried_again(repository: Path, worktree: Path) -> None:
    place = by_hand(repository)
    kit.conductor("cancel", "critic", cwd=repository)
    kit.git(repository, "worktree", "remove", "--force", str(place))

    assert kit.conductor("retry", "critic", cwd=repository).code == 0

    assert kit.git(place, "rev-parse", "HEAD") == kit.git(worktree, "rev-parse", "HEAD")


@pytest.mark.usefixtures("worktree")
def test_a_retry_where_nothing_is_in_review_any_more_is_refused(repository: Path) -> None:
    by_hand(repository)
    kit.conductor("cancel", "critic", cwd=repository)
    kit.conductor("request-changes", "prices", cwd=repository)
    before = traces(repository)

    tasks.refused(kit.conductor("retry", "critic", "--json", cwd=repository), "ILLEGAL_TRANSITION", 12)

    assert traces(repository) == before


@pytest.mark.usefixtures("worktree")
def test_a_reviewer_of_an_older_generation_has_no_say(repository: Path) -> None:
    place = by_hand(repository)
    old = {"CONDUCTOR_TASK_ID": "critic", "CONDUCTOR_GENERATION": "1"}
    kit.conductor("cancel", "critic", cwd=repository)
    kit.conductor("retry", "critic", cwd=repository)

    tasks.refused(kit.conductor("approve", "prices", "--json", cwd=place, env=old), "STALE_GENERATION", 1)

    assert said(repository) == []


@pytest.mark.usefixtures("worktree")
@pytest.mark.parametrize("verb", ["cancel", "fail"])
def test_a_review_that_is_not_wanted_any_more_ends_and_leaves_the_task_in_review(repository: Path, verb: str) -> None:
    by_hand(repository)

    assert kit.conductor(verb, "critic", "-m", "late", cwd=repository).code == 0

    assert tasks.record(repository, "critic").state in {"CANCELLED", "FAILED"}
    assert tasks.record(repository, "prices").state == "IN_REVIEW"


def test_a_spawn_that_fails_half_way_leaves_nothing(repository: Path, worktree: Path) -> None:
    (worktree.parent / "critic").mkdir()
    before = traces(repository)

    tasks.refused(kit.conductor("spawn", "critic", "--review", "prices", "--json", cwd=repository), "PATH_EXISTS", 1)

    assert traces(repository) == before
