"""Every test of this folder runs once for each backend."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from conductor_git.bus.base import Bus
from tests.conformance.backends import BACKENDS, bus_at, end_programs, url_in


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(tmp_path: Path, backend: str) -> str:
    return url_in(tmp_path / "conductor", backend)


@pytest.fixture
def bus(url: str) -> Bus:
    return bus_at(url)


@pytest.fixture(autouse=True)
def _programs() -> Generator[None]:
    yield
    end_programs()
