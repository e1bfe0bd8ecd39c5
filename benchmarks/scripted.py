"""An agent by script, for P18: as busy as it is told, one commit, `done`. Writes what it took itself into a file.

`python -m benchmarks.scripted SECONDS DIRECTORY`; what `conductor-git done` takes is not its own.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path


def main() -> None:
    seconds, ledger = float(sys.argv[1]), Path(sys.argv[2])
    name = os.environ["CONDUCTOR_TASK_ID"]
    Path(f"{name}.txt").write_text(f"{name}\n")
    subprocess.run(["git", "add", "--all"], check=True)
    subprocess.run(["git", "commit", "--quiet", "-m", f"Work of {name}"], check=True)
    while _used() < seconds:
        sum(range(10_000))
    (ledger / name).write_text(repr(_used()))
    os.execvp("conductor-git", ["conductor-git", "done"])


def _used() -> float:
    """The processor seconds of ourselves and of our git."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


if __name__ == "__main__":
    main()
