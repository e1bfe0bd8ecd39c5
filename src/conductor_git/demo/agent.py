"""A scripted agent: a program like any other that works in a worktree, with git and `conductor-git` alone.

It asks `ctx` who it is and what it is asked, commits, hands in with `done`, and then listens on the bus: changes that
a reviewer requests it reads from `ctx`, a conflict it resolves in its worktree, and when its work has landed it ends.
What it writes comes from `story`, where a thinking agent would have its own ideas.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from conductor_git import process
from conductor_git.bus.base import Bus
from conductor_git.bus.current import CurrentBus
from conductor_git.bus.watching.stop import Stop
from conductor_git.demo.story import Part, part
from conductor_git.environment import inherited
from conductor_git.errors import AgentFailed, ConductorError
from conductor_git.message import Message

_SECONDS: Final = 60


def main() -> None:
    here = ctx()
    work = part(here["context"]["task_id"])
    print(f"asked: {here['prompt'].strip()}", flush=True)
    conductor("heartbeat", "--note", f"reading {work.path}")
    write(work)
    commit(work, work.asked)
    conductor("bus", "post", "--type", "FACT", work.word)
    since = last_message()
    conductor("done", "-m", work.summary)
    listen(work, CurrentBus(Path(here["context"]["state_dir"])), since)


def listen(work: Part, bus: Bus, since: str) -> None:
    """Do what the bus brings for this task, until it has landed."""
    types = ("REVIEW", "BOUNCED", "LANDED")
    with Stop(_SECONDS) as stop:
        for message in bus.follow(since, types, work.task_id, stop=stop):
            match message:
                case Message(type="LANDED"):
                    print("landed; there is nothing left to do", flush=True)
                    return
                case Message(type="BOUNCED"):
                    resolve(work)
                case Message(type="REVIEW", meta={"verdict": "request_changes"}):
                    mend(work)
    raise AgentFailed(f"nothing came of {work.task_id} in {_SECONDS} s", hint=f"conductor-git show {work.task_id}")


def write(work: Part) -> None:
    """Add the worker's part at the end of its file, which may be a new one."""
    path = Path(work.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text("utf-8") if path.exists() else ""
    path.write_text(before + work.text, "utf-8")


def mend(work: Part) -> None:
    """Change what the reviewer has commented on, and hand in again."""
    assert work.wrong is not None, "only what is wrong is sent back"
    for comment in ctx()["reviews"][-1]["comments"]:
        print(f"review: {comment['path']}:{comment['line']}: {comment['body']}", flush=True)
        path = Path(comment["path"])
        text = path.read_text("utf-8")
        line = text.splitlines()[int(comment["line"]) - 1]
        assert work.wrong.wrong in line, f"the comment is on another line: {line}"
        for wrong, right in work.wrong.right.items():
            text = text.replace(wrong, right)
        path.write_text(text, "utf-8")
    conductor("bus", "post", "--type", "DECISION", "the width counts the ellipsis")
    commit(work, "Leave room for the ellipsis")
    conductor("done", "-m", "The ellipsis is within the width")


def resolve(work: Part) -> None:
    """Merge the target into the branch, keep both sides of the conflict, and hand in again."""
    target = ctx()["context"]["target"]
    conductor("heartbeat", "--note", f"merging {target} to resolve {work.path}")
    run("git", "merge", target, ok=(1,))
    theirs = run("git", "show", f":3:{work.path}")
    Path(work.path).write_text(theirs + work.text, "utf-8")
    commit(work, f"Merge {target}: both functions stay")
    conductor("done", "-m", f"{work.summary}; merged with what {target} has there")


def commit(work: Part, message: str) -> None:
    run("git", "add", "--all")
    who = ("-c", f"user.name=worker {work.task_id}", "-c", f"user.email={work.task_id}@example.org")
    run("git", *who, "commit", "--quiet", "-m", message)
    print(run("git", "log", "-1", "--format=%h %s", "--shortstat"), end="", flush=True)


def ctx() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(conductor("ctx", "--json"))
    return found


def last_message() -> str:
    messages = json.loads(conductor("bus", "read", "--tail", "1", "--json"))["messages"]
    return str(messages[-1]["msg_id"])


def conductor(*arguments: str) -> str:
    return run(sys.executable, "-P", "-m", "conductor_git", *arguments)


def run(*command: str, ok: tuple[int, ...] = (0,)) -> str:
    done = process.capture(command, cwd=Path.cwd(), environment=inherited(), seconds=_SECONDS)
    if done.code not in ok:
        raise AgentFailed(f"`{' '.join(command)}` ended with {done.code}: {done.err or done.out}")
    return done.out


if __name__ == "__main__":
    try:
        main()
    except ConductorError as failed:
        sys.exit(f"✗ {failed.message}")
