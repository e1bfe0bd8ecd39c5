"""Who is let in by a server, and what for: tokens, roles, the login link, the cookie, forms."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from conductor_git.server.access.gate import SAFE
from conductor_git.server.access.role import Role
from conductor_git.server.access.tokens import Tokens
from tests import kit
from tests.integration import served
from tests.integration.served import error_of, from_own_page, logged_in
from tests.kit.server import Server, serving

OPEN = {"/healthz", "/readyz", "/login"}
"""The only routes that answer somebody without a token."""


@pytest.fixture
def server(repository: Path) -> Iterator[Server]:
    with serving(repository, routers=[served.router]) as running:
        yield running


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": text}


def test_nobody_is_let_in_without_a_token(server: Server) -> None:
    with server.client(None) as client:
        answer = client.get("/api/v1/version")

    error_of(answer, 401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_every_route_but_three_wants_a_token_whatever_it_says_itself(server: Server) -> None:
    """Walks the application: a route that somebody adds and forgets to guard is found here."""
    walked = 0
    with server.client(None) as client:
        for path, methods in served.routes():
            for method in methods - {"HEAD", "OPTIONS"}:
                place = path.format(**dict.fromkeys(names_in(path), "some-task"))
                if path in OPEN:
                    continue
                assert client.request(method, place).status_code == 401, f"{method} {path}"
                walked += 1

    assert walked > 5


@pytest.mark.parametrize(
    "shown",
    ["Bearer", "Bearer x", "Basic YTpi", "Bearer cgt__", "Bearer cgt_00000000_", "cgt", "Bearer \xff"],
)
def test_what_is_no_token_is_refused(server: Server, shown: str) -> None:
    with server.client(None) as client:
        answer = client.get("/api/v1/version", headers=[(b"authorization", shown.encode("latin-1"))])

    error_of(answer, 401, "UNAUTHORIZED")


def test_a_token_with_another_secret_or_of_another_id_is_refused(server: Server) -> None:
    admin, viewer = server.tokens[Role.ADMIN].split("_", 2), server.tokens[Role.VIEWER].split("_", 2)

    with server.client(None) as client:
        swapped = client.get("/probe", headers=bearer(f"Bearer cgt_{admin[1]}_{viewer[2]}"))
        cut = client.get("/probe", headers=bearer(f"Bearer {server.tokens[Role.ADMIN][:-1]}"))

    error_of(swapped, 401, "UNAUTHORIZED")
    error_of(cut, 401, "UNAUTHORIZED")


def test_a_bad_token_is_not_mended_by_a_good_cookie(server: Server) -> None:
    with logged_in(server) as browser:
        assert browser.get("/probe").status_code == 200
        error_of(browser.get("/probe", headers=bearer("Bearer cgt_1_2")), 401, "UNAUTHORIZED")


def test_only_the_hash_of_a_token_is_on_the_disk_and_only_we_can_read_it(server: Server, repository: Path) -> None:
    kept = Tokens(server.serving.project.layout).path
    everything = b"".join(path.read_bytes() for path in (repository / ".git").rglob("*") if path.is_file())

    for text in server.tokens.values():
        secret = text.split("_", 2)[2]
        assert secret.encode() not in everything
        assert hashlib.sha256(secret.encode()).hexdigest() in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "_".join(server.log).count("cgt_") == 0


def test_a_revoked_token_is_refused_at_once_by_a_running_server(server: Server, repository: Path) -> None:
    with server.client(Role.REVIEWER) as client, logged_in(server, Role.REVIEWER) as browser:
        assert client.get("/probe").status_code == browser.get("/probe").status_code == 200
        token_id = server.tokens[Role.REVIEWER].split("_")[1]

        revoked = kit.conductor("serve", "token", "revoke", token_id, cwd=repository)

        assert (revoked.code, revoked.out) == (0, f"{token_id}\n")
        error_of(client.get("/probe"), 401, "UNAUTHORIZED")
        error_of(browser.get("/probe"), 401, "UNAUTHORIZED")


def test_a_token_made_by_the_command_is_good_at_once(server: Server, repository: Path) -> None:
    made = kit.conductor("serve", "token", "add", "grace", "--role", "reviewer", cwd=repository)

    with server.client(None) as client:
        answer = client.get("/probe", headers=bearer(f"Bearer {made.out.strip()}"))

    assert answer.json() == {"name": "grace", "role": "reviewer", "csrf": ""}


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.VIEWER, set[str]()),
        (Role.WORKER, {"/api/v1/probe/tasks/own-task"}),
        (Role.REVIEWER, {"/api/v1/probe/tasks/own-task", "/api/v1/probe/tasks/other", "/api/v1/probe/review"}),
        (Role.ADMIN, {"/api/v1/probe/tasks/own-task", "/api/v1/probe/tasks/other", "/api/v1/probe/review",
                      "/api/v1/probe/admin"}),
    ],
)  # fmt: skip
def test_a_token_may_do_what_its_role_may_and_nothing_else(server: Server, role: Role, allowed: set[str]) -> None:
    changes = ["/api/v1/probe/tasks/own-task", "/api/v1/probe/tasks/other", "/api/v1/probe/review",
               "/api/v1/probe/admin"]  # fmt: skip
    with server.client(role) as client:
        assert client.get("/probe").json()["role"] == role
        answers = {path: client.post(path) for path in changes}

    assert {path for path, answer in answers.items() if answer.status_code == 200} == allowed
    for path in set(changes) - allowed:
        error_of(answers[path], 403, "FORBIDDEN")


def test_a_worker_acts_as_its_task_and_for_the_generation_of_its_token(server: Server, repository: Path) -> None:
    assert kit.conductor("spawn", "fix-login", "-m", "x", "--no-start", cwd=repository).code == 0
    made = kit.conductor("serve", "token", "add", "--role", "worker", "--task", "fix-login", cwd=repository)

    with server.client(None) as client:
        client.headers.update(bearer(f"Bearer {made.out.strip()}"))
        actor = client.post("/api/v1/probe/tasks/fix-login").json()["actor"]
        error_of(client.post("/api/v1/probe/tasks/fix-logout"), 403, "FORBIDDEN")

    assert (actor["name"], actor["worker"], actor["generation"]) == ("fix-login", "fix-login", 1)


def test_opening_the_login_link_changes_nothing_and_sending_its_form_works_once(server: Server) -> None:
    link = server.login_link()
    code = link.partition("code=")[2]
    with server.client(None) as browser, server.client(None) as late:
        pages = [browser.get(link) for _ in range(3)]
        entered = browser.post("/login", data={"code": code}, headers=from_own_page(server))
        again = late.post("/login", data={"code": code}, headers=from_own_page(server))

        assert [page.status_code for page in pages] == [200, 200, 200]
        assert all("set-cookie" not in page.headers for page in pages)
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        assert (again.status_code, "set-cookie" in again.headers) == (401, False)
        assert browser.get("/probe").json()["name"] == "admin"
        error_of(late.get("/probe"), 401, "UNAUTHORIZED")


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(server: Server) -> None:
    with server.client(None) as browser:
        code = server.login_link().partition("code=")[2]
        cookie = browser.post("/login", data={"code": code}).headers["set-cookie"].lower()

    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "domain" not in cookie


def test_two_servers_of_one_machine_keep_their_cookies_apart(server: Server, tmp_path: Path) -> None:
    """Cookies know no ports: under one name, a login at the one would be a logout at the other."""
    with serving(kit.make_repository(tmp_path / "other"), routers=[served.router]) as second:
        with logged_in(server) as browser:
            cookies = httpx.Cookies(browser.cookies)
            with logged_in(second) as other:
                cookies.update(other.cookies)
        with server.client(None, cookies=cookies) as at_first, second.client(None, cookies=cookies) as at_second:
            assert at_first.get("/probe").status_code == at_second.get("/probe").status_code == 200


def test_a_person_can_log_in_with_a_token_that_they_paste(server: Server) -> None:
    with server.client(None) as browser:
        wrong = browser.post("/login", data={"token": "cgt_1_2"}, headers=from_own_page(server))
        right = browser.post("/login", data={"token": server.tokens[Role.VIEWER]}, headers=from_own_page(server))

        assert (wrong.status_code, right.status_code) == (401, 303)
        assert browser.get("/probe").json()["role"] == "viewer"


def test_a_form_without_the_csrf_token_of_its_session_is_refused(server: Server) -> None:
    with logged_in(server) as browser, logged_in(server) as other:
        mine, others = browser.get("/probe").json()["csrf"], other.get("/probe").json()["csrf"]
        own = from_own_page(server)

        for fields in ({}, {"csrf": ""}, {"csrf": "guess"}, {"csrf": others}):
            error_of(browser.post("/probe/form", data=fields, headers=own), 403, "FORBIDDEN")
        shown = browser.post("/probe/form", data={"csrf": mine, "text": "a&b ü"}, headers=own)
        script = browser.post("/api/v1/probe", json={"wish": "x"}, headers={**own, "X-CSRF-Token": mine})

    assert shown.json()["fields"] == {"csrf": mine, "text": "a&b ü"}
    assert script.json() == {"wish": "x"}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ADMIN])
def test_a_session_that_was_logged_out_is_over_for_whoever_kept_its_cookie(server: Server, role: Role) -> None:
    with logged_in(server, role) as browser:
        kept = httpx.Cookies(browser.cookies)
        token = browser.get("/probe").json()["csrf"]
        error_of(browser.post("/logout", headers=from_own_page(server)), 403, "FORBIDDEN")
        left = browser.post("/logout", data={"csrf": token}, headers=from_own_page(server))

    with server.client(None, cookies=kept) as thief:
        assert (left.status_code, left.headers["location"]) == (303, "/login")
        error_of(thief.get("/probe"), 401, "UNAUTHORIZED")


def test_no_get_changes_anything(server: Server, repository: Path) -> None:
    """Walks all routes: what is safe by its method leaves records, bus, refs, config and worktrees as they are."""
    assert kit.conductor("spawn", "own-task", "-m", "x", "--no-start", cwd=repository).code == 0
    before = state_of(repository)
    walked = 0
    with server.client() as client:
        for path, methods in served.routes():
            for method in methods & SAFE:
                place = path.format(**dict.fromkeys(names_in(path), "own-task"))
                with client.stream(method, place) as answer:
                    assert answer.status_code < 500, f"{method} {path}"
                walked += 1

    assert walked > 5
    assert state_of(repository) == before


def names_in(path: str) -> list[str]:
    return [part.partition("}")[0].partition(":")[0] for part in path.split("{")[1:]]


def state_of(repository: Path) -> dict[str, bytes]:
    """Every file of the repository but caches, locks, and what says when somebody was alive."""
    passed = {"locks", "foresight", "integration.git", "activity", "heartbeat"}
    return {
        os.fsdecode(path): path.read_bytes()
        for path in sorted(repository.rglob("*"))
        if path.is_file() and not passed & set(path.parts) and "objects" not in path.parts
    }
