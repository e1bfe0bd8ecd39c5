"""The example plans of docs/plans are run as they are, by agents of the same names that are shell scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import kit
from tests.integration import plans
from tests.kit import tasks

EXAMPLES = Path(__file__).parents[2] / "docs" / "plans"
BOTH = f'case "$CONDUCTOR_TASK_ID" in *.review-*) {plans.APPROVES} ;; *) {plans.FAST} ;; esac'
"""An agent that reviews where it is to, and works where it is to."""


@pytest.fixture
def repository(repository: Path) -> Iterator[Path]:
    """The usual one, in which the agents of the examples are scripts; what still runs ends with it."""
    plans.prepared(repository, gates="test -f README.md", claude=BOTH, codex=BOTH, gemini=BOTH)
    yield repository
    plans.stop_all(repository)


def test_these_are_all_examples() -> None:
    assert sorted(path.name for path in EXAMPLES.glob("*.yaml")) == ["checkout.yaml", "spring-cleaning.yaml"]


def test_the_feature_in_stages_lands_reviewed_by_other_agents(repository: Path) -> None:
    done = plans.run(repository, EXAMPLES / "checkout.yaml", "--json")

    assert done.code == 0, done
    assert done.document["landed"] == ["cart-table", "prices", "cart-page", "checkout-page"]
    assert tasks.record(repository, "cart-page").needs == ("prices",)
    assert tasks.record(repository, "checkout-page").agent == "codex"
    assert tasks.record(repository, "checkout-page.review-1").agent == "claude"
    assert tasks.record(repository, "cart-table.review-1").agent == "codex"
    assert kit.git(repository, "show", "main:checkout-page.txt") == "checkout-page"


def test_the_small_changes_are_shared_out_and_what_touches_money_waits(repository: Path) -> None:
    done = plans.run(repository, EXAMPLES / "spring-cleaning.yaml", "--json")

    assert done.code == 1, done
    assert done.document["plan"] == "spring-cleaning"
    assert done.document["landed"] == ["typing-prices", "typing-main", "readme"]
    assert done.document["waiting"] == ["rounding"]
    assert [task["agent"] for task in done.document["tasks"]] == ["claude", "codex", "gemini", "claude"]
