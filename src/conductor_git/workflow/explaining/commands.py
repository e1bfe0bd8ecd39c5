"""The commands that move a task, with their arguments; each runs as it stands in the main checkout."""

from __future__ import annotations

from shlex import quote, split

from conductor_git.run import Run, Strategy


def only_looks(command: str) -> bool:
    """Whether `command`, one of those made here, changes nothing."""
    program, verb, *rest = split(command)
    return (program == "git" and rest[1:] == ["status"]) or verb in ("diff", "log", "show") or rest[:1] == ["read"]


def ours(verb: str, run: Run, *options: str) -> str:
    return " ".join(["conductor-git", verb, run.task_id, *options])


def answer(run: Run, msg_id: str) -> str:
    """What is typed after it, until ^D, is the answer."""
    return f"conductor-git bus post --task {run.task_id} --parent {msg_id}:answers -"


def git_in(place: str, *words: str) -> str:
    """`git *words` in the checkout `place`."""
    return " ".join(["git", "-C", quote(place), *map(quote, words)])


def start_over(run: Run, tip: str | None) -> str:
    """End the task and start it again, on its branch as it is and in a worktree that is made again where it is gone."""
    again = f"{ours('cancel', run)} && {ours('retry', run)}"
    return again if tip is not None else f"{branch_again(run)} && {again}"


def branch_again(run: Run) -> str:
    """Make the branch again at the last commit that is on record."""
    return f"git branch {quote(run.branch)} {run.head_commit or run.base_commit}"


def target_again(run: Run) -> str:
    return f"git branch {quote(run.target)} {run.base_commit}"


def save(run: Run) -> str:
    """Commit everything in the worktree: git merges and rebases only then."""
    return f"{git_in(run.worktree, 'add', '--all')} && {git_in(run.worktree, 'commit', '-m', 'Work in progress')}"


def join(run: Run, strategy: Strategy, *, is_unrelated: bool = False) -> tuple[str, ...]:
    """Bring the target into the branch, so that what conflicts is settled there; between the first and the second,
    somebody edits the files."""
    # A merge that the worker makes would be left out again when the commits are replayed.
    words = ["rebase" if strategy is Strategy.REBASE else "merge"]
    if is_unrelated:  # git merges nothing that has no commit in common
        words = ["rebase", "--root", "--onto"]
    return (git_in(run.worktree, *words, run.target), *conclude(run, words[0]), ours("done", run))


def conclude(run: Run, under_way: str) -> tuple[str, ...]:
    """End a merge or a rebase whose files are edited; look, where it is anything else that is under way."""
    if under_way.endswith("merge"):
        return (git_in(run.worktree, "commit", "--all", "--no-edit"),)
    if under_way.endswith("rebase"):
        going_on = git_in(run.worktree, "-c", "core.editor=true", "rebase", "--continue")
        return (git_in(run.worktree, "add", "--update"), going_on)
    return (git_in(run.worktree, "status"),)
