"""The supervisor of a reviewer's task: as any other, and then the worktree that nobody needs any more goes.

Run as `python -m conductor_git.workflow.agent_review.attend COMMON_DIR REPOSITORY TASK`, in a session of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from conductor_git.errors import ConductorError
from conductor_git.names import parse_task_id
from conductor_git.project import project_at
from conductor_git.run import utcnow
from conductor_git.runner import supervise
from conductor_git.workflow.agent_review.reviewed import clear_away


def main(arguments: list[str]) -> int:
    code = supervise.main(arguments)
    common_dir, repository, task = arguments
    clear_away(project_at(Path(common_dir), Path(repository)), parse_task_id(task), at=utcnow())
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ConductorError as refused:
        sys.exit(f"{refused.code}: {refused.message}")
