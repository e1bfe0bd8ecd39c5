"""The pool is filled by a process of its own: `python -m conductor_git.workflow.refill COMMON_DIR REPOSITORY`.

It ends by itself, and no command waits for it. Where another one has the pool's lock it leaves: that one looks again
before it ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from conductor_git import configguard, durable, integration, process
from conductor_git.config.model import Config
from conductor_git.errors import ConductorError
from conductor_git.gitcmd import Git
from conductor_git.ground.files import files_of
from conductor_git.history import branches
from conductor_git.integration import shared_config
from conductor_git.names import TaskId
from conductor_git.outputlog import open_log
from conductor_git.pool import fill
from conductor_git.pool.entry import Entry, State, entries, is_in_use
from conductor_git.project import Project, project_at
from conductor_git.run import utcnow
from conductor_git.runner.environment import supervisor_environment
from conductor_git.salvage.keep import salvage
from conductor_git.settings import project_config
from conductor_git.workflow.spawning.ahead import prepare
from conductor_git.workflow.spawning.order import worktree_path
from conductor_git.workflow.spawning.possible import require_possible

_NICE: Final = 10
_LOOKS: Final = 8


def begin(project: Project, size: int) -> None:
    """Have the pool filled in the background, where it is not as it should be and nobody is at it."""
    layout = project.layout
    if not fill.needs_care(layout, size) or durable.is_locked(layout.pool_lock):
        return
    durable.make_directory(layout.pool)
    with suppress(ConductorError):  # a pool that stays as it is costs the next spawn some time, and nothing else
        process.detach(
            # Safe path: nothing that lies in the repository is imported in the place of what we import.
            [sys.executable, "-P", "-m", __name__, str(layout.common_dir), str(project.repository)],
            cwd=project.repository,
            environment=supervisor_environment(),
            log=layout.pool_log,
        )


def begin_as_configured(project: Project) -> None:
    """As `begin` where there is a pool, for who has not read the config; one that cannot be read asks for nothing."""
    if is_in_use(project.layout):
        with suppress(ConductorError):
            begin(project, project_config(project).pool.size)


def put_by(project: Project, path: Path, git_dir: Path, look: Callable[[], None]) -> bool:
    """Put the worktree of a landed task by for its build caches; False where it has to be removed the ordinary way.

    That is where no caches are wanted or enough lie there, and where it cannot be moved. Everything in it that is to be
    kept has been; `look` raises where something came since.
    """
    if not is_in_use(project.layout):
        return False
    try:
        config = project_config(project)
    except ConductorError:
        return False
    if not config.pool.keep_ignored or len(entries(project.layout, State.USED)) >= config.pool.size:
        return False
    return fill.retire(project.layout, path, git_dir, _place(project, config), look)


def _place(project: Project, config: Config) -> Callable[[str], Path]:
    return lambda name: worktree_path(project, config, TaskId(name))


def refill(project: Project) -> bool:
    """Bring the pool to what the config says now; False where another process is at it. The log begins anew."""
    layout = project.layout
    with durable.try_lock(layout.pool_lock) as held:
        if held is None:
            return False
        here = project.holding(held)
        if layout.pool_log.exists():  # what kept the one before from its work; ours is appended
            os.close(open_log(layout.pool_log, os.O_TRUNC))
        for _ in range(_LOOKS):
            config = project_config(here)
            _fill(here, config)
            if not fill.needs_care(layout, config.pool.size):
                break
        return True


def _fill(project: Project, config: Config) -> None:
    entries = shared_config(project.git)
    configguard.require_agreed(project.layout, entries)
    looking = configguard.filtering(integration.opened(project.layout, project.git, entries), project.layout)
    keep = partial(_keep, project, looking)
    wanted = wanted_pool(project, config, keep)
    if wanted is None:
        fill.empty(project.layout, keep)
    else:
        fill.fill(project.git, looking, project.layout, wanted)


def _keep(project: Project, looking: Git, entry: Entry) -> None:
    """Salvage what somebody wrote into a worktree of the pool, under the name of the entry."""
    path, why = Path(entry.path), "it was written into a worktree of the pool"
    salvage(looking, project.git, project.layout, TaskId(entry.name), path, at=utcnow(), why=why, home=entry.commit)


def wanted_pool(project: Project, config: Config, keep: fill.Keep) -> fill.Wanted | None:
    """What the pool is to hold; None where there is to be none, or no branch that tells from where."""
    known = branches(project.git)
    commit = known.tips.get(config.target or known.current or "")
    if config.pool.size == 0 or commit is None:
        return None
    include = project.repository / config.include
    return fill.Wanted(
        size=config.pool.size,
        commit=commit,
        files=require_possible(project, files_of(config), commit),
        place=_place(project, config),
        prepare=partial(prepare, project, config),
        keep=keep,
        include=include if include.is_file() else None,
    )


def main(arguments: list[str]) -> int:
    os.nice(_NICE)
    common_dir, repository = arguments
    refill(project_at(Path(common_dir), Path(repository)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ConductorError as refused:
        sys.exit(f"{refused.code}: {refused.message}")
