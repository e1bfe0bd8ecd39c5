"""What a test cannot do without. Where it is missing the test is skipped, and on CI that is a failure."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

import pytest


def requires(*programs: str) -> pytest.MarkDecorator:
    """Mark a test that needs `programs` on PATH: `@kit.requires("strace")`."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def skips_are_failures(environment: Mapping[str, str] | None = None) -> bool:
    """True on CI, where a test that did not run proves nothing and must say so."""
    return (os.environ if environment is None else environment).get("CI", "").lower() in {"1", "true", "yes"}
