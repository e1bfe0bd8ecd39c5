"""What tests share: `from tests import kit`.

`kit.git(path, "status")` runs git, `kit.make_repository(path)` makes a small real repository,
`kit.conductor("status", cwd=path)` runs the installed command, `kit.snapshot(path)` freezes a person's checkout for
comparison, `kit.until(condition)` waits for another process, and `@kit.requires("strace")` says what a test cannot do
without. The fixtures (`repository`, `home`) are in tests/conftest.py.
"""

from tests.kit.console import Completed, conductor, console_script
from tests.kit.hermetic import clean_environment
from tests.kit.memory import memory_with_room
from tests.kit.needs import is_excused, requires, skip_where_forbidden, skips_are_failures
from tests.kit.repositories import FIRST_COMMIT_AT, IDENTITY, copy_repository, git, make_repository
from tests.kit.snapshots import Entry, Snapshot, snapshot
from tests.kit.terminal import on_a_terminal
from tests.kit.waiting import until

__all__ = [
    "FIRST_COMMIT_AT",
    "IDENTITY",
    "Completed",
    "Entry",
    "Snapshot",
    "clean_environment",
    "conductor",
    "console_script",
    "copy_repository",
    "git",
    "is_excused",
    "make_repository",
    "memory_with_room",
    "on_a_terminal",
    "requires",
    "skip_where_forbidden",
    "skips_are_failures",
    "snapshot",
    "until",
]
