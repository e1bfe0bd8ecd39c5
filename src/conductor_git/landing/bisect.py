"""Which of several stacked landings turned the gates red, in as few runs of the gates as can be (no I/O)."""

from __future__ import annotations

from collections.abc import Callable


def greens(count: int, is_green: Callable[[int], bool]) -> int:
    """How many of `count` layers, from the bottom, can be published: `is_green(n)` was true of exactly so many.

    The whole stack is asked first, so `count` where nothing is red costs one run; one red layer costs at most
    1 + ⌈log2(count)⌉. Of layer `greens + 1` it is known that the stack is red with it and was green without it (with
    none below it: that it is red alone).
    """
    if is_green(count):
        return count
    green, red = 0, count
    while red - green > 1:
        middle = (green + red) // 2
        if is_green(middle):
            green = middle
        else:
            red = middle
    return green
