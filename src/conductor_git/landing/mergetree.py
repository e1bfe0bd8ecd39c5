"""The merge of an approved commit into a target, computed in memory: no checkout, no index, no hook, no driver."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from conductor_git.errors import Conflict, GitFailed, OwnFiles, UnsafePath
from conductor_git.gitcmd import Git, GitDone, failed
from conductor_git.ground.case import clashes, folds_case
from conductor_git.history import is_contained, tree_at
from conductor_git.landing.change import Change, changes, is_git_dir
from conductor_git.layout import OWN_FILES
from conductor_git.names import CommitId
from conductor_git.run import Strategy

_MARKERS: Final = tuple(
    re.compile(rb"^%s(?=[ \r\n]|\Z)" % kind, re.MULTILINE) for kind in (rb"<{7}", rb"\|{7}", rb"={7}", rb">{7}")
)
_MARKED: Final = "-G^(<{7}|>{7}|[|]{7})"
"""Every two kinds of marker have one of these among them."""
_UNRELATED: Final = "refusing to merge unrelated histories"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a landing asks for: `approved` onto `target`, as `message` (with its trailers), by `strategy`."""

    target: CommitId
    target_tree: str
    approved: CommitId
    strategy: Strategy
    message: str
    trailers: tuple[str, ...]
    signs: bool = False


@dataclass(frozen=True, slots=True)
class Merged:
    """A commit in the object store that no ref points at yet; `target` itself where it held everything already."""

    commit: CommitId
    changes: tuple[Change, ...]
    """What it brings to the target."""

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(change.path for change in self.changes)


def merge(git: Git, plan: Plan) -> Merged:
    """Make the commit that lands `plan`; `Conflict` names the paths, `OwnFiles` what must not land.

    Writes objects only, so a crash leaves nothing but unreferenced objects. Never picks a side: a conflict is an
    outcome, and a merge that would bring conflict markers is one as well.
    """
    commit = _rebased(git, plan) if plan.strategy is Strategy.REBASE else _joined(git, plan)
    if commit == plan.target:
        return Merged(commit, ())
    merged = Merged(commit, changes(git, plan.target, commit))
    _refuse_own_files(merged.changes)
    _refuse_git_dirs(merged.changes)
    _refuse_clashes(git, commit, merged.changes)
    _refuse_markers(git, plan.target, commit)
    return merged


def _joined(git: Git, plan: Plan) -> CommitId:
    tree = merged_tree(git, plan.target, plan.approved)
    squash = plan.strategy is Strategy.SQUASH
    if tree == plan.target_tree and (squash or is_contained(git, plan.approved, plan.target)):
        return plan.target
    parents = [plan.target] if squash else [plan.target, plan.approved]
    return commit_tree(git, tree, parents, f"{plan.message}\n\n{_block(plan.trailers)}", signs=plan.signs)


def _block(trailers: Sequence[str]) -> str:
    return "\n".join(trailers) + "\n"


