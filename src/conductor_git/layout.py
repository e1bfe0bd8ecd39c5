"""Every path that conductor-git owns, in one place (design: "Where things live")."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git.environment import cache_directory
from conductor_git.names import RunId, TaskId

CONTEXT_NAME: Final = ".worker-ctx.json"
CANONICAL_CONTEXT_NAME: Final = "worker-ctx.json"
CONFIG_NAME: Final = ".conductor.yaml"
BUS_NAMES: Final = {"file": "MESSAGE-BUS.md", "sqlite": "MESSAGE-BUS.sqlite"}
"""Backend of the bus → the name of the project's bus on it, in the state directory."""
BUS_SETTING: Final = "bus.setting"
"""The file in the state directory that says which of them is in force."""
SALVAGE_REFS: Final = "refs/conductor/salvage/"
BROUGHT_NAME: Final = "conductor-brought.json"
"""The file in a worktree's git dir that says what was brought into the worktree and can be had again."""
SETUP_NAME: Final = "conductor-setup.json"
"""The file in a worktree's git dir that is there for as long as the worktree is not set up."""
OWN_FILES: Final = (CONTEXT_NAME,)
"""File names that must never be committed: a landing that brings one is refused."""


class Layout(NamedTuple):
    """Paths under the common git dir of one project; makes none of them."""

    common_dir: Path

    @property
    def state_dir(self) -> Path:
        return self.common_dir / "conductor"

    @property
    def tasks(self) -> Path:
        return self.state_dir / "tasks"

    def task(self, task_id: TaskId) -> Path:
        return self.tasks / task_id

    def run_info(self, task_id: TaskId) -> Path:
        return self.task(task_id) / "run-info.yaml"

    def prompt(self, task_id: TaskId) -> Path:
        return self.task(task_id) / "prompt.md"

    def heartbeat(self, task_id: TaskId) -> Path:
        return self.task(task_id) / "heartbeat"

    @property
    def quiet_after(self) -> Path:
        """For how many seconds a living agent may give no sign before it counts as slow."""
        return self.state_dir / "quiet-after"

    def reviews(self, task_id: TaskId) -> Path:
        return self.task(task_id) / "reviews"

    def setup_logs(self, task_id: TaskId) -> Path:
        """One log for each setup step, by its name."""
        return self.task(task_id) / "setup"

    def setup_lock(self, task_id: TaskId) -> Path:
        """Held while the setup of the task's worktree runs."""
        return self.locks / "setups" / task_id

    def temporary(self, task_id: TaskId) -> Path:
        """The worker's own TMPDIR, in the person's cache; goes with the worktree."""
        from hashlib import sha256

        project = sha256(os.fsencode(self.common_dir)).hexdigest()[:8]
        return cache_directory() / "tmp" / project / task_id

    @property
    def ports(self) -> Path:
        """Which task has which ports; can be rebuilt from the contexts."""
        return self.state_dir / "ports.json"

    @property
    def ports_lock(self) -> Path:
        return self.locks / "ports"

    def restoring(self, task_id: TaskId) -> Path:
        """What a restore of the task is making, for as long as it makes it."""
        return self.task(task_id) / "restoring.json"

    def attempts(self, task_id: TaskId) -> Path:
        """One folder for each attempt, by its run id."""
        return self.task(task_id) / "attempts"

    def attempt(self, task_id: TaskId, run_id: RunId) -> Path:
        return self.attempts(task_id) / run_id

    def activity(self, task_id: TaskId) -> Path:
        """Touched and never written: when its agent last did anything that can be seen."""
        return self.task(task_id) / "activity"

    def supervisor_lock(self, task_id: TaskId) -> Path:
        """Held by the task's supervisor for as long as it lives, so that there is one at most."""
        return self.locks / "supervisors" / task_id

    @property
    def slots(self) -> Path:
        """One lock for each worker that `limits.workers` lets run at once."""
        return self.locks / "slots"

    def family_lock(self, task_id: TaskId) -> Path:
        """Held while its worker spawns a sub-task, so that its children are counted one after the other."""
        return self.locks / "families" / task_id

    @property
    def lent(self) -> Path:
        """A lock for each worker that waits for others, and whose place one of them may take meanwhile."""
        return self.locks / "lent"

    def plan_lock(self, plan: str) -> Path:
        """Held by whoever runs the plan of this name."""
        return self.locks / "plans" / plan

    @property
    def agreed_config(self) -> Path:
        """The exec-capable keys of the shared git config that a person agreed to, by the first spawn or by `trust`."""
        return self.state_dir / "git-config.json"

    @property
    def journal(self) -> Path:
        """One small file per operation under way; what lies here with its lock free was interrupted."""
        return self.state_dir / "journal"

    def intent(self, task_id: TaskId) -> Path:
        return self.journal / f"{task_id}.json"

    @property
    def locks(self) -> Path:
        return self.state_dir / "locks"

    def task_lock(self, task_id: TaskId) -> Path:
        """Held for the length of one verb on the task, so that verbs on a task follow one another."""
        return self.locks / "tasks" / task_id

    @property
    def worktree_lock(self) -> Path:
        """Held around `git worktree add`, whose own locks are not made for neighbours."""
        return self.locks / "worktrees"

    def landing_queue(self, target: str) -> Path:
        """The tickets of the landings that wait for `target`; hashed, because a ref is not a file name."""
        from hashlib import sha256  # loads OpenSSL, which no hot command waits for

        return self.locks / "targets" / sha256(target.encode()).hexdigest()[:16]

    def settling(self, target: str) -> Path:
        """Held while what a kill left of a landing on `target` is looked at."""
        queue = self.landing_queue(target)
        return queue.with_name(f"{queue.name}.settle")

    @property
    def landings(self) -> Path:
        """One folder for each landing that gates judged or that moved a target."""
        return self.state_dir / "landings"

    def landing(self, landing_id: str) -> Path:
        return self.landings / landing_id

    @property
    def answered(self) -> Path:
        """What was answered to requests over HTTP that may come again, for a day."""
        return self.serve / "answered"

    @property
    def integration(self) -> Path:
        return self.state_dir / "integration.git"

    @property
    def hooks(self) -> Path:
        """The hooks that agents run, written from the package."""
        return self.state_dir / "hooks"

    @property
    def agent_hooks(self) -> Path:
        """There where `hooks install --agents` was run: then each spawn puts them into its worktree."""
        return self.state_dir / "agent-hooks"

    def reminded(self, task_id: TaskId) -> Path:
        """In which session the task's agent was reminded to hand in, so that it is so once."""
        return self.task(task_id) / "reminded"

    @property
    def installed_hooks(self) -> Path:
        """The hooks for people who work in a worker's worktree, where `hooks install` was run."""
        return self.state_dir / "installed-hooks"

    def evidence(self, landing_id: str) -> Path:
        """What a landing was put on the target for: gates, reviewers, trees, as one JSON document."""
        return self.landing(landing_id) / "evidence.json"

    @property
    def gates(self) -> Path:
        """Where the gates run, in the person's cache: many tools pass over files that have `.git` in their path."""
        from hashlib import sha256

        project = sha256(os.fsencode(self.common_dir)).hexdigest()[:16]
        return cache_directory() / "gates" / project

    def gate_tree(self, target: str) -> Path:
        """The worktree in which the gates of landings on `target` run; kept between them."""
        return self.gates / self.landing_queue(target).name

    @property
    def foresight(self) -> Path:
        """What `conflicts` found out before, and which collisions it has told."""
        return self.state_dir / "foresight"

    @property
    def serve(self) -> Path:
        """What servers of the project keep: their tokens, hashed."""
        return self.state_dir / "serve"

    @property
    def archive(self) -> Path:
        """What `gc` took out of the way and did not drop: records with their logs, segments of the bus, compressed."""
        return self.state_dir / "archive"

    @property
    def archived_tasks(self) -> Path:
        """One `TASK.TIME.tar.gz` for each record, with paths as they are in the state directory."""
        return self.archive / "tasks"

    @property
    def archived_bus(self) -> Path:
        """One `NAME.gz` for each closed segment, by the name that it had."""
        return archive_beside(self.state_dir / BUS_NAMES["file"])

    @property
    def pool(self) -> Path:
        """The records of the worktrees that lie ready for spawns; there once a config has asked for a pool."""
        return self.state_dir / "pool"

    @property
    def pool_lock(self) -> Path:
        """Held by the one process that fills the pool."""
        return self.locks / "pool"

    @property
    def pool_log(self) -> Path:
        """What kept the last fillings of the pool from their end."""
        return self.pool / "log"

    @property
    def known_damage(self) -> Path:
        """Which damage of the bus `doctor --fix` has taken note of."""
        return self.state_dir / "known-damage.json"

    @property
    def doctor_lock(self) -> Path:
        """Held for the length of one `doctor --fix`."""
        return self.locks / "doctor"

    def submodules(self, task_id: TaskId) -> Path:
        """Repositories of submodules that a removed worktree had and that hold what nothing else does, by time."""
        return self.state_dir / "submodules" / task_id

    @property
    def quarantine(self) -> Path:
        return self.state_dir / "quarantine"


def archive_beside(bus: Path) -> Path:
    """Where closed segments of the bus at `bus` are archived: its readers look there for one that went."""
    return bus.parent / "archive" / "bus"
