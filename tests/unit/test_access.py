"""Names of a server, origins, sessions and tokens, without any server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from conductor_git.errors import ConductorError
from conductor_git.layout import Layout
from conductor_git.server.access import sessions, tokens
from conductor_git.server.access.hosts import Hosts, bound_to, is_from_elsewhere, is_loopback
from conductor_git.server.access.role import Role
from conductor_git.server.access.sessions import Sessions
from conductor_git.server.access.tokens import Tokens
from conductor_git.server.ending import Ending
from conductor_git.server.problem import STATUSES, status_of

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.mark.parametrize(
    ("bound", "known", "unknown"),
    [
        ("127.0.0.1", ["localhost", "127.0.0.1:8484", "[::1]:1"], ["192.0.2.1", "machine", "127.0.0.2", "::1"]),
        ("192.0.2.1", ["192.0.2.1:80", "localhost"], ["192.0.2.2", "machine"]),
        ("Shop.Example", ["shop.example", "SHOP.EXAMPLE:80"], ["example", "192.0.2.1"]),
        ("0.0.0.0", ["192.0.2.9", "machine:1", "[2001:db8::1]:80"], ["evil.example", "192.0.2.9.evil.example"]),
        ("::", ["192.0.2.9", "machine"], ["evil.example"]),
    ],
)
def test_a_server_goes_by_what_it_was_bound_to(bound: str, known: list[str], unknown: list[str]) -> None:
    hosts = bound_to(bound, "Machine")

    assert [host for host in known if not hosts.knows(host)] == []
    assert [host for host in unknown if hosts.knows(host)] == []


@pytest.mark.parametrize("host", ["", "a@localhost", "localhost/", "localhost?x", "localhost#x", "local host", "[::1",
                                  "localhost:99999", "localhost:x", "localhost\\@evil"])  # fmt: skip
def test_what_is_no_host_is_nobody(host: str) -> None:
    assert not Hosts().knows(host)


def test_only_loopback_is_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "localhost", "LocalHost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.0.2.1", "localhost.example", "")))


@pytest.mark.parametrize(
    ("headers", "is_elsewhere"),
    [
        ({}, False),
        ({"origin": "http://127.0.0.1:8484"}, False),
        ({"origin": "https://127.0.0.1:8484", "sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "http://127.0.0.1"}, True),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"origin": "ftp://127.0.0.1:8484"}, True),
        ({"origin": "http://127.0.0.1:8484@evil.example"}, True),
        ({"origin": "http://127.0.0.1:8484", "sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
    ],
)
def test_a_page_of_another_origin_is_seen(headers: dict[str, str], is_elsewhere: bool) -> None:
    assert is_from_elsewhere({"host": "127.0.0.1:8484", **headers}) is is_elsewhere


def test_a_code_opens_once_and_not_after_an_hour() -> None:
    clock = Clock()
    kept = Sessions(clock)
    once, late = kept.code("a"), kept.code("b")

    assert (kept.redeem(once), kept.redeem(once), kept.redeem("guess")) == ("a", None, None)
    clock.now += sessions.CODE
    assert kept.redeem(late) is None


def test_a_session_ends_after_its_time_and_the_oldest_where_there_are_too_many() -> None:
    clock = Clock()
    kept = Sessions(clock)
    first = kept.open("a")
    others = [kept.open("a") for _ in range(sessions.MOST_SESSIONS)]

    assert kept.find(first) is None
    assert kept.find(others[0]) is not None
    clock.now += sessions.SESSION - timedelta(seconds=1)
    assert kept.find(others[-1]) is not None
    clock.now += timedelta(seconds=1)
    assert kept.find(others[-1]) is None


def test_tokens_made_at_once_are_all_kept(tmp_path: Path) -> None:
    kept = Tokens(Layout(tmp_path))
    made = [tokens.make(f"person-{number}", Role.VIEWER, at=NOW) for number in range(16)]
    threads = [Thread(target=kept.add, args=(token,)) for token, _ in made]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {token.who.name for token in kept.all()} == {token.who.name for token, _ in made}
    assert [kept.who(text) for _, text in made] == [token.who for token, _ in made]


def test_an_ending_is_told_once_to_all_who_asked_and_at_once_to_those_who_ask_late() -> None:
    told: list[str] = []
    ending = Ending()
    ending.on(lambda: told.append("early"))
    ending.on(lambda: told.append("gone"))()

    ending.set()
    ending.set()
    ending.on(lambda: told.append("late"))

    assert (told, ending.is_set) == (["early", "late"], True)


def test_every_refusal_has_a_status_and_none_is_a_success() -> None:
    kinds = [ConductorError]
    for kind in kinds:
        kinds += kind.__subclasses__()

    assert {status_of(kind("x")) for kind in kinds} == set(STATUSES.values())
    assert all(400 <= status < 600 for status in STATUSES.values())
