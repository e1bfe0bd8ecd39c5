"""The story as data: what the four workers are asked, what they write, and where two of them go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PERSON: Final = "Ada"
"""Who reviews and lands."""

DURATION: Final = "src/conductor_git/config/duration.py"
NAMES: Final = "src/conductor_git/names.py"
GLOSSARY: Final = "docs/glossary.md"

UNFINISHED: Final = ("src/conductor_git/__init__.py", "\n# an edit that Ada has not finished\n")
"""What the person has changed in the main checkout and not committed, while all of this goes on: file and addition."""
NOTE: Final = ("notes.txt", "Ask Grace about the release.\n")
"""A file of the person's that git does not track."""

_GLOSSARY: Final = """\
# Words

| word | meaning |
|---|---|
| task | a piece of work with a branch and a worktree of its own |
| worker | whoever carries a task: a program, or a person |
| landing | putting an approved commit on its target branch |
"""

_SPOKEN: Final = '''

def spoken(seconds: float) -> str:
    """A length of time in words.

    >>> spoken(90)
    '1 minute 30 seconds'
    """
    minutes, rest = divmod(round(seconds), 60)
    counts = ((minutes, "minute"), (rest, "second"))
    words = [f"{count} {unit}{'s' * (count != 1)}" for count, unit in counts if count]
    return " ".join(words) or "no time"
'''

_ROUNDED: Final = '''

def rounded(seconds: float) -> str:
    """A length of time in its largest unit alone.

    >>> rounded(5400)
    '1h'
    """
    unit = next((unit for unit, length in _UNITS.items() if seconds >= length), "s")
    return f"{int(seconds // _UNITS[unit])}{unit}"
'''

_SHORTENED: Final = '''

def shortened(text: str, width: int) -> str:
    """`text` in at most `width` characters, an ellipsis for the rest.

    >>> shortened("a long title", 6)
    'a long…'
    """
    return text if len(text) <= width else text[:width] + "…"
'''


@dataclass(frozen=True, slots=True)
class Line:
    """One line that a reviewer finds wrong: what is wrong with it, and how it should read."""

    path: str
    wrong: str
    comment: str
    right: Mapping[str, str]
    """Every piece of text that the fix replaces, and by what."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one worker is asked, what it writes at the end of which file, and what it says about it."""

    task_id: str
    asked: str
    path: str
    text: str
    summary: str
    word: str
    """What it tells everybody on the bus."""
    wrong: Line | None = None


PARTS: Final = (
    Part(
        "glossary",
        "Explain our words in a glossary",
        GLOSSARY,
        _GLOSSARY,
        "A glossary of three words",
        "the glossary says 'landing', not 'merge': please use the same word",
    ),
    Part(
        "spoken",
        "Say a length of time in words",
        DURATION,
        _SPOKEN,
        "spoken(90) is '1 minute 30 seconds'",
        "spoken() goes to the end of duration.py",
    ),
    Part(
        "rounded",
        "Round a length of time for people",
        DURATION,
        _ROUNDED,
        "rounded(5400) is '1h'",
        "rounded() goes to the end of duration.py",
    ),
    Part(
        "shorten",
        "Cut long titles with an ellipsis",
        NAMES,
        _SHORTENED,
        "shortened() cuts a text to a width",
        "shortened() goes to the end of names.py",
        wrong=Line(
            NAMES,
            'text[:width] + "…"',
            "the ellipsis needs room too",
            {"'a long…'": "'a lon…'", 'text[:width] + "…"': 'text[: width - 1] + "…"'},
        ),
    ),
)

LANDING_ORDER: Final = ("glossary", "spoken", "shorten", "rounded")
"""The last one meets the second in the same place of the same file, and bounces."""
BOUNCES: Final = "rounded"
REJECTED: Final = "shorten"

GATE: Final = "doctest"
GATED_FILES: Final = (DURATION, NAMES)


def part(task_id: str) -> Part:
    """What the worker of `task_id` does."""
    return next(part for part in PARTS if part.task_id == task_id)
