"""An environment that owes nothing to the machine: no git config, no identity, no secret, no setting of its user."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_GIT_CONFIG: Final = """\
[user]
\tname = Test Person
\temail = person@example.org
[init]
\tdefaultBranch = main
[advice]
\tdetachedHead = false
"""
_PREFIXES: Final = ("CONDUCTOR_", "GIT_", "XDG_", "CLICOLOR")
_SUFFIXES: Final = ("_KEY", "_SECRET", "_TOKEN", "_PASSWORD")
_NAMES: Final = frozenset(
    {"COLUMNS", "EDITOR", "FORCE_COLOR", "LINES", "NO_COLOR", "PAGER", "TMUX", "VIRTUAL_ENV", "VISUAL"}
    # Set on many a build machine; every command of ours would compile all of its modules anew.
    | {"PYTHONDONTWRITEBYTECODE"}
)


def clean_environment(inherited: Mapping[str, str], home: Path) -> dict[str, str]:
    """`inherited` without what could steer git, conductor-git, a terminal or an agent; `home` is the whole home.

    Writes the git config that is used into `home`, so a test may add to it with `git config --global`. The commands of
    the environment under test come first on PATH, as a hook finds them.
    """
    commands = str(Path(sys.executable).parent)
    path = inherited.get("PATH", os.defpath).split(os.pathsep)
    kept = {name: value for name, value in inherited.items() if not _steers(name)}
    config = home / ".gitconfig"
    config.write_text(_GIT_CONFIG, encoding="utf-8")
    return kept | {
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": str(home),
        "PATH": os.pathsep.join([commands, *(place for place in path if place != commands)]),
        "TERM": "dumb",
        "XDG_CONFIG_HOME": str(home / ".config"),
    }


def _steers(name: str) -> bool:
    return name in _NAMES or name.startswith(_PREFIXES) or name.endswith(_SUFFIXES)
