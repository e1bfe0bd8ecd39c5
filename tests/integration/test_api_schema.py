"""The OpenAPI document of the API: complete, true of its own examples, and true of what the server answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.specs.openapi import checks as conforming

from conductor_git.server.access.role import Role
from conductor_git.server.api import shapes
from conductor_git.server.api.rights import PREFIX, RIGHTS
from tests import kit
from tests.integration.apis import API
from tests.kit import tasks
from tests.kit.server import Server, serving

EXAMPLES = 6
"""Requests to each route; each may run git."""
HELD = (
    checks.not_a_server_error,
    conforming.status_code_conformance,
    conforming.content_type_conformance,
    conforming.response_schema_conformance,
    conforming.response_headers_conformance,
)
OURS = [(verb, f"{PREFIX}{path}") for verb, path in RIGHTS]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a task in each of some states, a review with a comment, a landing and a message."""
    repository = kit.make_repository(tmp_path_factory.mktemp("schema") / "acme")
    tasks.approved(repository, "landed", {"landed.py": "NEW = 1\n"})
    assert kit.conductor("merge", "landed", cwd=repository).code == 0
    tasks.approved(repository, "ready", {"ready.py": "NEW = 1\n"})
    tasks.commit(tasks.spawn(repository, "new"), {"new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "new")
    with serving(repository) as running:
        yield running


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    with server.client() as client:
        described: dict[str, Any] = client.get(f"{API}/openapi.json").json()
    return described


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for verb, path in OURS:
        yield verb, path, document["paths"][path][verb.lower()]


def test_every_route_is_described_with_examples_and_with_what_may_go_wrong(document: dict[str, Any]) -> None:
    for verb, path, operation in operations(document):
        where = f"{verb} {path}"
        assert operation["description"], where
        wanted = {"401", "403", "404", "422", "503"} | ({"409", "412", "413", "415"} if verb == "POST" else set())
        assert wanted <= set(operation["responses"]), where
        for answered in operation["responses"].values():
            assert "example" in answered["content"]["application/json"], where
        if "requestBody" in operation:
            reference = operation["requestBody"]["content"]["application/json"]["schema"]
            name = (reference.get("$ref") or reference["allOf"][0]["$ref"]).rpartition("/")[2]
            assert document["components"]["schemas"][name]["examples"], where


def test_every_example_is_of_the_shape_that_it_is_an_example_of(document: dict[str, Any]) -> None:
    for verb, path, operation in operations(document):
        for status, answered in operation["responses"].items():
            told = answered["content"]["application/json"]
            model = getattr(shapes, told["schema"]["$ref"].rpartition("/")[2])
            assert model.model_validate(told["example"]), f"{verb} {path} {status}"


@pytest.mark.parametrize(("verb", "path"), OURS, ids=str)
def test_whatever_is_asked_is_answered_as_described(
    server: Server, document: dict[str, Any], verb: str, path: str
) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=server.url)
    operation = schema[path][verb]
    known = st.sampled_from(["landed", "ready", "new", "nothing", None])

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), task_id=known)
    def ask(case: Any, task_id: str | None) -> None:
        if task_id is not None and "task_id" in (case.path_parameters or {}):
            case.path_parameters["task_id"] = task_id
        if (verb, path) == ("POST", f"{PREFIX}/tasks") and isinstance(case.body, dict):
            case.body |= {"start": False}  # no command that was made up is run
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {server.tokens[Role.ADMIN]}"}
        case.call_and_validate(checks=list(HELD))

    ask()
