"""The state machine: which command comes next, and what persons and workers do in between."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from conductor_git.actor import COORDINATOR, Actor
from conductor_git.names import TaskId
from tests import kit
from tests.property import laws, people
from tests.property.drawing import (
    ANY,
    CONTENTS,
    FILES,
    KNOWN,
    MESSES,
    NAMES,
    OFTEN,
    PROVOCATIONS,
    SELDOM,
    SOME_STRAY,
    STRATEGIES,
    STRAYS,
    TWINS,
    UNUSED,
    VERBS,
    is_any,
    ready_for,
)
from tests.property.model import LIVE, Task
from tests.property.queueing import QueueSession


def _first(drawn: tuple[TaskId, int, str, int | None]) -> TaskId:
    return drawn[0]


class Sequences(RuleBasedStateMachine):
    """Random commands of several tasks on one repository, with work, mess and interference between them."""

    template: Path
    """A small repository to copy for each sequence."""
    place: Path
    """Where the copies go."""

    def __init__(self) -> None:
        super().__init__()
        self.session = QueueSession(self.template, Path(mkdtemp(dir=self.place)))

    def teardown(self) -> None:
        kit.git(self.session.world.repository, "fsck", "--strict", "--no-dangling", "--no-progress")
        rmtree(self.session.world.repository.parent)

    def _task(self, task_id: TaskId) -> Task:
        return self.session.tasks[task_id]

    def _worker(self, task_id: TaskId, *, stale: bool = False) -> Actor:
        task = self.session.tasks.get(task_id)
        generation = task.generation if task else 1
        return Actor(task_id, task_id, generation - stale)

    def _at_desk(self, task_id: TaskId) -> Task | None:
        task = self.session.tasks.get(task_id)
        return task if task and (task.worktree / ".git").exists() else None

    # commands

    @initialize(
        first=st.lists(st.tuples(ANY, st.integers(0, 3), FILES, CONTENTS), min_size=2, max_size=3, unique_by=_first),
        required=st.sampled_from([1, 1, 2]),
        strays=st.lists(st.sampled_from(STRAYS), max_size=2),
        messes=st.lists(st.tuples(MESSES, FILES, CONTENTS), max_size=2),
        gates=st.booleans(),
    )
    def begin(
        self,
        first: list[tuple[TaskId, int, str, int | None]],
        required: int,
        strays: list[str],
        messes: list[tuple[str, str, int | None]],
        gates: bool,
    ) -> None:
        """Some tasks, each some steps down the main road, and the last of them off it."""
        if gates:
            self.session.world.have_gates()
        for task_id, _, _, _ in first:
            self.session.spawn(task_id, None, "main", required, existing=False)
        for task_id, steps, file, content in first:
            for _ in range(steps):
                self._next_step(task_id, file, content, "merge", cleanup=True)
        for act in strays:
            self._stray(first[-1][0], act)
        for mess, file, content in messes:
            if task := self._at_desk(first[-1][0]):
                people.MESSES[mess](task.worktree, file, content)

    @precondition(lambda self: len(self.session.tasks) < len(NAMES))
    @rule(
        task_id=UNUSED,
        base=st.sampled_from([None, None, "main~1", "side"]),
        onto=st.sampled_from(["main", "main", None, "side"]),
        required=st.sampled_from([1, 1, 2]),
        existing=SELDOM,
        needs=st.one_of(st.just(()), st.just(()), st.tuples(ANY)),
        priority=st.sampled_from([0, 0, 1]),
    )
    def spawn(
        self,
        task_id: TaskId,
        base: str | None,
        onto: str | None,
        required: int,
        existing: bool,
        needs: tuple[TaskId, ...],
        priority: int,
    ) -> None:
        self.session.spawn(task_id, base, onto, required, existing=existing, needs=needs, priority=priority)

    @rule(task_id=ANY, verb=st.sampled_from(sorted(VERBS)), stale=SELDOM)
    def out_of_turn(self, task_id: TaskId, verb: str, stale: bool) -> None:
        """Any command on any task, also on one that there is not."""
        session, worker = self.session, self._worker(task_id, stale=stale)
        match verb:
            case "start":
                session.start(task_id, worker)
            case "done":
                session.done(task_id, worker, wip=False)
            case "approve" | "request_changes":
                session.verdict(task_id, Actor("ada"), verb)
            case "merge":
                session.merge(task_id, "merge", cleanup=True, dry_run=stale)
            case "undo":
                session.undo(task_id)
            case "cancel" | "fail":
                session.ends(task_id, worker, verb)
            case "retry":
                session.retry(task_id, reset=stale)

    @rule(
        task_ids=st.lists(ready_for(*LIVE), min_size=1, max_size=2),
        file=FILES,
        content=CONTENTS,
        strategy=STRATEGIES,
        cleanup=OFTEN,
        steps=st.integers(1, 3),
    )
    def go_on(
        self, task_ids: list[TaskId], file: str, content: int | None, strategy: str, cleanup: bool, steps: int
    ) -> None:
        """The next steps of the main road, so that enough tasks come to their end."""
        for task_id in task_ids:
            for _ in range(steps):
                self._next_step(task_id, file, content, strategy, cleanup)
                laws.hold(self.session.world, self.session.tasks)

    def _next_step(self, task_id: TaskId, file: str, content: int | None, strategy: str, cleanup: bool) -> None:
        task, session = self.session.tasks.get(task_id), self.session
        match task.state if task else None:
            case "ASSIGNED":
                session.start(task_id, self._worker(task_id))
            case "WORKING":
                if self._at_desk(task_id):
                    people.commit(self._task(task_id).worktree, file, content)
                session.done(task_id, self._worker(task_id), wip=True)
            case "IN_REVIEW":
                for reviewer in ("ada", "bob")[: self._task(task_id).required]:
                    session.verdict(task_id, Actor(reviewer), "approve")
            case "APPROVED":
                session.merge(task_id, strategy, cleanup=cleanup, dry_run=False)
            case "FAILED" | "CANCELLED":
                session.retry(task_id, reset=content is None)

    @precondition(is_any("WORKING", "IN_REVIEW", "APPROVED"))
    @rule(task_id=ready_for(*LIVE), mess=MESSES, file=FILES, content=CONTENTS, strategy=STRATEGIES)
    def land_beside_a_mess(self, task_id: TaskId, mess: str, file: str, content: int | None, strategy: str) -> None:
        """All the way to the target, where a person has just left the same file, or another one, unsettled."""
        people.MESSES[mess](self.session.world.repository, file, content)
        for _ in range(4):
            if self._task(task_id).state in LIVE:
                self._next_step(task_id, file, 5, strategy, cleanup=True)

    @rule(
        task_id=ready_for(*LIVE),
        strays=st.tuples(SOME_STRAY, SOME_STRAY),
        commits=st.booleans(),
        mess=st.one_of(st.none(), MESSES),
        person=st.sampled_from([None, None, "look", "merge", "switch"]),
        content=CONTENTS,
        then=st.sampled_from(sorted(PROVOCATIONS)),
    )
    def provoke(
        self,
        task_id: TaskId,
        strays: tuple[str | None, str | None],
        commits: bool,
        mess: str | None,
        person: str | None,
        content: int | None,
        then: str,
    ) -> None:
        """A worktree is as nobody expects it, just before the command that has to cope with it."""
        for state in PROVOCATIONS[then]:
            if self._task(task_id).state == state:
                self._next_step(task_id, "a.txt", 6, "squash", cleanup=False)
        self._stray(task_id, strays[0])
        if commits and (task := self._at_desk(task_id)):
            people.commit(task.worktree, "a.txt", content)
        if mess and (task := self._at_desk(task_id)):
            people.MESSES[mess](task.worktree, "docs/b.txt", 7)
        self._stray(task_id, strays[1])
        if person:
            people.in_checkout(self.session.world, person, task_id)
            self.session.world.note_targets()
        self._then(task_id, then)

    def _stray(self, task_id: TaskId, act: str | None) -> None:
        if act and (task := self._at_desk(task_id)):
            people.in_worktree(task, act)

    def _then(self, task_id: TaskId, then: str) -> None:
        session = self.session
        match then:
            case "done" | "done --wip":
                session.done(task_id, self._worker(task_id), wip=then != "done")
            case "approve" | "request_changes":
                session.verdict(task_id, Actor("bob"), then)
            case "merge" | "merge --dry-run":
                session.merge(task_id, "squash", cleanup=True, dry_run=then != "merge")
            case "retry" | "retry --reset":
                session.ends(task_id, COORDINATOR, "cancel")
                session.retry(task_id, reset=then != "retry")

    @precondition(is_any("WORKING", "IN_REVIEW", "APPROVED"))
    @rule(task_id=ready_for("WORKING"), wip=st.booleans(), stale=SELDOM)
    def done(self, task_id: TaskId, wip: bool, stale: bool) -> None:
        self.session.done(task_id, self._worker(task_id, stale=stale), wip=wip)

    @precondition(is_any("IN_REVIEW", "APPROVED"))
    @rule(
        task_id=ready_for("IN_REVIEW", "APPROVED"),
        who=st.sampled_from(["ada", "bob", "its worker"]),
        verdict=st.sampled_from(["approve", "approve", "request_changes"]),
    )
    def review(self, task_id: TaskId, who: str, verdict: str) -> None:
        by = self._worker(task_id) if who == "its worker" else Actor(who)
        self.session.verdict(task_id, by, verdict)

    @precondition(is_any("APPROVED"))
    @rule(task_id=ready_for("APPROVED"), strategy=STRATEGIES, cleanup=OFTEN, dry_run=SELDOM)
    def merge(self, task_id: TaskId, strategy: str, cleanup: bool, dry_run: bool) -> None:
        self.session.merge(task_id, strategy, cleanup=cleanup, dry_run=dry_run)

    @precondition(is_any("APPROVED"))
    @rule(strategy=STRATEGIES, cleanup=OFTEN)
    def process(self, strategy: str, cleanup: bool) -> None:
        self.session.process(strategy, cleanup=cleanup)

    @rule(
        task_ids=st.lists(ANY, min_size=2, max_size=4, unique=True),
        files=st.permutations(TWINS),
        contents=st.sampled_from([(1, 1), (2, 2), (1, 2)]),
        strategy=STRATEGIES,
        cleanup=OFTEN,
        mess=st.one_of(st.none(), st.none(), MESSES),
    )
    def land_together(
        self,
        task_ids: list[TaskId],
        files: list[str],
        contents: tuple[int, int],
        strategy: str,
        cleanup: bool,
        mess: str | None,
    ) -> None:
        """Several tasks to the queue, which may be green alone and red together, or conflict with each other."""
        for number, task_id in enumerate(task_ids):
            if task_id not in self.session.tasks:
                self.session.spawn(task_id, None, "main", 1, existing=False)
            for _ in range(4):
                task = self.session.tasks.get(task_id)
                if task and task.state not in ("APPROVED", "COMPLETED"):
                    self._next_step(task_id, files[number], contents[number % 2], strategy, cleanup)
        if mess:
            people.MESSES[mess](self.session.world.repository, "a.txt", 3)
        self.session.process(strategy, cleanup=cleanup)

    @precondition(is_any("COMPLETED"))
    @rule(task_id=ready_for("COMPLETED"), then=st.sampled_from(["", "retry", "retry --reset"]))
    def undo(self, task_id: TaskId, then: str) -> None:
        self.session.undo(task_id)
        if then and self._task(task_id).state == "CANCELLED":
            self.session.retry(task_id, reset=then != "retry")

    @rule(task_id=ready_for("COMPLETED", "CANCELLED"), gone=st.booleans())
    def restore(self, task_id: TaskId, gone: bool) -> None:
        if gone:
            self._stray(task_id, "delete")
        self.session.restore(task_id)

    @rule(task_id=KNOWN, priority=st.integers(-1, 2))
    def prioritise(self, task_id: TaskId, priority: int) -> None:
        self.session.prioritise(task_id, priority)

    @rule(task_id=KNOWN, verb=st.sampled_from(["cancel", "fail"]), who=st.sampled_from(["person", "worker", "stale"]))
    def ends(self, task_id: TaskId, verb: str, who: str) -> None:
        by = COORDINATOR if who == "person" else self._worker(task_id, stale=who == "stale")
        self.session.ends(task_id, by, verb)

    @precondition(is_any("FAILED", "CANCELLED"))
    @rule(task_id=ready_for("FAILED", "CANCELLED"), reset=st.booleans())
    def retry(self, task_id: TaskId, reset: bool) -> None:
        self.session.retry(task_id, reset=reset)

    @rule(task_id=ANY, verb=st.sampled_from(["start", "done", "merge", "retry", "cancel"]), wildly=st.booleans())
    def recover(self, task_id: TaskId, verb: str, wildly: bool) -> None:
        self.session.recover({task_id: verb} if wildly else {})

    # workers

    @rule(task_id=KNOWN, file=FILES, content=CONTENTS, flags=st.sampled_from([(), (), ("--amend",)]))
    def worker_commits(self, task_id: TaskId, file: str, content: int | None, flags: tuple[str, ...]) -> None:
        if task := self._at_desk(task_id):
            flags = () if self.session.world.tip(task.branch_ref) == task.base else flags
            people.commit(task.worktree, file, content, *flags)
        elif (task := self.session.tasks.get(task_id)) and self.session.world.tip(task.branch_ref):
            people.move_branch(self.session.world, task)

    @rule(task_id=KNOWN, mess=MESSES, file=FILES, content=CONTENTS)
    def worker_leaves(self, task_id: TaskId, mess: str, file: str, content: int | None) -> None:
        if task := self._at_desk(task_id):
            people.MESSES[mess](task.worktree, file, content)

    @rule(
        task_id=KNOWN,
        act=st.sampled_from(STRAYS),
    )
    def worker_strays(self, task_id: TaskId, act: str) -> None:
        self._stray(task_id, act)

    # persons

    @rule(file=FILES, content=CONTENTS)
    def person_commits(self, file: str, content: int | None) -> None:
        people.commit(self.session.world.repository, file, content)
        self.session.world.note_targets()

    @rule(mess=MESSES, file=FILES, content=CONTENTS)
    def person_leaves(self, mess: str, file: str, content: int | None) -> None:
        people.MESSES[mess](self.session.world.repository, file, content)

    @rule(
        task_id=ANY,
        act=st.sampled_from(["merge", "merge", "switch", "detach", "look", "prepare branch", "prepare path"]),
    )
    def person_acts(self, task_id: TaskId, act: str) -> None:
        if act != "prepare path" or task_id not in self.session.tasks:
            people.in_checkout(self.session.world, act, task_id)
        self.session.world.note_targets()

    @invariant()
    @precondition(lambda self: self.session.tasks)
    def everything_holds(self) -> None:
        laws.hold(self.session.world, self.session.tasks)
