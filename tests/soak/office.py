"""Many who work in one project at once: they spawn, work, hand in, approve, land, undo, clean up and look.

Each command is the installed one in a process of its own. A seed deals what each of them does; who comes first is
nobody's choice, and most of what they ask is refused, since another was there before.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

from tests import kit
from tests.kit import tasks
from tests.kit.server import Server

CONFIG: Final = """
bus: {segment_bytes: 20000}
setup:
  - {name: packages, run: "mkdir -p packages && echo 1 > packages/one"}
gates:
  - {name: sound, run: "test -f README.md"}
pool: {size: 2}
limits: {attempts: 1}
gc: {worktrees: 1s, records: 2s, segments: 1s}
"""
AGENT: Final = f"""
{kit.console_script()} start; date +%N > agent.txt; git add agent.txt; git commit -qm Work; {kit.console_script()} done
"""
FAULTS: Final = frozenset(
    "BAD_CONFIG BAD_CONTEXT BAD_RECORD BUG BUS_DAMAGED GIT_FAILED GIT_KILLED STATE_UNWRITABLE".split()
)
"""Codes that nothing which these people do may bring about."""
ASKED: Final = {
    3.0: "approve TASK, merge TASK, merge, merge TASK --strategy squash, request-changes TASK -m no",
    2.0: "status --all, show TASK, diff TASK, conflicts, queue, doctor, bus read --limit 5, gc",
    1.5: "cancel TASK, retry TASK, undo TASK, restore TASK, stop TASK, resume TASK, bus post --task TASK hello",
    0.7: "gc --yes, gc --yes --keep 1s, doctor --fix, fail TASK -m no, bus verify",
}
"""How often, against others → what is asked."""
PAGES: Final = "/ /new /queue /bus /collisions /tasks/{} /tasks/{}/review /api/v1/tasks /api/v1/tasks/{}/diff".split()
_RECENT: Final = 4
"""How many tasks back somebody looks for one, on average."""


class Office:
    """People at work on `repository`. `answers` counts them by command and code; `wrong` has what should not be."""

    def __init__(self, repository: Path, seed: int) -> None:
        self.repository = repository
        self.answers: Counter[tuple[str, str]] = Counter()
        self.wrong: list[str] = []
        self.landed: list[str] = []
        """The commits of which somebody was told that they landed."""
        self._seed = seed
        self._born = count()
        self._newest = 0
        self._is_over = threading.Event()

    def open(self, people: int, seconds: float, server: Server | None = None) -> None:
        """Let so many work for so long, and finish what they are at."""
        days = [threading.Thread(target=self._work, args=(Random(f"{self._seed} {n}"),)) for n in range(people)]
        if server is not None:
            days += [threading.Thread(target=self._browse, args=(Random(f"{self._seed} browser"), server))]
        for day in days:
            day.start()
        self._is_over.wait(seconds)
        self._is_over.set()
        for day in days:
            day.join()

    def _work(self, chance: Random) -> None:
        acts = self._acts()
        while not self._is_over.is_set():
            act = chance.choices(list(acts), list(acts.values()))[0]
            try:
                act(chance, f"task-{max(0, self._newest - int(chance.expovariate(1 / _RECENT)))}")
            except Exception as failure:  # noqa: BLE001 - told at the end, and the others go on
                self.wrong.append(repr(failure))

    def _browse(self, chance: Random, server: Server) -> None:
        with server.client() as client:
            while not self._is_over.is_set():
                path = chance.choice(PAGES).format(f"task-{max(0, self._newest - chance.randrange(8))}")
                answer = client.get(path)
                if answer.status_code >= 500:
                    self.wrong.append(f"GET {path}: {answer.text[:1000]}")

    def _acts(self) -> Mapping[Callable[[Random, str], None], float]:
        """What there is to do → how often."""

        def asking(*words: str) -> Callable[[Random, str], None]:
            return lambda _, task: self._ask([task if word == "TASK" else word for word in words])

        told = {asking(*words.split()): weight for weight, all_of in ASKED.items() for words in all_of.split(", ")}
        return {**told, self._spawn: 9.0, self._carry_through: 22.0}

    def _spawn(self, chance: Random, task: str) -> None:
        if chance.random() > 1 / 5:
            self._newest = next(self._born)
            task = f"task-{self._newest}"
        needs = ["--needs", f"task-{max(0, self._newest - 3)}"] if chance.random() < 1 / 4 else []
        agent = ["--", "sh", "-c", AGENT] if chance.random() < 1 / 4 else []
        self._ask(["spawn", task, "-m", "Do it", *needs, *agent])

    def _carry_through(self, chance: Random, task: str) -> None:
        """A worker's way, as far as others let it come."""
        worktree = self.repository.parent / f"{self.repository.name}.worktrees" / task
        if not worktree.is_dir():
            return
        self._ask(["start", task])
        try:
            tasks.write(worktree, {f"{task}-{chance.randrange(50)}.txt": str(chance.random())})
            if chance.random() < 1 / 5:
                tasks.write(worktree, {"README.md": str(chance.random())})
        except OSError:
            return  # another removed it meanwhile
        if worktree.is_dir() and self._ask(["done", "--wip", "-m", "Done"], worktree):
            self._ask(["approve", task])
            landing = self._ask(["merge", task])
            if landing and chance.random() < 1 / 5:
                self._ask(["undo", task])

    def _ask(self, words: Sequence[str], cwd: Path | None = None) -> Any:
        """The document of the command, where it was done; what is wrong with its end is noted."""
        try:
            done = kit.conductor(words[0], *words[1:2], "--json", *words[2:], cwd=cwd or self.repository)
        except FileNotFoundError:
            return None  # its directory was removed by another
        answer = done.document if done.out.startswith("{") else {}
        code = "" if done.code == 0 else str(answer.get("error", {}).get("code", done.code))
        self.answers[words[0], code] += 1
        if code in FAULTS or done.code < 0 or "Traceback" in done.err:
            self.wrong.append(f"{words}: {done}")
        if words[0] == "merge" and answer.get("outcome") == "LANDED":
            self.landed.append(answer["task"]["merge_commit"])
        return answer if done.code == 0 else None
