"""Queues of approved tasks whose gate counts its runs, brought to where a test begins and looked at afterwards."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conductor_git.layout import Layout
from tests import kit
from tests.kit import tasks


def names(count: int) -> list[str]:
    return [f"task-{number:02d}" for number in range(count)]


def have_gate(repository: Path, script: str) -> None:
    """Let the target have one gate, which runs `script`."""
    quoted = script.replace("'", "''")
    tasks.commit(repository, {".conductor.yaml": f"gates:\n  - name: look\n    run: '{quoted}'\n"}, "Have a gate")


def counted(runs: Path, script: str) -> str:
    """`script` as a gate that tells the file `runs` which commit it is asked about."""
    return f'echo "$CONDUCTOR_COMMIT" >> {shlex.quote(str(runs))}; {script}'


def gate_runs(runs: Path) -> list[str]:
    return runs.read_text().split() if runs.exists() else []


def process(repository: Path, *options: str, env: Mapping[str, str] | None = None) -> kit.Completed:
    """`conductor-git merge --json`: the whole queue, as a process of its own."""
    return kit.conductor("merge", "--json", "--trust", *options, cwd=repository, env=env)


def outcomes(done: kit.Completed) -> dict[str, str]:
    """What came of each task, in the order in which it was decided."""
    landings: list[dict[str, Any]] = done.document["landings"]
    return {str(landing["task_id"]): str(landing["outcome"]) for landing in landings}


def on_target(repository: Path, base: str = "") -> list[str]:
    """The tasks whose landings the target holds (since `base`), first to last; undoing ones as `-task`."""
    span = f"{base}..main" if base else "main"
    subjects = kit.git(repository, "log", "--first-parent", "--reverse", "--format=%s", span).splitlines()
    words = [subject.partition(":")[0].split(" ") for subject in subjects]
    return [("-" if word[0] == "Undo" else "") + word[1] for word in words if word[0] in ("Land", "Undo")]


def target_ever_held(repository: Path, path: str) -> bool:
    """Whether any commit that the target's ref has ever pointed to holds something at `path`."""
    tips = kit.git(repository, "reflog", "show", "--format=%H", "refs/heads/main").split()
    return any(kit.git(repository, "ls-tree", "--name-only", tip, "--", path) for tip in tips)


def require_quiet(repository: Path) -> None:
    """Nothing is half done: no journal, no lock, no ticket, no merge, no gate's registration in the project."""
    layout = Layout(repository / ".git")
    left = [*layout.journal.glob("*"), *layout.state_dir.glob("landings/*/held")]
    left += list(layout.landing_queue("main").glob("[0-9]*"))
    left += [layout.common_dir / name for name in ("MERGE_HEAD", "index.lock") if (layout.common_dir / name).exists()]
    left += list(layout.common_dir.rglob("refs/**/*.lock"))
    assert left == []
    assert kit.git(repository, "fsck", "--no-dangling", "--no-progress") == ""


def require_told_once(repository: Path, landed: Sequence[str]) -> None:
    """Exactly `landed` are COMPLETED, each told once."""
    for name in landed:
        assert tasks.record(repository, name).state == "COMPLETED", name
        assert len(tasks.told(repository, "LANDED", name)) == 1, name


class Shelf:
    """A project at one path that is put back as it was for every test: the paths in its files stay right."""

    def __init__(self, place: Path) -> None:
        self.place = place / "here"
        self._kept = place / "kept"

    @property
    def repository(self) -> Path:
        return self.place / "acme"

    def keep(self) -> None:
        _copy(self.place, self._kept)

    def restore(self) -> Path:
        _copy(self._kept, self.place)
        return self.repository


def _copy(source: Path, to: Path) -> None:
    shutil.rmtree(to, ignore_errors=True)
    subprocess.run(["cp", "-a", source, to], check=True)
