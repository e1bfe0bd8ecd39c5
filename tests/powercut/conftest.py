"""The disk of a test, or why there is none; says at the end of a run what the power cuts came to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests import kit
from tests.powercut.disk import Disk, cannot_cut, powered_disk
from tests.powercut.tally import Tally

_FIGURES: Final = "power cuts"


@pytest.fixture
def disk() -> Iterator[Disk]:
    if reason := cannot_cut():
        kit.skip_where_forbidden(reason)
    with powered_disk() as disk:
        yield disk


@pytest.fixture
def tally(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Iterator[Tally]:
    """Filled by the test; told at the end of the run, also where the test failed."""
    tally = Tally(request.node.name)
    yield tally
    if tally.cuts:
        record_property(_FIGURES, str(tally))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    for report in reports:
        if isinstance(report, pytest.TestReport) and report.when == "teardown":
            for name, figures in report.user_properties:
                if name == _FIGURES:
                    terminalreporter.write_line(str(figures))
