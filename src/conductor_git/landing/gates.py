"""Gates: the commands that must pass on the merged tree, run in a worktree of our own at the merged commit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conductor_git import durable, process
from conductor_git.environment import inherited as process_environment
from conductor_git.environment import without_git
from conductor_git.gitcmd import Git
from conductor_git.names import CommitId
from conductor_git.run import GateResult, Run
from conductor_git.worktree import registrations

if TYPE_CHECKING:  # pydantic costs more than the commands that come through here without gates
    from conductor_git.config.model import Gate

TREE_VARIABLE: Final = "CONDUCTOR_GATE_TREE"


@contextmanager
def tree_at(integration: Git, path: Path, commit: CommitId) -> Iterator[Path]:
    """A detached worktree of the integration repository at `commit`, gone when the block ends.

    It belongs to the integration repository, so the project's `git worktree list` never shows it.
    """
    remove_tree(integration, path)
    durable.make_directory(path.parent)
    try:
        integration.run("worktree", "add", "--quiet", "--detach", str(path), commit)
        yield path
    finally:
        remove_tree(integration, path)


def end_orphans(tree: Path) -> None:
    """End what a killed landing left running in its gates' tree: no other process ever carries that path."""
    process.end_carrying(TREE_VARIABLE, str(tree))


def remove_tree(integration: Git, path: Path) -> None:
    """Remove a gate's worktree, whole or half made. Only one landing of its task is ever under way."""
    if path.is_dir():
        shutil.rmtree(path)
    # By hand: `git worktree prune` leaves one that was killed while it was made, which is still locked.
    for entry in registrations(integration.cwd, path):
        shutil.rmtree(entry)


def run_gates(
    gates: Sequence[Gate],
    tree: Path,
    logs: Path,
    environment: Mapping[str, str],
    told: Callable[[GateResult], None],
) -> tuple[GateResult, ...]:
    """Run `gates` one after the other in `tree` until one fails; each has its log in `logs` and its own time limit.

    Returns the results so far, the failed one last. `told` hears of each as it ends.
    """
    durable.make_directory(logs)
    results: list[GateResult] = []
    for number, gate in enumerate(gates, 1):
        log = logs / f"{number:02d}-{gate.name}.log"
        code, seconds = process.run_limited(
            gate.run, cwd=tree, environment=environment, log=log, seconds=gate.timeout_seconds
        )
        results.append(GateResult(gate.name, gate.run, code, round(seconds, 3), str(log)))
        told(results[-1])
        if not results[-1].passed:
            break
    return tuple(results)


def log_end(log: Path, limit: int = 4000) -> str:
    """The last `limit` bytes of a gate's log as text, from the start of a line."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            start = max(0, file.tell() - limit)
            file.seek(start)
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return text if start == 0 else text.partition("\n")[2]


def environment(run: Run, commit: CommitId, tree: Path) -> dict[str, str]:
    """What a gate finds: ours without git's and our own variables, plus what it is asked to judge."""
    inherited = {
        name: value for name, value in without_git(process_environment()).items() if not name.startswith("CONDUCTOR_")
    }
    return inherited | {
        "CONDUCTOR_TASK_ID": run.task_id,
        "CONDUCTOR_TARGET": run.target,
        "CONDUCTOR_COMMIT": commit,
        TREE_VARIABLE: str(tree),
    }
