"""Pages from templates: what every page has, how what others wrote is escaped, and how a refusal looks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from conductor_git.errors import ConductorError
from conductor_git.names import readable, short
from conductor_git.run import State
from conductor_git.server.pages.session import visitor
from conductor_git.wording import age, counted

_WORDS: Final = {
    State.ASSIGNED: "assigned",
    State.WORKING: "working",
    State.IN_REVIEW: "in review",
    State.APPROVED: "approved",
    State.COMPLETED: "landed",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("conductor_git.server", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"short": short, "age": age, "clock": _clock, "word": word, "counted": counted, "css": _css}
    made.globals["now"] = lambda: datetime.now(UTC)
    return made


def word(state: State | str) -> str:
    """A state as people say it."""
    return _WORDS[State(state)]


def _css(state: str) -> str:
    return f"state-{state.lower()}"


def _clock(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


_PAGES: Final = _environment()


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The whole page, or the fragment, that `template` makes of `values`."""
    serving = request.app.state.serving
    text = _PAGES.get_template(template).render(
        project=serving.project.project_id,
        visitor=visitor(request),
        path=request.url.path,
        since=getattr(request.state, "since", ""),
        **values,
    )
    # A file name that is no text is told as such; nothing else in a page can be what UTF-8 cannot hold.
    return HTMLResponse(readable(text), status_code=status)


def see_other(location: str) -> RedirectResponse:
    """After a change: the page to look at, so that loading it again repeats nothing."""
    return RedirectResponse(location, status_code=303)


def problem_page(request: Request, status: int, refused: ConductorError) -> HTMLResponse:
    """A refusal as a page that people can read."""
    return page(request, "refused.html", status=status, refused=refused)
