"""The one door to the process environment: what children inherit, what we read, what is scrubbed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

GIT_LOCAL_VARIABLES: Final = frozenset(
    {
        # `git rev-parse --local-env-vars`, compared by a test: whoever chooses the directory cleans these.
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
        # Not local by git's own list, yet each changes what a command of ours would do or mean.
        "GIT_NAMESPACE",
        "GIT_CEILING_DIRECTORIES",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM",
        "GIT_LITERAL_PATHSPECS",
        "GIT_GLOB_PATHSPECS",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
        "GIT_EXTERNAL_DIFF",
        "GIT_DIFF_OPTS",
        "GIT_REFLOG_ACTION",
        "GIT_ATTR_SOURCE",
        "GIT_DEFAULT_HASH",
        "GIT_QUARANTINE_PATH",
        "GIT_EDITOR",
        "GIT_SEQUENCE_EDITOR",
        "GIT_PAGER",
    }
)


def variable(name: str) -> str | None:
    """The value of `name`, or None where it is unset or empty."""
    return os.environ.get(name) or None


def cache_directory() -> Path:
    """Where what can be made again is kept for this person (XDG Base Directory Specification)."""
    return Path(variable("XDG_CACHE_HOME") or Path.home() / ".cache") / "conductor-git"


def inherited() -> dict[str, str]:
    """A copy of the whole environment."""
    return dict(os.environ)


def without_git(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what would point git at another repository, index, config or editor."""
    return {
        name: value
        for name, value in environment.items()
        if name not in GIT_LOCAL_VARIABLES and not name.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))
    }
