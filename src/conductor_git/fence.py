"""The fence around a worker's git commands: which hooks they run, and by which environment (design: landing.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from conductor_git.durable import make_directory, replace
from conductor_git.gitcmd import config_variables, durable_config

SOURCE: Final = Path(__file__).parent / "_hooks"
"""The project's `hooks/`, in the installed package."""

CONFIG_NAME: Final = "fence.gitconfig"
_SETTINGS: Final = {
    # `git gc` packs everybody's refs, and a ref that moves meanwhile would look like one that the fence must hold.
    "gc.packRefs": "false",
    **durable_config(),
}

SOURCED: Final = ("tell", "whose")
"""Parts that the hooks share; no hook of git's has their names."""
OWN_HOOKS: Final = (
    "chain",
    "post-checkout",
    "post-commit",
    "post-rewrite",
    "pre-push",
    "prepare-commit-msg",
    "reference-transaction",
)
CHAINED_HOOKS: Final = (
    # Every other hook that git runs where somebody works; each is a copy of `chain` under its name.
    "applypatch-msg",
    "commit-msg",
    "post-applypatch",
    "post-index-change",
    "post-merge",
    "post-receive",
    "post-update",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-rebase",
    "pre-receive",
    "sendemail-validate",
    "update",
    # Not push-to-checkout and proc-receive: that there is one changes what git does.
)
HOOKS: Final = tuple(sorted({*OWN_HOOKS, *CHAINED_HOOKS} - {"chain"}))
"""The hooks that git runs, ours and handed on."""


def environment(*, hooks: Path, branch_ref: str, common_dir: Path, original_hooks: Path | None) -> dict[str, str]:
    """What an agent's process gets so that its git commands move no ref but `branch_ref`.

    `hooks` is what `materialise` returned, `original_hooks` the hooks directory that git would use without the
    fence (absolute, or relative to the worktree's top as in core.hooksPath). The settings are included for the git
    dirs of this one repository, so a repository that a test suite makes meanwhile has its own hooks and no fence.
    They stop accidents: whoever clears the environment or sets core.hooksPath gets past them, and git asks no hook
    about `git branch -c` or `git stash drop` of one among several.
    """
    common_dir = common_dir.resolve()
    chain = "" if original_hooks is None or original_hooks.resolve() == hooks.resolve() else str(original_hooks)
    here = _glob_literal(common_dir)
    include = str(hooks / CONFIG_NAME)
    return {
        "CONDUCTOR_FENCE_BRANCH": branch_ref,
        "CONDUCTOR_FENCE_COMMON_DIR": str(common_dir),
        "CONDUCTOR_CHAIN_HOOKS": chain,
        **config_variables({f"includeIf.gitdir:{where}.path": include for where in (here, f"{here}/worktrees/*")}),
    }


def materialise(directory: Path, remotes: Iterable[str] = ()) -> Path:
    """Write the hooks into `directory` where they are missing or differ, and return it, absolute.

    Each file is replaced whole and executable, so a hook that runs meanwhile is the old one or the new one. They are
    copied because an installed package keeps neither links nor, everywhere, the executable bit.
    """
    directory = directory.resolve()
    make_directory(directory)
    for name, content in {**hooks(), CONFIG_NAME: settings(directory, remotes)}.items():
        if not is_current(path := directory / name, content):
            replace(path, content, mode=0o755)
    return directory


def hooks() -> dict[str, bytes]:
    """What a directory of our hooks holds, by file name."""
    own = {name: (SOURCE / name).read_bytes() for name in (*SOURCED, *OWN_HOOKS)}
    return own | dict.fromkeys(CHAINED_HOOKS, own["chain"])


def settings(directory: Path, remotes: Iterable[str]) -> bytes:
    """The git config that puts the hooks in `directory` in force.

    A fetch from one of `remotes` leaves the tags, which the fence would refuse one by one, where they are.
    """
    tags = {f"remote.{name}.tagOpt": "--no-tags" for name in remotes}
    return _config({"core.hooksPath": str(directory), **_SETTINGS, **tags})


def is_current(path: Path, content: bytes) -> bool:
    """`path` holds `content` and may be executed."""
    try:
        return path.read_bytes() == content and path.stat().st_mode & 0o111 == 0o111
    except FileNotFoundError:
        return False


def _config(values: Mapping[str, str]) -> bytes:
    lines = []
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        section, _, inner = section.partition(".")
        header = f"{section} {_quoted(inner)}" if inner else section
        lines.append(f"[{header}]\n\t{name} = {_quoted(value)}\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _glob_literal(path: Path) -> str:
    """`path` as a pattern that matches itself; a newline, which no config key can hold, as any one character."""
    escaped = "".join(f"\\{char}" if char in "\\*?[" else char for char in str(path))
    return escaped.replace("\n", "?")
