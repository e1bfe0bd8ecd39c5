"""The table of ratios, for people and for docs/performance.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.pairs import Row

HEADER: Final = ("#", "what", "yardstick", "ours", "ratio", "goal", "reached", "note")
_BETWEEN: Final = re.compile(r"(<!-- benchmarks: begin -->\n).*?(<!-- benchmarks: end -->)", re.DOTALL)


def cells(row: Row) -> tuple[str, ...]:
    reached = {True: "yes", False: "no", None: ""}[row.is_reached]
    return (
        row.number,
        row.what,
        _shown(row, row.yardstick),
        _shown(row, row.ours),
        _ratio(row),
        _goal(row),
        row.failure.upper() or reached,
        row.note,
    )


def _ratio(row: Row) -> str:
    return f"{row.ratio:.2f}" if row.ratio < 10 else f"{row.ratio:.1f}"


def _goal(row: Row) -> str:
    """The ratio that is aimed at, the time, or both."""
    sign = "≥" if row.work is not None else "≤"
    ratio = [] if row.goal is None else [f"{sign} {row.goal:g}"]
    limit = [] if row.limit_seconds is None else [f"≤ {row.limit_seconds * 1000:g} ms"]
    more = [] if row.more_seconds is None else [f"≤ {row.more_seconds * 1000:g} ms more"]
    return " and ".join(ratio + limit + more)


def _shown(row: Row, values: Sequence[float]) -> str:
    middle = median(values)
    if row.in_bytes:
        return f"{middle / 1e6:.1f} MB"
    if row.work is not None:
        return f"{row.work / middle:,.0f}/s"
    if middle < 0.001:
        return f"{middle * 1_000_000:.1f} µs"
    return f"{middle * 1000:.1f} ms" if middle < 1 else f"{middle:.2f} s"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def markdown(rows: Sequence[Row]) -> str:
    lines = [f"| {' | '.join(line)} |" for line in (HEADER, ["---"] * len(HEADER), *map(cells, rows))]
    return "\n".join(lines)


def write_into(page: Path, text: str) -> None:
    """Put `text` between the markers of a page, in place of what stands there."""
    before = page.read_text("utf-8")
    after, count = _BETWEEN.subn(lambda found: f"{found[1]}{text}\n{found[2]}", before)
    if count != 1:
        raise RuntimeError(f"{page} has no place for the table")
    page.write_text(after, "utf-8")
