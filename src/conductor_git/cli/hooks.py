"""hooks install, uninstall, status: the fence for people who work in a worker's worktree by hand."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from conductor_git.cli.agent import placing
from conductor_git.cli.here import here, onlooker
from conductor_git.cli.options import Json
from conductor_git.cli.output import answer, columns, document, narrate, say
from conductor_git.wording import counted

if TYPE_CHECKING:
    from conductor_git.workflow.hooks import Status

app = typer.Typer(no_args_is_help=True, help="Git hooks for work by hand in a worker's worktree.")


_Agents = Annotated[
    bool, typer.Option("--agents", help="Instead, the hooks of Claude Code, Codex and Gemini CLI themselves.")
]


@app.command(epilog="Example: conductor-git hooks install")
def install(agents: _Agents = False, as_json: Json = False) -> None:
    """Put the fence around work by hand in workers' worktrees; the project's own hooks still run."""
    from conductor_git.workflow import hooks

    project = here().project
    if agents:
        placing.install(project, as_json=as_json)
        return
    changed = hooks.install(project)
    found = hooks.status(project)
    if as_json:
        document(changed=changed, **_document(found))
        return
    answer(str(found.directory))
    narrate("✓" if changed else "○", "hooks are in force in every worker's worktree, and in no other checkout")
    narrate("○", f"hooks in {found.project_hooks} run after ours")
    _warn(found)


@app.command(epilog="Example: conductor-git hooks uninstall")
def uninstall(agents: _Agents = False, as_json: Json = False) -> None:
    """Take the hooks out again; the git config is as it would be without them."""
    from conductor_git.workflow import hooks

    project = here().project
    if agents:
        placing.uninstall(project, as_json=as_json)
        return
    changed = hooks.uninstall(project)
    if as_json:
        document(changed=changed, **_document(hooks.status(project)))
        return
    answer("uninstalled" if changed else "nothing was installed")
    narrate("✓" if changed else "○", "the hooks are taken out" if changed else "there were no hooks to take out")
    narrate("○", "agents that conductor-git starts keep their fence: they have it from their environment")


@app.command(epilog="Example: conductor-git hooks status")
def status(agents: _Agents = False, as_json: Json = False) -> None:
    """Show each hook: whether it is in place, and which of the project's hooks runs after it."""
    from conductor_git.workflow import hooks

    if agents:
        placing.status(onlooker().project, as_json=as_json)
        return
    found = hooks.status(onlooker().project)
    if as_json:
        document(**_document(found))
        return
    if found.is_absent:
        say("no hooks are installed")
        narrate("↳", "conductor-git hooks install")
    else:
        rows = [(hook.name, str(hook.standing), hook.chained or "") for hook in found.hooks]
        say(columns(("FILE", "STANDING", "RUNS THEN"), [*rows, ("git config", str(found.section), "")]))
    _warn(found)


def _warn(found: Status) -> None:
    """What keeps hooks from running, ours or the project's."""
    for path in found.unresolved:
        narrate("▲", f"core.hooksPath leads to {path}, which is not there: git runs none of the project's hooks")
    for path in found.hidden:
        narrate("▲", f"another core.hooksPath wins in {path}, and ours do not run there")
        narrate("↳", f"git -C {quote(str(path))} config --show-origin --get-all core.hooksPath")
    if not found.is_absent and not found.is_whole:
        wrong = [hook for hook in found.hooks if hook.standing != "installed"]
        files = counted(len(wrong), "file") if wrong else "the git config"
        narrate("▲", f"{files} not as this version installs it")
        narrate("↳", "conductor-git hooks install")


def _document(found: Status) -> dict[str, Any]:
    return {
        "installed": found.is_whole,
        "directory": str(found.directory),
        "config": str(found.section),
        "hooks": [{"name": hook.name, "standing": str(hook.standing), "chained": hook.chained} for hook in found.hooks],
        "project_hooks": str(found.project_hooks),
        "unresolved": list(map(str, found.unresolved)),
        "hidden": list(map(str, found.hidden)),
    }
