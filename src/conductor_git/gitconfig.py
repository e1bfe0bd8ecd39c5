"""The shared git config seen as data: which keys can run a program, which are safe to take over (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

Pairs = tuple[tuple[str, str], ...]

_EXECUTABLE: Final = re.compile(
    r"core\.(fsmonitor|hookspath|sshcommand|pager|editor|gitproxy|askpass|alternaterefscommand|worktree|attributesfile)"
    r"|filter\..*\.(clean|smudge|process)"
    r"|diff\.(external|.*\.(command|textconv))"
    r"|merge\..*\.driver|(merge|diff)tool\..*|gpg\.(.*\.)?(program|defaultkeycommand)"
    r"|credential\.(.*\.)?helper|alias\..*|url\..*\.(push)?insteadof"
    r"|remote\..*\.(uploadpack|receivepack|vcs|url|pushurl|proxy)|submodule\..*\.update|protocol\..*"
    r"|include\.path|includeif\..*|sequence\.editor|interactive\.difffilter|uploadpack\.packobjectshook"
    r"|trailer\..*\.(cmd|command)|tar\..*\.command|(browser|man|web|instaweb|sendemail|pager)\..*|ssh\.variant"
    r"|remote\..*\.(promisor|partialclonefilter)|extensions\.partialclone|hook\..*|gc\.recentobjectshook"
    r"|lfs\.(customtransfer|extension)\..*|lfs\.(.*\.)?standalonetransferagent",
    re.IGNORECASE,
)
_FILTER: Final = re.compile(r"filter\..*", re.IGNORECASE)
_PARTIAL: Final = re.compile(r"remote\..*\.promisor|extensions\.partialclone", re.IGNORECASE)
_TRANSPORT: Final = re.compile(
    r"core\.(sshcommand|gitproxy|askpass)|credential\..*|url\..*|remote\..*|protocol\..*|ssh\..*"
    r"|extensions\.partialclone|lfs\..*",
    re.IGNORECASE,
)
_SAFE: Final = re.compile(
    r"user\.(name|email|signingkey)|author\.(name|email)|committer\.(name|email)"
    r"|commit\.gpgsign|gpg\.format|gpg\.ssh\.allowedsignersfile"
    r"|core\.(autocrlf|eol|filemode|symlinks|ignorecase|precomposeunicode|bigfilethreshold|compression)"
    r"|merge\.(renames|renamelimit|directoryrenames)|diff\.(renames|renamelimit|algorithm)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Entries:
    """What `git config --list` says: the repository's own entries, and whether commits are to be signed.

    `hooks_path` is where hooks are looked for by any config, empty where none says. `elsewhere` are the entries that
    linked worktrees have in a file of their own.
    """

    local: Pairs
    signs: bool = False
    hooks_path: str = ""
    elsewhere: Pairs = ()

    @property
    def everywhere(self) -> Pairs:
        """The repository's own entries, then what any one worktree has besides."""
        return self.local + tuple(dict.fromkeys(pair for pair in self.elsewhere if pair not in self.local))


def parse(fields: Iterable[str]) -> Entries:
    """The output fields of `git config --list -z --show-scope`."""
    items = list(fields)
    local, signs, hooks_path = [], False, ""
    for scope, entry in zip(items[::2], items[1::2], strict=True):
        key, _, value = entry.partition("\n")
        if scope in ("local", "worktree"):
            local.append((key, value))
        if key == "commit.gpgsign":
            signs = value.lower() in ("", "true", "yes", "on", "1")
        if key == "core.hookspath" and scope != "command":  # which is what we ourselves say on the way
            hooks_path = value
    return Entries(tuple(local), signs, hooks_path)


def parse_file(fields: Iterable[str]) -> Pairs:
    """The output fields of `git config --file FILE --list -z`."""
    return tuple((key, value) for key, _, value in (entry.partition("\n") for entry in fields))


def has_worktree_config(pairs: Pairs) -> bool:
    """Whether worktrees may have config files of their own."""
    said = [value.lower() for key, value in pairs if key.lower() == "extensions.worktreeconfig"]
    return bool(said) and said[-1] in ("", "true", "yes", "on", "1")


def executable(pairs: Pairs) -> dict[str, list[str]]:
    """The keys of `pairs` by which a git command can be made to run a program, with all their values."""
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        if _EXECUTABLE.fullmatch(key):
            found.setdefault(key, []).append(value)
    return found


def is_partial(key: str) -> bool:
    """The key makes of a repository a partial clone, whose missing objects git fetches by itself."""
    return bool(_PARTIAL.fullmatch(key))


def changed(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> tuple[str, ...]:
    """The keys whose values differ, sorted."""
    return tuple(sorted(key for key in {*before, *after} if before.get(key) != after.get(key)))


def obeyed_in_checkouts(keys: Iterable[str], pairs: Pairs) -> tuple[str, ...]:
    """Those of `keys` that git obeys while it writes or compares files, whatever we tell it on the way.

    Filters; and in a partial clone all that has to do with remotes, where missing files are fetched from.
    """
    partial = any(is_partial(key) for key, _ in pairs)
    return tuple(key for key in keys if _FILTER.fullmatch(key) or (partial and _TRANSPORT.fullmatch(key)))


def safe_copy(pairs: Pairs) -> str:
    """The keys of `pairs` that say who commits and how files are written, as text for a config file."""
    lines = []
    for key, value in pairs:
        if _SAFE.fullmatch(key):
            section, _, name = key.rpartition(".")
            first, _, rest = section.partition(".")
            header = f'[{first} "{rest}"]' if rest else f"[{first}]"
            lines.append(f"{header}\n\t{name} = {_quoted(value)}\n")
    return "".join(lines)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
