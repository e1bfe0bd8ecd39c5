"""Masking: what looks like a key or is a known secret goes, prose stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_git.masking import MASK, mask, mask_bytes, secret_values
from conductor_git.server.access import tokens
from conductor_git.server.access.role import Role

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)

# Put together here, so that no scanner takes this file for a leak.
KEYS = [
    "sk" + "-ant-api03-abcDEF123456_ghiJKL-7890",
    "sk" + "-proj-0123456789abcdefABCDEF",
    "ghp" + "_0123456789abcdefghijABCDEFGHIJ012345",
    "ghs" + "_0123456789abcdefghijABCDEFGHIJ012345",
    "github" + "_pat_11ABCDEFG0_abcdefghijklmnop",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "xai" + "-0123456789abcdefABCDEF0123",
    "pplx" + "-0123456789abcdefABCDEF0123",
    "AIza" + "SyA0123456789abcdefghijklmnopqrstuv",
    "cgt" + "_0a1b2c3d_" + "abcDEF-_" * 5 + "xyz",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_a_known_format_is_masked_wherever_it_stands(key: str) -> None:
    assert mask(f"KEY={key}, url=https://x/?k={key}&y, '{key}'.") == f"KEY={MASK}, url=https://x/?k={MASK}&y, '{MASK}'."


def test_every_token_of_serve_is_masked_whole() -> None:
    made = [tokens.make("ada", Role.VIEWER, at=NOON)[1] for _ in range(200)]

    assert mask("\n".join(f"it is {text}." for text in made)) == "\n".join([f"it is {MASK}."] * 200)


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer  ", "BEARER\t"])
def test_a_bearer_token_is_masked_and_its_scheme_is_kept(scheme: str) -> None:
    assert mask(f"Authorization: {scheme}abc.DEF-123_456~789==\n") == f"Authorization: {scheme}{MASK}\n"


@pytest.mark.parametrize(
    "prose",
    [
        "worker/task-1234-fix-the-login-redirect",
        "sk-migration-of-the-login-page",
        "risk-2026-assessment-of-the-landing",
        "the bearer of good news",
        "AKIA is a prefix",
        "https://example.org/AIza",
        "cgt_0a1b2c3d",
        "6f1c2b3d4e5f60718293a4b5c6d7e8f901234567",
    ],
)
def test_prose_branch_names_and_commits_are_left_alone(prose: str) -> None:
    assert mask(prose) == prose


def test_a_given_secret_is_masked_also_where_it_holds_another_one() -> None:
    assert mask("a hunter2hunter2-long b hunter2hunter2 c", ["hunter2hunter2", "hunter2hunter2-long"]) == (
        f"a {MASK} b {MASK} c"
    )


def test_a_secret_with_special_characters_is_taken_literally() -> None:
    assert mask("p.ss(w)rd* pxss(w)rd*", ["p.ss(w)rd*"]) == f"{MASK} pxss(w)rd*"


def test_a_short_value_is_no_secret_that_could_be_masked() -> None:
    assert mask("true 1 8080", ["true", "1", "8080", ""]) == "true 1 8080"


def test_secret_values_are_those_whose_names_say_so() -> None:
    environment = {"ACME_TOKEN": "t", "acme_key": "k", "ACME_SECRET": "s", "KEYBOARD": "x", "TOKEN_COUNT": "3"}

    assert secret_values(environment) == ("t", "k", "s")


def test_masking_bytes_keeps_what_is_not_utf8() -> None:
    assert mask_bytes(b"\xff\x00 geh\xc3\xa4im-geh\xc3\xa4im \xfe", ["geheim-x", "gehäim-gehäim"]) == (
        b"\xff\x00 " + MASK.encode() + b" \xfe"
    )


@given(st.text(), st.sampled_from(KEYS), st.text())
def test_masking_twice_changes_nothing_more(before: str, key: str, after: str) -> None:
    once = mask(f"{before} {key} {after}")

    assert key not in once
    assert mask(once) == once
