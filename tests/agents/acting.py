"""What every stand-in does alike: it plays the steps that it is told, and speaks through the voice of its agent.

The steps are in the environment variable `STAND_IN`: a JSON list, or words as a shell has them. A prompt that holds a
line `STAND_IN [...]` goes before it, so that tasks which share an environment can do different things. Paths are
relative to the current directory. The steps:

    say:TEXT           says TEXT                              tool:NAME:WHAT   tells that it uses a tool
    edit:PATH:TEXT     adds the line TEXT to PATH             write:PATH:TEXT  makes PATH hold TEXT and nothing else
    commit:MESSAGE     commits everything                     done[:SUMMARY]   conductor-git done
    run:COMMAND        a shell command                        try:STEP         the same as STEP, which may fail
    answer:TEXT        writes TEXT to $CONDUCTOR_OUTPUT       env:FILE         writes its environment as JSON
    pid:FILE           writes its process id                  args:FILE        writes its arguments as JSON
    prompt:FILE        writes the prompt that it got          touch:FILE       makes FILE
    once:FILE:STEP     STEP, unless FILE is there, which it makes first
    until:FILE         waits for FILE to be there             hang             waits for ever, in its own process
    ignore-term        SIGTERM and SIGHUP have no effect from here on
    fork[:FILE]        starts a process in a session of its own that outlives it; its pid goes to FILE
    cost:USD           has cost so much more                  tokens:IN:OUT    has used so many more
    flood:BYTES        so many bytes of ordinary talk         line:BYTES       one line of so many bytes
    garbage            bytes that are no UTF-8, JSON of odd shapes, half an escape, NULs
    stderr:TEXT        TEXT on standard error                 mute             ends without its last word
    limit:KIND[:S]     its provider does not serve it (rate, quota, auth), for S seconds: says so as the real one, ends
    exit:N             ends with its last word and code N     crash[:SIGNAL]   is gone, by SIGNAL (9), without a word

With a terminal and without a prompt on standard input (as people use them), it prints plain text, plays its steps, and
then each line that is typed as one more; `/exit` ends it.

After the last step it has its last word and ends with 0. A step that fails (a git command, `done`) ends it with 1.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain, takewhile
from pathlib import Path
from typing import Any, NoReturn, Protocol

_CHUNK = 1 << 20
_SENTENCE = "I am looking at the shop and its prices. "


@dataclass(slots=True)
class Spent:
    """What the work has cost so far."""

    usd: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0


class Voice(Protocol):
    """How one agent says things on its standard output, in its own format."""

    def begin(self, prompt: str) -> None:
        """What it prints before it does anything."""

    def say(self, text: str) -> None: ...

    def tool(self, name: str, what: str) -> None: ...

    def limit(self, kind: str, seconds: int) -> int:
        """What it prints when its provider does not serve it (`rate`, `quota`, `auth`); returns its exit code."""
        ...

    def end(self, code: int, said: str, spent: Spent) -> None:
        """Its last word; `said` is what it said last.

        A voice may also have `forbids(command) -> str`: why its flags do not permit a command; empty where they do.
        """


class Failed(Exception):
    """A step could not be done."""


def parser(program: str, version: str) -> ArgumentParser:
    """A parser that refuses what it does not know with exit code 2; `version` is printed by `--version` as it is."""
    made = ArgumentParser(prog=program, allow_abbrev=False)
    made.add_argument("--version", action="version", version=version)
    return made


def stdin_prompt(options: ArgumentParser) -> str:
    """The prompt on standard input; an empty one, or a terminal, is an error as with the real ones."""
    text = "" if sys.stdin.isatty() else sys.stdin.buffer.read().decode("utf-8", "replace")
    return text if text.strip() else refuse(options, "the prompt on standard input is empty")


def refuse(options: ArgumentParser, why: str) -> NoReturn:
    """Usage and `why` on standard error, exit code 2."""
    options.error(why)


def line(event: object) -> None:
    """Print one event as a line of JSON."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def play(voice: Voice, prompt: str, typed: Iterable[str] = ()) -> NoReturn:
    """Begin, do every step and then those that are typed, have the last word, and exit."""
    voice.begin(prompt)
    scene = Scene(voice, prompt)
    try:
        for step in chain(steps_of(prompt), typed):
            scene.do(step)
    except Failed as failed:
        sys.stderr.write(f"{failed}\n")
        scene.end(1)
    scene.end(0)


def attend(options: ArgumentParser, words: str | None) -> NoReturn:
    """Play as people use it: `words` send it to a file with the prompt, and lines that are typed are steps."""
    from tests.agents.screen import Screen, told_prompt

    if not words or not sys.stdin.isatty():
        refuse(options, "without a prompt on standard input it wants a terminal and words")
    play(Screen(), told_prompt(words), takewhile("/exit".__ne__, map(str.strip, sys.stdin)))


def steps_of(prompt: str) -> list[str]:
    """What to do, by the prompt or else by the environment."""
    told = next((text[9:] for text in prompt.splitlines() if text.startswith("STAND_IN ")), os.environ.get("STAND_IN"))
    if told is None:
        return []
    return list(json.loads(told)) if told.lstrip().startswith("[") else shlex.split(told)


