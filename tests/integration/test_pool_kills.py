"""A kill of a spawn from the pool, of a landing that gives a worktree back, and of a refill: the next one mends it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from conductor_git import durable
from conductor_git.pool import fill
from conductor_git.pool.entry import State, drop, write
from conductor_git.project import open_project
from conductor_git.workflow import refill
from tests import kit
from tests.faults.pooling import SCENES, Pooled
from tests.faults.tracer import Hits, Wanted
from tests.faults.trial import Theatre
from tests.integration import pooled

_KILLS: Final = (
    ("spawn-pooled", Wanted(Hits.TREE, "conductor-git", "unlink", ".ready")),
    ("spawn-pooled", Wanted(Hits.TREE, "conductor-git", "rename", "acme.worktrees/.pool-")),
    ("spawn-pooled", Wanted(Hits.TREE, "conductor-git", "unlink", ".taken")),
    ("spawn-pooled", Wanted(Hits.PROCESS, "update-ref -m", "exit_group", "")),
    ("merge-pooled", Wanted(Hits.TREE, "conductor-git", "rename", "acme.worktrees/fix-login")),
    ("merge-pooled", Wanted(Hits.TREE, "conductor-git", "unlinkat", '"HEAD"')),
)
_KILLING: Final = """\
#!/bin/sh
read -r left <{count}
echo $((left - 1)) >{count}
[ "$left" -eq {before} ] && kill -KILL "$PPID" && exit 1
{real} "$@"
code=$?
[ "$left" -eq {after} ] && kill -KILL "$PPID"
exit $code
"""
_NEVER: Final = -1000
_STEPS: Final = 5
"""The git commands of a refill that each may leave something behind, the last of them included."""


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    return Theatre(tmp_path_factory.mktemp("theatre"), SCENES, Pooled())


@kit.requires("strace")
@pytest.mark.parametrize(("scene", "wanted"), _KILLS, ids=str)
def test_the_next_command_mends_a_kill(scene: str, wanted: Wanted, theatre: Theatre) -> None:
    point = wanted.first(theatre.points(scene))

    assert theatre.trial(scene, point) == []
    assert theatre.missed == []


@pytest.mark.parametrize("at_its_end", [False, True])
def test_the_next_refill_clears_away_what_a_killed_one_left(repository: Path, tmp_path: Path, at_its_end: bool) -> None:
    pooled.configured(repository, "pool: {size: 1}\n")
    before = kit.snapshot(repository)
    real = shlex.quote(str(shutil.which("git")))
    for step in range(1, 9):
        marks = {"before": _NEVER, "after": 1} if at_its_end else {"before": 1, "after": _NEVER}
        program = tmp_path / "bin" / "git"
        program.parent.mkdir(exist_ok=True)
        program.write_text(_KILLING.format(count=shlex.quote(str(tmp_path / "count")), real=real, **marks))
        program.chmod(0o755)
        (tmp_path / "count").write_text(f"{step}\n")
        command = [sys.executable, "-P", "-m", refill.__name__, str(repository / ".git"), str(repository)]
        path = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
        subprocess.run(command, env=os.environ | path, cwd=repository, check=False)
        if pooled.ready(repository):
            break

        assert len(pooled.refilled(repository)) == 1
        assert pooled.leftovers(repository) == []
        assert kit.snapshot(repository) == before
        _empty(repository)
    assert step > _STEPS


def _empty(repository: Path) -> None:
    layout = open_project(repository).layout
    with durable.lock(layout.pool_lock):
        fill.empty(layout, lambda entry: None)


def test_a_registration_without_its_place_is_known_by_the_name_that_git_gave_it(repository: Path) -> None:
    pooled.configured(repository, "pool: {size: 1}\n")
    (entry,) = pooled.refilled(repository)
    layout, git_dir = open_project(repository).layout, Path(entry.git_dir)
    (git_dir / "gitdir").unlink()
    write(layout, entry, State.MAKING)
    drop(layout, entry, State.READY)

    pooled.refilled(repository)

    assert not git_dir.exists()
    assert not Path(entry.path).exists()
    assert pooled.leftovers(repository) == []
