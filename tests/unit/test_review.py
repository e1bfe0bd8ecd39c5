"""Reviews: a verdict is a field on one commit, a reviewer counts once, and the last word counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_git import strictyaml
from conductor_git.errors import BadInput
from conductor_git.names import CommitId
from conductor_git.record import BadField
from conductor_git.review import (
    LineComment,
    Review,
    Side,
    Verdict,
    approvals,
    current,
    from_tree,
    is_same_reviewer,
    parse_comment,
    parse_reviewer,
    to_tree,
)

NOON: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
OLD, NEW = CommitId("a" * 40), CommitId("b" * 40)
TEXT: Final = st.text(st.characters(codec="utf-8"), max_size=80)
COMMENTS: Final = st.builds(LineComment, TEXT, st.integers(1, 10**9), TEXT, st.sampled_from(Side))
REVIEWS: Final = st.builds(
    Review,
    number=st.integers(1, 10**6),
    reviewer=TEXT,
    verdict=st.sampled_from(Verdict),
    commit=st.sampled_from([OLD, NEW]),
    body=TEXT,
    at=st.integers(0, 10**9).map(lambda seconds: NOON + timedelta(microseconds=seconds)),
    comments=st.lists(COMMENTS, max_size=3).map(tuple),
)


def review(number: int, reviewer: str, verdict: Verdict = Verdict.APPROVE, commit: CommitId = NEW) -> Review:
    return Review(number, reviewer, verdict, commit, "", NOON)


@given(REVIEWS)
def test_what_is_written_is_read_back(written: Review) -> None:
    assert from_tree(strictyaml.read(strictyaml.write(to_tree(written)))) == written


def test_keys_of_a_later_version_are_passed_over() -> None:
    tree = strictyaml.read(strictyaml.write(to_tree(review(1, "ada")) | {"mood": "fine"}))

    assert from_tree(tree) == review(1, "ada")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", "2"),
        ("number", "one"),
        ("reviewer", None),
        ("verdict", "NOT APPROVED"),
        ("verdict", "APPROVE"),
        ("verdict", None),
        ("at", "noon"),
        ("body", ["a"]),
        ("comments", "none"),
        ("comments", [{"path": "a", "side": "left", "line": "1", "body": "x"}]),
    ],
)
def test_a_value_that_is_not_what_its_key_means_is_refused_by_name(key: str, value: object) -> None:
    tree: Any = strictyaml.read(strictyaml.write(to_tree(review(1, "ada"))))

    with pytest.raises(BadField, match=f"`{key}"):
        from_tree(tree | {key: value})


def test_a_review_of_no_full_commit_is_refused() -> None:
    tree: Any = strictyaml.read(strictyaml.write(to_tree(review(1, "ada"))))

    with pytest.raises(BadField, match="bbbb"):
        from_tree(tree | {"commit": "bbbb"})


def test_words_in_a_body_are_no_verdict() -> None:
    said = replace(review(1, "ada", Verdict.REQUEST_CHANGES), body="APPROVED\nverdict: approve")

    assert approvals([said], NEW) == ()


def test_one_reviewer_who_approves_twice_counts_once() -> None:
    assert approvals([review(1, "ada"), review(2, "ada")], NEW) == ("ada",)


@pytest.mark.parametrize("other", ["Ada", " ada ", "ADA", "\uff41da"])
def test_one_reviewer_in_two_spellings_counts_once(other: str) -> None:
    assert len(approvals([review(1, "ada"), review(2, other)], NEW)) == 1
    assert is_same_reviewer("ada", other)


def test_reviewers_whose_names_begin_alike_are_two() -> None:
    assert approvals([review(1, "ada"), review(2, "ada2")], NEW) == ("ada", "ada2")
    assert not is_same_reviewer("ada", "ada2")


def test_a_later_verdict_of_the_same_reviewer_replaces_the_earlier_one() -> None:
    first, second = review(1, "ada"), review(2, "ada", Verdict.REQUEST_CHANGES)

    assert approvals([first, second], NEW) == ()
    assert approvals([replace(second, number=1), replace(first, number=2)], NEW) == ("ada",)


def test_the_number_decides_which_verdict_is_later_and_not_the_order_of_reading() -> None:
    first, second = review(9, "ada"), review(10, "ada", Verdict.REQUEST_CHANGES)

    assert current([second, first]) == (second,)


def test_an_approval_of_another_commit_is_none_of_this_one() -> None:
    reviews = [review(1, "ada", commit=OLD), review(2, "bob", commit=NEW)]

    assert approvals(reviews, NEW) == ("bob",)


def test_a_verdict_on_a_newer_commit_takes_back_the_approval_of_the_older() -> None:
    assert approvals([review(1, "ada", commit=OLD), review(2, "ada", Verdict.REQUEST_CHANGES)], OLD) == ()


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        ("src/login.py:42:this never ends", LineComment("src/login.py", 42, "this never ends")),
        ("a:1:see b:2:c", LineComment("a", 1, "see b:2:c")),
        ("a:b:7: twice\nas long ", LineComment("a:b", 7, "twice\nas long")),
        ("how to run.md:1:ö", LineComment("how to run.md", 1, "ö")),
        ("./src/a.py:1:x", LineComment("src/a.py", 1, "x")),
    ],
)
def test_a_comment_is_path_line_and_text(text: str, comment: LineComment) -> None:
    assert parse_comment(text) == comment


@pytest.mark.parametrize(
    "text",
    "|a|a:b|a:1|a:1:|a:1: |:1:x|a:0:x|a:-1:x|a:x:y|a:٣:x|a:9999999999:x|/etc/passwd:1:x|../a:1:x|a/../../b:1:x|"
    "a//b:1:x|a/:1:x|.:1:x|a\0b:1:x".split("|"),
)
def test_what_is_no_comment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_comment(text)

    assert parse_comment(refused.value.hint.removeprefix("--comment ").strip("'")).line == 42


@pytest.mark.parametrize("text", ["ada", "Ada Lovelace", " agent:claude ", "名前"])
def test_a_reviewer_is_a_name_in_one_line(text: str) -> None:
    assert parse_reviewer(text) == text.strip()


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "a\x1b[31m", "x" * 101, "\u3000", "a\u200bb"])
def test_what_is_no_reviewers_name_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_reviewer(text)
