"""What a test cannot do without. Where it is missing the test is skipped, and on CI nearly always a failure."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Final, NoReturn

import pytest

_EXCUSE: Final = "this machine does not let us: "


def requires(*programs: str) -> pytest.MarkDecorator:
    """Mark a test that needs `programs` on PATH: `@kit.requires("strace")`."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def skip_where_forbidden(reason: str) -> NoReturn:
    """Skip a test that takes rights which CI need not have, such as mounting a disk: told, and no failure anywhere."""
    pytest.skip(f"{_EXCUSE}{reason}")


def is_excused(report: pytest.TestReport | pytest.CollectReport) -> bool:
    """Whether the test was skipped by `skip_where_forbidden`."""
    return isinstance(report.longrepr, tuple) and report.longrepr[2].startswith(f"Skipped: {_EXCUSE}")


def skips_are_failures(environment: Mapping[str, str] | None = None) -> bool:
    """True on CI, where a test that did not run proves nothing and must say so."""
    return (os.environ if environment is None else environment).get("CI", "").lower() in {"1", "true", "yes"}
