"""How a worker uses `conductor-git` in its worktree. Every command in here is run by a test as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from conductor_git.names import TaskId
from conductor_git.workflow.prompting.subtasks import how_to_share

if TYPE_CHECKING:
    from conductor_git.run import Run

_HOW: Final = """\
## How you work here

Your commands run in the worktree. Change and commit nothing outside of it, push nothing and land nothing: what you
hand in is reviewed and landed by others. `conductor-git` knows from this directory who you are. Read once more what
is asked of you, what reviewers said and what is new:

    conductor-git ctx

In a long piece of work, say what you are doing:

    conductor-git heartbeat --note 'the tests are running'

Tell the others what concerns them, and ask what you cannot decide; nobody may be there to answer at once:

    conductor-git bus post 'prices are in cents from now on'
    conductor-git bus post --type QUESTION 'which currency is meant?'
    conductor-git bus read --task {task} --tail 20

{share}

Commit all that belongs to the task, and hand it in. That ends your work; without it, another attempt follows:

    git add --all
    git commit -m 'Say what changed and why'
    conductor-git done -m 'what was done, and how it was checked'

Only where the task cannot be done:

    conductor-git fail -m 'what stands in the way'"""


def how_you_work(run: Run) -> str:
    return protocol(run.task_id, run.target)


def protocol(task_id: TaskId, target: str) -> str:
    """How the worker of `task_id` works, whose commit is to land on `target`."""
    return _HOW.format(task=task_id, share=how_to_share(task_id, target))
