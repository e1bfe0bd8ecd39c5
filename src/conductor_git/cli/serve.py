"""serve: the API, the live streams and the page; and the tokens that let people and scripts in."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from conductor_git.cli import sigterm
from conductor_git.cli.here import Here, here, picker, reviewer
from conductor_git.cli.options import Json
from conductor_git.cli.output import columns, document, narrate, say
from conductor_git.errors import ExtraMissing
from conductor_git.run import utcnow
from conductor_git.server.refusals import Forbidden
from conductor_git.settings import settle_bus

if TYPE_CHECKING:
    from conductor_git.server.access.tokens import Token
    from conductor_git.server.running import Opened

app = typer.Typer(invoke_without_command=True)
token_app = typer.Typer(no_args_is_help=True, help="Tokens that let scripts, other people and workers in.")
app.add_typer(token_app, name="token")

NEEDED: Final = ("fastapi", "uvicorn", "jinja2", "pygments", "prometheus_client")
_ROLES: Final = "viewer, worker, reviewer or admin"


@app.callback(epilog="Example: conductor-git serve --port 8484 --open")
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(metavar="HOST", help="Listen on this address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="The port; 0 takes a free one.")] = 8484,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
    as_json: Json = False,
) -> None:
    """Serve the page, REST and live streams of this project until ^C; prints the link that lets your browser in."""
    if context.invoked_subcommand is not None:
        return
    _require_extra()
    place = _outside()
    from conductor_git.server import running

    settle_bus(place.project)
    with running.opened(place.project, host, port, name=reviewer(place, None).name, clock=utcnow) as server:
        _tell(server, as_json=as_json)
        if open_page:
            typer.launch(server.link)
        code = _run(server)
    raise typer.Exit(code)


@token_app.command("add", epilog="Example: conductor-git serve token add ada --role reviewer")
def add(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Who it is for; by default, you.")] = None,
    role: Annotated[str, typer.Option(metavar="ROLE", help=f"What it may do: {_ROLES}.")] = "viewer",
    task: Annotated[str | None, typer.Option(metavar="TASK", help="Of a worker, its task.")] = None,
    as_json: Json = False,
) -> None:
    """Make a token and print it, once: only its hash is kept. Running servers know it at once."""
    from conductor_git.server.access.issuing import issue

    place = _outside()
    by = reviewer(place, None).name
    settle_bus(place.project)
    made, text = issue(place.project, name, _role(role), task=task, by=by, at=utcnow())
    if as_json:
        document(token=_document(made), secret=text)
        return
    say(text)
    narrate("✓", f"token {made.who.token_id} of {made.who.name} has the role {made.who.role}")
    narrate("○", "it is not shown again; send it as Authorization: Bearer TOKEN")


@token_app.command("list", epilog="Example: conductor-git serve token list")
def list_tokens(as_json: Json = False) -> None:
    """Show the tokens that are good, without what is secret of them."""
    from conductor_git.server.access.tokens import Tokens

    kept = Tokens(here().project.layout).all()
    if as_json:
        document(tokens=[_document(token) for token in kept])
        return
    if not kept:
        say("no tokens")
        return
    say(columns(("ID", "NAME", "ROLE", "MADE", "FOR"), [_row(token) for token in kept]))


@token_app.command("revoke", epilog="Example: conductor-git serve token revoke 1a2b3c4d")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, as the list shows it.")], as_json: Json = False
) -> None:
    """Take a token back: it is refused from now on, and browsers that logged in with it are out."""
    from conductor_git.server.access.issuing import withdraw

    place = _outside()
    taken = withdraw(place.project, token_id, by=reviewer(place, None).name)
    if as_json:
        document(token=_document(taken))
        return
    say(taken.who.token_id)
    narrate("✓", f"token {taken.who.token_id} of {taken.who.name} is good for nothing now")


def _outside() -> Here:
    """The project, for a person: a worker that hands out tokens could approve its own work."""
    place = here()
    if speaker := picker(place).speaker:
        raise Forbidden(f"the worker of {speaker} starts no server and makes no tokens", hint="conductor-git show")
    return place


def _require_extra() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ExtraMissing(
            f"serve needs packages that are not installed: {', '.join(missing)}",
            hint="pip install 'conductor-git[serve]'",
            extra="serve",
            missing=missing,
        )


def _tell(server: Opened, *, as_json: bool) -> None:
    from conductor_git.server.access.hosts import is_loopback

    host = server.listening.getsockname()[0]
    if as_json:
        document(
            serve={"url": server.url, "link": server.link, "host": host, "port": server.listening.getsockname()[1]}
        )
    else:
        say(server.link)
        narrate("◎", f"serving {server.serving.project.repository} on {server.url}; ^C ends it")
        narrate("○", "the link lets one browser in, once, within the hour")
    if not is_loopback(host):
        narrate("▲", "other machines reach it over plain HTTP, and so does whoever listens on the way")
        narrate("↳", "ssh -L 8484:localhost:8484 HOST, or a proxy that speaks HTTPS")
    sys.stdout.flush()


def _run(server: Opened) -> int:
    """Answer until a signal; returns its exit code. Other commands end in the midst of what they do at SIGTERM, this
    one when what it does is done."""
    from conductor_git.server import running

    sigterm.obey()
    try:
        running.run(server, _log, lambda: narrate("○", "ending when what is under way is done; ^C again ends at once"))
    except KeyboardInterrupt:
        return 130
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _role(text: str) -> Any:
    from conductor_git.server.access.role import Role

    if text not in set(Role):
        raise typer.BadParameter(f"{text!r} is no role: {_ROLES}")
    return Role(text)


def _document(token: Token) -> dict[str, Any]:
    who = token.who
    return {
        "token_id": who.token_id,
        "name": who.name,
        "role": who.role,
        "task_id": who.task_id,
        "made_at": token.made_at.isoformat(),
        "server_pid": token.server.pid if token.server else None,
    }


def _row(token: Token) -> tuple[str, ...]:
    who = token.who
    whose = f"the link of server {token.server.pid}" if token.server else who.task_id or ""
    return who.token_id, who.name, who.role, f"{token.made_at:%Y-%m-%d %H:%M}", whose
