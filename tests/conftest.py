"""Fixtures of every test: an environment that owes nothing to the machine, and a small real repository."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import pytest

pytest.register_assert_rewrite("tests.kit")

from tests import kit  # noqa: E402 - the kit's own assertions are rewritten only when registered before its import
from tests.kit import warm  # noqa: E402

_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)


def pytest_configure() -> None:
    """Temporary directories in memory, where it has room. PYTEST_DEBUG_TEMPROOT=/tmp has them on a disk."""
    if memory := kit.memory_with_room():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))
    _hear_signals()


def _hear_signals() -> None:
    """What is started in the background of a shell, or by nohup, ignores signals, and every child of it does."""
    for number, heard in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, heard)


@pytest.fixture(scope="session", autouse=True)
def _hermetic_session(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """The same for fixtures that live longer than a test."""
    with pytest.MonkeyPatch.context() as patch:
        _enter(patch, tmp_path_factory.mktemp("session-home"))
        warm.start_from(os.environ)
        yield


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, _hermetic_session: None) -> Path:
    """The test's own home: HOME, XDG_CONFIG_HOME and the global git config are in it, and nothing else steers git."""
    place = tmp_path_factory.mktemp("home")
    _enter(monkeypatch, place)
    return place


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory, _hermetic_session: None) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        _enter(patch, tmp_path_factory.mktemp("template-home"))
        return kit.make_repository(tmp_path_factory.mktemp("template") / "acme")


@pytest.fixture
def repository(tmp_path: Path, _template: Path) -> Path:
    """A repository `acme` on branch main: three commits, six files, all committed. Nothing else is beside it."""
    return kit.copy_repository(_template, tmp_path / "acme")


def _enter(patch: pytest.MonkeyPatch, home: Path) -> None:
    wanted = kit.clean_environment(os.environ, home)
    for name in os.environ.keys() - wanted.keys():
        patch.delenv(name)
    for name, value in wanted.items():
        patch.setenv(name, value)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _skipped_is_failed((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _skipped_is_failed((yield))


def _skipped_is_failed(report: _Report) -> _Report:
    """On CI a skipped test, or module of tests, is a failed one: what did not run proves nothing."""
    is_skip = report.skipped and not hasattr(report, "wasxfail")
    if is_skip and kit.skips_are_failures() and not kit.is_excused(report):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, and with CI=true nothing may be: {report.longrepr}"
    return report


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Two unequal snapshots are told apart by what differs, not by all they hold."""
    if op == "==" and isinstance(left, kit.Snapshot) and isinstance(right, kit.Snapshot):
        return ["the checkout changed:", *right.differences(left)]
    return None
