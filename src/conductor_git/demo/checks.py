"""Was everything as it was told? Each check looks for itself, most of them with tools other than conductor-git."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conductor_git import process
from conductor_git.demo import scratch as scratches
from conductor_git.demo import story
from conductor_git.demo.play import Play
from conductor_git.run import Outcome, State


@dataclass(frozen=True, slots=True)
class Check:
    """What was told, and what speaks against it; nothing does where it is so."""

    claim: str
    against: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.against


def checks(play: Play, before: Mapping[str, str]) -> Iterator[Check]:
    """Look at everything the play has told; `before` is `fingerprints` of the checkout before it began."""
    for claim, look in _CLAIMS.items():
        try:
            yield Check(claim, tuple(look(play, before)))
        except Exception as trouble:  # noqa: BLE001 - what keeps a check from looking speaks against its claim
            yield Check(claim, (f"{type(trouble).__name__}: {trouble}",))


def _all_landed(play: Play, _: Mapping[str, str]) -> Iterator[str]:
    landed = [commit.trailers.get("Task-Id") for commit in scratches.history(play.scratch)]
    if landed != [[task_id] for task_id in story.LANDING_ORDER]:
        yield f"main has {landed}"
    yield from (f"{run.task_id} is {run.state}" for run in play.runs() if run.state is not State.COMPLETED)


def _approved_commits(play: Play, _: Mapping[str, str]) -> Iterator[str]:
    approved = {str(run.task_id): run.approved_commit for run in play.runs()}
    for commit in scratches.history(play.scratch):
        task_id = commit.trailers.get("Task-Id", [""])[0]
        wanted = approved.get(task_id)
        if commit.parents[1:] != (wanted,) or commit.trailers.get("Approved-Commit") != [wanted]:
            yield f"{commit.subject}: its second parent is not what was approved"
        if commit.trailers.get("Reviewed-by") != [story.PERSON]:
            yield f"{commit.subject}: reviewed by {commit.trailers.get('Reviewed-by')}"
        if commit.trailers.get("Gate") != [f"{story.GATE} passed"]:
            yield f"{commit.subject}: gates {commit.trailers.get('Gate')}"


def _both_sides(play: Play, _: Mapping[str, str]) -> Iterator[str]:
    for part in story.PARTS:
        text = (play.scratch.repository / part.path).read_text("utf-8")
        expected = part.text
        for wrong, right in (part.wrong.right if part.wrong else {}).items():
            expected = expected.replace(wrong, right)
        if expected not in text:
            yield f"{part.path} does not hold what {part.task_id} wrote"
        if any(line.startswith(("<<<<<<<", ">>>>>>>")) for line in text.splitlines()):
            yield f"{part.path} has conflict markers"


def _told_once(play: Play, _: Mapping[str, str]) -> Iterator[str]:
    messages = [*play.project.bus.read()]
    sent_back = [m.task_id for m in messages if m.type == "REVIEW" and m.meta.get("verdict") == "request_changes"]
    bounced = [(m.task_id, m.meta.get("outcome")) for m in messages if m.type == "BOUNCED"]
    if sent_back != [story.REJECTED]:
        yield f"sent back: {sent_back}"
    if bounced != [(story.BOUNCES, str(Outcome.CONFLICT))]:
        yield f"bounced: {bounced}"
    yield from (f"{m.type} of {m.task_id}: {m.body}" for m in messages if m.type in ("ERROR", "RUN_CRASH"))


def _checkout(play: Play, before: Mapping[str, str]) -> Iterator[str]:
    """Every file is what it was, or what main has since a landing; the person's own are what they were."""
    repository = play.scratch.repository
    now, main = scratches.fingerprints(repository), scratches.blobs(play.scratch)
    landed = {part.path for part in story.PARTS}
    own = {story.UNFINISHED[0], story.NOTE[0]}
    for path in sorted(now.keys() | before.keys()):
        expected = main.get(path) if path in landed else before.get(path)
        if now.get(path) != expected or (path in own and now.get(path) != before.get(path)):
            yield f"{path} is not as it should be"
    if (repository / ".git" / "HEAD").read_text("utf-8") != "ref: refs/heads/main\n":
        yield "HEAD is not on main"
    expected_moves = tuple(f"conductor-git: land {task_id}" for task_id in story.LANDING_ORDER)
    if (moves := scratches.moves_of_head(play.scratch)[1:]) != expected_moves:
        yield f"HEAD moved otherwise: {moves}"


def _leftovers(play: Play, _: Mapping[str, str]) -> Iterator[str]:
    git_dir = play.scratch.repository / ".git"
    yield from (f"the branch {name}" for name in scratches.branches(play.scratch) if name != "main")
    for directory in (play.scratch.worktrees, git_dir / "worktrees", play.project.layout.journal):
        yield from (str(path) for path in _entries(directory))
    names = ("index.lock", "HEAD.lock", "MERGE_HEAD", "ORIG_HEAD", "AUTO_MERGE")
    yield from (name for name in names if (git_dir / name).exists())
    yield from (str(path) for path in (git_dir / "refs").rglob("*.lock"))


def _entries(directory: Path) -> Iterator[Path]:
    if directory.is_dir():
        yield from directory.iterdir()


def _processes(play: Play, _: Mapping[str, str]) -> Iterator[str]:
    for run in play.runs():
        for attempt in run.attempts:
            if attempt.exit_code != 0:
                yield f"the agent of {run.task_id} ended with {attempt.exit_code}"
            yield from (f"process {left.pid} of {run.task_id} lives" for left in process.stragglers(attempt.run_id))


def _fsck(play: Play, _: Mapping[str, str]) -> Iterator[str]:
    yield from scratches.complaints_of_fsck(play.scratch)


def _bus(play: Play, _: Mapping[str, str]) -> Iterator[str]:
    """The bus is sound, and its STATE messages are the histories of the records."""
    answer = play.ask("bus", "verify")
    if "error" in answer:
        yield str(answer["error"]["message"])
    for run in play.runs():
        told = [m.meta.get("to") for m in play.project.bus.read(types=("STATE",), task_id=run.task_id)]
        if told != [str(step.state) for step in run.history]:
            yield f"{run.task_id}: the bus says {told}"


_CLAIMS: Final[Mapping[str, Callable[[Play, Mapping[str, str]], Iterator[str]]]] = {
    "all four have landed, each once": _all_landed,
    "what landed is exactly what was approved and gated": _approved_commits,
    "one was sent back and one bounced; nothing else went wrong": _told_once,
    "no side of the conflict was lost": _both_sides,
    "your checkout was fast-forwarded, your own edits are untouched": _checkout,
    "no worktree, branch, lock or half-done merge is left": _leftovers,
    "every agent ended by itself": _processes,
    "git fsck finds nothing": _fsck,
    "the bus is whole and agrees with the records": _bus,
}
