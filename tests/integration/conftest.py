"""Fixtures of the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git.bus.file import FileBus


@pytest.fixture
def bus(tmp_path: Path) -> FileBus:
    return FileBus(tmp_path / "conductor" / "MESSAGE-BUS.md")
