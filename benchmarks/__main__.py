"""`python -m benchmarks [--short] [--json FILE] [--write] [P6 P7 …]`: measure, print the table, always exit with 0.

Whether a goal is reached is told and not judged: a machine that does something else besides would fail it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import (
    appends,
    commands,
    conflicts,
    crowd,
    fence,
    following,
    landings,
    queueing,
    reading,
    serving,
    spawning,
)
from benchmarks.pairs import Row
from benchmarks.repositories import git
from benchmarks.table import HEADER, aligned, cells, markdown, write_into
from tests import kit

PAGE: Final = Path(__file__).parents[1] / "docs" / "performance.md"
CACHED: Final = (
    "Cached in all of it: the page cache is warm (each row is run once before it counts), Python's .pyc files are "
    "there, nothing else is."
)
Benchmark = Callable[[bool], Iterator[Row]]

ALL: Final[Mapping[str, Benchmark]] = {
    "P1": lambda short: appends.appends(3 if short else 9),
    "P3": lambda short: reading.since(*((5, 100_000) if short else (50, 1_000_000))),
    "P4": lambda short: reading.everything(3 if short else 15, 100_000),
    "P5": lambda short: following.following(1 if short else 15),
    "P6": lambda short: commands.hot(5 if short else 31),
    "P7": lambda short: commands.looking(3 if short else 21),
    "P14": lambda short: commands.many(*((5, (100, 1000)) if short else (21, (100, 1000, 2000)))),
    "P8": lambda short: spawning.one(*((3, (200, 3000)) if short else (15, (200, 3000, 30_000)))),
    "P9": lambda short: spawning.pooled(*((3, 200) if short else (15, 3000))),
    "P10": lambda short: spawning.many(*((1, 200) if short else (5, 3000))),
    "P11": lambda short: landings.landing(*((3, 200) if short else (15, 3000))),
    "F1": lambda short: fence.updates(9 if short else 101),
    "P13": lambda short: conflicts.foresight(*((1, 12, 200) if short else (3, 100, 3000))),
    "P12": lambda short: queueing.queueing(*((1, 16, (200,)) if short else (1, 50, (200, 3000)))),
    "P15": lambda short: serving.listing(*((9, 200) if short else (101, 1000))),
    "P16": lambda short: serving.streaming(*((50, 200) if short else (200, 1000))),
    "P17": lambda short: serving.memory(*((200, 20_000) if short else (1000, 1_000_000))),
    "P18": lambda short: crowd.crowd(6 if short else 100),
}
"""The first number of a group → its benchmarks; P2 comes with P1."""


def main() -> None:
    asked = _arguments()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="conductor-git-home-") as home:
        _enter(Path(home))
        rows = _measure(asked.only, asked.short)
        about = _about(asked.short, time.monotonic() - start)
    print("\n".join(aligned([HEADER, *map(cells, rows)])))
    print(f"\n{about['machine']}, {about['seconds']:.0f} s. {CACHED}")
    if asked.json:
        asked.json.write_text(json.dumps({**about, "rows": [row.document() for row in rows]}, indent=1) + "\n")
    if asked.write:
        form = "Short form, measured" if asked.short else "Measured"
        write_into(PAGE, f"{markdown(rows)}\n\n{form} on {about['machine']}. {CACHED}")


def _arguments() -> Any:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="P6", help="only these rows")
    parser.add_argument("--short", action="store_true", help="few pairs and no large repository: under a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to FILE")
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    asked = parser.parse_args()
    asked.only = ["P1" if number == "P2" else number for number in asked.only]
    unknown = sorted(set(asked.only) - set(ALL))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(ALL)}")
    return asked


def _measure(only: list[str], short: bool) -> list[Row]:
    rows = []
    for number, benchmark in ALL.items():
        if not only or number in only:
            for row in benchmark(short):
                print(f"◎ {row.number} {row.what}: {row.ratio:.2f}", file=sys.stderr, flush=True)
                rows.append(row)
    return rows


def _enter(home: Path) -> None:
    """An environment that owes nothing to the machine, for us and all children."""
    wanted = kit.clean_environment(os.environ, home)
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)


def _about(short: bool, seconds: float) -> dict[str, Any]:
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    python = f"Python {platform.python_version()}"
    load = os.getloadavg()[2]  # of the last fifteen minutes, our own included
    version = git(Path.cwd(), "version").replace("version ", "")
    machine = f"{os.cpu_count()} cores with a load of {load:.1f}, {system}, {python}, {version}"
    return {"schema": 1, "short": short, "seconds": seconds, "machine": machine, "cached": CACHED}


if __name__ == "__main__":
    main()
