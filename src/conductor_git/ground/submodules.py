"""The submodules of a new worktree: cloned from what the repository has of them, so that no network is needed.

git keeps the repositories of a worktree's submodules in the worktree's own git dir, so each worker has its own.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git import gitconfig
from conductor_git.errors import GitFailed, GitKilled
from conductor_git.gitcmd import Git

_GITLINK: Final = "160000"
_PATH: Final = re.compile(r"submodule\.(.+)\.path", re.DOTALL)
_SECONDS: Final = 3600.0


class Submodule(NamedTuple):
    """A submodule that the checkout has a commit of: its path in there, and its name in `.gitmodules`."""

    path: str
    name: str


def populate(inside: Git, known: Path, wanted: bool | None) -> None:
    """Check out the submodules of the new worktree that `inside` runs in, and theirs.

    `known` is the git dir whose `modules` are what the repository has. With `wanted` None those are taken and no
    others; with True the others are cloned from where the config or `.gitmodules` says; with False none. Nothing is
    written into the shared config. Of a module's own config the address is taken and nothing obeyed, and what
    `submodule.NAME.update` says is not done.
    """
    if not may_fetch(known, wanted):
        return
    for module in listed(inside):
        source = known / "modules" / module.name
        if (source / "HEAD").is_file() and not _is_partial(inside, source):
            _from_here(inside, module, source)
            populate(_in(inside, module), source, wanted)
        elif wanted:
            _from_afar(inside, module, _base(inside, known))
            populate(_in(inside, module), source, wanted)


def may_fetch(known: Path, wanted: bool | None) -> bool:
    """Whether `populate` may talk to a remote, which takes that every key of the config was agreed to."""
    return wanted is True or (wanted is None and (known / "modules").is_dir())


def listed(inside: Git) -> Iterator[Submodule]:
    """The submodules that the index has and `.gitmodules` names; those that a sparse checkout leaves out are not."""
    found = inside.run("config", "--file", ".gitmodules", "--list", "-z", ok=(0, 1, 128))
    names = {path: match[1] for key, path in gitconfig.parse_file(found.fields) if (match := _PATH.fullmatch(key))}
    for line in inside.run("ls-files", "-z", "-v", "--stage").fields:
        facts, _, path = line.partition("\t")
        tag, mode = facts.split(" ")[:2]
        if mode == _GITLINK and tag == "H" and _is_safe(names.get(path, "")):
            yield Submodule(path, names[path])


def _base(inside: Git, known: Path) -> str:
    """Where relative addresses start: at what this was cloned from, else here."""
    return inside.run("config", "--get", "remote.origin.url", ok=(0, 1)).text or str(known.parent)


def _in(inside: Git, module: Submodule) -> Git:
    return replace(inside, cwd=inside.cwd / module.path, git_dir=None, work_tree=None)


def _is_safe(name: str) -> bool:
    """git's own rule for names, which are also paths."""
    return bool(name) and not name.startswith("/") and ".." not in re.split(r"[/\\]", name)


def _is_partial(inside: Git, source: Path) -> bool:
    """A partial clone: to clone from it would make git fetch what it lacks, with the programs of its config."""
    pairs = gitconfig.parse_file(inside.run("config", "--file", str(source / "config"), "--list", "-z").fields)
    return any(gitconfig.is_partial(key) for key, _ in pairs)


def _from_here(inside: Git, module: Submodule, source: Path) -> None:
    """Clone from `source`; what it does not have, from where it comes from itself."""
    address = inside.run("config", "--file", str(source / "config"), "--get", "remote.origin.url", ok=(0, 1)).text
    local = {
        f"submodule.{module.name}.url": str(source),
        f"submodule.{module.name}.active": "true",
        "protocol.file.allow": "always",
    }
    first = _update(inside, local, module, protocols="file", ok=(0, 1, 128))
    if address:
        _in(inside, module).run("config", "remote.origin.url", address)
    if first:
        _update(inside, {f"submodule.{module.name}.active": "true"}, module)


def _from_afar(inside: Git, module: Submodule, base: str) -> None:
    key = f"submodule.{module.name}.url"
    said = inside.run("config", "--get", key, ok=(0, 1)).text
    said = said or inside.run("config", "--file", ".gitmodules", "--get", key, ok=(0, 1)).text
    _update(inside, {key: resolved(said, base), f"submodule.{module.name}.active": "true"}, module)


def resolved(address: str, base: str) -> str:
    """`address`, where it is relative to the repository at `base`, as git means it."""
    if not address.startswith(("./", "../")):
        return address
    base = base.rstrip("/")
    while True:
        if address.startswith("../"):
            address, cut = address[3:], max(base.rfind("/"), base.rfind(":"))
            base = base[: cut + 1].rstrip("/") if cut >= 0 and base[cut] == "/" else base[: max(cut, 0)] + ":"
        elif address.startswith("./"):
            address = address[2:]
        else:
            return base + address if base.endswith(":") else f"{base}/{address}"


def _update(
    inside: Git,
    settings: dict[str, str],
    module: Submodule,
    *options: str,
    protocols: str = "",
    ok: tuple[int, ...] = (0,),
) -> int:
    git = replace(inside, config={**inside.config, **settings}, transports=True)
    allowed = {"GIT_ALLOW_PROTOCOL": protocols} if protocols else {}
    words = ("submodule", "update", "--quiet", "--checkout", *options, "--", module.path)
    try:
        return git.run(*words, ok=ok, extra=allowed, seconds=_SECONDS).code
    except GitKilled:
        raise
    except GitFailed as failed:
        raise GitFailed(
            f"the submodule {module.path} could not be checked out: {failed.message}",
            hint=f"git submodule update --init -- {shlex.quote(module.path)}",
            submodule=module.path,
        ) from failed