@dataclass(slots=True)
class Scene:
    """One performance: what was said and spent so far."""

    voice: Voice
    prompt: str
    said: str = "I did what was asked."
    spent: Spent = field(default_factory=Spent)
    is_mute: bool = False

    def do(self, step: str) -> None:
        word, _, rest = step.partition(":")
        if (known := _STEPS.get(word)) is None:
            raise Failed(f"no stand-in knows the step {step!r}")
        try:
            known(self, rest)
        except OSError as failure:
            raise Failed(str(failure)) from failure

    def end(self, code: int) -> NoReturn:
        if not self.is_mute:
            self.voice.end(code, self.said, self.spent)
        sys.stdout.flush()
        os._exit(code)  # at once, whatever thread or child is left

    def say(self, text: str) -> None:
        self.said = text
        self.voice.say(text)

    def edit(self, rest: str) -> None:
        path, _, text = rest.partition(":")
        with _made(path).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
        self.voice.tool("Edit", path)

    def write(self, rest: str) -> None:
        path, _, text = rest.partition(":")
        _made(path).write_text(f"{text}\n", encoding="utf-8")
        self.voice.tool("Write", path)

    def commit(self, message: str) -> None:
        self.work("git add --all")
        self.work(f"git commit --quiet -m {shlex.quote(message or 'Work')}")

    def done(self, summary: str) -> None:
        self.work("conductor-git done" + (f" -m {shlex.quote(summary)}" if summary else ""))

    def work(self, command: str) -> None:
        """A command that the real one runs only as far as its flags permit it."""
        forbids: Callable[[str], str] = getattr(self.voice, "forbids", lambda _: "")
        if why := forbids(command):
            raise Failed(f"`{command}` was not permitted: {why}")
        self.run(command)

    def run(self, command: str) -> None:
        self.voice.tool("Bash", command)
        ended = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        sys.stderr.write((ended.stdout + ended.stderr).decode("utf-8", "replace"))
        sys.stderr.flush()
        if ended.returncode:
            raise Failed(f"`{command}` ended with {ended.returncode}")

    def attempt(self, step: str) -> None:
        try:
            self.do(step)
        except Failed as failed:
            sys.stderr.write(f"{failed}\n")

    def once(self, rest: str) -> None:
        path, _, step = rest.partition(":")
        try:
            _made(path).touch(exist_ok=False)
        except FileExistsError:
            return
        self.do(step)

    def fork(self, file: str) -> None:
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        if file:
            _tell(file, str(child.pid))

    def cost(self, usd: str) -> None:
        self.spent.usd += float(usd)

    def tokens(self, rest: str) -> None:
        before, _, after = rest.partition(":")
        self.spent.tokens_in += int(before)
        self.spent.tokens_out += int(after)

    def tool(self, rest: str) -> None:
        name, _, what = rest.partition(":")
        self.voice.tool(name, what)

    def flood(self, size: str) -> None:
        while (left := int(size)) > 0:
            text = _SENTENCE * 100
            self.voice.say(text)
            size = str(left - len(text))

    def limit(self, rest: str) -> None:
        kind, _, seconds = rest.partition(":")
        code = self.voice.limit(kind, int(seconds or 60))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def mute(self, _: str) -> None:
        self.is_mute = True


def _long_line(_: Scene, size: str) -> None:
    left = int(size) - 1
    while left > 0:
        _raw(b"x" * min(left, _CHUNK))
        left -= _CHUNK
    _raw(b"\n")


_GARBAGE = (
    b"\xff\xfe\x80 no text",
    b'{"type": 7}',
    b"[]",
    b"null",
    b'"word"',
    b'{"type": "result", "usage": [1], "total_cost_usd": "x", "stats": 3}',
    b'{"type": "assistant", "message": {"content": 5}}',
    b'{"type": "item.completed", "item": []}',
    b'{"type": "turn.completed", "usage": "much"}',
    b'{"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": 1e400}}',
    b'{"type":',
    b"",
    b"\r",
    b"\0\0\0",
    b'{"a":' * 20_000,
    b'{"type": "text", "part": "\\ud800"}',
    b"9" * 5000,
)


def _garbage(_: Scene, __: str) -> None:
    _raw(b"".join(odd + b"\n" for odd in _GARBAGE))


def _raw(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _crash(_: Scene, number: str) -> None:
    os.kill(os.getpid(), int(number or signal.SIGKILL))
    threading.Event().wait()


def _ignore_term(_: Scene, __: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _until(_: Scene, file: str) -> None:
    while not Path(file).exists():
        threading.Event().wait(0.02)


def _hang(_: Scene, __: str) -> None:
    threading.Event().wait()


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _made(path: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _tell(path: str, text: str) -> None:
    """Write a file that a test waits for: it is there whole or not at all."""
    file = _made(path)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.rename(file)


def _told(value: Callable[[Scene], Any]) -> Callable[[Scene, str], None]:
    return lambda scene, file: _tell(file, value(scene))


_STEPS: dict[str, Callable[[Scene, str], None]] = {
    "say": Scene.say,
    "tool": Scene.tool,
    "edit": Scene.edit,
    "write": Scene.write,
    "commit": Scene.commit,
    "done": Scene.done,
    "run": Scene.run,
    "try": Scene.attempt,
    "once": Scene.once,
    "fork": Scene.fork,
    "cost": Scene.cost,
    "tokens": Scene.tokens,
    "flood": Scene.flood,
    "limit": Scene.limit,
    "mute": Scene.mute,
    "line": _long_line,
    "garbage": _garbage,
    "crash": _crash,
    "ignore-term": _ignore_term,
    "until": _until,
    "hang": _hang,
    "exit": lambda scene, code: scene.end(int(code)),
    "answer": lambda _, text: _tell(os.environ["CONDUCTOR_OUTPUT"], f"{text}\n"),
    "stderr": lambda _, text: _complain(text),
    "touch": lambda _, file: _tell(file, ""),
    "env": _told(lambda _: json.dumps(dict(os.environ))),
    "args": _told(lambda _: json.dumps(sys.argv[1:])),
    "pid": _told(lambda _: str(os.getpid())),
    "prompt": _told(lambda scene: scene.prompt),
}
