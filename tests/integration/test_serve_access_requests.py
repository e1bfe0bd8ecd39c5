"""What a request has to look like before a server does anything for it, and how all that is refused is told."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest

from conductor_git.server.access.body import LIMIT
from conductor_git.server.access.role import Role
from tests import kit
from tests.integration import served
from tests.integration.served import error_of, from_own_page, logged_in
from tests.kit.server import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests here but those that take something away from it."""
    repository = kit.make_repository(tmp_path_factory.mktemp("served") / "acme")
    with serving(repository, routers=[served.router]) as running:
        yield running


@pytest.fixture
def own(repository: Path) -> Iterator[Server]:
    with serving(repository, routers=[served.router]) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as opened:
        yield opened


def raw(server: Server, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (in lower case) and body of the answer to `request` as it is."""
    address = server.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=60) as connection:
        connection.sendall(request)
        with HTTPResponse(connection) as answer:
            answer.begin()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.7",
     "x@localhost", "localhost:port", "[::1", ""],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_answered_nothing(server: Server, client: httpx.Client, host: str) -> None:
    port = server.url.rpartition(":")[2]

    for path in ("/api/v1/version", "/healthz", "/static/none", "/login"):
        error_of(client.get(path, headers={"Host": host.format(port=port)}), 421, "WRONG_HOST")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:{port}", "localhost:{port}"])
def test_the_names_of_this_machine_are_answered(server: Server, client: httpx.Client, host: str) -> None:
    port = server.url.rpartition(":")[2]

    assert client.get("/healthz", headers={"Host": host.format(port=port)}).status_code == 200


def test_two_hosts_in_one_request_are_no_host(server: Server) -> None:
    answer = raw(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")

    assert answer[0] in (400, 421)


@pytest.mark.parametrize(
    "shown",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "file://"},
        {"Origin": "http://127.0.0.1:{port}/x"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_a_page_of_another_site_changes_nothing(server: Server, shown: dict[str, str]) -> None:
    """With a good token, and with a browser's cookie and its CSRF token as well."""
    port = server.url.rpartition(":")[2]
    headers = {name: value.format(port=port) for name, value in shown.items()}
    with server.client() as script, logged_in(server) as browser:
        token = browser.get("/probe").json()["csrf"]

        error_of(script.post("/api/v1/probe", json={"wish": "x"}, headers=headers), 403, "FORBIDDEN")
        error_of(browser.post("/probe/form", data={"csrf": token}, headers=headers), 403, "FORBIDDEN")
        with server.client(None) as other:
            code = server.login_link().partition("code=")[2]
            error_of(other.post("/login", data={"code": code}, headers=headers), 403, "FORBIDDEN")


def test_our_own_page_is_not_another_site(server: Server, client: httpx.Client) -> None:
    assert client.post("/api/v1/probe", json={"wish": "x"}, headers=from_own_page(server)).json() == {"wish": "x"}


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", None],
)
def test_the_api_takes_json_only(client: httpx.Client, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}

    error_of(client.post("/api/v1/probe", content=b'{"wish": "x"}', headers=headers), 415, "UNSUPPORTED_TYPE")


def test_a_page_takes_no_upload(client: httpx.Client) -> None:
    error_of(client.post("/probe/form", files={"a": b"x"}), 415, "UNSUPPORTED_TYPE")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_json_however_it_is_spelled(client: httpx.Client, kind: str) -> None:
    answer = client.post("/api/v1/probe", content=b'{"wish": "x"}', headers={"Content-Type": kind})

    assert answer.json() == {"wish": "x"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"wish": 1}', b"\xff\xfe", b'{"wish": NaN}', b"[" * 100_000],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_cannot_be_meant_so_is_told_in_the_same_shape(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/api/v1/probe", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code in (400, 422), answer.text
    error_of(answer, answer.status_code, "BAD_INPUT")


def test_text_that_utf8_cannot_hold_comes_back_as_json_escapes_it(client: httpx.Client) -> None:
    body = b'{"wish": "\\ud800"}'

    answer = client.post("/api/v1/probe", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.content) == (200, body + b"\n")


def test_a_huge_body_is_refused_before_it_is_sent(server: Server) -> None:
    """The client announces it and sends none of it, and has its answer."""
    status, headers, body = raw(
        server,
        b"POST /api/v1/probe HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % (LIMIT + 1),
    )

    assert (status, headers["connection"]) == (413, "close")
    assert b'"TOO_LARGE"' in body


