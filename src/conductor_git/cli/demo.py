"""demo: the main job on a scratch repository, told as it happens."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from conductor_git.cli.options import Json, panel
from conductor_git.cli.output import STATE_COLOURS, coloured, document, narrate, symbol_colour
from conductor_git.cli.words import brief
from conductor_git.errors import DemoFailed, GitFailed
from conductor_git.message import Message

if TYPE_CHECKING:
    from conductor_git.demo.checks import Check
    from conductor_git.demo.play import Play

app = typer.Typer()
_STATE: Final = re.compile(rf"\b(?:{'|'.join(STATE_COLOURS)})\b")
_COLOUR: Final = re.compile(r"(\x1b\[[0-9;]*m)")
_DIFF_COLOURS: Final = {"+": "32", "-": "31", "@": "36"}
_UNHEARD: Final = frozenset({"RUN_START", "RUN_STOP"})
"""Messages that are true and say nothing new here."""


@app.command(rich_help_panel=panel("try"), epilog="Example: conductor-git demo --keep")
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the scratch repository, and say where it is.")] = False,
    as_json: Json = False,
) -> None:
    """See it work: four workers on a scratch repository, one of them wrong, two in conflict."""
    _require_git()
    _clean_start()
    from conductor_git.demo import scratch as scratches
    from conductor_git.demo.play import Play

    began = time.monotonic()
    scratch = scratches.make()
    audience = Silent() if as_json else Teller()
    play = Play(scratch, audience)
    try:
        found = _performed(play, audience)
    except DemoFailed as failed:
        if not as_json and (said := str(failed.facts.get("said", "")).strip()):
            print(said, file=sys.stderr)
        raise
    finally:
        play.stop_agents()
        if not keep:
            scratch.remove()
        elif not as_json:
            narrate("○", f"the scratch repository stays: cd {shlex.quote(str(scratch.repository))}")
    _answer(play, found, time.monotonic() - began, keep=keep, as_json=as_json)


def _require_git() -> None:
    if shutil.which("git") is None:
        raise GitFailed("there is no git on the PATH, and the demo is all about it", hint="command -v git")


def _clean_start() -> None:
    """Start over in a clean environment where ours would point git or conductor-git elsewhere; GitPython obeys it."""
    from conductor_git.demo.scratch import clean_environment
    from conductor_git.environment import inherited
    from conductor_git.process import become

    clean = clean_environment()
    if clean != inherited():
        become([sys.executable, "-P", "-m", "conductor_git", *sys.argv[1:]], clean)


def _performed(play: Play, audience: Teller | Silent) -> tuple[Check, ...]:
    from conductor_git.demo import scratch as scratches
    from conductor_git.demo.checks import checks

    before = scratches.fingerprints(play.scratch.repository)
    play.perform()
    audience.act("Was it all so?")
    return tuple(audience.judged(check) for check in checks(play, before))


def _answer(play: Play, found: Sequence[Check], seconds: float, *, keep: bool, as_json: bool) -> None:
    wrong = [check for check in found if not check.holds]
    kept = str(play.scratch.repository) if keep else None
    facts = {"seconds": round(seconds, 3), "repository": kept, "checks": [asdict(check) for check in found]}
    if wrong:
        raise DemoFailed(
            f"{len(wrong)} of {len(found)} things were not as told: {wrong[0].claim}",
            hint="conductor-git demo --keep",
            **facts,
        )
    if as_json:
        document(demo=facts)
        return
    gone = "stays" if keep else "is gone"
    print(f"\n{_painted('✓')} four tasks landed in {seconds:.1f} s; the scratch repository {gone}")


class Silent:
    """With --json the document says it all."""

    def act(self, title: str) -> None: ...

    def remark(self, text: str) -> None: ...

    def typing(self, command: Sequence[str]) -> None: ...

    def answered(self, out: str, err: str) -> None: ...

    def heard(self, message: Message) -> None: ...

    def judged(self, check: Check) -> Check:
        return check


class Teller:
    """Tells the play on stdout: acts, remarks, commands as typed with what they answered, and the bus."""

    def __init__(self) -> None:
        self.acts = 0
        self.shows_a_diff = False
        self.width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    def act(self, title: str) -> None:
        self.acts += 1
        print(f"\n{coloured(f'{self.acts}. {title}', '1', sys.stdout)}\n", flush=True)

    def remark(self, text: str) -> None:
        self._tell(f"○ {text}")

    def typing(self, command: Sequence[str]) -> None:
        self.shows_a_diff = "diff" in command[:2]
        lines = typed(command, self.width or 80)
        print(coloured("$", "2", sys.stdout), coloured("\n".join(lines), "1", sys.stdout), flush=True)

    def answered(self, out: str, err: str) -> None:
        # On a terminal a command that narrates says nothing else.
        for line in (err or out).splitlines():
            shown = coloured(line, _DIFF_COLOURS.get(line[:1], "0"), sys.stdout) if self.shows_a_diff else line
            self._tell(f"  {shown}" if line else "")

    def heard(self, message: Message) -> None:
        if message.type not in _UNHEARD:
            for line in brief(message).splitlines():
                self._tell(f"  {line}")

    def judged(self, check: Check) -> Check:
        self._tell(f"{'✓' if check.holds else '✗'} {check.claim}")
        for fact in check.against:
            self._tell(f"    {fact}")
        return check

    def _tell(self, line: str) -> None:
        print(_painted(fitted(line, self.width)), flush=True)


def typed(command: Sequence[str], width: int) -> list[str]:
    """The command as one types it, broken before options so that its lines, with a prompt, fit into `width`."""
    lines = [""]
    for word in command:
        quoted = shlex.quote(word)
        if lines[-1] and word.startswith("-") and len(lines[-1]) + len(quoted) + 24 > width:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {quoted}" if lines[-1] else quoted
    return lines


def fitted(line: str, width: int | None) -> str:
    """`line` within `width`: narration is wrapped, anything else cut; as it is where there is no terminal."""
    if width is None or len(_COLOUR.sub("", line)) <= width:
        return line
    body = line.lstrip()
    if symbol_colour(body[:1]) is None:
        return _cut(line, width)
    indent = " " * (len(line) - len(body))
    return textwrap.fill(
        body,
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _cut(line: str, width: int) -> str:
    """The beginning of `line` that fills `width` with an ellipsis; colours take no room."""
    room, kept = width - 1, []
    for part in _COLOUR.split(line):
        is_colour = part.startswith("\x1b")
        kept.append(part if is_colour else part[:room])
        room -= 0 if is_colour else len(kept[-1])
    return "".join(kept) + "…"


def _painted(text: str) -> str:
    body = text.lstrip()
    colour = symbol_colour(body[:1])
    if colour is not None:
        return text.replace(body[0], coloured(body[0], colour, sys.stdout), 1)
    return _STATE.sub(lambda found: coloured(found[0], STATE_COLOURS[found[0]], sys.stdout), text)
