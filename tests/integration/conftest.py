"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from conductor_git.bus.file import FileBus
from conductor_git.project import Project, open_project
from tests.kit.server import Server, serving


@pytest.fixture
def bus(tmp_path: Path) -> FileBus:
    return FileBus(tmp_path / "conductor" / "MESSAGE-BUS.md")


@pytest.fixture
def project(repository: Path) -> Project:
    return open_project(repository)


@pytest.fixture
def server(repository: Path) -> Iterator[Server]:
    """A real server of the repository on a free port, in a thread of this process."""
    with serving(repository) as running:
        yield running


@pytest.fixture
def admin(server: Server) -> Iterator[httpx.Client]:
    """A client of it that may do everything."""
    with server.client() as client:
        yield client