def test_a_client_that_sends_its_huge_body_all_the_same_is_not_cut_off_from_the_answer(server: Server) -> None:
    address = server.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=60) as connection:
        connection.sendall(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (2 * LIMIT))
        with HTTPResponse(connection) as answer:
            answer.begin()
            for _ in range(32):
                connection.sendall(b"x" * (LIMIT // 16))
            assert (answer.status, b'"TOO_LARGE"' in answer.read()) == (413, True)


def test_a_huge_body_that_nobody_announced_is_refused_when_it_is_too_much(server: Server) -> None:
    """It never ends, and has its answer all the same."""
    head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"

    status, headers, body = raw(server, head + chunk * (LIMIT // 0x10000 + 1))

    assert (status, headers["connection"]) == (413, "close")
    assert b'"TOO_LARGE"' in body


def test_a_body_of_the_limit_is_read(client: httpx.Client) -> None:
    text = "x" * (LIMIT - len(b'{"wish":""}'))

    assert client.post("/api/v1/probe", json={"wish": text}).json() == {"wish": text}
    error_of(client.post("/api/v1/probe", json={"wish": text + "x"}), 413, "TOO_LARGE")


def test_a_form_of_countless_fields_is_refused(client: httpx.Client) -> None:
    answer = client.post(
        "/probe/form", content=b"a&" * 5000, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    error_of(answer, 422, "BAD_INPUT")


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api/v1/nothing", "/api/v2/version", "/api/v1/version/", "/static/../app.py", "/static/%2e%2e/app.py",
     "/static/%2e%2e%2fapp.py", "/static//etc/passwd", "/docs", "/redoc", "/openapi.json", "/%00", "/%ff",
     "/" + "a" * 9000],
)  # fmt: skip
def test_an_unknown_place_is_not_found(client: httpx.Client, path: str) -> None:
    error_of(client.request("GET", httpx.URL(client.base_url, raw_path=path.encode())), 404, "NOT_FOUND")


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/api/v1/version"), ("POST", "/healthz"), ("PUT", "/login"),
                                              ("GET", "/api/v1/probe"), ("TRACE", "/healthz")])  # fmt: skip
def test_a_wrong_method_is_told_with_the_right_ones(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)

    error_of(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"]


def test_every_answer_has_the_security_headers_and_an_id(server: Server, client: httpx.Client) -> None:
    answers = [
        client.get("/healthz"),
        client.get("/login"),
        client.get("/nothing"),
        client.post("/healthz"),
        client.get("/healthz", headers={"Host": "evil.example"}),
        client.get("/api/v1/probe/bug"),
        client.post("/api/v1/probe", content=b"x" * (LIMIT + 1)),
    ]

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == len(ids)
    kit.until(lambda: all(any(f"request={known}" in line for line in server.log) for known in ids))


def test_a_bug_is_told_by_an_id_and_its_traceback_is_in_the_log_only(server: Server, client: httpx.Client) -> None:
    answer = client.get("/api/v1/probe/bug")

    error = error_of(answer, 500, "BUG")
    told = "\n".join(server.log)  # logged before it is answered
    assert error["request_id"] == answer.headers["x-request-id"]
    assert "RuntimeError" not in answer.text
    assert f"bug in request {error['request_id']}" in told
    assert "RuntimeError: secret [masked] at /api/v1/probe/bug" in told
    assert client.get("/healthz").status_code == 200


def test_the_access_log_says_who_and_what_and_no_secret(server: Server, client: httpx.Client) -> None:
    before = len(server.log)
    client.get("/probe?token=hush", headers={"Cookie": "conductor_1=hush", "X-Hush": "hush"})
    client.get(server.login_link())
    client.post("/login", data={"token": "hush"})
    client.get("/%0a%1b[31mforged")

    kit.until(lambda: any("forged" in line for line in server.log))
    lines = server.log[before:]
    told = "\n".join(lines)
    assert "200 GET /probe " in told
    assert f"by=admin/{server.tokens[Role.ADMIN].split('_')[1]}" in told
    assert "401 POST /login " in told
    assert "hush" not in told
    assert "code=" not in told
    assert server.tokens[Role.ADMIN] not in told
    assert all(line.isprintable() for line in lines)


def test_a_repository_removed_under_the_server_is_told_with_the_reason(own: Server, repository: Path) -> None:
    with own.client() as client:
        removed_under(client, repository)


def removed_under(client: httpx.Client, repository: Path) -> None:
    assert client.get("/probe").status_code == client.get("/readyz").status_code == 200

    shutil.rmtree(repository)

    error_of(client.get("/probe"), 503, "REPOSITORY_GONE")
    error_of(client.get("/api/v1/version"), 503, "REPOSITORY_GONE")
    assert client.get("/readyz").status_code == 503
    assert client.get("/readyz").json() == {"schema": 1, "status": "unready", "reason": "REPOSITORY_GONE"}
    assert client.get("/healthz").status_code == 200
    assert not repository.exists()


@pytest.mark.parametrize("text", ["", "{", '{"tokens": [{}]}', "[]"])
def test_damaged_tokens_let_nobody_in_and_say_so(own: Server, text: str) -> None:
    own.serving.gate.tokens.path.write_text(text)

    with own.client() as client:
        error_of(client.get("/probe"), 503, "TOKENS_UNREADABLE")
        assert client.get("/readyz").json()["reason"] == "TOKENS_UNREADABLE"


def test_a_link_in_place_of_the_tokens_is_not_followed(own: Server, tmp_path: Path) -> None:
    path = own.serving.gate.tokens.path
    shutil.move(path, tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")

    with own.client() as client:
        error_of(client.get("/probe"), 503, "TOKENS_UNREADABLE")


def test_two_servers_of_one_project_share_tokens_and_keep_sessions(own: Server, repository: Path) -> None:
    with serving(repository, routers=[served.router]) as second:
        made = kit.conductor("serve", "token", "add", "grace", cwd=repository).out.strip()
        with own.client(None) as at_first, second.client(None) as at_second:
            for client in (at_first, at_second):
                assert client.get("/probe", headers={"Authorization": f"Bearer {made}"}).json()["name"] == "grace"
        with logged_in(own) as browser:
            cookies = httpx.Cookies(browser.cookies)
        with second.client(None, cookies=cookies) as stranger:
            error_of(stranger.get("/probe"), 401, "UNAUTHORIZED")
