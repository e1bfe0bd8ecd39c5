"""Plans whose agents are small shell scripts, in a repository that trusts them."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, Final

from conductor_git.project import open_project
from conductor_git.run import utcnow
from conductor_git.runner.stop import end_attempt
from conductor_git.settings import project_config
from conductor_git.workflow.planning.planned import Planned
from conductor_git.workflow.planning.prepare import prepare
from tests import kit
from tests.kit import tasks

WORK: Final = 'echo "$CONDUCTOR_TASK_ID" >"$CONDUCTOR_TASK_ID.txt" && git add . && git commit -qm work && {done}'
DONE: Final = "conductor-git done"
FAST: Final = WORK.format(done=DONE)
"""An agent that commits a file named after its task, and hands it in."""
APPROVES: Final = 'conductor-git approve "${CONDUCTOR_TASK_ID%.review-*}"'

CONFIG: Final = """\
version: 1
reviews_required: 1
limits: {{backoff: 1s, attempts: {attempts}, after_done: 1s}}
gates: [{gates}]
agents:
{agents}
"""


def prepared(repository: Path, *, gates: str = "", attempts: int = 2, **agents: str) -> None:
    """Commit and trust a config in which `agents` are shell scripts; `fast` works and `critic` approves unless said."""
    scripts = {"fast": FAST, "critic": APPROVES, **agents}
    listed = "".join(f"  {name}: {{command: [sh, {name}.sh]}}\n" for name in scripts)
    gate = f"{{name: check, run: {gates!r}}}" if gates else ""
    files: tasks.Files = {f"{name}.sh": f"{script}\n" for name, script in scripts.items()}
    config = CONFIG.format(agents=listed, gates=gate, attempts=attempts)
    tasks.commit(repository, {**files, ".conductor.yaml": config}, "Agents")
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0


def written(repository: Path, text: str, name: str = "plan.yaml") -> Path:
    """The plan `text` in a file beside the repository, so that no checkout has it."""
    path = repository.parent / name
    path.write_text(f"version: 1\n{textwrap.dedent(text)}")
    return path


def planned(repository: Path, path: Path) -> Planned:
    project = open_project(repository)
    return prepare(project, project_config(project), path)


def run(repository: Path, path: Path, *options: str) -> kit.Completed:
    return kit.conductor("run", str(path), *options, cwd=repository)


def outcome(done: kit.Completed) -> dict[str, Any]:
    """Task → where it stands, of a `run --json`."""
    return {task["task_id"]: task["stands"] for task in done.document["tasks"]}


def states(repository: Path, *names: str) -> list[str]:
    return [str(tasks.record(repository, name).state) for name in names]


def after(name: str, script: str) -> str:
    """A script that goes on once the file `name` is beside the worktrees."""
    return f"while [ ! -e ../{name} ]; do sleep 0.05; done; {script}"


def reviewers(repository: Path, task_id: str) -> list[str]:
    """The ids of the tasks that review `task_id`, in order."""
    runs = open_project(repository).runs
    return [other for other in runs.task_ids() if runs.get(other).review_of == task_id]


def stop_all(repository: Path) -> None:
    """End every agent that still runs."""
    project = open_project(repository)
    for task_id in project.runs.task_ids():
        end_attempt(project, task_id, at=utcnow())
