"""Which of two workers' clashes are of their own making, and which came with what they started from (no I/O)."""

from __future__ import annotations

from collections.abc import Collection

from conductor_git.foresight.changed import Own
from conductor_git.foresight.merging import Clash, Clashes


def of_their_own(clashes: Clashes, first: Own, second: Own, between_bases: Collection[str]) -> Clashes:
    """`clashes` of two workers that started from different commits, without what neither of them can help.

    A merge of their heads also meets what the target brought since the older one started, which is that worker's
    collision with the target; and on different targets, the paths (`between_bases`) in which these conflict anyway.
    """
    return tuple(
        clash
        for clash in clashes
        if clash.path not in between_bases and _made(clash, clash.first, first) and _made(clash, clash.second, second)
    )


def _made(clash: Clash, stands: str, own: Own) -> bool:
    """What stands in `clash` on one side is the work of the worker whose changes are `own`."""
    if not own.paths.isdisjoint((clash.path, *clash.near)):
        return True
    if stands:
        return stands in own.new_objects  # under another name: renamed
    return not clash.base or clash.base in own.old_objects
