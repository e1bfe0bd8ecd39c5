"""Says at the end of a run how many points were tried."""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    said = Counter[str]()
    for report in reports:
        if isinstance(report, pytest.TestReport) and report.when == "call":  # the teardown repeats them
            said.update({name: number for name, number in report.user_properties if isinstance(number, int)})
    if said:
        terminalreporter.write_line(", ".join(f"{name}: {number}" for name, number in said.items()))
