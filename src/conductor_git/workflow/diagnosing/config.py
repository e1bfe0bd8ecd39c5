"""The config, the shared git config, the hooks and the integration repository."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from shlex import quote

from conductor_git import configguard, integration
from conductor_git.errors import ConductorError
from conductor_git.integration import shared_config
from conductor_git.project import Project
from conductor_git.settings import project_config
from conductor_git.wording import listed
from conductor_git.workflow import hooks
from conductor_git.workflow.diagnosing.finding import Family, Finding, Ground, set_aside


def _find(ground: Ground) -> Iterator[Finding]:
    project = ground.project
    try:
        project_config(project)
    except ConductorError as bad:
        yield Finding("BAD_CONFIG", "config", bad.message, "conductor-git config check")
    yield from _executes(project)
    yield from _hooks(project)
    if why := _broken(project):
        path = project.layout.integration
        said = f"{path}, where merges are computed, {why}"
        yield Finding("INTEGRATION_BROKEN", str(path), said, f"ls -la {quote(str(path))}")


def _executes(project: Project) -> Iterator[Finding]:
    keys = configguard.changed_keys(project.layout, shared_config(project.git))
    if keys:
        said = f"{listed(keys)} of the git config can run a program, and changed since somebody agreed to it"
        command = f"git config --show-origin --get-all {quote(keys[0])}  # right? then: conductor-git config trust"
        yield Finding("CONFIG_EXECUTES", keys[0], said, command)


def _hooks(project: Project) -> Iterator[Finding]:
    found = hooks.status(project)
    for path in found.unresolved:
        said = f"core.hooksPath leads to {path}, which is not there"
        yield Finding("HOOKS_UNRESOLVED", str(path), said, "git config --show-origin --get-all core.hooksPath")
    if not found.is_absent and not found.is_whole:
        edited = [hook.name for hook in found.hooks if hook.standing is hooks.Standing.CHANGED]
        said = f"the hooks in {found.directory} are not as this version installs them"
        command = "conductor-git hooks status"
        stuck = bool(edited) or found.section is hooks.Standing.CHANGED
        yield Finding("HOOKS_CHANGED", str(found.directory), said, command, facts={"stuck": stuck})


def _broken(project: Project) -> str:
    """What is wrong with the integration repository; nothing where there is none yet."""
    path = project.layout.integration
    if not path.exists() and not path.is_symlink():
        return ""
    if not path.is_dir() or path.is_symlink():
        return "is no directory"
    if not (path / "HEAD").is_file():
        return ""  # it is made, or gone on with, by whoever needs it next
    try:
        borrowed = (path / "objects" / "info" / "alternates").read_text("utf-8", "surrogateescape").rstrip("\n")
    except OSError:
        borrowed = ""
    if Path(borrowed) != project.layout.common_dir / "objects":
        return f"borrows its objects from {borrowed or 'nowhere'}"
    git = integration.opened(project.layout, project.git)
    return "is no repository that git can read" if git.run("rev-parse", "--git-dir", ok=(0, 128)).code else ""


def _restore_integration(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    """Write its files anew; what git cannot read even so is set aside. It holds nothing that is not made again."""
    if not _broken(project):
        return ""
    path = project.layout.integration
    if path.is_dir() and not path.is_symlink():
        integration.opened(project.layout, project.git, shared_config(project.git))
    aside = f", the old one is {set_aside(project.layout, path, 'doctor')}" if _broken(project) else ""
    integration.opened(project.layout, project.git, shared_config(project.git))
    return f"wrote {path} anew{aside}"


def _install_hooks(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    return "brought the hooks up to date" if hooks.install(project) else ""


CONFIG = Family(_find, {"INTEGRATION_BROKEN": _restore_integration, "HOOKS_CHANGED": _install_hooks})
