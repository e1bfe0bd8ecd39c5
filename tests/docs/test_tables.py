"""The tables of docs/ are the program's own: states, exit codes, message types, config keys, keys of the record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conductor_git import errors
from conductor_git.cli.output import symbol_colour
from conductor_git.config.layers import VARIABLES
from conductor_git.config.model import Config
from conductor_git.message import COORDINATOR_TYPES
from conductor_git.names import CommitId, TaskId
from conductor_git.record import to_tree
from conductor_git.run import NEXT_COMMAND, TRANSITIONS, Outcome, Run, State
from conductor_git.server import refusals as of_a_server
from conductor_git.workflow.looking.health import Health
from tests.docs.blocks import TOP, pages

DOCS = TOP / "docs"
OPEN_TYPES = {"FACT", "PROGRESS", "DECISION", "REVIEW", "ERROR", "QUESTION", "INFO", "ISSUE", "USER"}


def rows(page: Path, heading: str = "") -> list[tuple[str, ...]]:
    """The rows of the tables in `page`, those below `heading` only, without backticks."""
    text = page.read_text("utf-8")
    if heading:
        text = re.split(rf"^#+ {re.escape(heading)}$", text, flags=re.MULTILINE)[1]
        text = re.split(r"^#+ ", text, flags=re.MULTILINE)[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [tuple(cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")) for line in lines]


def test_the_state_table_is_the_table_of_transitions() -> None:
    documented = {(origin, event, state) for origin, event, state, *_ in rows(DOCS / "state-machine.md")[1:24]}

    assert documented == {(str(origin), str(event), str(state)) for (origin, event), state in TRANSITIONS.items()}


def test_the_state_diagram_shows_every_state_and_event() -> None:
    diagram = (DOCS / "state-machine.md").read_text("utf-8").split("```")[1]

    assert [state for state in State if state not in diagram] == []
    assert [str(event) for _, event in TRANSITIONS if event not in diagram] == []


def test_the_next_commands_are_those_of_the_hints() -> None:
    documented = {row[0]: row[1] for row in rows(DOCS / "state-machine.md", "What moves it on")[1:]}

    assert documented == {str(state): command.format(task="TASK") for state, command in NEXT_COMMAND.items()}


def test_every_health_is_described() -> None:
    documented = [name for name, _ in rows(DOCS / "state-machine.md", "Health is not a state")[1:]]

    assert documented == [str(health) for health in Health]


def refusals(base: type[errors.ConductorError] = errors.ConductorError) -> Iterator[type[errors.ConductorError]]:
    for refusal in base.__subclasses__():
        yield refusal
        yield from refusals(refusal)


def test_every_refusal_has_its_exit_code_on_the_page() -> None:
    table = [row for row in rows(DOCS / "exit-codes.md") if re.fullmatch(r"[A-Z_]{4,}", row[1])]

    assert of_a_server.Unauthorized in refusals()  # those of a server stand in a module of their own
    assert [row for row in table if not row[2]] == []
    assert sorted((int(row[0]), row[1]) for row in table) == sorted(
        {(refusal.exit_code, refusal.code) for refusal in refusals()}
    )


def test_every_outcome_has_its_exit_code_on_the_page() -> None:
    documented = {row[0]: int(row[1]) for row in rows(DOCS / "landing.md", "Outcomes")[1:]}
    codes = {refusal.code: refusal.exit_code for refusal in refusals()}

    assert documented == {str(outcome): codes.get(outcome, 0) for outcome in Outcome}


def test_every_message_type_is_described() -> None:
    table = rows(DOCS / "message-passing.md", "Types")[1:]
    named = {kind: row[1] for row in table for kind in row[0].split(", ")}

    assert set(named) == OPEN_TYPES | COORDINATOR_TYPES
    assert {kind for kind, who in named.items() if who == "conductor-git alone"} == COORDINATOR_TYPES


def defaults(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key of the config by its full name, with its default as the page writes it."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from defaults(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else json.dumps(value)


def test_every_config_key_is_described_with_its_default() -> None:
    table = {row[0]: row[1] for row in rows(DOCS / "formats.md", "The config: `.conductor.yaml`")[1:]}
    wanted = dict(defaults(Config().model_dump(mode="json")))

    assert {key: table.get(key) for key in wanted} == wanted
    assert set(table) - set(wanted) == {"agents.NAME"}
    assert {".".join(map(str, path)) for path in VARIABLES.values()} <= set(wanted)


def test_every_key_of_the_record_is_on_the_page() -> None:
    at = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
    run = Run("acme", TaskId("t"), "T", State.ASSIGNED, "worker/t", "main", CommitId("0" * 40), "/w", None, at, at)
    page = (DOCS / "formats.md").read_text("utf-8")
    record = page.partition("## The record")[2].partition("## A review")[0]

    assert [key for key in to_tree(run) if f"\n{key}:" not in record] == []


def test_every_symbol_is_explained() -> None:
    documented = [row[0] for row in rows(DOCS / "observability.md", "Symbols")[1:]]

    assert documented == ["✓", "◎", "○", "▲", "✗", "↳"]
    assert [symbol for symbol in documented if symbol_colour(symbol) is None] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(TOP).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_index_lists_every_page() -> None:
    listed = (DOCS / "index.md").read_text("utf-8")

    assert [page.name for page in DOCS.glob("*.md") if page.name != "index.md" and f"({page.name})" not in listed] == []
