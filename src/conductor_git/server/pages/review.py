"""The review page: what a task changes, what was said of it, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from conductor_git.errors import BadInput, ConductorError
from conductor_git.history import tip_of
from conductor_git.names import CommitId, TaskId, parse_task_id
from conductor_git.review import LineComment, Side, parse_reviewer
from conductor_git.run import Run, State
from conductor_git.server.access.gate import who
from conductor_git.server.access.role import Who
from conductor_git.server.pages.forms import Form, Sent
from conductor_git.server.pages.reading import Reading, opened, reading, reviewed_before
from conductor_git.server.pages.rendering import page, see_other
from conductor_git.server.pages.reviewer import reviewers
from conductor_git.server.pages.session import Looking, Reviewing
from conductor_git.server.pages.session import visitor as visitor_of
from conductor_git.server.problem import status_of
from conductor_git.server.serving import Serving, serving
from conductor_git.workflow.review import Give, approve, request_changes

router = APIRouter(include_in_schema=False, dependencies=[Looking])

Server = Annotated[Serving, Depends(serving)]
Visitor = Annotated[Who, Depends(who)]


@dataclass(frozen=True, slots=True)
class Draft:
    """A comment that is being written; `place` is SIDE:LINE:PATH."""

    side: str
    line: int
    path: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.side}:{self.line}:{self.path}"


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody has written into the page and not sent, or what was refused."""

    body: str = ""
    drafts: tuple[Draft, ...] = ()
    refused: ConductorError | None = None

    def beside(self, shown: Reading) -> Sequence[Draft]:
        """Those on lines that are not `shown`: folded ones, or such as are gone."""
        return [draft for draft in self.drafts if not shown.shows(draft.path, draft.side, draft.line)]

    def at(self, path: str, side: str, number: int) -> Sequence[Draft]:
        return [draft for draft in self.drafts if (draft.path, draft.side, draft.line) == (path, side, number)]


@router.get("/tasks/{task_id}/review")
def show(
    request: Request,
    task_id: str,
    server: Server,
    view: str = "unified",
    whole: int | None = None,
) -> Response:
    return _page(request, server, parse_task_id(task_id), Written(), view=view, whole=whole)


def _page(
    request: Request,
    server: Serving,
    task_id: TaskId,
    written: Written,
    *,
    view: str = "unified",
    whole: int | None = None,
    status: int = 200,
) -> Response:
    run = server.project.runs.get(task_id)
    before = _reviewed_before(request, server, run)
    since = before if view == "since" else None
    return page(
        request,
        "review.html",
        status=status,
        run=run,
        is_open=_is_open(run),
        tip=tip_of(server.project.git, run.branch_ref),
        reading=reading(server.project, task_id, whole=whole, since=since),
        written=written,
        before=before,
        reviewers=reviewers(server.project, run) if run.state is State.IN_REVIEW else (),
        view="since" if since else "split" if view == "split" else "unified",
    )


def _reviewed_before(request: Request, server: Serving, run: Run) -> CommitId | None:
    """What whoever asks has reviewed of it last, where something came since."""
    asking = visitor_of(request)
    if asking is None or not asking.may_review or not _is_open(run):
        return None
    return reviewed_before(server.project, run, asking.name)


@router.get("/tasks/{task_id}/review/standing")
def standing(request: Request, task_id: str, read: str, server: Server) -> Response:
    """Whether what somebody reads is still what is in review; asked for whenever something happened to the task."""
    run = server.project.runs.get(parse_task_id(task_id))
    tip = tip_of(server.project.git, run.branch_ref)
    return page(request, "standing.html", run=run, read=read, is_open=_is_open(run), tip=tip)


def _is_open(run: Run) -> bool:
    """Whether a verdict on it can be given."""
    return run.state in (State.IN_REVIEW, State.APPROVED) and run.review_of is None


@router.get("/tasks/{task_id}/review/lines")
def lines(  # noqa: PLR0913, PLR0917 - one parameter a fact of the gap
    request: Request,
    task_id: str,
    server: Server,
    head: str,
    path: str,
    old: Annotated[int, Query(ge=1)],
    new: Annotated[int, Query(ge=1)],
    count: Annotated[int, Query(ge=1)],
    view: str = "unified",
) -> Response:
    """Folded lines of a file, as rows of its table."""
    run = server.project.runs.get(parse_task_id(task_id))
    found = opened(server.project, run.task_id, head, path, (old, new, count))
    return page(request, "lines.html", lines=found, view=view, file_path=path, is_open=_is_open(run))


@router.post("/tasks/{task_id}/review", dependencies=[Reviewing])
def decide(request: Request, task_id: str, server: Server, visitor: Visitor, form: Sent) -> Response:
    """The verdict; or, where a line was chosen, the page again with room to write about it."""
    wanted = parse_task_id(task_id)
    written = Written(form.one("body"), _drafts(form))
    if form.one("add"):
        return _page(request, server, wanted, written, view=form.one("view"))
    try:
        run = _judged(_give(form.one("verdict")), server, wanted, visitor, form)
    except ConductorError as refused:
        again = Written(written.body, written.drafts, refused)
        return _page(request, server, wanted, again, view=form.one("view"), status=status_of(refused))
    return see_other(f"/tasks/{run.task_id}")


def _drafts(form: Form) -> tuple[Draft, ...]:
    places, texts = form.all("at"), form.all("text")
    chosen = form.one("add")
    drafts = [_draft(place, text) for place, text in zip(places, texts, strict=False) if text.strip()]
    return (*drafts, _draft(chosen, "")) if chosen else tuple(drafts)


def _draft(place: str, text: str) -> Draft:
    side, _, rest = place.partition(":")
    line, _, path = rest.partition(":")
    if side not in ("old", "new") or not line.isdecimal() or len(line) > 9 or not path or "\n" in path:
        raise BadInput(f"{place[:200]!r} is no line of a file", hint="load the page again")
    return Draft(side, int(line), path, text)


def _give(verdict: str) -> Give:
    ways: dict[str, Give] = {"approve": approve, "request_changes": request_changes}
    if verdict not in ways:
        raise BadInput(f"{verdict[:40]!r} is no verdict", hint="approve, or request changes")
    return ways[verdict]


def _judged(give: Give, server: Serving, task_id: TaskId, visitor: Who, form: Form) -> Run:
    return give(
        server.project,
        task_id,
        by=visitor.actor._replace(name=parse_reviewer(visitor.name)),
        at=server.clock(),
        commit=form.one("commit"),
        body=form.one("body"),
        comments=_comments(form),
    )


def _comments(form: Form) -> tuple[LineComment, ...]:
    return tuple(LineComment(draft.path, draft.line, draft.text.strip(), Side(draft.side)) for draft in _drafts(form))