def merged_tree(git: Git, ours: CommitId, theirs: CommitId) -> str:
    """The tree of a three-way merge, or `Conflict` with the paths."""
    done = git.run("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs, ok=(0, 1, 128))
    if done.code == 128:
        raise _unmergeable(git, done, ours, theirs)
    tree, *files = done.fields
    if done.code == 0:
        return tree
    # Where both sides cannot have the path, git calls what it moves aside `PATH~SIDE`.
    aside = re.compile(f"~({ours}|{theirs})(_[0-9]+)?")
    raise conflict(tuple(dict.fromkeys(aside.sub("", file) for file in files)))


def _unmergeable(git: Git, done: GitDone, ours: CommitId, theirs: CommitId) -> Conflict | GitFailed:
    # git's words are not translated here; asking for the merge base makes sure that they are about what they say.
    if _UNRELATED.encode() in done.err and git.run("merge-base", ours, theirs, ok=(0, 1)).code == 1:
        return Conflict(
            "the approved commit has no history in common with the target, so there is nothing to merge by",
            files=[],
            unrelated=True,
        )
    return failed(("merge-tree", "--write-tree", ours, theirs), done.code, done.err)


def conflict(files: tuple[str, ...], why: str = "conflicts with the target") -> Conflict:
    return Conflict(f"the approved commit {why} in {', '.join(files[:5]) or 'its paths'}", files=list(files))


def _rebased(git: Git, plan: Plan) -> CommitId:
    """The commits of the branch that the target lacks, one after the other on top of it, merges flattened.

    Each is merged as `merge-tree` of the new tip and the commit, with its parent as the base; git 2.38 has no
    `--merge-base`, so the base is given as the only shared ancestor of two throw-away commits.

    What the reviewers saw is what lands: where the commits by themselves come to something else (a merge of the branch
    held more than its two sides), it is a `Conflict`.
    """
    whole = merged_tree(git, plan.target, plan.approved)
    commits = git.run(
        "rev-list", "--reverse", "--topo-order", "--no-merges", "--cherry-pick", "--right-only",
        f"{plan.target}...{plan.approved}",
    ).lines  # fmt: skip
    # The trees first: which commit is the last, and carries all trailers, shows when the rest brings nothing.
    picked: list[tuple[CommitId, str]] = []
    tree = plan.target_tree
    for commit in map(CommitId, commits):
        before, tree = tree, _picked_tree(git, tree, commit)
        if tree != before:
            picked.append((commit, tree))
    if tree != whole:
        differing = git.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", tree, whole).fields
        raise conflict(tuple(differing), "cannot be replayed commit by commit with the same result")
    tip = plan.target
    for number, (commit, tree) in enumerate(picked, 1):
        trailers = plan.trailers if number == len(picked) else plan.trailers[:1]
        tip = _copied(git, commit, tree, tip, trailers, plan.signs)
    return tip


def _picked_tree(git: Git, tree: str, commit: CommitId) -> str:
    parent = CommitId(git.run("rev-parse", "--verify", f"{commit}^").text)
    base = commit_tree(git, tree_at(git, parent), [], "base")
    ours = commit_tree(git, tree, [base], "ours")
    theirs = commit_tree(git, tree_at(git, commit), [base], "theirs")
    return merged_tree(git, ours, theirs)


def commit_tree(
    git: Git,
    tree: str,
    parents: Sequence[str],
    message: str,
    *,
    signs: bool = False,
    extra: dict[str, str] | None = None,
) -> CommitId:
    """A new commit by the user's own identity, signed where `signs` says so."""
    flags = ["-S"] if signs else []
    flags += [part for parent in parents for part in ("-p", parent)]
    stdin = message.encode("utf-8", "surrogateescape")
    return CommitId(git.run("commit-tree", *flags, "-F", "-", tree, stdin=stdin, extra=extra).text)


def _copied(git: Git, commit: CommitId, tree: str, parent: CommitId, trailers: Sequence[str], signs: bool) -> CommitId:
    shown = git.run("show", "-s", "--no-show-signature", "--format=%an%x00%ae%x00%aI%x00%B", commit).text
    name, email, date, message = shown.split("\0", 3)
    author = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email, "GIT_AUTHOR_DATE": date}
    with_trailers = git.run(
        "interpret-trailers", "--no-divider", *[f"--trailer={trailer}" for trailer in trailers],
        stdin=f"{message.strip()}\n".encode("utf-8", "surrogateescape"),
    ).text  # fmt: skip
    return commit_tree(git, tree, [parent], f"{with_trailers}\n", signs=signs, extra=author)


def _refuse_own_files(listed: Sequence[Change]) -> None:
    # A file system that folds case would write them over ours. Who takes one away again is welcome.
    brought = [change.path for change in listed if not change.is_removal]
    own = [path for path in brought if path.rpartition("/")[2].casefold() in OWN_FILES]
    if own:
        raise OwnFiles(
            f"the landing would bring {', '.join(own)}, which belongs to conductor-git and not to the project",
            hint=f"git rm --cached {shlex.quote(own[0])}",
            files=own,
        )


def _refuse_git_dirs(listed: Sequence[Change]) -> None:
    """git refuses to write such a path only when it is checked out, and the target would have it by then."""
    paths = [change.path for change in listed if not change.is_removal and is_git_dir(change.path)]
    if paths:
        raise UnsafePath(
            f"the landing would bring {paths[0]!r}, which some file system takes for a git dir",
            hint="git ls-tree -r --name-only HEAD",
            files=paths,
        )


def _refuse_clashes(git: Git, commit: CommitId, listed: Sequence[Change]) -> None:
    """Where the file system folds case, a checkout would have one of two such files, and the other one's content."""
    brought = {change.path for change in listed if change.old_mode == "000000"}
    if not brought or git.git_dir is None or not folds_case(git.git_dir):
        return
    names = git.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit).fields
    mine = [
        group
        for group in clashes(names)
        if any(f"{path}/".startswith(f"{name}/") for path in brought for name in group)
    ]
    if mine:
        raise UnsafePath(
            f"the landing would bring paths that this file system cannot tell apart: {' and '.join(mine[0])}",
            hint=f"git mv {shlex.quote(mine[0][0])} {shlex.quote(f'{mine[0][0]}.renamed')}",
            files=sorted(brought),
            clashes=[list(group) for group in mine[:50]],
        )


def _refuse_markers(git: Git, target: CommitId, commit: CommitId) -> None:
    # -G names also what a change takes away, so the few files that it finds are counted.
    named = git.run(
        "diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", _MARKED,
        target, commit,
    ).fields  # fmt: skip
    files = [path for path in named if gains_markers(_content(git, target, path), _content(git, commit, path))]
    if files:
        raise conflict(tuple(files), "holds conflict markers")


def _content(git: Git, commit: CommitId, path: str) -> bytes:
    return git.run("cat-file", "blob", f"{commit}:{path}", ok=(0, 128)).out


def gains_markers(before: bytes, after: bytes) -> bool:
    """`after` has more conflict markers than `before`, and of two kinds at least.

    Two, because documents quote one alone, and the line between the sides is a heading in many. Whoever resolves a
    conflict by halves often leaves two. An indented one, as documents have them that quote a whole conflict, is none.
    """
    gained = [marker for marker in _MARKERS if len(marker.findall(after)) > len(marker.findall(before))]
    return len(gained) > 1
