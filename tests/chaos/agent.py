"""An agent of the chaos: `python agent.py SEED LEDGER`, in its worktree, told by its environment which task it has.

What goes wrong with an attempt is dealt by the seed, the task and how often the task was tried. The first attempts of
as many tasks as there are troubles have one each; later ones mostly do their work. All that it did is in the ledger, a
file of JSON lines for each task, and whatever it starts holds the lock of its task for as long as it lives.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHARED = "src/prices.py"
"""The file that some of them all edit, at the same place."""
_AGAIN = 0.25
"""So likely a later attempt has trouble too."""


class Attempt:
    """One attempt: what it is asked to do wrong, and where it tells of itself."""

    def __init__(self, seed: str, ledger: Path) -> None:
        self.task = os.environ["CONDUCTOR_TASK_ID"]
        self._file = ledger / f"{self.task}.jsonl"
        self._lock = os.open(ledger / f"{self.task}.lock", os.O_RDWR | os.O_CREAT)
        told = self._file.read_text().splitlines() if self._file.exists() else []
        self.number = 1 + sum('"start"' in line for line in told)
        self.trouble = dealt(seed, self.task, self.number)
        self.tell("start", run=os.environ["CONDUCTOR_RUN_ID"], pid=os.getpid(), trouble=self.trouble)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.tell("overlap", run=os.environ["CONDUCTOR_RUN_ID"])

    def tell(self, what: str, **facts: Any) -> None:
        """One line, by one write, so that a kill leaves it whole or not there."""
        line = json.dumps({"what": what, "attempt": self.number, **facts}) + "\n"
        with self._file.open("ab", buffering=0) as file:
            file.write(line.encode())

    def begin(self) -> None:
        """Tidy up what an attempt before this one left, and catch up with the target."""
        if self.number == 1:
            return
        lock = git("rev-parse", "--git-path", "index.lock").stdout.strip()
        Path(lock).unlink(missing_ok=True)  # nothing of that attempt lives, as we are told
        git("merge", "--abort")
        self.commit("what was left")
        if git("merge", "--quiet", "--no-edit", "main").returncode:
            git("checkout", "--theirs", "--", ".")
            self.commit("catch up with main")
        self.tell_head()

    def work(self) -> None:
        """What it was asked for: a marker of its own, committed."""
        self.begin()
        Path(f"red-{self.task}").unlink(missing_ok=True)
        write(f"done/{self.task}", f"by attempt {self.number}\n")
        self.commit(f"do {self.task}")

    def commit(self, subject: str) -> None:
        git("add", "--all")
        if git("commit", "--quiet", "-m", subject).returncode == 0:
            self.tell_head()

    def tell_head(self) -> None:
        self.tell("commit", id=git("rev-parse", "HEAD").stdout.strip())

    def done(self) -> int:
        code = run("conductor-git", "done").returncode
        self.tell("done", code=code)
        return code

    def fork(self) -> None:
        """A process in a session of its own, which outlives us and does not care for SIGTERM."""
        command = ["sh", "-c", "trap '' TERM HUP; while :; do sleep 600; done"]
        subprocess.Popen(command, start_new_session=True, pass_fds=[self._lock])
        self.tell("forked")


def crash(attempt: Attempt) -> int:
    attempt.begin()
    write("half-done.txt", "half\n")
    return 3


def killed(attempt: Attempt) -> int:
    attempt.work()
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def hang(_: Attempt) -> int:
    while True:
        signal.pause()


def stubborn(attempt: Attempt) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return hang(attempt)


def nothing(_: Attempt) -> int:
    """It says nothing, to nobody, and does nothing."""
    for stream in (1, 2):
        os.close(stream)
    return 0


def forks(attempt: Attempt) -> int:
    attempt.work()
    attempt.fork()
    return attempt.done()


def forks_and_crashes(attempt: Attempt) -> int:
    attempt.fork()
    os.kill(os.getpid(), signal.SIGSEGV)
    return 0


def twice(attempt: Attempt) -> int:
    attempt.work()
    attempt.done()
    return attempt.done()


def late(attempt: Attempt) -> int:
    """It goes on after it has handed in: another commit, and files that nobody committed."""
    attempt.work()
    attempt.done()
    write("late.txt", f"{attempt.task}\n")
    attempt.commit("one more thing")
    write("later.txt", "not committed\n")
    return 0


def lingers(attempt: Attempt) -> int:
    """It does not end, and when its work has landed it commits more."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    attempt.work()
    if attempt.done() == 0:
        while git("merge-base", "--is-ancestor", "HEAD", "main").returncode:
            threading.Event().wait(0.1)
        write("too-late.txt", f"{attempt.task}\n")
        attempt.commit("too late")
    return hang(attempt)


def red(attempt: Attempt) -> int:
    attempt.work()
    write(f"red-{attempt.task}", "the gate does not like this\n")
    attempt.commit("make the gate red")
    return attempt.done()


def clash(attempt: Attempt) -> int:
    attempt.begin()
    prices = Path(SHARED).read_text().splitlines(keepends=True)
    Path(SHARED).write_text("".join([f"# {attempt.task} was here\n", *prices[1:]]))
    attempt.commit("change the first line")
    attempt.work()
    return attempt.done()


def dirty(attempt: Attempt) -> int:
    """It hands in what is not committed, which is refused, and ends as if all were well."""
    write(f"draft-{attempt.task}.txt", "a draft\n")
    attempt.done()
    return 0


def gives_up(_: Attempt) -> int:
    run("conductor-git", "fail", "-m", "it is too hard")
    return 1


def honest(attempt: Attempt) -> int:
    attempt.work()
    return attempt.done()


PLAYED: dict[str, Callable[[Attempt], int]] = {
    each.__name__: each
    for each in (
        *(crash, killed, hang, stubborn, nothing, forks, forks_and_crashes, twice, late, lingers, red, clash),
        *(dirty, gives_up, honest),
    )
}
TROUBLES = (*(name for name in PLAYED if name != "honest"), "clash", "clash", "red")
"""One each for the first attempts of as many tasks; so that there is a clash, several edit the same line."""
_LATER = tuple(name for name in PLAYED if name not in ("honest", "gives_up", "hang", "stubborn"))


def dealt(seed: str, task: str, number: int) -> str:
    """What the attempt `number` of `task` does; tasks are called by their number, as `t07`."""
    if number == 1:
        cards = list(TROUBLES)
        random.Random(seed).shuffle(cards)
        place = int(task[1:])
        return cards[place] if place < len(cards) else "honest"
    chance = random.Random(f"{seed} {task} {number}")
    return chance.choice(_LATER) if chance.random() < _AGAIN else "honest"


def write(path: str, text: str) -> None:
    file = Path(path)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def git(*words: str) -> subprocess.CompletedProcess[str]:
    return run("git", *words)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """What it says of a failure goes to our own log."""
    ended = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.stderr.write(f"{' '.join(words)}: {ended.returncode}\n{ended.stdout}{ended.stderr}")
    return ended


if __name__ == "__main__":
    attempt = Attempt(sys.argv[1], Path(sys.argv[2]))
    sys.exit(PLAYED[attempt.trouble](attempt))
