"""The codes of all findings, in the order in which they are told and mended (no I/O). docs/doctor.md has each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Code(NamedTuple):
    """`stake`: what may go wrong while it stays. `is_note`: nothing is wrong, and a person may want to know."""

    stake: str
    is_mendable: bool = False
    is_note: bool = False


CODES: Final[Mapping[str, Code]] = {
    # the machine
    "GIT_TOO_OLD": Code("landings cannot be computed"),
    "READ_ONLY": Code("nothing can be recorded, and nothing found here can be mended"),
    "NO_FLOCK": Code("two commands can change one record at once, and one of the changes is lost"),
    "NETWORK_FILE_SYSTEM": Code("locks may not reach other machines; several machines need team mode", is_note=True),
    "LOW_SPACE": Code("commits, records and messages are refused once the disk is full"),
    # the bus
    "BUS_UNREADABLE": Code("nobody can read or post a message", is_mendable=True),
    "BUS_HALTED": Code("nothing can be posted, so no task can move", is_mendable=True),
    "BUS_TORN": Code("nothing; the next message moves it to the quarantine", is_mendable=True),
    "BUS_DAMAGED": Code("messages there may be lost; what comes after them is read", is_mendable=True),
    "CLOCK_BEHIND": Code("ages are wrong, and so is how alive a worker seems"),
    # the repository's place
    "COPIED": Code("commands here would speak for workers of another repository"),
    "MOVED": Code("git and the task do not find its worktree", is_mendable=True),
    "INTEGRATION_BROKEN": Code("nothing can be compared or landed", is_mendable=True),
    # records
    "INTERRUPTED": Code("the task is in the middle of something that nobody goes on with", is_mendable=True),
    "BAD_RECORD": Code("no command can act on the task", is_mendable=True),
    "TASK_WITHOUT_RECORD": Code("nobody sees the task", is_mendable=True),
    "WORKTREE_WITHOUT_RECORD": Code("work in it belongs to no task that anybody sees", is_mendable=True),
    "RECORD_CONTRADICTS": Code("the task stands in a state that it never came to", is_mendable=True),
    "RECORD_BEHIND": Code("the task stands where it stood before, and steps would be taken again", is_mendable=True),
    "STATE_UNTOLD": Code("whoever follows the bus does not learn where the task stands", is_mendable=True),
    "REVIEW_UNREADABLE": Code("the task can be neither reviewed nor landed", is_mendable=True),
    "APPROVAL_MISSING": Code("it counts as approved, and every landing refuses it", is_mendable=True),
    # branches and worktrees
    "BRANCH_GONE": Code("what the branch alone held is in a log at most, which git forgets", is_mendable=True),
    "TARGET_GONE": Code("the task cannot land"),
    "WORKTREE_GONE": Code("the worker has nowhere to work", is_mendable=True),
    "REGISTRATION_GONE": Code("git does not know the worktree, and no command works in it", is_mendable=True),
    "GIT_FILE_CHANGED": Code("git commands in the worktree work on something else", is_mendable=True),
    "CONTEXT_BAD": Code("the worker does not find out who it is", is_mendable=True),
    "REGISTRATION_LEFT": Code("nothing; `git worktree list` shows what is not there", is_mendable=True),
    "ORPHAN_FOLDER": Code("space; what is in it may be held by nothing else", is_note=True),
    "BRANCH_WITHOUT_RECORD": Code("a spawn of that name is refused", is_note=True),
    "STALE_BASE": Code("the work is done on old code, and a conflict gets likelier", is_note=True),
    "SALVAGE_UNREADABLE": Code("what was kept there cannot be brought back"),
    # processes and locks
    "AGENT_GONE": Code("nobody works on the task, and it looks as if somebody did", is_mendable=True),
    "PROCESS_LEFT": Code("it goes on writing, and holds ports and memory", is_mendable=True),
    "LEASE_LEFT": Code("others cannot have its ports, and its files take space", is_mendable=True),
    "POOL_LEFT": Code("space; the next refill clears it away", is_mendable=True),
    "LOCK_HELD": Code("other commands wait for it", is_note=True),
    "GIT_LOCK_LEFT": Code("git refuses to change what the lock guards"),
    # settings
    "BAD_CONFIG": Code("no task can be spawned or landed"),
    "CONFIG_EXECUTES": Code("git would run what nobody agreed to, so landings and spawns refuse"),
    "HOOKS_UNRESOLVED": Code("git runs none of the project's hooks"),
    "HOOKS_CHANGED": Code("work by hand in a worker's worktree has no fence, or an old one", is_mendable=True),
    # in the worktrees
    "EDITABLE_ELSEWHERE": Code("tests in the worktree test another checkout's code"),
    "STASHED": Code("every worktree shares the stash, so another worker can pop it", is_note=True),
}
